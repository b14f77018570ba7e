//! Turns of requests that change one session at the same time.
//!
//! A store decides which of them comes first, and the others try again. Where many do, each success costs a try of
//! everybody else, so those of one process that lost once go one after the other: a crowd of `n` then costs a few `n` tries
//! and not `n²`, and the first to lose is the first to go on. Nobody depends on it for being right.

use abide_core::SessionKey;
use tokio::sync::{Mutex, MutexGuard};

use std::sync::atomic::{AtomicBool, Ordering};

/// Sessions that share a turn wait for each other without need, but only while both are contended.
const STRIPES: usize = 64;

/// A queue for each of some sessions.
#[derive(Debug)]
pub(crate) struct Turns([Queue; STRIPES]);

#[derive(Debug)]
struct Queue {
    turn: Mutex<()>,
    /// The last one failed for lack of a store: to wait for each other's failures would take everybody's time.
    is_down: AtomicBool,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    queue: &'a Queue,
    _held: Option<MutexGuard<'a, ()>>,
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Queue { turn: Mutex::const_new(()), is_down: AtomicBool::new(false) }))
    }

    /// Waits for those before. Cancelled, it leaves the queue.
    pub(crate) async fn take(&self, key: &SessionKey) -> Turn<'_> {
        let queue = &self.0[usize::from(key.as_bytes()[0]) % STRIPES];
        let held = queue.turn.lock().await;
        let goes_alone = queue.is_down.load(Ordering::Relaxed);
        Turn { queue, _held: (!goes_alone).then_some(held) }
    }
}

impl Turn<'_> {
    /// Ends it, and says whether the store was in reach.
    pub(crate) fn end(self, was_in_reach: bool) {
        self.queue.is_down.store(!was_in_reach, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn those_of_one_session_go_one_after_the_other_and_all_at_once_while_the_store_is_away() {
        let turns = Turns::new();
        let (one, other) = (SessionKey::from_bytes([1; 16]), SessionKey::from_bytes([2; 16]));
        let Poll::Ready(first) = poll(pin!(turns.take(&one))) else { panic!("nobody is before the first") };
        let (mut second, mut third) = (pin!(turns.take(&one)), pin!(turns.take(&one)));
        assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        assert!(poll(pin!(turns.take(&other))).is_ready(), "another session waits");

        first.end(true);
        let Poll::Ready(second) = poll(second) else { panic!("the second has its turn") };
        assert!(poll(third.as_mut()).is_pending());

        second.end(false);
        let (Poll::Ready(_third), Poll::Ready(_fourth)) = (poll(third), poll(pin!(turns.take(&one)))) else {
            panic!("they wait for each other's failures")
        };
    }
}
