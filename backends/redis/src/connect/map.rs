//! Which master has a slot.

use redis::Value;

use super::master::Master;
use super::target::Host;

const SLOTS: usize = 16_384;
const NOBODY: u16 = u16::MAX;

/// Slots, and who has them.
pub(super) struct Range {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) host: Host,
}

/// Which master has a slot.
#[derive(Clone)]
pub(super) struct Map {
    masters: Vec<Master>,
    /// The place of each slot's master among them.
    of: Box<[u16]>,
}

impl Map {
    pub(super) fn new(ranges: Vec<(u16, u16, Master)>) -> Self {
        let mut map = Self { masters: Vec::new(), of: vec![NOBODY; SLOTS].into() };
        for (first, last, master) in ranges {
            let index = map.index(master);
            if let Some(slots) = map.of.get_mut(usize::from(first)..=usize::from(last)) {
                slots.fill(index);
            }
        }
        map
    }

    pub(super) fn master(&self, slot: u16) -> Option<&Master> {
        self.masters.get(usize::from(*self.of.get(usize::from(slot))?))
    }

    /// The map after one slot moved.
    pub(super) fn with(&self, slot: u16, master: Master) -> Self {
        let mut map = self.clone();
        let index = map.index(master);
        if let Some(of) = map.of.get_mut(usize::from(slot)) {
            *of = index;
        }
        map
    }

    /// Every master that has slots.
    pub(super) fn masters(&self) -> impl Iterator<Item = &Master> {
        let used = |(index, _): &(usize, _)| self.of.iter().any(|of| usize::from(*of) == *index);
        self.masters.iter().enumerate().filter(used).map(|(_, master)| master)
    }

    /// Whether every slot has a master.
    pub(super) fn is_whole(&self) -> bool {
        !self.of.contains(&NOBODY)
    }

    /// Whether every master is within reach, and serves.
    pub(super) fn is_up(&self) -> bool {
        self.masters().all(Master::serves)
    }

    /// Whether there is no reason to look for another map.
    pub(super) fn is_calm(&self) -> bool {
        self.is_whole() && self.is_up()
    }

    /// Whether every slot has the same master in both.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let slots = 0..u16::try_from(SLOTS).unwrap_or(u16::MAX);
        slots.into_iter().all(|slot| match (self.master(slot), other.master(slot)) {
            (Some(one), Some(other)) => one.is(other),
            (None, None) => true,
            _ => false,
        })
    }

    fn index(&mut self, master: Master) -> u16 {
        let index = self.masters.iter().position(|known| known.is(&master)).unwrap_or_else(|| {
            self.masters.push(master);
            self.masters.len() - 1
        });
        u16::try_from(index).unwrap_or(NOBODY)
    }
}

/// The slot of a key: by what stands between its first braces, if anything does.
pub(super) fn slot_of(key: &[u8]) -> u16 {
    let open = key.iter().position(|byte| *byte == b'{').map(|open| &key[open + 1..]);
    let tag = open.and_then(|tag| tag.iter().position(|byte| *byte == b'}').map(|close| &tag[..close]));
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    crc16::State::<crc16::XMODEM>::calculate(hashed) % 16_384
}

/// Reads the answer of `CLUSTER SLOTS`; nothing where it is none. A server that does not know its own name means the one it
/// was asked by.
pub(super) fn ranges(answer: &Value, asked: &Host) -> Option<Vec<Range>> {
    let Value::Array(ranges) = answer else { return None };
    let ranges: Vec<_> = ranges.iter().filter_map(|range| read(range, asked)).collect();
    (!ranges.is_empty()).then_some(ranges)
}

/// `[first, last, [name, port, …], replicas…]`
fn read(range: &Value, asked: &Host) -> Option<Range> {
    let Value::Array(parts) = range else { return None };
    let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = parts.as_slice() else {
        return None;
    };
    let [name, Value::Int(port), ..] = master.as_slice() else { return None };
    let name = match name {
        Value::BulkString(name) if name == b"?" => return None,
        Value::BulkString(name) if !name.is_empty() => String::from_utf8(name.clone()).ok()?,
        _ => asked.name.clone(),
    };
    let slot = |slot: i64| u16::try_from(slot).ok().filter(|slot| usize::from(*slot) < SLOTS);
    let host = Host { name, port: u16::try_from(*port).ok()? };
    Some(Range { first: slot(*first)?, last: slot(*last)?, host })
}

#[cfg(test)]
mod tests {
    use super::slot_of;

    #[test]
    fn keys_of_one_tag_share_a_slot_and_an_empty_tag_is_none() {
        // By `CLUSTER KEYSLOT`.
        assert_eq!(slot_of(b"123456789"), 12739);
        assert_eq!(slot_of(b"foo"), 12182);
        assert_eq!(slot_of(b"a{foo}b{bar}"), slot_of(b"foo"));
        assert_eq!(slot_of(b"{}foo"), 9500);
        assert_ne!(slot_of(b"{}foo"), slot_of(b"foo"));
    }
}
