//! An input made of others.

use fastrand::Rng;

const LONGEST: usize = 600;

/// Noise, or one of the pool with a few wounds.
pub(crate) fn any(random: &mut Rng, pool: &[Vec<u8>]) -> Vec<u8> {
    if random.u8(..) < 32 {
        let length = random.usize(..LONGEST);
        return (0..length).map(|_| random.u8(..)).collect();
    }
    let mut input = one_of(random, pool);
    for _ in 0..random.usize(1..5) {
        strike(random, &mut input, pool);
    }
    input
}

fn one_of(random: &mut Rng, pool: &[Vec<u8>]) -> Vec<u8> {
    random.choice(pool).cloned().unwrap_or_default()
}

fn strike(random: &mut Rng, input: &mut Vec<u8>, pool: &[Vec<u8>]) {
    let at = random.usize(..=input.len());
    match random.u8(..6) {
        0 => input.insert(at, random.u8(..)),
        1 => input.truncate(at),
        2 => drop(input.drain(at..(at + random.usize(..4)).min(input.len()))),
        3 => splice(random, input, at, pool),
        // What bounds and lengths trip over.
        4 => input.splice(at..at, [0xFF; 9].into_iter().take(random.usize(..9)).chain([0x01])).for_each(drop),
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.u8(..8);
            }
        }
    }
}

/// A part of another input in the place of a part of this one.
fn splice(random: &mut Rng, input: &mut Vec<u8>, at: usize, pool: &[Vec<u8>]) {
    let other = one_of(random, pool);
    let from = random.usize(..=other.len());
    let until = (from + random.usize(..40)).min(other.len());
    let replaced = (at + random.usize(..40)).min(input.len());
    input.splice(at..replaced, other[from..until].iter().copied());
}
