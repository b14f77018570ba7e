//! The task that owns the life of this process, carries requests to it, and begins the next one.
//!
//! **Invariants.**
//! 1. Every request is answered once: by the protocol, or as out of reach when the life ends that had it.
//! 2. The protocol is told the time at least every [`TICK`], and every [`HASTE`] while somebody waits.

use std::collections::HashMap;
use std::time::Duration;

use abide_core::{Error, ErrorKind, Readiness};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::clock::Time;
use super::figures::Figures;
use super::life::{Life, Plan, input};
use super::status::Status;
use crate::protocol::{Answer, Input, NodeId, Output, Phase, Request, RequestId};
use crate::transport::{Event, Identity};

const TICK: Duration = Duration::from_millis(50);
/// Operations that met others on one key wait a few milliseconds.
const HASTE: Duration = Duration::from_millis(5);
/// How often what is held is counted.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// How much is taken at once before anything else gets its turn.
const BATCH: usize = 64;
/// Between two attempts to listen again.
const PAUSE: Duration = Duration::from_millis(200);

/// What the store asks of its task.
#[derive(Debug)]
pub(super) enum Command {
    Ask {
        request: Request,
        answer: oneshot::Sender<Result<Answer, Error>>,
    },
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
    /// For tests: as if the network carried no message of the protocol.
    CutOff {
        is_cut: bool,
        done: oneshot::Sender<()>,
    },
}

/// The task's state.
#[derive(Debug)]
pub(super) struct Driver {
    plan: Plan,
    time: Time,
    life: Life,
    commands: mpsc::Receiver<Command>,
    status: watch::Sender<Status>,
    waiting: HashMap<RequestId, oneshot::Sender<Result<Answer, Error>>>,
    last: u64,
    leaving: Vec<oneshot::Sender<u64>>,
    recovering: Vec<oneshot::Sender<usize>>,
    /// How many sessions it held when it was told to leave.
    held: u64,
    /// How many sessions were handed over, once this process is to end.
    gone: Option<u64>,
    counted: Option<Instant>,
    is_cut: bool,
    /// What earlier lives counted.
    before: Figures,
}

impl Driver {
    pub(super) fn new(
        plan: Plan,
        time: Time,
        life: Life,
        commands: mpsc::Receiver<Command>,
        status: watch::Sender<Status>,
    ) -> Self {
        Self {
            plan,
            time,
            life,
            commands,
            status,
            waiting: HashMap::new(),
            last: 0,
            leaving: Vec::new(),
            recovering: Vec::new(),
            held: 0,
            gone: None,
            counted: None,
            is_cut: false,
            before: Figures::default(),
        }
    }

    /// Runs until the store is dropped.
    pub(super) async fn run(mut self) {
        let (mut events, mut asked) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
        let mut next = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = sleep_until(next) => {
                    self.handle(Input::Tick).await;
                    self.publish();
                }
                _ = self.life.events.recv_many(&mut events, BATCH) => self.take_events(&mut events).await,
                count = self.commands.recv_many(&mut asked, BATCH) => {
                    if count == 0 {
                        return;
                    }
                    for command in asked.drain(..) {
                        self.obey(command).await;
                    }
                }
                Ok(()) = self.life.seeds.changed() => {
                    let seeds = self.life.seeds.borrow_and_update().clone();
                    self.handle(Input::Seeds(seeds)).await;
                }
            }
            let now = Instant::now();
            if next <= now || next > now + self.pace() {
                next = now + self.pace();
            }
        }
    }

    fn pace(&self) -> Duration {
        if self.waiting.is_empty() { TICK } else { HASTE }
    }

    async fn take_events(&mut self, events: &mut Vec<Event>) {
        for event in events.drain(..) {
            if let Some(input) =
                input(event).filter(|input| !(self.is_cut && matches!(input, Input::Message(_))))
            {
                self.handle(input).await;
            }
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Ask { request, answer } => {
                if self.gone.is_some() && !request.is_read() {
                    let left = Error::new(ErrorKind::Unavailable, "the server left its cluster");
                    return drop(answer.send(Err(left)));
                }
                self.last += 1;
                let id = RequestId(self.last);
                self.waiting.insert(id, answer);
                let request = match request {
                    Request::User { user, edit, call, is_again } => {
                        let edit = edit.earlier_by(self.life.node.ahead());
                        Request::User { user, edit, call, is_again }
                    }
                    other => other,
                };
                self.handle(Input::Request { id, request }).await;
            }
            Command::Leave { answer } => self.leave(answer).await,
            Command::Stay => {
                self.leaving.clear();
                self.handle(Input::Stay).await;
            }
            Command::Recover { answer } => {
                self.recovering.push(answer);
                let survivors = self.survivors();
                self.handle(Input::Recover(survivors)).await;
                // Who is in no cluster has nothing to recover: then nobody answers.
                self.recovering.clear();
            }
            Command::Renew(identity) => {
                self.plan.transport.identity = Some(identity.clone());
                self.life.transport.renew(identity);
            }
            Command::CutOff { is_cut, done } => {
                self.is_cut = is_cut;
                let _ = done.send(());
            }
        }
    }

    /// The members that this one hears.
    fn survivors(&self) -> Vec<NodeId> {
        let suspects = self.life.node.suspects();
        let members = self.life.node.view().map(|view| view.members.clone()).unwrap_or_default();
        members.into_iter().map(|member| member.id).filter(|id| !suspects.contains(id)).collect()
    }

    async fn leave(&mut self, answer: oneshot::Sender<u64>) {
        let is_alone = self.life.node.view().is_none_or(|view| view.members.len() < 2);
        if is_alone || self.gone.is_some() {
            // The answer is how many went: none, or those of the first time.
            let _ = answer.send(self.gone.unwrap_or(0));
            return;
        }
        // It counts what is live now, and not at the last tick.
        self.handle(Input::Tick).await;
        self.held = self.life.node.holdings().sessions as u64;
        self.leaving.push(answer);
        self.handle(Input::Leave).await;
    }

    async fn handle(&mut self, input: Input) {
        let outputs = self.life.node.handle(self.time.now(), input);
        let mut is_over = false;
        for output in outputs {
            match output {
                Output::Send { .. } if self.is_cut => {}
                Output::Send { to, message } => self.life.send(to, &message),
                Output::Answer { id, answer } => {
                    if let Some(waiting) = self.waiting.remove(&id) {
                        drop(waiting.send(answer));
                    }
                }
                Output::Members(members) => self.life.transport.watch(members).await,
                Output::Recovered { doubtful } => {
                    tracing::warn!(
                        doubtful,
                        "cluster: recovered from what is left; so many slots may lack something"
                    );
                    for answer in self.recovering.drain(..) {
                        let _ = answer.send(doubtful);
                    }
                }
                Output::Retired => is_over = true,
            }
        }
        if is_over {
            self.retire().await;
        }
    }

    /// This life is over: the process ends, or it begins anew.
    async fn retire(&mut self) {
        if self.leaving.is_empty() {
            return Box::pin(self.begin_anew()).await;
        }
        self.life.transport.leave().await;
        let sessions = self.held;
        self.gone = Some(sessions);
        for answer in self.leaving.drain(..) {
            let _ = answer.send(sessions);
        }
    }

    /// The cluster went on without this process, or yielded to another one.
    async fn begin_anew(&mut self) {
        tracing::warn!("cluster: no member any more, begins anew");
        self.publish();
        self.before = self.status.borrow().figures;
        self.status.send_modify(|status| {
            status.readiness = Readiness::NotReady("begins anew".into());
            (status.view, status.members, status.suspects) = (0, Vec::new(), Vec::new());
            status.placing = None;
        });
        let lost = || Error::new(ErrorKind::Ambiguous, "the server left its cluster meanwhile");
        self.waiting.drain().for_each(|(_, answer)| drop(answer.send(Err(lost()))));
        self.life.transport.leave().await;
        self.life.transport.close().await;
        self.life = loop {
            match self.plan.begin().await {
                Ok(life) => break life,
                Err(error) => tracing::error!(%error, "cluster: cannot begin anew"),
            }
            sleep(PAUSE).await;
        };
    }

    fn publish(&mut self) {
        let now = Instant::now();
        let counts = self.counted.is_none_or(|at| now.duration_since(at) >= COUNT_EVERY);
        if counts {
            self.counted = Some(now);
        }
        let (life, gone, before) = (&self.life, self.gone, &self.before);
        let (node, me) = (&life.node, life.me());
        let view = node.view();
        let readiness = match gone {
            Some(_) => Readiness::NotReady("left its cluster".into()),
            None => node.ready(),
        };
        let number = view.map_or(0, |view| view.number);
        let suspects = node.suspects();
        self.status.send_if_modified(|status| {
            let changed =
                status.readiness != readiness || status.view != number || status.suspects != suspects;
            if changed || status.me != me {
                status.members = view.map(|view| view.members.clone()).unwrap_or_default();
                status.placing = view.cloned();
                (status.readiness, status.view, status.me, status.suspects) =
                    (readiness, number, me, suspects);
            }
            if counts || changed {
                status.figures = Figures::of(life, before);
            }
            changed
        });
        debug_assert!(self.gone.is_none() || self.life.node.phase() == Phase::Left);
    }
}
