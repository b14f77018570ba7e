//! How bytes become copies of a session: each is one decision in a short history of ordinary operations.

use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    Changes, CommitRules, EndReason, Keep, NewEra, NewRecord, Record, Stamps, Timestamp, Verifier,
};
use arbitrary::{Result, Unstructured};

/// When every history begins.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const STEPS: usize = 24;
const COPIES: usize = 3;

/// Copies of one session after a history. Bytes that are used up read as zeros, so any are enough.
pub(crate) fn copies(input: &mut Unstructured<'_>) -> [Record; COPIES] {
    let stamps = Stamps::new(1);
    let new = NewRecord::new(stamps.next(START), [0; 16], verifier(0), START);
    let first = Record::create(new.value("key 0", b"first".as_slice()));
    let mut copies = [first.clone(), first.clone(), first];
    for _ in 0..STEPS {
        if input.is_empty() || step(input, &stamps, &mut copies).is_err() {
            break;
        }
    }
    copies
}

fn step(input: &mut Unstructured<'_>, stamps: &Stamps, copies: &mut [Record; COPIES]) -> Result<()> {
    let now = START + Duration::from_millis(input.arbitrary::<u16>()?.into());
    let at = input.choose_index(COPIES)?;
    match input.int_in_range(0..=11)? {
        0 => copies[at] = copies[at].join(&copies[(at + 1) % COPIES]),
        1 => {
            let ended = Record::ended(copies[at].created(), now, EndReason::Other(input.arbitrary()?));
            copies[at] = copies[at].join(&ended);
        }
        act => {
            let Some(changes) = changes(input, act, now, stamps, &copies[at])? else { return Ok(()) };
            let everywhere: bool = input.arbitrary()?;
            for (n, copy) in copies.iter_mut().enumerate() {
                if let Ok(Some(next)) = copy.commit(&changes, &CommitRules::at(now)) {
                    if everywhere || n == at {
                        *copy = next;
                    }
                }
            }
        }
    }
    Ok(())
}

/// What a request did to the session that it saw; `None` where that was over.
fn changes(
    input: &mut Unstructured<'_>,
    act: u8,
    now: Timestamp,
    stamps: &Stamps,
    seen: &Record,
) -> Result<Option<Changes>> {
    let Some(era) = seen.era() else { return Ok(None) };
    let mut changes = Changes::new(stamps.next_after(now, seen.latest_stamp()), era.id());
    let key = format!("key {}", input.arbitrary::<u8>()? % 4);
    match act {
        2..=4 => changes.set(key, content(input)?),
        5 => changes.remove(key),
        6 | 7 => {
            let was = era.entry(&key).map(|entry| entry.stamp());
            let next = if input.arbitrary()? { Some(content(input)?) } else { None };
            changes.update(key, was, next);
        }
        8 => changes.seen_at(now),
        9 => changes.set_idle_timeout(Duration::from_millis(input.arbitrary::<u32>()?.into())),
        10 => {
            changes.renew(era.secrets().newest(), verifier(input.arbitrary()?), now);
            changes.confirm(era.secrets().newest(), now);
        }
        _ => changes.open_era(new_era(input, now)?),
    }
    Ok(Some(changes))
}

fn new_era(input: &mut Unstructured<'_>, now: Timestamp) -> Result<NewEra> {
    let nonce = input.arbitrary()?;
    let era = NewEra::new([nonce; 16], verifier(nonce), now + Duration::from_secs(7_200));
    let era = match input.arbitrary::<u8>()? % 3 {
        0 => era,
        user => era.user(format!("user {user}"), now),
    };
    Ok(era.keep(if input.arbitrary()? { Keep::All } else { Keep::Nothing }))
}

fn content(input: &mut Unstructured<'_>) -> Result<Arc<[u8]>> {
    let length = input.int_in_range(0..=9)?;
    Ok(input.bytes(length.min(input.len()))?.into())
}

fn verifier(n: u8) -> Verifier {
    Verifier::from_bytes([n; 16])
}
