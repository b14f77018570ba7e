//! Whether there is an order of the steps that the model accepts: a search in the way of Wing and Gong, that remembers
//! where it failed.
//!
//! A step may come next if no other one that is left was answered before it was called. The steps of one client keep
//! their order. A change that nobody answered for may happen at any moment, or never.

use std::collections::HashSet;

use super::accept::{Next, Rules};
use super::history::seconds;
use super::model::{Came, Float, Life, State};
use super::steps::Step;

/// What is said of a history that nobody knows of whether there is an order: it says nothing either way.
pub const GIVEN_UP: &str = "the search was given up";

/// More states than almost any search needs: one history of the cluster in 200 000, with a dozen changes that nobody answered for,
/// takes more than this, and gigabytes.
const MOST: usize = 2_000_000;

/// A step on the way that the model accepts.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// `None` for a change that happened late.
    pub(super) step: Option<Step>,
    /// What its commit came to.
    pub(super) came: Option<Came>,
    /// The state after it.
    pub(super) state: State,
}

/// Why there is no such order.
#[derive(Clone, Debug)]
pub(super) struct Stuck {
    /// The furthest that the search came.
    pub(super) way: Vec<Taken>,
    /// The steps of which the model accepts none then.
    pub(super) refused: Vec<Step>,
    pub(super) gave_up: bool,
}

struct Search<'a> {
    rules: &'a Rules,
    steps: &'a [Vec<Step>],
    way: Vec<Taken>,
    failed: HashSet<(Vec<usize>, State)>,
    furthest: Stuck,
    looked_at: usize,
}

/// An order of the steps that the model accepts from `start`.
pub(super) fn explain(rules: &Rules, steps: &[Vec<Step>], start: State) -> Result<Vec<Taken>, Stuck> {
    let furthest = Stuck { way: Vec::new(), refused: Vec::new(), gave_up: false };
    let mut search = Search { rules, steps, way: Vec::new(), failed: HashSet::new(), furthest, looked_at: 0 };
    let mut at = vec![0; steps.len()];
    if search.goes_on(&mut at, start) {
        return Ok(search.way);
    }
    search.furthest.gave_up = search.looked_at > MOST;
    Err(search.furthest)
}

impl Search<'_> {
    /// The steps that may come next, the one first that was answered first.
    fn candidates(&self, at: &[usize]) -> Vec<Step> {
        let heads = || self.steps.iter().zip(at).filter_map(|(steps, at)| steps.get(*at));
        let first = heads().map(|step| step.answered).min().unwrap_or(u32::MAX);
        let mut candidates: Vec<_> = heads().filter(|step| step.called <= first).copied().collect();
        // What a client knows alone changes nothing for the others: it need not be tried in another order.
        if let Some(local) = candidates.iter().find(|step| step.kind.is_local()) {
            return vec![*local];
        }
        candidates.sort_by_key(|step| step.answered);
        candidates
    }

    fn goes_on(&mut self, at: &mut Vec<usize>, state: State) -> bool {
        self.looked_at += 1;
        if self.looked_at > MOST {
            return false;
        }
        let candidates = self.candidates(at);
        if candidates.is_empty() {
            return true;
        }
        if !self.failed.is_empty() && self.failed.contains(&(at.clone(), state.clone())) {
            return false;
        }
        let mut next: Vec<Next> = Vec::new();
        for step in &candidates {
            next.clear();
            self.rules.accept(&state, step, &mut next);
            at[step.client] += 1;
            for (state, came) in std::mem::take(&mut next) {
                if self.takes(at, Some(*step), came, state) {
                    return true;
                }
            }
            at[step.client] -= 1;
        }
        for float in 0..state.floats.len() {
            next.clear();
            self.rules.accept_float(&state, float, &mut next);
            for (state, came) in std::mem::take(&mut next) {
                if self.takes(at, None, came, state) {
                    return true;
                }
            }
        }
        if self.furthest.refused.is_empty() || self.way.len() > self.furthest.way.len() {
            self.furthest.way.clone_from(&self.way);
            self.furthest.refused = candidates;
        }
        self.failed.insert((at.clone(), state));
        false
    }

    fn takes(&mut self, at: &mut Vec<usize>, step: Option<Step>, came: Option<Came>, state: State) -> bool {
        self.way.push(Taken { step, came, state: state.clone() });
        if self.goes_on(at, state) {
            return true;
        }
        self.way.pop();
        false
    }
}

impl std::fmt::Display for Stuck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.gave_up {
            writeln!(f, "{GIVEN_UP} after {MOST} states; the furthest:")?;
        }
        writeln!(f, "explained, in this order:")?;
        for taken in &self.way {
            match &taken.step {
                Some(step) => {
                    writeln!(
                        f,
                        "  {:4}..{:<4} client {} {:?}",
                        step.called, step.answered, step.client, step.kind
                    )?;
                }
                None => writeln!(f, "  a change whose answer was lost happens")?,
            }
        }
        if let Some(last) = self.way.last() {
            writeln!(f, "then {}: {}", seconds(last.state.now), life(&last.state.life))?;
            for (client, turn) in last.state.turns.iter().enumerate() {
                writeln!(f, "  client {client} knows {:?}, pending {:?}", turn.identity, turn.pending)?;
            }
            let ends = last.state.floats.iter().filter(|float| matches!(float, Float::End)).count();
            let commits = last.state.floats.len() - ends;
            writeln!(f, "  {commits} commits and {ends} logouts may still happen")?;
        }
        writeln!(f, "and none of these is allowed:")?;
        for step in &self.refused {
            writeln!(f, "  {:4}..{:<4} client {} {:?}", step.called, step.answered, step.client, step.kind)?;
        }
        Ok(())
    }
}

fn life(life: &Life) -> String {
    match life {
        Life::Absent => "there is no session".to_owned(),
        Life::Expired => "the session expired".to_owned(),
        Life::Ended => "the session was ended".to_owned(),
        Life::Alive(alive) => format!("{alive:?}, until {}", seconds(alive.deadline())),
    }
}
