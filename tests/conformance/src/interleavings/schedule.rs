//! The seeded scheduler: which of the clients has the next turn.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

use super::client::Boxed;
use super::rng::Rng;

/// How often time passes though somebody could go on: background work needs its turns too.
const PASSES: u32 = 5;

/// Lets those go on who sleep or work in the background. Where nobody sleeps there is nothing to pass.
pub type Pass = Box<dyn Fn() -> Boxed<()> + Send + Sync>;

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

struct Participant {
    work: Boxed<()>,
    flag: Arc<Flag>,
}

/// Runs all of `work`, one poll of one of them at a time, in the order that `rng` chooses. Answers whether all of it came
/// to its end.
pub(super) async fn interleave(rng: &mut Rng, work: Vec<Boxed<()>>, pass: Option<&Pass>) -> bool {
    let awake = |work| Participant { work, flag: Arc::new(Flag(AtomicBool::new(true))) };
    let mut left: Vec<_> = work.into_iter().map(awake).collect();
    while !left.is_empty() {
        let ready: Vec<_> = (0..left.len()).filter(|at| left[*at].flag.0.load(SeqCst)).collect();
        match pass {
            Some(pass) if ready.is_empty() || rng.chance(PASSES) => pass().await,
            None if ready.is_empty() => return false,
            _ => {
                let at = ready[rng.below(ready.len())];
                if turn(&mut left[at]) {
                    left.remove(at);
                }
            }
        }
    }
    true
}

fn turn(participant: &mut Participant) -> bool {
    participant.flag.0.store(false, SeqCst);
    let waker = Waker::from(participant.flag.clone());
    participant.work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
}

/// Runs a future that never waits for anything but its own turn.
pub(super) fn at_once<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(flag);
    loop {
        if let Poll::Ready(output) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
    }
}
