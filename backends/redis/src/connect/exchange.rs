//! From commands to their replies: which master, redirections, and what may be sent again.
//!
//! Nearly all is one command, over a connection that is there, and its reply: [`exchange_one`] does that much itself. What
//! else may come up is a future of its own on the heap, so that the usual one stays small: it is a part of each future
//! of the store, and is moved with it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{Error, ErrorKind};
use redis::{Cmd, Pipeline, Value};
use tokio::time::sleep;

use super::cluster::Cluster;
use super::link::Link;
use super::master::{Failed, Master, Trip};
use super::node::jittered;
use super::verdict::{Lost, Verdict, judge, refused};
use super::{Acknowledged, LinkNumber, Terms};

/// A slot that moves sends one request on twice; more often means that the servers do not agree.
const MOST_REDIRECTIONS: u32 = 8;
/// How often a server that does not serve is asked again once there is another connection.
const MOST_REFUSALS: u32 = 3;
const BREATH: Duration = Duration::from_millis(4);

/// Who has a key.
pub(super) enum Route {
    One(Master),
    Cluster(Cluster),
}

impl Route {
    async fn master(&self, key: &[u8], terms: Terms) -> Result<Master, Error> {
        match self {
            Self::One(master) => Ok(master.clone()),
            Self::Cluster(cluster) => cluster.master(key, terms.deadline).await,
        }
    }

    /// The connection to the master of a key, where it is there at this moment.
    pub(super) fn link(&self, key: &[u8]) -> Option<Arc<Link>> {
        match self {
            Self::One(master) => master.link(),
            Self::Cluster(cluster) => cluster.now(key)?.link(),
        }
    }

    /// Something was wrong with a master: another one may have its keys by now.
    fn doubt(&self) {
        if let Self::Cluster(cluster) = self {
            cluster.refresh();
        }
    }

    /// Whether somebody else has the key now.
    fn has_left(&self, key: &[u8], master: &Master) -> bool {
        match self {
            Self::One(_) => false,
            Self::Cluster(cluster) => cluster.now(key).is_some_and(|now| !now.is(master)),
        }
    }
}

/// Runs one command that concerns one key, and has `wait` replicas have it. It is made again where it is sent again.
pub(super) async fn exchange_one(
    route: &Route,
    key: &[u8],
    command: &(impl Fn() -> Cmd + Sync),
    wait: usize,
    terms: Terms,
) -> Result<Acknowledged, Error> {
    let mut first = None;
    if let Some(link) = route.link(key)
        && wait == 0
        && link.pause.is_none()
    {
        first = Some(match link.send_one(command(), terms.deadline).await {
            Ok(reply) if judge(&reply) == Verdict::Answer => {
                return Ok(Acknowledged { values: vec![reply], replicas: 0, over: link.watched() });
            }
            Ok(reply) => Ok(Trip { replies: vec![reply], replicas: 0, over: link.watched(), link }),
            Err(lost) => Err(lost),
        });
    }
    Box::pin(async {
        let mut commands = Pipeline::with_capacity(2);
        commands.add_command(command());
        exchange_from(first, route, key, &commands, wait, terms).await
    })
    .await
}

/// Runs commands that concern one key, and has `wait` replicas have them.
pub(super) async fn exchange(
    route: &Route,
    key: &[u8],
    commands: &Pipeline,
    wait: usize,
    terms: Terms,
) -> Result<Acknowledged, Error> {
    Box::pin(exchange_from(None, route, key, commands, wait, terms)).await
}

/// Goes on from what came of a first trip, where there was one.
async fn exchange_from(
    mut first: Option<Result<Trip, Lost>>,
    route: &Route,
    key: &[u8],
    commands: &Pipeline,
    wait: usize,
    terms: Terms,
) -> Result<Acknowledged, Error> {
    let mut progress = Progress::new(key, commands, terms);
    let mut asked = None;
    loop {
        let asking = asked.is_some();
        let sent = match (first.take(), asked.take()) {
            (Some(sent), _) => sent.map_err(Failed::Lost),
            (None, asked) => {
                let master = match asked {
                    Some(master) => master,
                    None => route.master(key, terms).await.map_err(|error| progress.give_up(error))?,
                };
                match master.send(&progress.left(asking), wait, terms).await {
                    Err(Failed::Away(_)) if route.has_left(key, &master) => continue,
                    sent => sent,
                }
            }
        };
        let trip = match sent {
            Ok(trip) => trip,
            Err(Failed::Away(error)) => {
                route.doubt();
                return Err(progress.give_up(error));
            }
            Err(Failed::Lost(lost)) => {
                route.doubt();
                if !terms.read_only || terms.remaining().is_zero() {
                    return Err(lost.into_error(terms.read_only));
                }
                sleep(jittered(BREATH)).await;
                continue;
            }
        };
        match progress.take(trip, asking) {
            Next::Done(done) => return Ok(done),
            Next::Refused(error) => return Err(progress.give_up(error)),
            next => asked = progress.follow(next, route).await?,
        }
    }
}

/// What is to be done after a trip.
enum Next {
    Done(Acknowledged),
    Refused(Error),
    /// Another server has the slot.
    Moved {
        slot: u16,
        place: String,
    },
    /// Another server has the key already, for the slot is on its way.
    Ask {
        place: String,
    },
    /// Not now.
    Again,
}

/// How far the commands have come.
struct Progress<'a> {
    key: &'a [u8],
    commands: &'a Pipeline,
    terms: Terms,
    /// The replies so far; none where the command is still to be run. Empty before the first trip.
    replies: Vec<Option<Value>>,
    redirections: u32,
    refusals: u32,
}

impl<'a> Progress<'a> {
    fn new(key: &'a [u8], commands: &'a Pipeline, terms: Terms) -> Self {
        Self { key, commands, terms, replies: Vec::new(), redirections: 0, refusals: 0 }
    }

    /// The commands that are still to be run.
    fn left(&self, asking: bool) -> Cow<'a, Pipeline> {
        if self.replies.is_empty() && !asking {
            return Cow::Borrowed(self.commands);
        }
        let mut left = Pipeline::new();
        for (index, command) in self.commands.cmd_iter().enumerate() {
            if self.replies.get(index).is_none_or(Option::is_none) {
                if asking {
                    left.add_command(Cmd::new().arg("ASKING").to_owned());
                }
                left.add_command(command.clone());
            }
        }
        Cow::Owned(left)
    }

    /// Takes the replies of a trip.
    fn take(&mut self, trip: Trip, asking: bool) -> Next {
        let Trip { mut replies, replicas, link, over } = trip;
        if asking {
            // Each second one is that of an `ASKING`.
            let mut index = 0;
            replies.retain(|_| {
                index += 1;
                index % 2 == 0
            });
        }
        let wrong = replies.iter().map(judge).find(|verdict| *verdict != Verdict::Answer);
        let Some(verdict) = wrong else {
            return Next::Done(self.done(replies, replicas, over));
        };
        let reply = replies.iter().find(|reply| judge(reply) == verdict).cloned().unwrap_or(Value::Nil);
        match verdict {
            Verdict::NotServing => link.fail(),
            Verdict::Down => link.pause.begin(self.key),
            _ => {}
        }
        self.keep(replies);
        self.next(verdict, &reply)
    }

    /// All replies, in the order of the commands.
    fn done(&mut self, replies: Vec<Value>, replicas: usize, over: Option<LinkNumber>) -> Acknowledged {
        let mut latest = replies.into_iter();
        if self.replies.is_empty() {
            return Acknowledged { values: latest.collect(), replicas, over };
        }
        let all = std::mem::take(&mut self.replies).into_iter();
        let values = all.map(|reply| reply.or_else(|| latest.next()).unwrap_or(Value::Nil)).collect();
        // Of several trips: they may have come over several connections.
        Acknowledged { values, replicas, over: None }
    }

    /// Keeps what was answered.
    fn keep(&mut self, replies: Vec<Value>) {
        self.replies.resize(self.commands.len(), None);
        let open = self.replies.iter_mut().filter(|reply| reply.is_none());
        for (place, reply) in open.zip(replies) {
            if judge(&reply) == Verdict::Answer {
                *place = Some(reply);
            }
        }
    }

    fn next(&mut self, verdict: Verdict, reply: &Value) -> Next {
        let again = match verdict {
            Verdict::NotServing => {
                self.refusals += 1;
                self.refusals < MOST_REFUSALS
            }
            Verdict::Moved | Verdict::Ask | Verdict::TryAgain => {
                self.redirections += u32::from(verdict != Verdict::TryAgain);
                self.redirections <= MOST_REDIRECTIONS
            }
            // The next attempt waits for the server, or for as long as it may.
            Verdict::Down => true,
            _ => false,
        };
        if !again || self.terms.remaining().is_zero() {
            return Next::Refused(refused(verdict, reply));
        }
        match (verdict, redirection(reply)) {
            (Verdict::Moved, Some((slot, place))) => Next::Moved { slot, place },
            (Verdict::Ask, Some((_, place))) => Next::Ask { place },
            (Verdict::Moved | Verdict::Ask, None) => Next::Refused(refused(verdict, reply)),
            _ => Next::Again,
        }
    }

    /// Goes where a reply sends; answers who is to be asked there.
    async fn follow(&self, next: Next, route: &Route) -> Result<Option<Master>, Error> {
        match (next, route) {
            (Next::Moved { slot, place }, Route::Cluster(cluster)) => {
                cluster.moved(slot, &place);
                Ok(None)
            }
            (Next::Ask { place }, Route::Cluster(cluster)) => Ok(cluster.at(&place)),
            (Next::Moved { .. } | Next::Ask { .. }, Route::One(_)) => {
                let text = "the server is one of a cluster, expected an address of `redis+cluster:`";
                Err(self.give_up(Error::new(ErrorKind::Unavailable, text)))
            }
            _ => {
                route.doubt();
                sleep(jittered(BREATH)).await;
                Ok(None)
            }
        }
    }

    /// The error of the whole, where the rest was refused.
    fn give_up(&self, error: Error) -> Error {
        if self.terms.read_only || self.replies.iter().all(Option::is_none) {
            return error;
        }
        Error::new(ErrorKind::Ambiguous, "redis did a part of what it was asked").with_source(error)
    }
}

/// `3999 127.0.0.1:6381`: a slot, and where to go.
fn redirection(reply: &Value) -> Option<(u16, String)> {
    let Value::ServerError(error) = reply else { return None };
    let (slot, place) = error.details()?.split_once(' ')?;
    Some((slot.parse().ok()?, place.to_owned()))
}
