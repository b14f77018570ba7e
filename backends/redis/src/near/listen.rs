//! What the near-cache makes of the news of the link.

use std::sync::Arc;

use redis::{Pipeline, PushInfo, PushKind, Value};

use super::cache::NearCache;
use crate::connect::{LinkEvent, Watcher};
use crate::keys::Keys;

/// Has the cache told of what happens to the shared connection, on which the server tracks what is read.
///
/// `NOLOOP`, for a write of this process leaves in the cache what it wrote.
pub(crate) fn watcher(cache: Arc<NearCache>, keys: Keys) -> Watcher {
    let mut greeting = Pipeline::with_capacity(1);
    greeting.cmd("CLIENT").arg("TRACKING").arg("ON").arg("NOLOOP");
    Watcher::new(greeting, move |event| match event {
        LinkEvent::Made(number) => cache.connected(number),
        LinkEvent::Heard { over, sent } => cache.heard(over, sent.into_std()),
        LinkEvent::Lost(number) => cache.disconnected(number),
        LinkEvent::Pushed(push) => pushed(&cache, &keys, push),
    })
}

fn pushed(cache: &NearCache, keys: &Keys, push: PushInfo) {
    if push.kind != PushKind::Invalidate {
        return;
    }
    match push.data.into_iter().next() {
        Some(Value::Array(names)) => names.iter().for_each(|name| match name {
            Value::BulkString(name) => invalidate(cache, keys, name),
            _ => cache.flush(),
        }),
        // The server forgot what it tracks: its tables were flushed.
        _ => cache.flush(),
    }
}

fn invalidate(cache: &NearCache, keys: &Keys, name: &[u8]) {
    // Lists of users are tracked too, and nobody keeps them.
    if let Some(key) = keys.parse_session(name) {
        cache.invalidate(&key);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use abide_core::SessionKey;

    use super::super::cache::tests::{heard, key, session};
    use super::*;

    fn after(push: Vec<Value>) -> [bool; 2] {
        let (cache, connection) = heard();
        for n in [1, 2] {
            cache.put(&key(n), &session(5, 1), cache.mark(&key(n)), connection);
        }
        pushed(&cache, &Keys::new("app:"), PushInfo { kind: PushKind::Invalidate, data: push });
        [1, 2].map(|n| cache.get(&key(n), Instant::now()).is_some())
    }

    fn names(keys: &[SessionKey]) -> Vec<Value> {
        let name = |key: &SessionKey| Value::BulkString(Keys::new("app:").session(key));
        vec![Value::Array(keys.iter().map(name).collect())]
    }

    #[test]
    fn a_push_of_keys_drops_those_and_no_other() {
        assert_eq!(after(names(&[key(1)])), [false, true]);
        assert_eq!(after(names(&[key(1), key(2)])), [false, false]);
        assert_eq!(after(vec![Value::Array(vec![Value::BulkString(b"app:u:x".to_vec())])]), [true, true]);
    }

    #[test]
    fn a_push_without_keys_drops_everything() {
        assert_eq!(after(vec![Value::Nil]), [false, false]);
        assert_eq!(after(Vec::new()), [false, false]);
    }
}
