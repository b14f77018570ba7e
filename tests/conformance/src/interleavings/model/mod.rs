//! The sequential model: one session, and what each request knows of it. The rules are those of the table of races and
//! of the documentation of [`SessionStore`](abide_core::SessionStore), written down a second time and in the plainest
//! way; nothing of the record's code is used.
//!
//! | file | role |
//! |---|---|
//! | `mod` | what is known |
//! | `commit` | what a commit comes to, and a creation |

mod commit;

use std::sync::Arc;
use std::time::Duration;

use abide_core::Timestamp;

use crate::interleavings::client::View;
use crate::interleavings::history::{Act, Blind, Change, RequestId, Saw, Token, Who};
use crate::interleavings::plan::{GRACE, IDLE, KEYS, LIFE, RENEW_EVERY};
use crate::interleavings::steps::{Step, Work};

/// How many secrets are kept.
const KEPT: usize = 4;
const NOBODY: RequestId = 0;
/// The owner of a secret whose minting nobody heard of yet: the step that minted it.
const UNHEARD: RequestId = 1 << 15;

/// Which step did something.
type StepId = u16;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::interleavings) struct Cell {
    pub(in crate::interleavings) value: Blind,
    /// The last step that set or removed the value without looking at it.
    root: StepId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::interleavings) struct Secret {
    generation: u32,
    /// Whose response carried it.
    owner: RequestId,
    minted: Timestamp,
    confirmed: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::interleavings) enum Worth {
    Current,
    Pending(u32),
    Grace,
}

/// A live session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::interleavings) struct Alive {
    /// The step that made it.
    pub(in crate::interleavings) created: StepId,
    /// The step that opened the era.
    pub(in crate::interleavings) era: StepId,
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
pub(in crate::interleavings) enum Life {
    Absent,
    Alive(Arc<Alive>),
    /// Past its deadline. A store may forget it, and then take a creation under its key.
    Expired,
    /// Remembered for longer than any plan takes.
    Ended,
}

/// What a request knows of the session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::interleavings) enum Identity {
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
pub(in crate::interleavings) struct Pending {
    pub(in crate::interleavings) values: [Option<Blind>; KEYS.len()],
    pub(in crate::interleavings) idle: Option<Duration>,
}

impl Pending {
    pub(in crate::interleavings) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A request under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::interleavings) struct Turn {
    pub(in crate::interleavings) request: RequestId,
    pub(in crate::interleavings) token: Token,
    pub(in crate::interleavings) began: Timestamp,
    pub(in crate::interleavings) latest: Timestamp,
    pub(in crate::interleavings) identity: Identity,
    pub(in crate::interleavings) pending: Pending,
    pub(in crate::interleavings) cookie: Saw,
    /// The commit after the handler met a conflict: it surely had something to do.
    pub(in crate::interleavings) looked_again: bool,
    /// The commit that happened and whose answer got lost.
    pub(in crate::interleavings) applied: Option<Applied>,
    /// When it was first asked for: the start of what it may overlap.
    pub(in crate::interleavings) opened_at: u32,
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
pub(in crate::interleavings) struct Applied {
    pub(in crate::interleavings) step: StepId,
    /// In which era the session was then.
    pub(in crate::interleavings) era: StepId,
    /// What an update came to.
    pub(in crate::interleavings) updated: Option<i64>,
    /// The session, where this very commit shortened its idle timeout so that it was over at once.
    pub(in crate::interleavings) over: Option<Arc<Alive>>,
}

/// A change that may still happen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::interleavings) enum Float {
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
pub(in crate::interleavings) struct State {
    pub(in crate::interleavings) now: Timestamp,
    pub(in crate::interleavings) life: Life,
    pub(in crate::interleavings) turns: Vec<Turn>,
    pub(in crate::interleavings) floats: Vec<Float>,
}

/// What a commit came to.
#[derive(Clone, Debug)]
pub(in crate::interleavings) enum Came {
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
pub(in crate::interleavings) struct Done {
    pub(in crate::interleavings) alive: Arc<Alive>,
    pub(in crate::interleavings) updated: Option<i64>,
    /// A new secret was minted; or another request's had been, where one was due.
    pub(in crate::interleavings) minted: Option<bool>,
}

/// How a commit came to pass, where that is open.
#[derive(Clone, Copy, Debug)]
pub(in crate::interleavings) struct How {
    /// What the server's clock showed.
    pub(in crate::interleavings) at: Timestamp,
    /// Which of the blind writes count as having come before others': a bit for each key, and one for the idle timeout.
    pub(in crate::interleavings) before: u8,
    /// Whether the store has forgotten a session that expired.
    pub(in crate::interleavings) forgotten: bool,
}

const IDLE_BIT: u8 = 1 << KEYS.len();

impl Alive {
    pub(in crate::interleavings) fn deadline(&self) -> Timestamp {
        (self.last_seen + self.idle).min(self.hard)
    }

    pub(in crate::interleavings) fn view(&self, pending: &Pending) -> View {
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
    pub(in crate::interleavings) fn worth(&self, owner: RequestId, now: Timestamp) -> Option<Worth> {
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
    pub(in crate::interleavings) fn is_heard(&mut self, step: StepId, request: RequestId) -> bool {
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

    fn opened(
        &self,
        (who, kept): (Who, crate::interleavings::plan::Kept),
        id: StepId,
        at: Timestamp,
    ) -> Self {
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
    pub(in crate::interleavings) fn is_over(&mut self) {
        self.identity = Identity::Over;
        self.pending = Pending::default();
        self.cookie = Saw::Nothing;
    }

    pub(in crate::interleavings) fn pend(&mut self, change: Change) {
        match change {
            Change::Value(key, value) => self.pending.values[key] = Some(value),
            Change::Idle(timeout) => self.pending.idle = Some(timeout),
        }
    }

    pub(in crate::interleavings) fn view(&self) -> Option<View> {
        match &self.identity {
            Identity::Live(seen, _) => Some(seen.view(&self.pending)),
            _ => None,
        }
    }

    /// Goes on from what a commit came to.
    pub(in crate::interleavings) fn goes_on(&mut self, alive: Arc<Alive>, opened: bool, minted: bool) {
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
    pub(in crate::interleavings) fn new(now: Timestamp, clients: usize) -> Self {
        Self { now, life: Life::Absent, turns: vec![Turn::default(); clients], floats: Vec::new() }
    }

    /// From its deadline on a session is over, whether anybody looks or not.
    pub(in crate::interleavings) fn expire(&mut self) {
        if let Life::Alive(alive) = &self.life {
            if alive.deadline() <= self.now {
                self.life = Life::Expired;
            }
        }
    }

    pub(in crate::interleavings) fn is_over(&self) -> bool {
        matches!(self.life, Life::Expired | Life::Ended)
    }

    /// The session, `None` where there is none.
    pub(in crate::interleavings) fn alive(&self) -> Option<&Arc<Alive>> {
        match &self.life {
            Life::Alive(alive) => Some(alive),
            _ => None,
        }
    }

    /// What a request finds that presents `token`.
    pub(in crate::interleavings) fn found(&self, token: Token, began: Timestamp) -> Identity {
        let (Some(alive), Token::Of(owner)) = (self.alive(), token) else { return Identity::Empty };
        alive.worth(owner, began).map_or(Identity::Empty, |worth| Identity::Live(alive.clone(), worth))
    }
}

/// Whether a step's client may have looked at its clock when that showed `at`.
pub(in crate::interleavings) fn is_reading(at: Timestamp, step: &Step, now: Timestamp) -> bool {
    step.since <= at && at <= now
}
