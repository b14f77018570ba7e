//! Commits of which an answer got lost: whether they happened, and what may be answered when they are asked for again.
//!
//! In the session in which it happened, such a commit is answered what is stored. Once that session is no more, or where
//! the commit did not happen, asking again is asking anew.

use std::sync::Arc;

use abide_core::ErrorKind;

use super::accept::{Next, Rules, done};
use super::client::View;
use super::history::{Act, Saw};
use super::model::{Applied, Came, Float, Identity, Life, State};
use super::plan::{IDLE, LIFE};
use super::steps::{Answer, Step, Work};

impl Rules {
    pub(super) fn effect(
        &self,
        mut state: State,
        step: &Step,
        work: Work,
        lingers: bool,
        next: &mut Vec<Next>,
    ) {
        for how in self.hows(&state, step, work) {
            let came =
                state.commit(&state.turns[step.client], work, how, step.id, self.is_here(step.request));
            if let Came::Done(done) = &came {
                let mut state = state.clone();
                let (era, updated) = (done.alive.era, done.updated);
                let over = (done.alive.deadline() <= state.now).then(|| done.alive.clone());
                state.turns[step.client].applied = Some(Applied { step: step.id, era, updated, over });
                state.life = Life::Alive(done.alive.clone());
                next.push((state, Some(came)));
            }
        }
        // A creation that arrives once more makes a session again where the first one expired and was forgotten.
        if lingers || matches!(state.turns[step.client].identity, Identity::Empty) {
            let turn = Box::new(state.turns[step.client].clone());
            let (step, since) = (step.id, step.since);
            state.floats.push(Float::Commit { turn, work, step, since, again: !lingers });
        }
        next.push((state, None));
    }

    pub(super) fn settle(
        &self,
        mut state: State,
        step: &Step,
        act: Act,
        answer: Answer,
        view: Option<Option<View>>,
        next: &mut Vec<Next>,
    ) {
        let turn = &mut state.turns[step.client];
        if self.is_elsewhere(turn) {
            turn.identity = Identity::Elsewhere;
            next.push((state, None));
            return;
        }
        let applied = turn.applied.take();
        let allowed = match answer {
            Ok(updated) => match applied {
                Some(applied) => {
                    applied.updated == updated
                        && stays(&mut state, step, applied, act.opens.is_some())
                        && self.sees(&state.turns[step.client], view)
                }
                None => false,
            },
            Err(ErrorKind::Ended | ErrorKind::Missing) => {
                let refused = refuses_again(&state, step, applied.as_ref(), ErrorKind::Ended);
                state.turns[step.client].is_over();
                refused
            }
            Err(kind @ (ErrorKind::Superseded | ErrorKind::Exists)) => {
                refuses_again(&state, step, applied.as_ref(), kind)
            }
            Err(ErrorKind::Ambiguous) => true,
            Err(_) => false,
        };
        if allowed {
            next.push((state, None));
        }
    }

    pub(super) fn finish_settle(
        &self,
        mut state: State,
        step: &Step,
        failed: Option<ErrorKind>,
        saw: Saw,
        next: &mut Vec<Next>,
    ) {
        let turn = &mut state.turns[step.client];
        let (asked, cookie) = (!turn.pending.is_empty(), turn.cookie);
        if self.is_elsewhere(turn) {
            next.push((done(state, step), None));
            return;
        }
        let applied = turn.applied.take();
        let over = refuses_again(&state, step, applied.as_ref(), ErrorKind::Ended);
        let allowed = match failed {
            None => {
                let stayed = applied.is_some_and(|applied| stays(&mut state, step, applied, false));
                let minted = stayed && saw == state.turns[step.client].cookie;
                minted || (over && saw == Saw::Nothing) || ((stayed || !asked) && saw == cookie)
            }
            Some(kind @ (ErrorKind::Superseded | ErrorKind::Exists)) => {
                refuses_again(&state, step, applied.as_ref(), kind) && saw == cookie
            }
            Some(ErrorKind::Ambiguous) => saw == cookie,
            Some(_) => false,
        };
        if allowed {
            next.push((done(state, step), None));
        }
    }
}

/// Such a commit was asked for again, and answers what is stored now: in the era in which it happened.
fn stays(state: &mut State, step: &Step, applied: Applied, opened: bool) -> bool {
    if let (Life::Expired, Some(mut alive)) = (&state.life, applied.over) {
        let minted = Arc::make_mut(&mut alive).is_heard(applied.step, step.request);
        state.turns[step.client].goes_on(alive, opened, minted);
        return true;
    }
    let Life::Alive(alive) = &mut state.life else { return false };
    if alive.era != applied.era {
        return false;
    }
    let minted = Arc::make_mut(alive).is_heard(applied.step, step.request);
    state.turns[step.client].goes_on(alive.clone(), opened, minted);
    true
}

/// Whether such a commit may be refused so when it is asked for again.
fn refuses_again(state: &State, step: &Step, applied: Option<&Applied>, with: ErrorKind) -> bool {
    let turn = &state.turns[step.client];
    let Identity::Live(seen, _) = &turn.identity else {
        let own = applied.map(|applied| applied.step);
        if state.alive().is_some_and(|alive| own == Some(alive.created)) {
            return false;
        }
        let idle = turn.pending.idle.unwrap_or(IDLE).min(LIFE);
        return match with {
            ErrorKind::Exists => state.alive().is_some(),
            // Its record may be over before it arrives.
            ErrorKind::Ended => state.is_over() || step.since + idle <= state.now,
            _ => false,
        };
    };
    let own = applied.map_or(seen.era, |applied| applied.era);
    match with {
        ErrorKind::Ended => state.is_over(),
        ErrorKind::Superseded => state.alive().is_some_and(|alive| alive.era != own),
        _ => false,
    }
}
