//! From the history of a run to the steps that the model takes: each happens at one moment between its call and its
//! answer.
//!
//! One entry may hold several steps: a request's first call loads the session and then changes it; a change that met a
//! conflict looked again before it; and one whose answer got lost happened, or did not, before it was asked again.

use abide_core::{ErrorKind, Timestamp};

use super::client::View;
use super::history::{Act, Change, Entry, RequestId, Saw, Token, What};
use super::plan::Abilities;

/// What an awaited call answered: the new value of an update.
pub(super) type Answer = Result<Option<i64>, ErrorKind>;

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Begin {
        token: Token,
        latest: Timestamp,
    },
    Pend(Change),
    Discard,
    /// Loads and verifies. Nobody may have seen what came of it.
    Open {
        view: Option<Option<View>>,
    },
    /// Sees what is known already.
    See {
        view: Option<View>,
    },
    /// Looks again after a conflict: of a commit that the handler called, or of the one after it.
    LookAgain {
        finishes: bool,
    },
    /// A commit whose answers all arrived.
    Act {
        act: Act,
        answer: Answer,
        view: Option<Option<View>>,
    },
    /// The answer to a commit holds what came after it as well.
    Catch {
        view: Option<View>,
    },
    /// A commit of which an answer got lost: from here on it happened, or did not; or, where it `lingers`, it may
    /// happen at any later time.
    Effect {
        work: Work,
        lingers: bool,
    },
    /// What was answered in the end to such a commit.
    Settle {
        act: Act,
        answer: Answer,
        view: Option<Option<View>>,
    },
    End,
    /// A logout that failed: it may happen at any later time.
    EndLingers,
    Stray {
        answer: Result<(), ErrorKind>,
    },
    Finish {
        failed: Option<ErrorKind>,
        saw: Saw,
    },
    /// As `Settle`, for the commit after the handler.
    FinishSettle {
        failed: Option<ErrorKind>,
        saw: Saw,
    },
    /// The commit after the handler did not happen: the store was out of reach.
    FinishUnreached {
        failed: Option<ErrorKind>,
        saw: Saw,
    },
    Clock {
        now: Timestamp,
    },
}

/// A commit: called by the handler, or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Work {
    Called(Act),
    Finish,
}

impl Kind {
    /// Whether the step is about what its client knows alone: it can be taken at once.
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Self::Begin { .. } | Self::Pend(_) | Self::Discard | Self::See { .. })
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) id: u16,
    pub(super) client: usize,
    pub(super) request: RequestId,
    pub(super) called: u32,
    pub(super) answered: u32,
    /// What the clock showed before the call.
    pub(super) since: Timestamp,
    pub(super) kind: Kind,
}

/// The steps of each client, in its order; those of the clock are the last.
pub(super) fn steps_of(entries: &[Entry], clients: usize, abilities: Abilities) -> Vec<Vec<Step>> {
    let mut steps = vec![Vec::new(); clients + 1];
    let mut id = 0;
    for entry in entries {
        let client = entry.client.min(clients);
        let mut add = |kind| {
            id += 1;
            let Entry { request, called, answered, since, .. } = *entry;
            steps[client].push(Step { id, client, request, called, answered, since, kind });
        };
        kinds_of(entry, &mut |kind| match kind {
            Kind::Act { act, answer, view: Some(view) } if abilities.answers_later => {
                add(Kind::Act { act, answer, view: None });
                add(Kind::Catch { view });
            }
            kind => add(kind),
        });
    }
    steps
}

fn kinds_of(entry: &Entry, add: &mut impl FnMut(Kind)) {
    let (before, after) = entry.opened;
    let opens = !before && after;
    let unseen = Kind::Open { view: None };
    match entry.what {
        What::Clock { now } => add(Kind::Clock { now }),
        What::Begin { token, latest } => add(Kind::Begin { token, latest }),
        What::Pend { change } => add(Kind::Pend(change)),
        What::Discard => add(Kind::Discard),
        What::Look { view: Ok(view) } if opens => add(Kind::Open { view: Some(view) }),
        What::Look { view: Ok(view) } => add(Kind::See { view }),
        // Stray changes never happen; what the store said of them is known where it was reached.
        What::Stray { answer } if entry.counts.lost == 0 && answer != Err(ErrorKind::Unavailable) => {
            add(Kind::Stray { answer });
        }
        What::Look { view: Err(_) } | What::Stray { .. } => {}
        What::LogOut { answer } => {
            if opens {
                add(unseen);
            }
            add(if answer.is_ok() { Kind::End } else { Kind::EndLingers });
        }
        What::Act { act, answer, view } => {
            if opens {
                add(unseen);
            }
            act_kinds(entry, act, answer, view, add);
        }
        What::Finish { asked, failed, saw } => {
            if opens {
                add(unseen);
            }
            finish_kinds(entry, asked, failed, saw, add);
        }
    }
}

fn act_kinds(
    entry: &Entry,
    act: Act,
    answer: Answer,
    view: Option<Option<View>>,
    add: &mut impl FnMut(Kind),
) {
    if entry.counts.conflicts > 0 {
        add(Kind::LookAgain { finishes: false });
    }
    match answer {
        // The store was out of reach, and nothing happened.
        Err(ErrorKind::Unavailable) => {}
        _ if entry.counts.lost == 0 => add(Kind::Act { act, answer, view }),
        _ => {
            let lingers = answer == Err(ErrorKind::Ambiguous);
            add(Kind::Effect { work: Work::Called(act), lingers });
            add(Kind::Settle { act, answer, view });
        }
    }
}

fn finish_kinds(entry: &Entry, asked: bool, failed: Option<ErrorKind>, saw: Saw, add: &mut impl FnMut(Kind)) {
    let counts = entry.counts;
    if counts.conflicts > 0 {
        add(Kind::LookAgain { finishes: true });
    }
    // Who hears that the store is out of reach hears that nothing was written, also not by what was asked before.
    let unreached = failed == Some(ErrorKind::Unavailable);
    let refused = counts.faults[0] > 0;
    if unreached {
        add(Kind::FinishUnreached { failed, saw });
    } else if counts.lost > 0 {
        let lingers = !asked || failed == Some(ErrorKind::Ambiguous);
        add(Kind::Effect { work: Work::Finish, lingers });
        add(Kind::FinishSettle { failed, saw });
    } else if refused {
        add(Kind::FinishUnreached { failed, saw });
    } else {
        add(Kind::Finish { failed, saw });
    }
}
