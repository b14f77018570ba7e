//! Calls and answers, with their order in real time.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use abide_core::{ErrorKind, Timestamp};

use super::client::View;
use super::network::Counts;
use super::plan::{Arithmetic, KEYS, Kept};

/// Names a request, and the token that its response set. Zero is none.
pub(super) type RequestId = u16;

/// A value that is set or, `None`, removed.
pub(super) type Blind = Option<i64>;

/// Who the session is for from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    User(usize),
    Same,
    Nobody,
}

/// A change that waits for a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Change {
    Value(usize, Blind),
    Idle(Duration),
}

/// What a commit is to bring about beside what is pending; neither is a mere commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Act {
    pub(super) update: Option<(usize, Arithmetic)>,
    pub(super) opens: Option<(Who, Kept)>,
}

/// What a response said about the cookie, with the token by the name of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Saw {
    Nothing,
    /// A new token for the session of the run.
    Token,
    /// A token for another session.
    Elsewhere,
    Removal,
}

/// What was called, and what was answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Begin {
        token: Token,
        latest: Timestamp,
    },
    Look {
        view: Result<Option<View>, ErrorKind>,
    },
    Pend {
        change: Change,
    },
    /// The handler answered with a 500, and what is pending is not kept.
    Discard,
    Act {
        act: Act,
        answer: Result<Option<i64>, ErrorKind>,
        view: Option<Option<View>>,
    },
    LogOut {
        answer: Result<(), ErrorKind>,
    },
    Stray {
        answer: Result<(), ErrorKind>,
    },
    /// `asked`: whether something surely was pending.
    Finish {
        asked: bool,
        failed: Option<ErrorKind>,
        saw: Saw,
    },
    Clock {
        now: Timestamp,
    },
}

/// Which token a request presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Token {
    None,
    /// That which the response of this request set.
    Of(RequestId),
    Forged,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) client: usize,
    pub(super) request: RequestId,
    pub(super) called: u32,
    pub(super) answered: u32,
    /// What the clock showed before the call.
    pub(super) since: Timestamp,
    pub(super) what: What,
    /// What came to pass on the network meanwhile.
    pub(super) counts: Counts,
    /// Whether the session was loaded before the call, and after it.
    pub(super) opened: (bool, bool),
}

/// Where the clients write down what they did.
#[derive(Debug, Default)]
pub(super) struct Log {
    ticks: AtomicU32,
    entries: Mutex<Vec<Entry>>,
}

impl Log {
    /// A moment later than all before.
    pub(super) fn tick(&self) -> u32 {
        self.ticks.fetch_add(1, SeqCst)
    }

    pub(super) fn add(&self, entry: Entry) {
        self.lock().push(entry);
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        let mut entries = self.lock().clone();
        entries.sort_by_key(|entry| (entry.called, entry.answered));
        entries
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.update.map(|(key, change)| format!("update {} {change:?}", KEYS[key])));
        parts.extend(self.opens.map(|(who, kept)| format!("open era for {who:?}, keep {kept:?}")));
        if parts.is_empty() {
            parts.push("commits".to_owned());
        }
        f.write_str(&parts.join(", "))
    }
}

fn brief(view: &Option<View>) -> String {
    match view {
        Some(View { user, values, idle, absolute }) => {
            format!("user {user:?}, values {values:?}, until {} / {}", seconds(*idle), seconds(*absolute))
        }
        None => "no session".to_owned(),
    }
}

/// A moment since the start of the run.
pub(super) fn seconds(at: Timestamp) -> String {
    format!("{} s", (at.as_millis() as i64 - super::START.as_millis() as i64) as f64 / 1000.0)
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:4}..{:<4} ", self.called, self.answered)?;
        match &self.what {
            What::Clock { now } => return write!(f, "clock: {}", seconds(*now)),
            _ => write!(f, "client {} request {:2}: ", self.client, self.request)?,
        }
        match &self.what {
            What::Begin { token, .. } => write!(f, "begins with {token:?} at {}", seconds(self.since))?,
            What::Look { view: Ok(view) } => write!(f, "looks: {}", brief(view))?,
            What::Look { view: Err(error) } => write!(f, "looks: {error:?}")?,
            What::Act { act, answer, view } => {
                write!(f, "{act}: {answer:?}")?;
                if let Some(view) = view {
                    write!(f, ", sees {}", brief(view))?;
                }
            }
            What::LogOut { answer } => write!(f, "logs out: {answer:?}")?,
            What::Stray { answer } => write!(f, "strays: {answer:?}")?,
            What::Pend { change } => write!(f, "{change:?}, to be committed")?,
            What::Discard => f.write_str("answers with a 500, and keeps nothing")?,
            What::Finish { asked, failed, saw } => {
                let asked = if *asked { "with what is pending" } else { "with nothing pending" };
                write!(f, "finishes {asked}: {failed:?}, cookie: {saw:?}")?;
            }
            What::Clock { .. } => {}
        }
        let Counts { conflicts, lost, faults, .. } = self.counts;
        if conflicts + lost + faults.iter().sum::<u64>() > 0 {
            write!(f, "  [conflicts {conflicts}, lost {lost}, refused/lost/late/unanswered {faults:?}]")?;
        }
        Ok(())
    }
}
