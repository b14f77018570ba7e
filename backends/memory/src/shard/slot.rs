//! What a shard knows of one key.

use std::sync::Arc;

use abide_core::{Error, ErrorKind, Loaded, Record, Timestamp, Version};

use crate::due::Window;

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) state: State,
    /// The window under which the key is filed.
    pub(super) window: Window,
    /// Whether the key has an entry in the order of eviction.
    pub(super) in_order: bool,
}

#[derive(Debug)]
pub(super) enum State {
    Held {
        record: Arc<Record>,
        version: u64,
    },
    /// Ended; remembered until then, so that no late create brings it back.
    Over {
        until: Timestamp,
    },
}

impl Slot {
    pub(super) fn new(state: State, window: Window) -> Self {
        Self { state, window, in_order: false }
    }

    /// The session, while it is live.
    pub(super) fn live(&self, now: Timestamp) -> Option<Loaded> {
        match &self.state {
            State::Held { record, version } if record.over(now).is_none() => Some(loaded(record, *version)),
            _ => None,
        }
    }

    pub(super) fn held(&self) -> Option<&Arc<Record>> {
        match &self.state {
            State::Held { record, .. } => Some(record),
            State::Over { .. } => None,
        }
    }

    /// When there is nothing left to remember.
    pub(super) fn leaves_at(&self) -> Timestamp {
        match &self.state {
            State::Held { record, .. } => record.era().map_or(Timestamp::default(), |era| era.deadline()),
            State::Over { until } => *until,
        }
    }

    /// What a creation of `record` comes to where this slot stands.
    pub(super) fn meet(&self, record: &Record, now: Timestamp) -> Result<Loaded, Error> {
        match self.live(now) {
            Some(live) if live.record.created() == record.created() => Ok(live),
            Some(_) => Err(ErrorKind::Exists.into()),
            None => Err(ErrorKind::Ended.into()),
        }
    }
}

pub(super) fn loaded(record: &Arc<Record>, version: u64) -> Loaded {
    Loaded::new(record.clone(), Version(u128::from(version)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_takes_24_bytes_also_where_it_may_be_vacant() {
        assert_eq!((size_of::<Slot>(), size_of::<Option<Slot>>()), (24, 24));
    }
}
