//! The sequential model: one session, and what each request knows of it. The rules are those of the table of races and
//! of the documentation of [`SessionStore`](abide_core::SessionStore), written down a second time and in the plainest
//! way; nothing of the record's code is used.

use std::sync::Arc;
use std::time::Duration;

use abide_core::Timestamp;

use super::client::View;
use super::history::{Act, Blind, Change, RequestId, Saw, Token, Who};
use super::plan::{GRACE, IDLE, KEYS, LIFE, RENEW_EVERY};
use super::steps::{Step, Work};

/// How many secrets are kept.
const KEPT: usize = 4;
const NOBODY: RequestId = 0;
/// The owner of a secret whose minting nobody heard of yet: the step that minted it.
const UNHEARD: RequestId = 1 << 15;

/// Which step did something.
type StepId = u16;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Cell {
    pub(super) value: Blind,
    /// The last step that set or removed the value without looking at it.
    root: StepId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Secret {
    generation: u32,
    /// Whose response carried it.
    owner: RequestId,
    minted: Timestamp,
    confirmed: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Worth {
    Current,
    Pending(u32),
    Grace,
}

/// A live session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Alive {
    /// The step that made it.
    pub(super) created: StepId,
    /// The step that opened the era.
    pub(super) era: StepId,
    user: Option<usize>,
    hard: Timestamp,
    idle: Duration,
    idle_by: StepId,
    last_seen: Timestamp,
    /// Newest first.
    secrets: [Option<Secret>; KEPT],
    cells: [Cell; KEYS.len()],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Life {
    Absent,
    Alive(Arc<Alive>),
    /// Past its deadline. A store may forget it, and then take a creation under its key.
    Expired,
    /// Remembered for longer than any plan takes.
    Ended,
}

/// What a request knows of the session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    #[default]
    Unopened,
    /// None.
    Empty,
    Live(Arc<Alive>, Worth),
    Over,
    /// It has another session than that of the run, about which nothing is said here.
    Elsewhere,
}

/// What waits for a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Pending {
    pub(super) values: [Option<Blind>; KEYS.len()],
    pub(super) idle: Option<Duration>,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A request under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Turn {
    pub(super) request: RequestId,
    pub(super) token: Token,
    pub(super) began: Timestamp,
    pub(super) latest: Timestamp,
    pub(super) identity: Identity,
    pub(super) pending: Pending,
    pub(super) cookie: Saw,
    /// The commit after the handler met a conflict: it surely had something to do.
    pub(super) looked_again: bool,
    /// The commit that happened and whose answer got lost.
    pub(super) applied: Option<Applied>,
    /// When it was first asked for: the start of what it may overlap.
    pub(super) opened_at: u32,
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            request: NOBODY,
            token: Token::None,
            began: Timestamp::default(),
            latest: Timestamp::default(),
            identity: Identity::Unopened,
            pending: Pending::default(),
            cookie: Saw::Nothing,
            looked_again: false,
            applied: None,
            opened_at: 0,
        }
    }
}

/// A commit that happened, and of which its request has not heard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Applied {
    pub(super) step: StepId,
    /// In which era the session was then.
    pub(super) era: StepId,
    /// What an update came to.
    pub(super) updated: Option<i64>,
    /// The session, where this very commit shortened its idle timeout so that it was over at once.
    pub(super) over: Option<Arc<Alive>>,
}

/// A change that may still happen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Float {
    Commit {
        turn: Box<Turn>,
        work: Work,
        step: StepId,
        since: Timestamp,
        /// It was answered for: only where the session that it made expired and was forgotten it makes one again.
        again: bool,
    },
    End,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) now: Timestamp,
    pub(super) life: Life,
    pub(super) turns: Vec<Turn>,
    pub(super) floats: Vec<Float>,
}

/// What a commit came to.
#[derive(Clone, Debug)]
pub(super) enum Came {
    /// There was nothing to commit.
    Nothing,
    Done(Done),
    Over,
    Superseded,
    Exists,
    /// It made another session.
    Elsewhere,
}

#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) alive: Arc<Alive>,
    pub(super) updated: Option<i64>,
    /// A new secret was minted; or another request's had been, where one was due.
    pub(super) minted: Option<bool>,
}

/// How a commit came to pass, where that is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    /// What the server's clock showed.
    pub(super) at: Timestamp,
    /// Which of the blind writes count as having come before others': a bit for each key, and one for the idle timeout.
    pub(super) before: u8,
    /// Whether the store has forgotten a session that expired.
    pub(super) forgotten: bool,
}

const IDLE_BIT: u8 = 1 << KEYS.len();

impl Alive {
    pub(super) fn deadline(&self) -> Timestamp {
        (self.last_seen + self.idle).min(self.hard)
    }

    pub(super) fn view(&self, pending: &Pending) -> View {
        View {
            user: self.user,
            values: std::array::from_fn(|key| pending.values[key].unwrap_or(self.cells[key].value)),
            idle: self.deadline(),
            absolute: self.hard,
        }
    }

    fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.secrets.iter().flatten()
    }

    fn newest(&self) -> &Secret {
        self.secrets[0].as_ref().expect("a live session has a secret")
    }

    fn has_room(&self) -> bool {
        self.secrets().take(KEPT - 1).any(|secret| secret.confirmed.is_some())
    }

    /// What the secret that a response carried is worth, `None` where it is good for nothing.
    pub(super) fn worth(&self, owner: RequestId, now: Timestamp) -> Option<Worth> {
        let at = self.secrets().position(|secret| secret.owner == owner)?;
        let replaced = self.secrets().take(at).filter_map(|newer| newer.confirmed).min();
        let own = self.secrets[at].as_ref()?;
        match (replaced, own.confirmed) {
            (Some(since), _) => (now < since + GRACE).then_some(Worth::Grace),
            (None, Some(_)) => Some(Worth::Current),
            (None, None) => Some(Worth::Pending(own.generation)),
        }
    }

    /// The request heard that its `step` minted a secret: its response will carry that one, and no earlier one of the
    /// request. Answers whether it did.
    pub(super) fn is_heard(&mut self, step: StepId, request: RequestId) -> bool {
        let minted = self.secrets().any(|secret| secret.owner == UNHEARD | step);
        for secret in self.secrets.iter_mut().flatten().filter(|_| minted) {
            match secret.owner {
                owner if owner == request => secret.owner = NOBODY,
                owner if owner == UNHEARD | step => secret.owner = request,
                _ => {}
            }
        }
        minted
    }

    fn mint(&mut self, owner: RequestId, minted: Timestamp) {
        let generation = self.newest().generation + 1;
        self.secrets.rotate_right(1);
        self.secrets[0] = Some(Secret { generation, owner, minted, confirmed: None });
    }

    fn first_secret(owner: RequestId, at: Timestamp) -> [Option<Secret>; KEPT] {
        let first = Secret { generation: 0, owner, minted: at, confirmed: Some(at) };
        std::array::from_fn(|n| (n == 0).then_some(first))
    }

    fn slide_is_due(&self, now: Timestamp) -> bool {
        now.since(self.last_seen) >= self.idle / 10
    }

    fn renewal_is_due(&self, worth: Worth, now: Timestamp) -> bool {
        worth == Worth::Current && now.since(self.newest().minted) >= RENEW_EVERY && self.has_room()
    }

    fn opened(&self, (who, kept): (Who, super::plan::Kept), id: StepId, at: Timestamp) -> Self {
        let mut next = self.clone();
        next.era = id;
        next.last_seen = self.last_seen.max(at);
        next.secrets = Self::first_secret(UNHEARD | id, at);
        match who {
            Who::User(user) => (next.user, next.hard) = (Some(user), at + LIFE),
            Who::Nobody => (next.user, next.hard) = (None, at + LIFE),
            Who::Same => {}
        }
        for (key, cell) in next.cells.iter_mut().enumerate() {
            if !kept.keeps(key) {
                *cell = Cell { value: None, root: id };
            }
        }
        next
    }
}

impl Turn {
    pub(super) fn is_over(&mut self) {
        self.identity = Identity::Over;
        self.pending = Pending::default();
        self.cookie = Saw::Nothing;
    }

    pub(super) fn pend(&mut self, change: Change) {
        match change {
            Change::Value(key, value) => self.pending.values[key] = Some(value),
            Change::Idle(timeout) => self.pending.idle = Some(timeout),
        }
    }

    pub(super) fn view(&self) -> Option<View> {
        match &self.identity {
            Identity::Live(seen, _) => Some(seen.view(&self.pending)),
            _ => None,
        }
    }

    /// Goes on from what a commit came to.
    pub(super) fn goes_on(&mut self, alive: Arc<Alive>, opened: bool, minted: bool) {
        let worth = match &self.identity {
            Identity::Live(_, worth) if !opened && !matches!(worth, Worth::Pending(_)) => *worth,
            _ => Worth::Current,
        };
        if minted {
            self.cookie = Saw::Token;
        }
        self.identity = Identity::Live(alive, worth);
        self.pending = Pending::default();
        self.applied = None;
    }
}

impl State {
    pub(super) fn new(now: Timestamp, clients: usize) -> Self {
        Self { now, life: Life::Absent, turns: vec![Turn::default(); clients], floats: Vec::new() }
    }

    /// From its deadline on a session is over, whether anybody looks or not.
    pub(super) fn expire(&mut self) {
        if let Life::Alive(alive) = &self.life {
            if alive.deadline() <= self.now {
                self.life = Life::Expired;
            }
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.life, Life::Expired | Life::Ended)
    }

    /// The session, `None` where there is none.
    pub(super) fn alive(&self) -> Option<&Arc<Alive>> {
        match &self.life {
            Life::Alive(alive) => Some(alive),
            _ => None,
        }
    }

    /// What a request finds that presents `token`.
    pub(super) fn found(&self, token: Token, began: Timestamp) -> Identity {
        let (Some(alive), Token::Of(owner)) = (self.alive(), token) else { return Identity::Empty };
        alive.worth(owner, began).map_or(Identity::Empty, |worth| Identity::Live(alive.clone(), worth))
    }

    /// The blind writes of a turn that others' came between, so that they may count as having come before those.
    pub(super) fn contested(&self, turn: &Turn, work: Work) -> u8 {
        let (Some(alive), Identity::Live(seen, _)) = (self.alive(), &turn.identity) else { return 0 };
        let updated = match work {
            Work::Called(act) => act.update.map(|(key, _)| key),
            Work::Finish => None,
        };
        let mut bits = 0;
        for key in 0..KEYS.len() {
            let blind = turn.pending.values[key].is_some() && updated != Some(key);
            if blind && alive.cells[key].root != seen.cells[key].root {
                bits |= 1 << key;
            }
        }
        if turn.pending.idle.is_some() && alive.idle_by != seen.idle_by {
            bits |= IDLE_BIT;
        }
        bits
    }

    /// What a commit comes to that happens now.
    pub(super) fn commit(&self, turn: &Turn, work: Work, how: How, id: StepId, here: bool) -> Came {
        match &turn.identity {
            Identity::Live(seen, worth) => self.change(turn, seen, *worth, work, how, id),
            Identity::Over if work == Work::Finish && turn.pending.is_empty() => Came::Nothing,
            Identity::Over => Came::Over,
            Identity::Elsewhere => Came::Elsewhere,
            Identity::Unopened | Identity::Empty => self.create(turn, work, how, id, here),
        }
    }

    fn change(&self, turn: &Turn, seen: &Alive, worth: Worth, work: Work, how: How, id: StepId) -> Came {
        let act = match work {
            Work::Called(act) => act,
            Work::Finish if self.finish_has_work(turn, seen, worth) => Act::default(),
            Work::Finish => return Came::Nothing,
        };
        let writes = |key: usize| match turn.pending.values[key] {
            Some(None) => seen.cells[key].value.is_some(),
            other => other.is_some(),
        };
        let confirms = match worth {
            Worth::Pending(generation) if act.opens.is_none() => Some(generation),
            _ => None,
        };
        let renews = act.opens.is_none() && seen.renewal_is_due(worth, how.at);
        let upkeep = act.opens.is_none() && seen.slide_is_due(how.at);
        let asked = (0..KEYS.len()).any(writes) || turn.pending.idle.is_some();
        let called = act.update.is_some() || act.opens.is_some();
        if !asked && !called && confirms.is_none() && !renews && !upkeep {
            return Came::Nothing;
        }
        let Some(held) = self.alive() else { return Came::Over };
        if held.era != seen.era {
            return Came::Superseded;
        }
        let mut next = match act.opens {
            Some(opens) => held.opened(opens, id, how.at),
            None => Alive::clone(held),
        };
        for key in (0..KEYS.len()).filter(|key| writes(*key) && how.before & (1 << key) == 0) {
            next.cells[key] = Cell { value: turn.pending.values[key].flatten(), root: id };
        }
        let mut updated = None;
        if let Some((key, change)) = act.update {
            let current = turn.pending.values[key].unwrap_or(held.cells[key].value);
            updated = Some(change.of(current));
            next.cells[key] = Cell { value: updated, root: held.cells[key].root };
        }
        if let Some(idle) = turn.pending.idle.filter(|_| how.before & IDLE_BIT == 0) {
            (next.idle, next.idle_by) = (idle, id);
        }
        next.last_seen = next.last_seen.max(how.at);
        let mut minted = act.opens.map(|_| true);
        if renews {
            let first = held.newest().generation == seen.newest().generation && held.has_room();
            if first {
                next.mint(UNHEARD | id, how.at);
            }
            minted = Some(first);
        }
        if let Some(generation) = confirms {
            for secret in next.secrets.iter_mut().flatten().filter(|one| one.generation == generation) {
                secret.confirmed.get_or_insert(how.at);
            }
        }
        Came::Done(Done { alive: Arc::new(next), updated, minted })
    }

    /// What is due when the handler answered is judged by when the request began.
    fn finish_has_work(&self, turn: &Turn, seen: &Alive, worth: Worth) -> bool {
        turn.looked_again
            || !turn.pending.is_empty()
            || seen.slide_is_due(turn.began)
            || seen.renewal_is_due(worth, turn.began)
            || matches!(worth, Worth::Pending(_))
    }

    fn create(&self, turn: &Turn, work: Work, how: How, id: StepId, here: bool) -> Came {
        let at = how.at;
        let act = match work {
            Work::Called(act) => act,
            Work::Finish => Act::default(),
        };
        let user = match act.opens {
            Some((Who::User(user), _)) => Some(user),
            Some(_) => return Came::Nothing,
            None => None,
        };
        let mut values = turn.pending.values.map(Option::flatten);
        let updated = act.update.map(|(key, change)| {
            values[key] = Some(change.of(values[key]));
            change.of(turn.pending.values[key].flatten())
        });
        if user.is_none() && values.iter().all(Option::is_none) {
            return Came::Nothing;
        }
        match self.life {
            _ if !here => Came::Elsewhere,
            Life::Alive(_) => Came::Exists,
            Life::Ended => Came::Over,
            Life::Expired if !how.forgotten => Came::Over,
            // The record came so late that it is over already.
            _ if at + turn.pending.idle.unwrap_or(IDLE).min(LIFE) <= self.now => Came::Over,
            Life::Absent | Life::Expired => Came::Done(Done {
                alive: Arc::new(Alive {
                    created: id,
                    era: id,
                    user,
                    hard: at + LIFE,
                    idle: turn.pending.idle.unwrap_or(IDLE),
                    idle_by: id,
                    last_seen: at,
                    secrets: Alive::first_secret(UNHEARD | id, at),
                    cells: values
                        .map(|value| Cell { value, root: if value.is_some() { id } else { NOBODY } }),
                }),
                updated,
                minted: Some(true),
            }),
        }
    }
}

/// Whether a step's client may have looked at its clock when that showed `at`.
pub(super) fn is_reading(at: Timestamp, step: &Step, now: Timestamp) -> bool {
    step.since <= at && at <= now
}
