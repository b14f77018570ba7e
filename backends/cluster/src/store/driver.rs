//! The task that gives the node the time, does what takes it longer, and begins the next life.
//!
//! **Invariant.** The protocol is told the time at least every [`TICK`], and every [`HASTE`] while somebody waits for more than
//! one answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use abide_core::Readiness;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::error::OpenError;
use super::figures::{Figures, Tally};
use super::host::{Host, Wish};
use super::life::{Life, Plan, sessions};
use super::status::Status;
use crate::protocol::{Input, NodeId, Phase};
use crate::transport::{Identity, Transport};

const TICK: Duration = Duration::from_millis(50);
/// Operations that met others on one key wait a few milliseconds.
const HASTE: Duration = Duration::from_millis(5);
/// How often what was done is counted.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// Between two attempts to listen again.
const PAUSE: Duration = Duration::from_millis(200);

/// What the store asks of its task: all that does not go to the node at once.
#[derive(Debug)]
pub(super) enum Command {
    /// Answered once others have what this process held, with how many sessions those were.
    Leave {
        answer: oneshot::Sender<u64>,
    },
    /// Not after all.
    Stay,
    /// Answered with how many slots may lack something.
    Recover {
        answer: oneshot::Sender<usize>,
    },
    Renew(Identity),
}

/// The task's state.
#[derive(Debug)]
pub(super) struct Driver {
    plan: Plan,
    host: Arc<Host>,
    commands: mpsc::Receiver<Command>,
    wishes: mpsc::UnboundedReceiver<(u64, Wish)>,
    seeds: watch::Receiver<Vec<SocketAddr>>,
    status: watch::Sender<Status>,
    leaving: Vec<oneshot::Sender<u64>>,
    recovering: Vec<oneshot::Sender<usize>>,
    /// How many sessions it held when it was told to leave.
    held: u64,
    /// How many sessions were handed over, once this process is to end.
    gone: Option<u64>,
    counted: Option<Instant>,
    /// What is held, and when a part of it was counted last.
    tally: Tally,
    tallied: Option<Instant>,
    /// What earlier lives counted.
    before: Figures,
}

impl Driver {
    /// Begins the first life.
    pub(super) async fn begin(
        mut plan: Plan,
        host: Arc<Host>,
        commands: mpsc::Receiver<Command>,
        wishes: mpsc::UnboundedReceiver<(u64, Wish)>,
    ) -> Result<(Self, watch::Receiver<Status>), OpenError> {
        let life = plan.begin(host.prepare()).await?;
        let (status, seen) = watch::channel(Status::new(life.transport.me()));
        let seeds = life.transport.seeds();
        host.begin(life);
        let driver = Self {
            plan,
            host,
            commands,
            wishes,
            seeds,
            status,
            leaving: Vec::new(),
            recovering: Vec::new(),
            held: 0,
            gone: None,
            counted: None,
            tally: Tally::default(),
            tallied: None,
            before: Figures::default(),
        };
        Ok((driver, seen))
    }

    /// Runs until the store is dropped.
    pub(super) async fn run(mut self) {
        let host = self.host.clone();
        let mut next = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = sleep_until(next) => {
                    let pace = if host.tick() { HASTE } else { TICK };
                    self.publish();
                    next = Instant::now() + pace;
                }
                () = host.hurry() => next = next.min(Instant::now() + HASTE),
                Some((life, wish)) = self.wishes.recv() => self.grant(life, wish).await,
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => return,
                },
                Ok(()) = self.seeds.changed() => {
                    let seeds = self.seeds.borrow_and_update().clone();
                    host.give(Input::Seeds(seeds));
                }
            }
        }
    }

    /// The transport of this life.
    fn transport(&self) -> Option<Arc<Transport>> {
        self.host.look(|life| life.transport.clone())
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Leave { answer } => self.leave(answer),
            Command::Stay => {
                self.leaving.clear();
                self.host.give(Input::Stay);
            }
            Command::Recover { answer } => self.recover(answer).await,
            Command::Renew(identity) => {
                self.plan.transport.identity = Some(identity.clone());
                if let Some(transport) = self.transport() {
                    transport.renew(identity);
                }
            }
        }
    }

    async fn recover(&mut self, answer: oneshot::Sender<usize>) {
        self.recovering.push(answer);
        self.host.look_and_give(|life| ((), Some(Input::Recover(survivors(life)))));
        while let Ok((life, wish)) = self.wishes.try_recv() {
            self.grant(life, wish).await;
        }
        // Who is in no cluster has nothing to recover: then nobody answers.
        self.recovering.clear();
    }

    fn leave(&mut self, answer: oneshot::Sender<u64>) {
        // It counts what is live now, and not at the last tick.
        self.host.give(Input::Tick);
        let is_gone = self.gone.is_some();
        let looked = self.host.look_and_give(|life| {
            let is_alone = life.node.view().is_none_or(|view| view.members.len() < 2);
            let leaves = !is_alone && !is_gone;
            ((leaves, sessions(life)), leaves.then_some(Input::Leave))
        });
        match looked {
            Some((true, held)) => {
                self.held = held;
                self.leaving.push(answer);
            }
            // The answer is how many went: none, or those of the first time.
            _ => drop(answer.send(self.gone.unwrap_or(0))),
        }
    }

    /// Does what a life wanted, unless it is over.
    async fn grant(&mut self, life: u64, wish: Wish) {
        if !self.host.is_last(life) {
            return;
        }
        match wish {
            Wish::Watch(members) => {
                if let Some(transport) = self.transport() {
                    transport.watch(members).await;
                }
            }
            Wish::Recovered { doubtful } => {
                tracing::warn!(
                    doubtful,
                    "cluster: recovered from what is left; so many slots may lack something"
                );
                for answer in self.recovering.drain(..) {
                    let _ = answer.send(doubtful);
                }
            }
            Wish::Retired => self.retire().await,
            Wish::Broke(life) => {
                tracing::error!("cluster: the protocol panicked: this server begins anew");
                self.begin_anew(Some(*life)).await;
            }
        }
    }

    /// This life is over: the process ends, or it begins anew.
    async fn retire(&mut self) {
        if self.leaving.is_empty() {
            tracing::warn!("cluster: no member any more, begins anew");
            let life = self.host.end();
            return self.begin_anew(life).await;
        }
        if let Some(transport) = self.transport() {
            transport.leave().await;
        }
        let sessions = self.held;
        self.gone = Some(sessions);
        self.host.go();
        for answer in self.leaving.drain(..) {
            let _ = answer.send(sessions);
        }
    }

    /// The cluster went on without this process, or yielded to another one; or its node broke.
    async fn begin_anew(&mut self, over: Option<Life>) {
        if let Some(life) = &over {
            self.before = Figures::of(life, &self.tally, &self.before);
        }
        // Those who wait for a node that broke.
        drop(self.host.end());
        self.status.send_modify(|status| {
            status.readiness = Readiness::NotReady("begins anew".into());
            (status.view, status.members, status.suspects) = (0, Vec::new(), Vec::new());
            status.placing = None;
        });
        if let Some(life) = over {
            life.transport.leave().await;
            life.transport.close().await;
        }
        let life = loop {
            match self.plan.begin(self.host.prepare()).await {
                Ok(life) => break life,
                Err(error) => tracing::error!(%error, "cluster: cannot begin anew"),
            }
            sleep(PAUSE).await;
        };
        self.seeds = life.transport.seeds();
        self.tally = Tally::default();
        self.host.begin(life);
    }

    fn publish(&mut self) {
        let now = Instant::now();
        let (counts, tallies) =
            (is_due(&mut self.counted, now, COUNT_EVERY), is_due(&mut self.tallied, now, TICK));
        let Self { host, status, gone, before, tally, .. } = self;
        // The status outside: who looks at it may be about to ask the node.
        status.send_if_modified(|status| {
            let changed = host.look(|life| {
                debug_assert!(gone.is_none() || life.node.phase() == Phase::Left);
                if tallies {
                    tally.go_on(&life.node);
                }
                let figures = counts.then(|| Figures::of(life, tally, before));
                tell(status, life, gone.is_some(), figures)
            });
            changed.unwrap_or(false)
        });
    }
}

impl Drop for Driver {
    /// However it ends, with its runtime or by a panic: a node that nobody gives the time must not look alive.
    fn drop(&mut self) {
        drop(self.host.end());
    }
}

/// Whether something is to be done that is done every so often.
fn is_due(last: &mut Option<Instant>, now: Instant, every: Duration) -> bool {
    let is_due = last.is_none_or(|last| now.duration_since(last) >= every);
    if is_due {
        *last = Some(now);
    }
    is_due
}

/// The members that a life hears.
fn survivors(life: &Life) -> Vec<NodeId> {
    let suspects = life.node.suspects();
    let members = life.node.view().map(|view| view.members.clone()).unwrap_or_default();
    members.into_iter().map(|member| member.id).filter(|id| !suspects.contains(id)).collect()
}

/// Tells what there is to see of a life. Answers whether others should look.
fn tell(status: &mut Status, life: &Life, is_gone: bool, figures: Option<Figures>) -> bool {
    let (node, me, view) = (&life.node, life.transport.me(), life.node.view());
    let readiness = if is_gone { Readiness::NotReady("left its cluster".into()) } else { node.ready() };
    let number = view.map_or(0, |view| view.number);
    let suspects = node.suspects();
    let changed = status.readiness != readiness || status.view != number || status.suspects != suspects;
    if changed || status.me != me {
        status.members = view.map(|view| view.members.clone()).unwrap_or_default();
        status.placing = view.cloned();
        (status.readiness, status.view, status.me, status.suspects) = (readiness, number, me, suspects);
    }
    if let Some(figures) = figures {
        status.figures = figures;
    }
    changed
}
