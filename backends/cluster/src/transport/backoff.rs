//! How long to wait before the next attempt.
//!
//! **Invariant.** A wait lies between half of a doubling bound and all of it, so that processes that lost a peer together
//! do not come back together.

use std::time::Duration;

use rand::Rng as _;
use rand::rngs::SmallRng;

#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// How long this time.
    pub(super) fn wait(&mut self, random: &mut SmallRng) -> Duration {
        let bound = self.next;
        self.next = (bound * 2).min(self.most);
        random.random_range(bound / 2..=bound)
    }

    /// It went well.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_with_jitter_and_begin_anew_after_a_success() {
        let (ms, mut random) = (Duration::from_millis, SmallRng::seed_from_u64(1));
        let mut backoff = Backoff::new(ms(50), ms(500));
        for bound in [50, 100, 200, 400, 500, 500] {
            let wait = backoff.wait(&mut random);
            assert!(wait >= ms(bound) / 2 && wait <= ms(bound), "{wait:?} of {bound}");
        }
        backoff.reset();
        assert!(backoff.wait(&mut random) <= ms(50));
    }
}
