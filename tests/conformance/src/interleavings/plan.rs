//! What each client does, made from a seed.

use std::fmt;
use std::time::Duration;

use super::rng::Rng;

/// The names of the values that plans use.
pub const KEYS: [&str; 3] = ["a", "b", "n"];
/// The names of the users.
pub const USERS: [&str; 2] = ["ada", "eve"];
/// How long a session may go unused unless a call says otherwise.
pub const IDLE: Duration = Duration::from_secs(100);
/// How long it lives, from its creation or its last login.
pub const LIFE: Duration = Duration::from_secs(150);
/// How long an older secret is good once its successor was presented.
pub const GRACE: Duration = Duration::from_secs(20);
/// How old a secret grows before it is renewed.
pub const RENEW_EVERY: Duration = Duration::from_secs(30);

/// What `update` does to a number. Two of these do not commute, so the order in which they happened shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// Adds.
    Add(i64),
    /// Doubles, then adds.
    DoubleAndAdd(i64),
}

impl Arithmetic {
    /// The new number; an absent one counts as zero.
    #[must_use]
    pub fn of(self, current: Option<i64>) -> i64 {
        let current = current.unwrap_or(0);
        match self {
            Self::Add(by) => current.wrapping_add(by),
            Self::DoubleAndAdd(by) => current.wrapping_mul(2).wrapping_add(by),
        }
    }
}

/// Which values a new identity keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kept {
    /// All.
    All,
    /// None.
    Nothing,
    /// The first of [`KEYS`].
    First,
}

impl Kept {
    /// Whether it keeps the value under the key of this number.
    #[must_use]
    pub fn keeps(self, key: usize) -> bool {
        self == Self::All || (self == Self::First && key == 0)
    }
}

/// One call of a handler. Keys and users are numbers into [`KEYS`] and [`USERS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Reads everything.
    Look,
    /// Sets a value, with the commit that comes next.
    Set(usize, i64),
    /// Removes a value, with the commit that comes next.
    Remove(usize),
    /// Changes how long the session may go unused, with the commit that comes next.
    IdleTimeout(Duration),
    /// Updates a value.
    Update(usize, Arithmetic),
    /// Commits.
    Save,
    /// Signs a user in.
    LogIn(usize, Kept),
    /// Gives the session a new token.
    Renew,
    /// Signs the user out, and goes on.
    Leave(Kept),
    /// Ends the session.
    LogOut,
    /// Commits a change to a session that the client never saw.
    Stray,
}

/// Which token a request presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Presents {
    /// The client's own: what its last response set; nothing after a removal.
    Own,
    /// The latest that any client got.
    Newest,
    /// One that some client got before.
    Older(usize),
    /// One with a secret that nobody got.
    Forged,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// Which token it presents.
    pub presents: Presents,
    /// What its handler does, one after the other, until a call fails.
    pub calls: Vec<Call>,
    /// Whether the handler answers with a 500 in the end.
    pub fails: bool,
}

/// What every client does, and what happens around them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// Decides the order of the turns, and what the network does.
    pub seed: u64,
    /// Whether the session is there before the clients begin.
    pub created: bool,
    /// The requests of each client.
    pub clients: Vec<Vec<Request>>,
    /// By how much the clock moves, one move after the other.
    pub moves: Vec<Duration>,
    /// In how many of a hundred calls the network fails.
    pub faults: u32,
    /// Whether the stores can be peeked into.
    pub peeks: bool,
    /// Whether what a handler wrote is kept where it answers with a 500.
    pub keeps_on_error: bool,
}

/// What a kind of client can do beside what all can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Abilities {
    /// Without a session it creates one under the one key of the run; otherwise under a key of its own.
    pub creates_here: bool,
    /// A commit answers what is stored when it answers: writes that came after it may be in there.
    pub answers_later: bool,
}

impl Abilities {
    /// Of a client that creates the session under the one key of the run, and sends stray changes.
    #[must_use]
    pub const fn creates_here(mut self) -> Self {
        self.creates_here = true;
        self
    }
}

impl Abilities {
    /// Of a store with many copies, which answers a commit with what a majority of them holds by then.
    #[must_use]
    pub const fn answers_later(mut self) -> Self {
        self.answers_later = true;
        self
    }
}

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn of(seed: u64, abilities: Abilities) -> Self {
        let mut rng = Rng::new(seed);
        let faults = rng.weighted(&[(2, 0), (2, 5), (1, 25)]);
        let clients = 2 + rng.below(3);
        let theme = Theme::of(&mut rng, abilities);
        Self {
            seed: rng.next_u64(),
            created: !abilities.creates_here || rng.chance(75),
            clients: (0..clients).map(|_| requests(&mut rng, &theme)).collect(),
            moves: moves(&mut rng),
            faults,
            peeks: rng.chance(50),
            keeps_on_error: rng.chance(75),
        }
    }

    /// How many requests there are.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.clients.iter().map(Vec::len).sum()
    }

    /// The plans that do a little less.
    #[must_use]
    pub fn smaller(&self) -> Vec<Self> {
        let mut plans = Vec::new();
        let mut add = |change: &dyn Fn(&mut Self)| {
            let mut plan = self.clone();
            change(&mut plan);
            plans.push(plan);
        };
        for client in (0..self.clients.len()).filter(|_| self.clients.len() > 1) {
            add(&|plan| drop(plan.clients.remove(client)));
        }
        if self.faults > 0 {
            add(&|plan| plan.faults = 0);
        }
        for (client, requests) in self.clients.iter().enumerate() {
            for (at, request) in requests.iter().enumerate() {
                add(&|plan| drop(plan.clients[client].remove(at)));
                for call in 0..request.calls.len() {
                    add(&|plan| {
                        plan.clients[client][at].calls.remove(call);
                    });
                }
                if request.fails {
                    add(&|plan| plan.clients[client][at].fails = false);
                }
            }
        }
        for at in 0..self.moves.len() {
            add(&|plan| {
                plan.moves.remove(at);
            });
        }
        plans
    }
}

/// What the clients of one plan like to do: so that also those races are frequent that need two rare calls.
struct Theme {
    calls: Vec<(usize, Kind)>,
    keys: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    Look,
    Set,
    Remove,
    Idle,
    Update,
    Save,
    LogIn,
    Renew,
    Leave,
    LogOut,
    Stray,
}

impl Theme {
    fn of(rng: &mut Rng, abilities: Abilities) -> Self {
        use Kind::{Idle, Leave, LogIn, LogOut, Look, Remove, Renew, Save, Set, Stray, Update};
        let stray = usize::from(abilities.creates_here);
        let mut calls = vec![
            (4, Look),
            (6, Set),
            (2, Remove),
            (1, Idle),
            (6, Update),
            (1, Save),
            (2, LogIn),
            (1, Renew),
            (1, Leave),
            (1, LogOut),
            (stray, Stray),
        ];
        let liked = rng.weighted(&[(3, None), (2, Some(Update)), (2, Some(LogIn)), (1, Some(LogOut))]);
        let liked =
            liked.or(rng.weighted(&[(4, None), (1, Some(Idle)), (1, Some(Remove)), (1, Some(Renew))]));
        calls.extend(liked.map(|kind| (12, kind)));
        Self { calls, keys: 1 + rng.below(KEYS.len()) }
    }

    fn call(&self, rng: &mut Rng) -> Call {
        let key = KEYS.len() - 1 - rng.below(self.keys);
        let number = i64::try_from(rng.below(90)).unwrap_or(0) + 10;
        match rng.weighted(&self.calls) {
            Kind::Look => Call::Look,
            Kind::Set => Call::Set(key, number * 1000),
            Kind::Remove => Call::Remove(key),
            Kind::Idle => Call::IdleTimeout(Duration::from_secs(rng.weighted(&[(1, 20), (1, 60), (1, 150)]))),
            Kind::Update if rng.chance(60) => Call::Update(key, Arithmetic::Add(number)),
            Kind::Update => Call::Update(key, Arithmetic::DoubleAndAdd(number)),
            Kind::Save => Call::Save,
            Kind::LogIn => Call::LogIn(rng.below(USERS.len()), kept(rng)),
            Kind::Renew => Call::Renew,
            Kind::Leave => Call::Leave(kept(rng)),
            Kind::LogOut => Call::LogOut,
            Kind::Stray => Call::Stray,
        }
    }
}

fn kept(rng: &mut Rng) -> Kept {
    rng.weighted(&[(3, Kept::All), (1, Kept::Nothing), (1, Kept::First)])
}

fn requests(rng: &mut Rng, theme: &Theme) -> Vec<Request> {
    (0..1 + rng.below(3)).map(|_| request(rng, theme)).collect()
}

fn request(rng: &mut Rng, theme: &Theme) -> Request {
    let older = Presents::Older(rng.below(8));
    let presents =
        rng.weighted(&[(50, Presents::Own), (30, Presents::Newest), (17, older), (3, Presents::Forged)]);
    let mut calls = Vec::new();
    if rng.chance(40) {
        calls.push(Call::Look);
    }
    for _ in 0..1 + rng.below(3) {
        calls.push(theme.call(rng));
        // What follows a logout is another session.
        if calls.last() == Some(&Call::LogOut) {
            break;
        }
    }
    Request { presents, calls, fails: rng.chance(10) }
}

/// Less than the ten minutes for which ends and removals are remembered.
fn moves(rng: &mut Rng) -> Vec<Duration> {
    if rng.chance(30) {
        return Vec::new();
    }
    let steps = [(2, 1), (2, 9), (3, 10), (3, 20), (6, 31), (2, 60), (1, 99), (2, 100), (1, 200)];
    let mut left = 550;
    let count = 1 + rng.below(5);
    let by = std::iter::repeat_with(|| rng.weighted(&steps)).take(count);
    by.take_while(|by| {
        left -= by;
        left > 0
    })
    .map(|by: i64| Duration::from_secs(by.unsigned_abs()))
    .collect()
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "order {:#x}, {}, {}% faults, peeks: {}, keeps on a 500: {}",
            self.seed,
            if self.created { "created before" } else { "not there yet" },
            self.faults,
            self.peeks,
            self.keeps_on_error,
        )?;
        for (client, requests) in self.clients.iter().enumerate() {
            writeln!(f, "client {client}:")?;
            for request in requests {
                let end = if request.fails { ", then a 500" } else { "" };
                writeln!(f, "  {:?}: {:?}{end}", request.presents, request.calls)?;
            }
        }
        writeln!(f, "clock: {:?}", self.moves)
    }
}
