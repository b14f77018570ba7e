//! Which states a step leads to, where it answered what it did: none where the model does not allow the answer.

use std::sync::Arc;

use abide_core::{ErrorKind, Timestamp};

use super::client::View;
use super::history::{Act, Saw, Token};
use super::model::{Came, Done, Float, How, Identity, Life, State, Turn, is_reading};
use super::steps::{Answer, Kind, Step, Work};

/// What the model must know of a run beside its steps.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// Everything that the clock showed.
    pub(super) readings: Vec<Timestamp>,
    /// Whether a client without a session creates the one of the run.
    pub(super) creates_here: bool,
}

/// A state that a step may lead to, and what the step's commit came to, where it was one.
pub(super) type Next = (State, Option<Came>);

impl Rules {
    /// The states to which `step` may lead.
    pub(super) fn accept(&self, state: &State, step: &Step, next: &mut Vec<Next>) {
        let mut state = state.clone();
        state.expire();
        match step.kind {
            Kind::Clock { now } => {
                state.now = state.now.max(now);
                state.expire();
                next.push((state, None));
            }
            Kind::Begin { token, latest } => {
                state.turns[step.client] =
                    Turn { request: step.request, token, began: step.since, latest, ..Turn::default() };
                next.push((state, None));
            }
            Kind::Pend(change) => {
                state.turns[step.client].pend(change);
                next.push((state, None));
            }
            Kind::Discard => {
                state.turns[step.client].pending = super::model::Pending::default();
                next.push((state, None));
            }
            Kind::See { view } => {
                let turn = &state.turns[step.client];
                if matches!(turn.identity, Identity::Elsewhere) || turn.view() == view {
                    next.push((state, None));
                }
            }
            Kind::Open { view } => self.open(&state, step, view, next),
            Kind::LookAgain { finishes } => look_again(state, step, finishes, next),
            Kind::Act { act, answer, view } => self.act(&state, step, act, answer, view, next),
            Kind::Catch { view } => {
                if self.sees(&state.turns[step.client], Some(view)) {
                    next.push((state.clone(), None));
                }
                catch_up(&mut state, step);
                if self.sees(&state.turns[step.client], Some(view)) {
                    next.push((state, None));
                }
            }
            Kind::Effect { work, lingers } => self.effect(state, step, work, lingers, next),
            Kind::Settle { act, answer, view } => self.settle(state, step, act, answer, view, next),
            Kind::End => end(state, step, next),
            Kind::EndLingers => {
                state.floats.push(Float::End);
                log_out(&mut state.turns[step.client]);
                next.push((state, None));
            }
            Kind::Stray { answer } => {
                let came = match state.life {
                    Life::Alive(_) => answer == Err(ErrorKind::Superseded),
                    Life::Expired | Life::Ended => is_over(answer),
                    Life::Absent => answer == Err(ErrorKind::Missing),
                };
                if came {
                    next.push((state, None));
                }
            }
            Kind::Finish { failed, saw } => self.finish(&state, step, failed, saw, next),
            Kind::FinishSettle { failed, saw } => self.finish_settle(state, step, failed, saw, next),
            Kind::FinishUnreached { failed, saw } => {
                let turn = &state.turns[step.client];
                let asked = !turn.pending.is_empty();
                let is_elsewhere = self.is_elsewhere(turn);
                if is_elsewhere || (failed.is_some() == asked && saw == turn.cookie) {
                    next.push((done(state, step), None));
                }
            }
        }
    }

    /// The states to which a change may lead that may still happen.
    pub(super) fn accept_float(&self, state: &State, at: usize, next: &mut Vec<Next>) {
        let mut state = state.clone();
        state.expire();
        match state.floats.swap_remove(at) {
            Float::End => {
                if state.life != Life::Ended {
                    state.life = Life::Ended;
                    next.push((state, None));
                }
            }
            Float::Commit { again: true, .. } if state.life != Life::Expired => {}
            Float::Commit { turn, work, step, since, .. } => {
                let readings = self.readings.iter().filter(|at| since <= **at && **at <= state.now);
                for at in readings {
                    for how in ways(&state, state.contested(&turn, work)) {
                        let how = How { at: *at, ..how };
                        let here = self.is_here(turn.request);
                        if let Came::Done(done) = state.commit(&turn, work, how, step, here) {
                            let mut state = state.clone();
                            state.life = Life::Alive(done.alive);
                            next.push((state, None));
                        }
                    }
                }
            }
        }
    }

    pub(super) fn hows(&self, state: &State, step: &Step, work: Work) -> Vec<How> {
        let contested = state.contested(&state.turns[step.client], work);
        let readings = self.readings.iter().filter(|at| is_reading(**at, step, state.now));
        readings.flat_map(|at| ways(state, contested).map(move |how| How { at: *at, ..how })).collect()
    }

    /// Whether a request without a session creates that of the run.
    pub(super) fn is_here(&self, request: super::history::RequestId) -> bool {
        self.creates_here || request == super::FIRST
    }

    pub(super) fn is_elsewhere(&self, turn: &Turn) -> bool {
        matches!(turn.identity, Identity::Elsewhere)
            || (!self.is_here(turn.request) && matches!(turn.identity, Identity::Empty))
    }

    fn open(&self, state: &State, step: &Step, view: Option<Option<View>>, next: &mut Vec<Next>) {
        let turn = &state.turns[step.client];
        for began in self.readings.iter().filter(|at| turn.began <= **at && **at <= turn.latest) {
            let mut state = state.clone();
            let found = state.found(turn.token, *began);
            let turn = &mut state.turns[step.client];
            (turn.began, turn.identity, turn.opened_at) = (*began, found, step.called);
            if view.is_none_or(|view| turn.view() == view) {
                next.push((state, None));
            }
        }
    }

    fn act(
        &self,
        state: &State,
        step: &Step,
        act: Act,
        answer: Answer,
        view: Option<Option<View>>,
        next: &mut Vec<Next>,
    ) {
        let work = Work::Called(act);
        for how in self.hows(state, step, work) {
            let came =
                state.commit(&state.turns[step.client], work, how, step.id, self.is_here(step.request));
            let is_late = state.is_late(&state.turns[step.client], how.at);
            let mut state = state.clone();
            let allowed = match &came {
                Came::Nothing => answer == Ok(None) && self.sees(&state.turns[step.client], view),
                Came::Done(done) => {
                    goes_on(&mut state, step, act, done);
                    answer == Ok(done.updated) && self.sees(&state.turns[step.client], view)
                }
                Came::Over => {
                    state.turns[step.client].is_over();
                    is_over(answer.map(drop))
                }
                Came::Superseded => answer == Err(ErrorKind::Superseded),
                // A store may look at the record before it looks whether there is another one.
                Came::Exists if is_late && is_over(answer.map(drop)) => {
                    state.turns[step.client].is_over();
                    true
                }
                Came::Exists => answer == Err(ErrorKind::Exists),
                Came::Elsewhere => {
                    state.turns[step.client].identity = Identity::Elsewhere;
                    true
                }
            };
            if allowed {
                next.push((state, Some(came)));
            }
        }
    }

    pub(super) fn sees(&self, turn: &Turn, view: Option<Option<View>>) -> bool {
        view.is_none_or(|view| matches!(turn.identity, Identity::Elsewhere) || turn.view() == view)
    }

    fn finish(&self, state: &State, step: &Step, failed: Option<ErrorKind>, saw: Saw, next: &mut Vec<Next>) {
        let turn = &state.turns[step.client];
        let asked = !turn.pending.is_empty();
        let heard = |kind| asked.then_some(kind);
        for how in self.hows(state, step, Work::Finish) {
            let came = state.commit(turn, Work::Finish, how, step.id, self.is_here(step.request));
            let is_late = state.is_late(turn, how.at);
            let mut state = state.clone();
            let (expected, cookie) = match &came {
                Came::Nothing => (None, turn.cookie),
                Came::Done(done) => {
                    goes_on(&mut state, step, Act::default(), done);
                    (None, state.turns[step.client].cookie)
                }
                Came::Over => (None, Saw::Nothing),
                Came::Superseded => (heard(ErrorKind::Superseded), turn.cookie),
                Came::Exists if is_late && (failed, saw) == (None, Saw::Nothing) => (None, Saw::Nothing),
                Came::Exists => (heard(ErrorKind::Exists), turn.cookie),
                Came::Elsewhere => (failed, if saw == Saw::Token { Saw::Nothing } else { saw }),
            };
            if (failed, saw) == (expected, cookie) {
                next.push((done(state, step), Some(came)));
            }
        }
    }
}

fn is_over(answer: Result<(), ErrorKind>) -> bool {
    matches!(answer, Err(ErrorKind::Ended | ErrorKind::Missing))
}

/// The request is answered, and knows nothing any more.
pub(super) fn done(mut state: State, step: &Step) -> State {
    state.turns[step.client] = Turn::default();
    state
}

fn goes_on(state: &mut State, step: &Step, act: Act, done: &Done) {
    let mut alive = done.alive.clone();
    let minted = Arc::make_mut(&mut alive).is_heard(step.id, step.request);
    state.life = Life::Alive(alive.clone());
    state.turns[step.client].goes_on(alive, act.opens.is_some(), minted);
}

/// Takes over what is stored by now.
fn catch_up(state: &mut State, step: &Step) {
    let alive = state.alive().cloned();
    if let (Some(alive), Identity::Live(seen, _)) = (alive, &mut state.turns[step.client].identity) {
        if alive.era == seen.era {
            *seen = alive;
        }
    }
}

fn look_again(mut state: State, step: &Step, finishes: bool, next: &mut Vec<Next>) {
    state.turns[step.client].looked_again = finishes;
    catch_up(&mut state, step);
    next.push((state, None));
}

fn end(mut state: State, step: &Step, next: &mut Vec<Next>) {
    if matches!(state.turns[step.client].identity, Identity::Live(..)) {
        state.life = Life::Ended;
    }
    log_out(&mut state.turns[step.client]);
    next.push((state, None));
}

fn log_out(turn: &mut Turn) {
    let had = turn.token != Token::None || matches!(turn.identity, Identity::Live(..));
    if !matches!(turn.identity, Identity::Elsewhere) {
        turn.identity = Identity::Empty;
    }
    turn.cookie = if had { Saw::Removal } else { Saw::Nothing };
    turn.pending = super::model::Pending::default();
}

/// The ways in which a commit may come to pass that happens now.
fn ways(state: &State, contested: u8) -> impl Iterator<Item = How> + use<> {
    let (at, forgets) = (state.now, state.life == Life::Expired);
    subsets(contested).flat_map(move |before| {
        let how = move |forgotten: bool| (!forgotten || forgets).then_some(How { at, before, forgotten });
        [false, true].into_iter().filter_map(how)
    })
}

/// Every part of a set of bits, the empty one first.
fn subsets(of: u8) -> impl Iterator<Item = u8> + use<> {
    (0..=of).filter(move |part| part & !of == 0)
}
