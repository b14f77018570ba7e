//! Whether there is an order of the calls that the model accepts and that real time allows: a search in the way of Wing and
//! Gong, that remembers where it was. And that no login escapes an end of all.
//!
//! A call that was not answered may happen at any time after it, or never. One is carried out once more where its node could not know whether it was: then it may have happened before the moment
//! of which its answer tells. So a login may be answered as outnumbered though it was settled by that very call.

use std::collections::HashSet;

use abide_cluster::protocol::{Answer, UserAnswer, UserEdit};
use abide_core::users::{Entered, Settled};

use super::model::Model;
use super::{Call, Done, ListHistory};

/// More states than a search that gets anywhere has ever needed.
const MOST: usize = 500_000;

struct Search<'a> {
    /// The calls that were answered.
    answered: Vec<&'a Done>,
    /// Those that may happen without an answer, and that more than once: all that were not answered, and in a second search
    /// the others too.
    silent: Vec<&'a Done>,
    seen: HashSet<(u128, Model)>,
    furthest: (u32, Model),
    looked_at: usize,
}

/// Checks what came of the calls of one list. Answers what happened in them.
pub(crate) fn check(history: &ListHistory) -> Result<Vec<&'static str>, String> {
    escapes(history)?;
    let lost = history.iter().filter(|done| done.came.is_none()).collect();
    if search(history, lost).goes_on(0, Model::default()) {
        return Ok(history.iter().filter_map(happened).collect());
    }
    let mut search = search(history, history.iter().collect());
    if search.goes_on(0, Model::default()) {
        return Ok(history.iter().filter_map(happened).chain([TWICE]).collect());
    }
    let calls: Vec<String> = history.iter().map(|done| format!("  {done:?}")).collect();
    let (count, last) = &search.furthest;
    let what = if search.looked_at > MOST { "the search was given up" } else { "no order explains it" };
    Err(format!("{what}; {count} calls are explained, up to {last:?}:\n{}", calls.join("\n")))
}

fn search<'a>(history: &'a [Done], silent: Vec<&'a Done>) -> Search<'a> {
    let answered = history.iter().filter(|done| done.came.is_some()).collect();
    Search { answered, silent, seen: HashSet::new(), furthest: (0, Model::default()), looked_at: 0 }
}

impl Search<'_> {
    fn goes_on(&mut self, done: u128, model: Model) -> bool {
        self.looked_at += 1;
        let left: Vec<usize> = (0..self.answered.len()).filter(|at| done & (1 << at) == 0).collect();
        let Some(first) = left.iter().map(|at| self.answered[*at].answered).min() else { return true };
        if self.looked_at > MOST || !self.seen.insert((done, model.clone())) {
            return false;
        }
        let mut next: Vec<usize> = left.into_iter().filter(|at| self.answered[*at].called < first).collect();
        next.sort_unstable_by_key(|at| self.answered[*at].answered);
        for at in next {
            let (call, mut after) = (self.answered[at], model.clone());
            if after.accepts(&call.call, call.came.as_ref()) && self.goes_on(done | 1 << at, after) {
                return true;
            }
        }
        for at in 0..self.silent.len() {
            let (call, mut after) = (self.silent[at], model.clone());
            let is_over = self
                .answered
                .iter()
                .zip(0..)
                .any(|(one, at)| one.called == call.called && done & (1 << at) != 0);
            let may = call.called < first && !is_over && after.accepts(&call.call, None);
            if may && after != model && self.goes_on(done, after) {
                return true;
            }
        }
        if done.count_ones() >= self.furthest.0 {
            self.furthest = (done.count_ones(), model);
        }
        false
    }
}

/// Once a barrier was raised, no login that began before it is entered or settled.
fn escapes(history: &[Done]) -> Result<(), String> {
    for raised in history.iter().filter(|done| done.came.is_some()) {
        let Call::Edit(UserEdit::Raise(barrier)) = raised.call else { continue };
        for done in history.iter().filter(|done| done.called > raised.answered) {
            let Call::Edit(UserEdit::Enter(login) | UserEdit::Settle(login, _)) = &done.call else {
                continue;
            };
            let is_in = matches!(
                done.came,
                Some(Answer::User(UserAnswer::Entered(Entered::Yes) | UserAnswer::Settled(Settled::Yes(_))))
            );
            if is_in && login.began.is_some_and(|began| began < barrier) {
                return Err(format!("{done:?} escapes {raised:?}"));
            }
        }
    }
    Ok(())
}

/// What happened where the first search found no order.
const TWICE: &str = "list: a call happened before the moment of which its answer tells";
/// What is to happen in a long run.
pub(crate) const HAPPENS: [&str; 12] = [
    "list: a login is entered",
    "list: a login is refused by the barrier",
    "list: a login is outnumbered before it is entered again",
    "list: a login is settled",
    "list: a login marks those that are too many",
    "list: a login is refused by the barrier before it is settled",
    "list: a login is outnumbered before it is settled again",
    "list: a barrier finds logins",
    "list: a login is withdrawn",
    "list: a deadline moves",
    "list: an answer is lost",
    TWICE,
];

fn happened(done: &Done) -> Option<&'static str> {
    let at = match (&done.call, &done.came) {
        (Call::Read, Some(_)) => return None,
        (_, None) => 10,
        (Call::Edit(UserEdit::Withdraw(_)), _) => 8,
        (Call::Edit(UserEdit::Slide(..)), _) => 9,
        (_, Some(Answer::User(answer))) => match answer {
            UserAnswer::Entered(Entered::Yes) => 0,
            UserAnswer::Entered(Entered::Refused) => 1,
            UserAnswer::Entered(Entered::Outnumbered) => 2,
            UserAnswer::Settled(Settled::Yes(marked)) if marked.is_empty() => 3,
            UserAnswer::Settled(Settled::Yes(_)) => 4,
            UserAnswer::Settled(Settled::Refused) => 5,
            UserAnswer::Settled(Settled::Outnumbered) => 6,
            UserAnswer::Raised(found) if !found.is_empty() => 7,
            _ => return None,
        },
        _ => return None,
    };
    Some(HAPPENS[at])
}
