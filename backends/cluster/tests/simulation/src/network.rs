//! What becomes of a message.

use std::time::Duration;

use abide_conformance::interleavings::Rng;

use crate::fault::Fault;

/// What is wrong with the network now: each fault with its end.
#[derive(Debug, Default)]
pub(crate) struct Network {
    wrong: Vec<(Duration, Duration, Fault)>,
}

impl Network {
    /// From `now` on.
    pub(crate) fn add(&mut self, now: Duration, how_long: Duration, fault: Fault) {
        self.wrong.push((now, now + how_long, fault));
    }

    pub(crate) fn pass(&mut self, now: Duration) {
        self.wrong.retain(|(_, until, _)| *until + Duration::from_secs(5) > now);
    }

    /// Whether anything keeps messages from arriving, or did a moment ago.
    pub(crate) fn is_cut(&self, now: Duration) -> bool {
        self.wrong.iter().any(|(_, until, fault)| {
            let slows = matches!(fault, Fault::Duplication(..) | Fault::Reordering(..) | Fault::Slow(..));
            *until + Duration::from_secs(4) > now && !slows
        })
    }

    pub(crate) fn heal(&mut self, now: Duration) {
        self.wrong.iter_mut().for_each(|(_, until, _)| *until = (*until).min(now));
    }

    /// Whether a message can get from one process to another.
    pub(crate) fn is_open(&self, now: Duration, from: usize, to: usize) -> bool {
        !self.wrong.iter().any(|(since, until, fault)| {
            now < *until
                && match fault {
                    Fault::CutOneWay(a, b, _) => (from, to) == (*a, *b),
                    Fault::CutBetween(a, b, _) => (from, to) == (*a, *b) || (from, to) == (*b, *a),
                    Fault::Isolated(one, _) => from == *one || to == *one,
                    Fault::Split(below, _) => (from < *below) != (to < *below),
                    Fault::Flapping(one, every, _) => {
                        let turns = (now - *since).as_millis() / every.as_millis().max(1);
                        (from == *one || to == *one) && turns % 2 == 0
                    }
                    _ => false,
                }
        })
    }

    /// When a message arrives, if at all: nowhere, once or twice.
    pub(crate) fn delays(
        &self,
        rng: &mut Rng,
        now: Duration,
        (from, to): (usize, usize),
        kind: &str,
    ) -> Vec<Duration> {
        if from == to {
            return vec![Duration::ZERO];
        }
        if !self.is_open(now, from, to) {
            return Vec::new();
        }
        let mut delay = Duration::from_micros(200 + rng.next_u64() % 800);
        let mut copies = 1;
        for (_, until, fault) in &self.wrong {
            if now >= *until {
                continue;
            }
            match fault {
                Fault::Loss(of_thousand, _) if rng.next_u64() % 1_000 < u64::from(*of_thousand) => copies = 0,
                Fault::Duplication(of_thousand, _) if rng.next_u64() % 1_000 < u64::from(*of_thousand) => {
                    copies += 1;
                }
                Fault::Lost(lost, a, b, _) => {
                    let is_its = a.is_none_or(|a| a == from) && b.is_none_or(|b| b == to);
                    if is_its && *lost == kind {
                        copies = 0;
                    }
                }
                Fault::Reordering(up_to, _) => delay += up_to.mul_f64(fraction(rng)),
                Fault::Late(of_thousand, by, _) if rng.next_u64() % 1_000 < u64::from(*of_thousand) => {
                    delay += *by;
                }
                Fault::Slow(one, by, _) if from == *one || to == *one => delay += by.mul_f64(fraction(rng)),
                _ => {}
            }
        }
        let again = |n: u32| delay + Duration::from_millis(u64::from(n) * 3);
        (0..copies).map(again).collect()
    }
}

fn fraction(rng: &mut Rng) -> f64 {
    (rng.next_u64() % 1_000) as f64 / 1_000.0
}
