//! Visitors who come, write and log out until they are told to stop. Each session is written once to, so that nothing
//! written later hides what was lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use abide_core::entropy::random_bytes;
use abide_core::{
    Changes, Clock as _, CommitOptions, CreateOptions, EndOptions, EndReason, Error, ErrorKind, NewRecord,
    Record, SessionKey, SessionStore as _, Stamps, SystemClock, SystemEntropy, Token,
};
use abide_redis::RedisStore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::outcome::Seen;
use crate::rig::Masters;

const VISITORS: u64 = 16;
const BETWEEN_VISITS: Duration = Duration::from_millis(2);
/// Every so many-th visitor logs out.
const LOGOUTS: u64 = 3;
const LIFE: Duration = Duration::from_secs(600);
/// What a session holds once it was written to.
pub(crate) const VALUE: &str = "visited";

pub(crate) struct Load {
    tasks: JoinSet<()>,
    shared: Arc<Shared>,
}

struct Shared {
    store: RedisStore,
    masters: Masters,
    stop: AtomicBool,
    seen: Mutex<Seen>,
}

/// What one call of the store came to.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) begun: Instant,
    pub(crate) took: Duration,
    pub(crate) error: Option<ErrorKind>,
    pub(crate) wrote: bool,
    pub(crate) key: SessionKey,
    /// Whose it was.
    pub(crate) master: usize,
}

impl Load {
    pub(crate) fn start(store: &RedisStore, masters: Masters) -> Self {
        let shared =
            Shared { store: store.clone(), masters, stop: AtomicBool::new(false), seen: Mutex::default() };
        let (shared, mut tasks) = (Arc::new(shared), JoinSet::new());
        for visitor in 0..VISITORS {
            let (shared, stamps) = (shared.clone(), Stamps::new(visitor));
            tasks.spawn(async move {
                let mut visits = 0;
                while !shared.stop.load(Ordering::Relaxed) {
                    visits += 1;
                    shared.visit(&stamps, visits % LOGOUTS == 0).await;
                    sleep(BETWEEN_VISITS).await;
                }
            });
        }
        Self { tasks, shared }
    }

    pub(crate) async fn end(mut self) -> Seen {
        self.shared.stop.store(true, Ordering::Relaxed);
        while let Some(visitor) = self.tasks.join_next().await {
            visitor.unwrap();
        }
        std::mem::take(&mut *self.shared.seen.lock().unwrap())
    }
}

impl Shared {
    /// One visit: a session, a value in it, and a logout.
    async fn visit(&self, stamps: &Stamps, leaves: bool) {
        let token = Token::generate(&SystemEntropy).unwrap();
        let (key, now) = (*token.key(), SystemClock.now());
        let nonce = random_bytes(&SystemEntropy).unwrap();
        let new = NewRecord::new(stamps.next(now), nonce, token.verifier(), now);
        let record = Record::create(new.idle_timeout(LIFE).hard_deadline(now + LIFE));
        let created = self.call(&key, true, self.store.create(&key, record, &CreateOptions::default())).await;
        let Ok(loaded) = created else { return };
        self.note(|seen| seen.created.push(key));

        let era = loaded.record.era().unwrap().id();
        let mut changes =
            Changes::new(stamps.next_after(SystemClock.now(), loaded.record.latest_stamp()), era);
        changes.set(VALUE, *b"1");
        let options = CommitOptions::default();
        let commit = self.store.commit(&key, loaded.version, &changes, &options);
        match self.call(&key, true, commit).await {
            Ok(_) => self.note(|seen| seen.written.push(key)),
            // Nobody is left to log out; whether a new master never had the session is looked at in the end.
            Err(error) if error.kind() == ErrorKind::Missing => return,
            Err(_) => {}
        }
        if leaves {
            // From the first attempt on nobody can say whether the session should be there.
            self.note(|seen| seen.leaving.insert(key));
            let options = EndOptions::default();
            let end = self.store.end(&key, EndReason::LoggedOut, &options);
            if self.call(&key, false, end).await.is_ok() {
                self.note(|seen| seen.left.push(key));
            }
        }
    }

    async fn call<T>(
        &self,
        key: &SessionKey,
        wrote: bool,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let begun = Instant::now();
        let answer = call.await;
        let call = Call {
            begun,
            took: begun.elapsed(),
            error: answer.as_ref().err().map(Error::kind),
            wrote,
            key: *key,
            master: self.masters.of(key),
        };
        self.note(|seen| seen.calls.push(call));
        answer
    }

    fn note<T>(&self, note: impl FnOnce(&mut Seen) -> T) {
        note(&mut self.seen.lock().unwrap());
    }
}
