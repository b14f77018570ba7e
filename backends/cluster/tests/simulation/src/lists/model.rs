//! The list of a user as it should be, one call after the other: plain, and no line of it is the protocol's.

use std::collections::{BTreeMap, BTreeSet};

use abide_cluster::protocol::{Answer, Kind, UserAnswer, UserEdit};
use abide_core::Timestamp;
use abide_core::users::{Entered, Entry, Settled};

use super::Call;

/// The list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Model {
    barrier: Option<Timestamp>,
    logins: BTreeMap<Entry, (Kind, Timestamp)>,
}

/// What a call says, in a form that is compared.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Done,
    Entered(Entered),
    Refused,
    Outnumbered,
    These(BTreeSet<Entry>),
}

impl Model {
    /// Carries a call out. Answers whether it may be answered so.
    pub(super) fn accepts(&mut self, call: &Call, came: Option<&Answer>) -> bool {
        match (call, came) {
            (Call::Read, Some(Answer::UserList(list))) => {
                let logins = list.logins().map(|listed| (listed.entry, (listed.kind, listed.deadline)));
                list.not_before() == self.barrier && logins.eq(self.logins.iter().map(|(e, l)| (*e, *l)))
            }
            (Call::Read, came) => came.is_none(),
            (Call::Edit(edit), came) => {
                let said = self.carry_out(edit);
                match came {
                    None => true,
                    Some(Answer::User(answer)) => said == told(answer),
                    Some(_) => false,
                }
            }
        }
    }

    fn carry_out(&mut self, edit: &UserEdit) -> Said {
        let barrier = self.barrier;
        let too_early = |began: Option<Timestamp>| began.is_some_and(|began| Some(began) < barrier);
        match edit {
            UserEdit::Enter(login) | UserEdit::Settle(login, _) if too_early(login.began) => {
                if matches!(edit, UserEdit::Enter(_)) {
                    Said::Entered(Entered::Refused)
                } else {
                    Said::Refused
                }
            }
            UserEdit::Enter(login) if self.kind(&login.entry) == Some(Kind::Outnumbered) => {
                Said::Entered(Entered::Outnumbered)
            }
            UserEdit::Settle(login, _) if self.kind(&login.entry) == Some(Kind::Outnumbered) => {
                Said::Outnumbered
            }
            UserEdit::Enter(login) => {
                self.list(login.entry, Kind::UnderWay, login.deadline);
                Said::Entered(Entered::Yes)
            }
            UserEdit::Settle(login, limit) => {
                let own = login.entry;
                let older: Vec<Entry> = self
                    .logins
                    .iter()
                    .filter(|(other, (kind, _))| {
                        other.key == own.key && other.login < own.login && *kind != Kind::UnderWay
                    })
                    .map(|(other, _)| *other)
                    .collect();
                let mut deadline = login.deadline;
                for other in older {
                    deadline = deadline.max(self.logins.remove(&other).map_or(deadline, |(_, until)| until));
                }
                self.list(own, Kind::Settled, deadline);
                let Some(limit) = limit else { return Said::These(BTreeSet::new()) };
                while self.others(&own, Kind::Settled).len() + 1 > limit.get() {
                    let others = self.others(&own, Kind::Settled);
                    let Some(oldest) = others.into_iter().min_by_key(|other| (other.login, other.key)) else {
                        break;
                    };
                    self.logins.entry(oldest).and_modify(|(kind, _)| *kind = Kind::Outnumbered);
                }
                Said::These(self.others(&own, Kind::Outnumbered).into_iter().collect())
            }
            UserEdit::Slide(entry, deadline) => {
                self.list(*entry, self.kind(entry).unwrap_or(Kind::Settled), *deadline);
                Said::Done
            }
            UserEdit::Raise(to) => {
                self.barrier = self.barrier.max(Some(*to));
                Said::These(self.logins.keys().copied().collect())
            }
            UserEdit::Leave(gone) => {
                self.logins.retain(|entry, _| !gone.contains(entry));
                Said::Done
            }
            UserEdit::Withdraw(entry) => {
                if self.kind(entry) == Some(Kind::UnderWay) {
                    self.logins.remove(entry);
                }
                Said::Done
            }
            other => panic!("the model does not know {other:?}"),
        }
    }

    fn kind(&self, entry: &Entry) -> Option<Kind> {
        self.logins.get(entry).map(|(kind, _)| *kind)
    }

    fn list(&mut self, entry: Entry, kind: Kind, deadline: Timestamp) {
        let listed = self.logins.entry(entry).or_insert((kind, deadline));
        *listed = (listed.0.max(kind), listed.1.max(deadline));
    }

    /// The logins of a kind of other sessions.
    fn others(&self, own: &Entry, kind: Kind) -> Vec<Entry> {
        let is_other = |(entry, (of, _)): &(&Entry, &(Kind, Timestamp))| entry.key != own.key && *of == kind;
        self.logins.iter().filter(is_other).map(|(entry, _)| *entry).collect()
    }
}

fn told(answer: &UserAnswer) -> Said {
    match answer {
        UserAnswer::Entered(entered) => Said::Entered(*entered),
        UserAnswer::Settled(Settled::Refused) => Said::Refused,
        UserAnswer::Settled(Settled::Outnumbered) => Said::Outnumbered,
        UserAnswer::Settled(Settled::Yes(these)) | UserAnswer::Raised(these) => {
            Said::These(these.iter().copied().collect())
        }
        _ => Said::Done,
    }
}
