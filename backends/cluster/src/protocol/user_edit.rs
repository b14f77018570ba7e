//! What an operation makes of the list of a user.
//!
//! **Invariants.**
//! 1. Each is a function of the list and the time, and changes nothing where it is carried out again: an entry is found, a
//!    barrier stands, what is to go is gone.
//! 2. Once the barrier was raised, no login is entered or settled whose request began before it.
//! 3. Of the logins that count none is too many once the last one was settled with a limit: whom a login outnumbers is marked
//!    in the step that settles it, so that logins at the same time agree on who stays. A mark is never taken back.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;

use abide_core::users::{Entered, Entry, Settled};
use abide_core::{Error, Record, SessionKey, Timestamp};
use serde::{Deserialize, Serialize};

use super::user_list::{Kind, Listed, UserList};

/// A login as its request knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The session, and when its user proved who they are.
    pub entry: Entry,
    /// Until when its session is listed: [`listed_until`](abide_core::users::listed_until).
    pub deadline: Timestamp,
    /// When the request began; `None` where the session was this user's before: then no barrier is in its way.
    pub began: Option<Timestamp>,
}

/// Whose a session has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    /// The user.
    pub user: Arc<str>,
    /// The login, where it has to be that one.
    pub login: Option<Timestamp>,
}

impl Whose {
    pub(super) fn is_of(&self, record: &Record) -> bool {
        let Some(era) = record.era() else { return false };
        let is_login = |at| era.authenticated_at().unwrap_or_default() == at;
        era.user() == Some(&self.user) && self.login.is_none_or(is_login)
    }
}

/// What is to happen to the list of a user.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum UserEdit {
    /// Enters a login, before its session shows it. Answers [`UserAnswer::Entered`].
    Enter(Login),
    /// Settles a login, once its session shows it. With a limit it marks the oldest of the others that are too many.
    /// Answers [`UserAnswer::Settled`] with all that are marked: whoever finds one ends it.
    Settle(Login, Option<NonZeroUsize>),
    /// Moves the deadline of a login up, and lists it where it is not.
    Slide(Entry, Timestamp),
    /// Raises the barrier: from now on no login counts whose request began before. Answers [`UserAnswer::Raised`] with
    /// every login that may be below it.
    Raise(Timestamp),
    /// Drops logins whose sessions are over or another's.
    Leave(#[serde(with = "super::wire::entries")] Arc<[Entry]>),
    /// Drops a login that did not come about.
    Withdraw(Entry),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum UserAnswer {
    /// It is done.
    Done,
    /// Of [`UserEdit::Enter`].
    Entered(Entered),
    /// Of [`UserEdit::Settle`].
    Settled(Settled),
    /// Of [`UserEdit::Raise`].
    Raised(Vec<Entry>),
}

impl Login {
    fn earlier_by(self, millis: i64) -> Self {
        Self { began: self.began.map(|began| earlier(began, millis)), ..self }
    }
}

/// A time by so many milliseconds earlier; what is later than everything stays so.
fn earlier(at: Timestamp, millis: i64) -> Timestamp {
    let moved = at.as_millis().saturating_add_signed(millis.saturating_neg());
    if at == Timestamp::MAX { at } else { Timestamp::from_millis(moved) }
}

impl UserEdit {
    /// The same by a clock that is so many milliseconds behind: whether a request began before a barrier is judged by
    /// the cluster's time, though each was told by its own server's.
    #[cfg_attr(not(feature = "transport"), allow(dead_code, reason = "the store does it"))]
    pub(crate) fn earlier_by(self, millis: i64) -> Self {
        match self {
            Self::Enter(login) => Self::Enter(login.earlier_by(millis)),
            Self::Settle(login, limit) => Self::Settle(login.earlier_by(millis), limit),
            Self::Raise(barrier) => Self::Raise(earlier(barrier, millis)),
            other => other,
        }
    }

    /// What it makes of a list, and what is answered once that is stored.
    pub(crate) fn apply(&self, list: &mut UserList, now: Timestamp) -> Result<UserAnswer, Error> {
        match self {
            Self::Enter(login) => enter(list, login, now).map(UserAnswer::Entered),
            Self::Settle(login, limit) => settle(list, login, *limit, now).map(UserAnswer::Settled),
            Self::Slide(entry, deadline) => {
                let kind = list.get(entry).map_or(Kind::Settled, |listed| listed.kind);
                list.put(Listed { entry: *entry, deadline: *deadline, kind })?;
                Ok(UserAnswer::Done)
            }
            Self::Raise(barrier) => {
                list.raise(*barrier);
                Ok(UserAnswer::Raised(list.logins().map(|listed| listed.entry).collect()))
            }
            Self::Leave(gone) => {
                let gone: BTreeSet<&Entry> = gone.iter().collect();
                list.retain(|listed| !gone.contains(&listed.entry));
                Ok(UserAnswer::Done)
            }
            Self::Withdraw(entry) => {
                list.retain(|listed| listed.entry != *entry || listed.kind != Kind::UnderWay);
                Ok(UserAnswer::Done)
            }
        }
    }
}

fn enter(list: &mut UserList, login: &Login, now: Timestamp) -> Result<Entered, Error> {
    if list.refuses(login.began) {
        return Ok(Entered::Refused);
    }
    if is_outnumbered(list, &login.entry) {
        return Ok(Entered::Outnumbered);
    }
    list.sweep(now);
    list.put(Listed { entry: login.entry, deadline: login.deadline, kind: Kind::UnderWay })?;
    Ok(Entered::Yes)
}

fn settle(
    list: &mut UserList,
    login: &Login,
    limit: Option<NonZeroUsize>,
    now: Timestamp,
) -> Result<Settled, Error> {
    if list.refuses(login.began) {
        return Ok(Settled::Refused);
    }
    let own = login.entry;
    if is_outnumbered(list, &own) {
        return Ok(Settled::Outnumbered);
    }
    // Earlier logins of the session itself are over; its place in the list lasts as long as any of theirs did.
    let is_earlier = |listed: &Listed| {
        listed.entry.key == own.key && listed.entry.login < own.login && listed.kind != Kind::UnderWay
    };
    let deadlines = list.logins().filter(|listed| is_earlier(listed)).map(|listed| listed.deadline);
    let deadline = deadlines.fold(login.deadline, Timestamp::max);
    list.retain(|listed| !is_earlier(listed));
    list.put(Listed { entry: own, deadline, kind: Kind::Settled })?;
    Ok(Settled::Yes(limit.map_or_else(Vec::new, |limit| outnumber(list, own.key, limit, now))))
}

/// Marks the oldest logins beside those of `own` that are too many, and answers all that are marked.
fn outnumber(list: &mut UserList, own: SessionKey, limit: NonZeroUsize, now: Timestamp) -> Vec<Entry> {
    let is_other = |listed: &&Listed| listed.entry.key != own && listed.deadline > now;
    let others = list.logins().filter(is_other).copied();
    let mut oldest: Vec<Listed> = others.filter(|listed| listed.kind == Kind::Settled).collect();
    oldest.sort_unstable_by_key(|listed| (listed.entry.login, listed.entry.key));
    oldest.truncate((oldest.len() + 1).saturating_sub(limit.get()));
    for listed in oldest {
        // It is in the list, so there is room for it.
        let _ = list.put(Listed { kind: Kind::Outnumbered, ..listed });
    }
    let marked = list.logins().filter(is_other).filter(|listed| listed.kind == Kind::Outnumbered);
    marked.map(|listed| listed.entry).collect()
}

fn is_outnumbered(list: &UserList, entry: &Entry) -> bool {
    list.get(entry).is_some_and(|listed| listed.kind == Kind::Outnumbered)
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::samples::user_list;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// A login of a session; its request began when its user proved who they are.
    fn login(session: u8, login: u64) -> Login {
        let entry = Entry { key: SessionKey::from_bytes([session; 16]), login: at(login) };
        Login { entry, deadline: at(10_000), began: Some(at(login)) }
    }

    fn enter(list: &mut UserList, login: Login) -> Entered {
        match UserEdit::Enter(login).apply(list, NOW) {
            Ok(UserAnswer::Entered(entered)) => entered,
            other => panic!("{other:?}"),
        }
    }

    fn settle(list: &mut UserList, login: Login, limit: usize) -> Settled {
        match UserEdit::Settle(login, NonZeroUsize::new(limit)).apply(list, NOW) {
            Ok(UserAnswer::Settled(settled)) => settled,
            other => panic!("{other:?}"),
        }
    }

    fn apply(list: &mut UserList, edit: &UserEdit) -> UserAnswer {
        edit.apply(list, NOW).expect("there is room")
    }

    /// Any edit of few sessions.
    fn edit(rng: &mut Rng) -> UserEdit {
        let entry = |rng: &mut Rng| login(rng.u8(..3), rng.u64(..3)).entry;
        let login = Login {
            entry: entry(rng),
            deadline: at(rng.u64(..1 << 40)),
            began: rng.bool().then(|| at(rng.u64(..1 << 48))),
        };
        match rng.u8(..7) {
            0 => UserEdit::Enter(login),
            1 => UserEdit::Settle(login, None),
            2 => UserEdit::Settle(login, NonZeroUsize::new(rng.usize(1..4))),
            3 => UserEdit::Slide(login.entry, login.deadline),
            4 => UserEdit::Raise(at(rng.u64(..1 << 48))),
            5 => UserEdit::Leave([entry(rng), entry(rng)].into()),
            _ => UserEdit::Withdraw(login.entry),
        }
    }

    proptest! {
        #[test]
        fn an_edit_that_is_asked_again_finds_itself_and_changes_nothing(seed: u64) {
            let mut rng = Rng::with_seed(seed);
            let (mut list, edit) = (user_list(&mut rng), edit(&mut rng));
            let first = apply(&mut list, &edit);
            let after = list.clone();
            prop_assert_eq!(apply(&mut list, &edit), first, "{:?}", edit);
            prop_assert_eq!(list, after, "{:?}", edit);
        }

        #[test]
        fn no_login_that_began_before_the_barrier_is_entered_or_settled(seed: u64, barrier in 1..1_u64 << 48) {
            let mut rng = Rng::with_seed(seed);
            let mut list = user_list(&mut rng);
            list.raise(at(barrier));
            let before = list.clone();
            let late = Login { began: Some(at(rng.u64(..barrier))), ..login(rng.u8(..5), 1) };
            prop_assert_eq!(enter(&mut list, late), Entered::Refused);
            prop_assert_eq!(settle(&mut list, late, rng.usize(..3)), Settled::Refused);
            prop_assert_eq!(list, before);
        }

        #[test]
        fn no_more_logins_than_the_limit_count_and_the_oldest_go(seed: u64, limit in 1_usize..4) {
            let mut rng = Rng::with_seed(seed);
            let mut list = UserList::default();
            let mut live: Vec<Entry> = Vec::new();
            for n in 0..8 {
                let next = login(n, rng.u64(..100));
                enter(&mut list, next);
                live.sort_by_key(|entry| (entry.login, entry.key));
                let too_many = (live.len() + 1).saturating_sub(limit);
                let expected: Vec<Entry> = live.drain(..too_many).collect();
                prop_assert_eq!(settle(&mut list, next, limit), Settled::Yes(expected.clone()));
                apply(&mut list, &UserEdit::Leave(expected.into()));
                live.push(next.entry);
            }
        }
    }

    #[test]
    fn a_session_that_was_spared_goes_on_past_the_barrier() {
        let mut list = UserList::default();
        list.raise(at(500));
        let spared = Login { began: None, ..login(1, 5) };
        assert_eq!(enter(&mut list, spared), Entered::Yes);
        assert_eq!(settle(&mut list, spared, 0), Settled::Yes(Vec::new()));
    }

    #[test]
    fn a_barrier_answers_every_login_that_may_be_below_it_and_never_goes_down() {
        let mut list = UserList::default();
        enter(&mut list, login(1, 5));
        enter(&mut list, login(2, 6));
        settle(&mut list, login(2, 6), 1);
        let all = vec![login(1, 5).entry, login(2, 6).entry];
        assert_eq!(apply(&mut list, &UserEdit::Raise(at(500))), UserAnswer::Raised(all.clone()));
        assert_eq!(apply(&mut list, &UserEdit::Raise(at(400))), UserAnswer::Raised(all));
        assert_eq!(list.not_before(), Some(at(500)));
    }

    #[test]
    fn a_login_that_later_ones_outnumbered_stays_so() {
        let mut list = UserList::default();
        for n in 1..=2 {
            enter(&mut list, login(n, n.into()));
            settle(&mut list, login(n, n.into()), 1);
        }
        assert_eq!(enter(&mut list, login(1, 1)), Entered::Outnumbered);
        assert_eq!(settle(&mut list, login(1, 1), 1), Settled::Outnumbered);
        assert_eq!(settle(&mut list, login(2, 2), 1), Settled::Yes(vec![login(1, 1).entry]), "a mark stays");
    }

    #[test]
    fn a_login_under_way_or_past_its_deadline_does_not_count() {
        let mut list = UserList::default();
        enter(&mut list, login(1, 1));
        apply(&mut list, &UserEdit::Slide(login(2, 2).entry, NOW));
        settle(&mut list, login(3, 3), 0);
        assert_eq!(settle(&mut list, login(4, 4), 2), Settled::Yes(Vec::new()));
    }

    #[test]
    fn a_later_login_of_a_session_takes_the_place_of_the_earlier_and_its_deadline() {
        let mut list = UserList::default();
        enter(&mut list, login(1, 1));
        settle(&mut list, login(1, 1), 0);
        apply(&mut list, &UserEdit::Slide(login(1, 1).entry, at(20_000)));
        enter(&mut list, login(1, 2));
        assert_eq!(settle(&mut list, login(1, 2), 1), Settled::Yes(Vec::new()));
        let listed: Vec<Listed> = list.logins().copied().collect();
        let expected = Listed { entry: login(1, 2).entry, deadline: at(20_000), kind: Kind::Settled };
        assert_eq!(listed, [expected]);
    }

    #[test]
    fn a_slide_lists_a_login_that_is_not_there_and_takes_no_deadline_back() {
        let mut list = UserList::default();
        for (deadline, listed) in [(500, 500), (900, 900), (700, 900)] {
            apply(&mut list, &UserEdit::Slide(login(1, 1).entry, at(deadline)));
            assert_eq!(list.get(&login(1, 1).entry).map(|listed| listed.deadline), Some(at(listed)));
        }
    }

    #[test]
    fn a_login_that_is_settled_is_not_withdrawn() {
        let mut list = UserList::default();
        for is_settled in [false, true] {
            enter(&mut list, login(1, 1));
            if is_settled {
                settle(&mut list, login(1, 1), 0);
            }
            apply(&mut list, &UserEdit::Withdraw(login(1, 1).entry));
            assert_eq!(list.get(&login(1, 1).entry).is_some(), is_settled);
        }
    }
}
