//! Lists of users that come to nothing, are forgotten, and are made again: what no session does.

use std::time::Duration;

use abide_cluster::protocol::{Answer, Key, Login, Request, UserAnswer, UserEdit, UserList, Variant};
use abide_core::users::{BARRIER_STANDS, Entered, Entry};
use abide_core::{SessionKey, Stamp};

use crate::director::Director;
use crate::fault::Fault;
use crate::run::Outcome;
use crate::world::World;

const LONG: Duration = Duration::from_secs(1_000);

impl Director {
    fn login(&mut self, lasts: Duration) -> Login {
        let (key, now) = (SessionKey::from_bytes(self.rng.bytes()), self.wall());
        Login { entry: Entry { key, login: now }, deadline: now + lasts, began: Some(now) }
    }

    fn edit(&mut self, at: usize, user: [u8; 16], edit: UserEdit) -> Option<UserAnswer> {
        let call = Stamp::from_bytes(self.rng.bytes());
        match self.ask(at, Request::User { user, edit, call, is_again: false }) {
            Ok(Answer::User(answer)) => Some(answer),
            _ => None,
        }
    }

    fn list(&mut self, at: usize, user: [u8; 16]) -> Option<std::sync::Arc<UserList>> {
        match self.ask(at, Request::UserList { user }) {
            Ok(Answer::UserList(list)) => Some(list),
            _ => None,
        }
    }
}

/// Whether a process holds anything of a user, if only that there was something.
fn holds(world: &World, at: usize, user: [u8; 16]) -> bool {
    let report = world.processes[at].node.as_ref().map(|node| node.slot_report(0));
    report.is_some_and(|report| report.cells.iter().any(|(key, ..)| *key == Key::User(user)))
}

/// A list comes to nothing. Two of its owners have forgotten it, the third was not told that it may, when somebody whose
/// ballots are lower than the one that emptied it enters a login.
pub(super) fn forgotten(seed: u64, variant: Option<Variant>) -> Outcome {
    let mut director = Director::new(seed, variant, |scenario| {
        (scenario.processes, scenario.tombstone) = (4, Duration::from_secs(2));
    });
    let what = (|| {
        let user = director.rng.bytes();
        let owners = director.node(0)?.slot_report(0).owners;
        let asked = (0..4).find(|at| !owners.contains(&director.id(*at)))?;
        let holders: Vec<usize> = (0..4).filter(|at| *at != asked).collect();
        let keeps = *holders.iter().find(|at| director.id(**at) != owners[0])?;
        let others: Vec<usize> = holders.iter().copied().filter(|at| *at != keeps).collect();
        let login = director.login(LONG);
        for _ in 0..10 {
            director.edit(others[0], user, UserEdit::Enter(login))?;
            director.edit(others[0], user, UserEdit::Leave([login.entry].into()))?;
        }
        director.strike(Fault::Lost("settled", None, Some(keeps), LONG));
        let gone = others.clone();
        director.until(move |world| gone.iter().all(|at| !holds(world, *at, user))).then_some(())?;
        holds(&director.world, keeps, user).then_some(())?;
        let entered = director.edit(asked, user, UserEdit::Enter(login));
        director.pass(Duration::from_secs(10));
        let found = director.list(others[0], user)?;
        let is_listed = found.sessions() == [login.entry.key];
        let is_lost = entered == Some(UserAnswer::Entered(Entered::Yes)) && !is_listed;
        Some(if is_lost { Err(format!("the login was entered, and the list is {found:?}")) } else { Ok(()) })
    })();
    director.judged("a login that was entered is listed", what.unwrap_or(Ok(())))
}

/// A login has its time, and a barrier. Then nothing of the user is left anywhere.
pub(super) fn drained(seed: u64, variant: Option<Variant>) -> Outcome {
    let mut director = Director::new(seed, variant, |scenario| {
        (scenario.tombstone, scenario.clock_runs) = (Duration::from_secs(2), true);
    });
    let what = (|| {
        let user = director.rng.bytes();
        let [early, late] = [60, 300].map(|seconds| director.login(Duration::from_secs(seconds)));
        director.edit(0, user, UserEdit::Enter(early))?;
        director.edit(1, user, UserEdit::Settle(late, None))?;
        let barrier = director.wall();
        director.edit(2, user, UserEdit::Raise(barrier))?;
        director.pass(Duration::from_secs(200));
        let listed = director.list(0, user)?.sessions();
        if listed != [late.entry.key] {
            return Some(Err(format!("{listed:?} are listed, and only {late:?} is to be")));
        }
        director.pass(BARRIER_STANDS.saturating_sub(Duration::from_secs(220)));
        if director.list(1, user)?.not_before() != Some(barrier) {
            return Some(Err("the barrier went too early".to_owned()));
        }
        director.pass(Duration::from_secs(120));
        let left = (0..3).find(|at| holds(&director.world, *at, user));
        Some(left.map_or(Ok(()), |at| Err(format!("process {at} still holds the list"))))
    })();
    director.judged("lists drain", what.unwrap_or(Ok(())))
}
