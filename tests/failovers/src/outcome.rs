//! What the visitors met, and what is left of it.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::time::Duration;

use abide_core::{Error, ErrorKind, LoadOptions, Loaded, SessionKey, SessionStore};
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::{Instant, sleep};

use crate::load::{Call, VALUE};
use crate::rig::STRUCK;
use crate::scenario::{Scenario, Setup};

const AT_ONCE: usize = 64;
/// By then a hung server is given up, and nobody waits for the next connection any more.
const KNOWN_AFTER: Duration = Duration::from_secs(2);

/// What the visitors did and met.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) calls: Vec<Call>,
    /// Sessions whose creation was answered.
    pub(crate) created: Vec<SessionKey>,
    /// Sessions whose write was answered.
    pub(crate) written: Vec<SessionKey>,
    /// Sessions whose end was asked for.
    pub(crate) leaving: HashSet<SessionKey>,
    /// Sessions whose end was answered.
    pub(crate) left: Vec<SessionKey>,
}

/// When what happened.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) fault: Instant,
    /// When the servers had another master.
    pub(crate) replaced: Option<Instant>,
    /// When the struck server came back.
    pub(crate) back: Instant,
}

/// One row of the table.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// What was done.
    pub scenario: Scenario,
    /// From the fault to when the servers were seen to have another master: their own part in what follows.
    pub replaced: Option<Duration>,
    /// From the fault to the answer of the first write of those begun after it that concern the struck master.
    pub first_write: Option<Duration>,
    /// From the fault to the answer of the last write that was begun after it and refused.
    pub last_error: Option<Duration>,
    /// From the return of the struck server to the answer of the next write that concerns it: for a single one.
    pub healed: Option<Duration>,
    /// How long refusals took that began when the breaker of their master was open: half of them, and all but one in a
    /// hundred.
    pub refusals: Option<(Duration, Duration)>,
    /// The errors, by kind. That a session is missing which is among the [lost](Self::lost) is none of its own.
    pub errors: BTreeMap<String, usize>,
    /// The longest call.
    pub longest: Duration,
    /// How many writes were answered.
    pub acknowledged: usize,
    /// How many of them are gone.
    pub lost: usize,
    /// How many logouts were answered.
    pub logouts: usize,
    /// How many of them were undone.
    pub undone: usize,
}

impl Seen {
    /// Counts what another process finds.
    pub(crate) async fn verify(self, scenario: Scenario, times: Times, other: &impl SessionStore) -> Outcome {
        let staying = |keys: &[SessionKey]| -> Vec<SessionKey> {
            keys.iter().filter(|key| !self.leaving.contains(key)).copied().collect()
        };
        let created = which(other, staying(&self.created), |found| found.is_none()).await;
        let written = which(other, staying(&self.written), |found| {
            found.is_none_or(|found| found.record.value(VALUE).is_none())
        })
        .await;
        let undone = which(other, self.left.clone(), |found| found.is_some()).await;
        Outcome {
            scenario,
            replaced: times.replaced.map(|replaced| replaced - times.fault),
            first_write: self.first_write(times.fault),
            last_error: self.last_error(times.fault),
            healed: (scenario.setup == Setup::Single).then(|| self.first_write(times.back)).flatten(),
            refusals: self.refusals(times.fault),
            errors: self.errors(&created),
            longest: self.calls.iter().map(|call| call.took).max().unwrap_or_default(),
            acknowledged: self.created.len() + self.written.len(),
            lost: created.len() + written.len(),
            logouts: self.left.len(),
            undone: undone.len(),
        }
    }

    fn first_write(&self, fault: Instant) -> Option<Duration> {
        let good =
            self.calls.iter().filter(|call| call.wrote && call.master == STRUCK && call.error.is_none());
        good.filter(|call| call.begun >= fault).map(|call| call.begun + call.took - fault).min()
    }

    fn last_error(&self, fault: Instant) -> Option<Duration> {
        let failed = self.calls.iter().filter(|call| call.error.is_some() && call.begun >= fault);
        failed.map(|call| call.begun + call.took - fault).max()
    }

    fn refusals(&self, fault: Instant) -> Option<(Duration, Duration)> {
        let refused = || self.calls.iter().filter(|call| call.error == Some(ErrorKind::Unavailable));
        // A living master of a Cluster that is down is an outage of its own: it is known once the first was refused.
        let known = |master| match master {
            STRUCK => Some(fault + KNOWN_AFTER),
            _ => refused().filter(|call| call.master == master).map(|call| call.begun + call.took).min(),
        };
        let known: Vec<_> = (0..=self.calls.iter().map(|call| call.master).max()?).map(known).collect();
        let known = refused().filter(|call| known[call.master].is_some_and(|known| call.begun >= known));
        let mut took: Vec<_> = known.map(|call| call.took).collect();
        took.sort_unstable();
        Some((*took.get(took.len() / 2)?, *took.get(took.len() * 99 / 100)?))
    }

    fn errors(&self, lost: &HashSet<SessionKey>) -> BTreeMap<String, usize> {
        let mut errors = BTreeMap::new();
        for call in &self.calls {
            let Some(error) = call.error else { continue };
            if error != ErrorKind::Missing || !lost.contains(&call.key) {
                *errors.entry(format!("{error:?}")).or_default() += 1;
            }
        }
        errors
    }
}

/// Which of the sessions are found to be `bad`.
async fn which(
    store: &impl SessionStore,
    keys: Vec<SessionKey>,
    bad: impl Fn(Option<&Loaded>) -> bool,
) -> HashSet<SessionKey> {
    let looks = stream::iter(keys).map(|key| async move { (key, load(store, &key).await.unwrap()) });
    let found = looks.buffer_unordered(AT_ONCE);
    found.filter_map(|(key, found)| std::future::ready(bad(found.as_ref()).then_some(key))).collect().await
}

/// Loads a session, with patience: the store may only just have connected.
async fn load(store: &impl SessionStore, key: &SessionKey) -> Result<Option<Loaded>, Error> {
    for _ in 0..50 {
        match store.load(key, &LoadOptions::default()).await {
            Err(error) if error.kind() == ErrorKind::Unavailable => sleep(Duration::from_millis(100)).await,
            answer => return answer,
        }
    }
    store.load(key, &LoadOptions::default()).await
}

impl Outcome {
    /// The head of the table.
    pub const HEAD: &'static str = "| servers | fault | durability | new master | first good write | last error | healed | \
                                    refused in (50 %, 99 %) | errors | longest call | writes answered | lost | logouts \
                                    answered | undone |\n|---|---|---|--:|--:|--:|--:|--:|---|--:|--:|--:|--:|--:|";
}

/// A row of the table.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scenario { setup, fault, .. } = self.scenario;
        let ms = |time: Duration| format!("{} ms", time.as_millis());
        let time = |time: Option<Duration>| time.map_or("-".into(), ms);
        let refusals = self.refusals.map_or("-".into(), |(half, most)| format!("{half:.1?}, {most:.1?}"));
        let errors: Vec<_> = self.errors.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        write!(
            f,
            "| {setup} | {fault} | {} | {} | {} | {} | {} | {refusals} | {} | {} | {} | {} | {} | {} |",
            self.scenario.durability(),
            time(self.replaced),
            time(self.first_write),
            time(self.last_error),
            time(self.healed),
            if errors.is_empty() { "none".into() } else { errors.join(", ") },
            ms(self.longest),
            self.acknowledged,
            self.lost,
            self.logouts,
            self.undone,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn failed(error: ErrorKind, key: u8, master: usize, begun: Instant, took: Duration) -> Call {
        let key = SessionKey::from_bytes([key; 16]);
        Call { begun, took, error: Some(error), wrote: true, key, master }
    }

    #[test]
    fn that_a_session_is_missing_is_an_error_unless_it_is_among_the_lost() {
        let (now, lost) = (Instant::now(), HashSet::from([SessionKey::from_bytes([1; 16])]));
        let calls = [1, 1, 2].map(|key| failed(ErrorKind::Missing, key, STRUCK, now, MS));
        let mut seen = Seen { calls: calls.into(), ..Seen::default() };
        seen.calls.push(failed(ErrorKind::Ambiguous, 1, STRUCK, now, MS));
        let errors = seen.errors(&lost);
        assert_eq!(errors, [("Missing".to_owned(), 1), ("Ambiguous".to_owned(), 1)].into());
    }

    #[test]
    fn refusals_count_from_when_the_breaker_of_their_master_was_open() {
        let fault = Instant::now();
        let refused = |master, at: u32, took: u32| {
            failed(ErrorKind::Unavailable, 1, master, fault + at * MS, took * MS)
        };
        // Those that wait, and those that do not any more.
        let struck = [refused(STRUCK, 10, 490), refused(STRUCK, 1_990, 300), refused(STRUCK, 2_000, 1)];
        let other = [refused(1, 2_200, 500), refused(1, 2_300, 400), refused(1, 2_700, 2)];
        let seen = Seen { calls: [struck, other].concat(), ..Seen::default() };
        assert_eq!(seen.refusals(fault), Some((2 * MS, 2 * MS)));
    }
}
