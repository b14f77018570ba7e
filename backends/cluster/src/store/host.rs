//! The node of this process, called by whoever has something for it: a request by the task that makes it, a message by the
//! task that reads it, the time by the driver. So nobody waits for a task in between.
//!
//! **Invariants.**
//! 1. Every request is answered once: by the protocol, or as out of reach when the life ends that had it.
//! 2. What comes for a life that is over reaches no later one.
//! 3. Nothing is sent and nobody is answered while the node is locked, so whoever is called there may call again.
//! 4. A node that panicked is as good as crashed: it is asked nothing more.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use abide_core::{Error, ErrorKind};
use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot};

use super::clock::Time;
use super::life::{Life, input};
use crate::codec;
use crate::protocol::{Answer, Input, Member, Message, Output, Request, RequestId};
use crate::transport::{Event, Inbox, Transport};

/// How many requests may be under way.
const MOST: usize = 16_384;
/// How many events are kept for a life whose links are up before it is.
const EARLY: usize = 64;

type Waiting = oneshot::Sender<Result<Answer, Error>>;

/// What a node wants that takes its time: the driver does it.
#[derive(Debug)]
pub(super) enum Wish {
    Watch(Vec<Member>),
    Recovered {
        doubtful: usize,
    },
    Retired,
    /// It panicked: another life is to begin.
    Broke(Box<Life>),
}

/// See the [module](self).
pub(super) struct Host {
    state: Mutex<State>,
    time: Time,
    /// Somebody waits for longer than one question takes: see [`tick`](Self::tick).
    hurry: Notify,
    wishes: mpsc::UnboundedSender<(u64, Wish)>,
}

struct State {
    life: Option<Life>,
    /// Which life that is, or was.
    number: u64,
    /// What came for it before it began.
    early: Vec<Input>,
    waiting: HashMap<RequestId, Waiting>,
    last: u64,
    /// Whether the driver knows that somebody waits.
    hurries: bool,
    /// This process left its cluster for good.
    is_gone: bool,
    /// For tests: as if the network carried no message of the protocol.
    is_cut: bool,
}

/// What is to be done once the node is unlocked.
#[derive(Default)]
struct Done {
    answers: Vec<(Waiting, Result<Answer, Error>)>,
    messages: Vec<(SocketAddr, Message)>,
    transport: Option<Arc<Transport>>,
}

/// Where the links of one life put what they tell.
#[derive(Debug)]
struct Letterbox {
    host: Arc<Host>,
    life: u64,
}

impl Host {
    /// A host without a life yet, and what its nodes will want of the driver, each with the number of its life.
    pub(super) fn new(time: Time) -> (Arc<Self>, mpsc::UnboundedReceiver<(u64, Wish)>) {
        let (wishes, wished) = mpsc::unbounded_channel();
        let state = State {
            life: None,
            number: 0,
            early: Vec::new(),
            waiting: HashMap::new(),
            last: 0,
            hurries: false,
            is_gone: false,
            is_cut: false,
        };
        (Arc::new(Self { state: Mutex::new(state), time, hurry: Notify::new(), wishes }), wished)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| {
            self.state.clear_poison();
            let mut state = poisoned.into_inner();
            if let Some(life) = state.life.take() {
                let _ = self.wishes.send((state.number, Wish::Broke(Box::new(life))));
            }
            state
        })
    }

    /// The number of a life that is about to begin, and where its links put what they tell.
    pub(super) fn prepare(self: &Arc<Self>) -> Arc<dyn Inbox> {
        let mut state = self.state();
        (state.number, state.early) = (state.number + 1, Vec::new());
        Arc::new(Letterbox { host: self.clone(), life: state.number })
    }

    /// The life begins for which this was prepared.
    pub(super) fn begin(&self, life: Life) {
        let mut done = Done::default();
        let mut state = self.state();
        state.life = Some(life);
        for input in std::mem::take(&mut state.early) {
            state.handle_into(self, input, &mut done);
        }
        drop(state);
        done.carry_out();
    }

    /// The life ends: whoever waits is answered that nobody knows what came of it.
    pub(super) fn end(&self) -> Option<Life> {
        let (life, waiting) = {
            let mut state = self.state();
            (state.life.take(), std::mem::take(&mut state.waiting))
        };
        let lost = || Error::new(ErrorKind::Ambiguous, "the server left its cluster meanwhile");
        waiting.into_values().for_each(|answer| drop(answer.send(Err(lost()))));
        life
    }

    /// Asks the node. The answer comes once, also where the life ends before it.
    pub(super) fn ask(&self, request: Request) -> Result<oneshot::Receiver<Result<Answer, Error>>, Error> {
        let (answer, answered) = oneshot::channel();
        let done = {
            let mut state = self.state();
            let id = state.admit(&request, answer)?;
            let request = state.stamped(request);
            state.handle(self, Input::Request { id, request })
        };
        done.carry_out();
        self.give(Input::Rest);
        Ok(answered)
    }

    /// Gives the node what happened.
    pub(super) fn give(&self, input: Input) {
        let done = self.state().handle(self, input);
        done.carry_out();
    }

    /// Looks at the life, and gives the node what comes of that, with nothing in between.
    pub(super) fn look_and_give<T>(&self, look: impl FnOnce(&Life) -> (T, Option<Input>)) -> Option<T> {
        let mut state = self.state();
        let (seen, input) = look(state.life.as_ref()?);
        let done = input.map(|input| state.handle(self, input));
        drop(state);
        if let Some(done) = done {
            done.carry_out();
        }
        Some(seen)
    }

    /// Time passes. Answers whether somebody waits, so that it should pass in smaller steps.
    pub(super) fn tick(&self) -> bool {
        let (done, hurries) = {
            let mut state = self.state();
            let done = state.handle(self, Input::Tick);
            state.hurries = !state.waiting.is_empty();
            (done, state.hurries)
        };
        done.carry_out();
        hurries
    }

    /// Waits until somebody waits of whom the last [`tick`](Self::tick) did not say so. A request that is answered by the first
    /// messages wakes nobody.
    pub(super) async fn hurry(&self) {
        self.hurry.notified().await;
    }

    /// Looks at the life, if there is one.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Life) -> T) -> Option<T> {
        self.state().life.as_ref().map(look)
    }

    /// Whether that is the life of now, or the last one where there is none.
    pub(super) fn is_last(&self, life: u64) -> bool {
        self.state().number == life
    }

    /// This process left its cluster for good: from here on it reads alone.
    pub(super) fn go(&self) {
        self.state().is_gone = true;
    }

    /// For tests: as if the network carried no message of the protocol.
    pub(super) fn cut_off(&self, is_cut: bool) {
        self.state().is_cut = is_cut;
    }

    /// As if the node panicked.
    #[cfg(test)]
    pub(super) fn panic(&self) {
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _state = self.state();
            panic!("on purpose");
        }));
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

impl State {
    /// Lets a request in, and names it.
    fn admit(&mut self, request: &Request, answer: Waiting) -> Result<RequestId, Error> {
        let why = if self.is_gone && !request.is_read() {
            "the server left its cluster"
        } else if self.life.is_none() {
            "the server begins anew"
        } else if self.waiting.len() >= MOST {
            "the server is too busy"
        } else {
            self.last += 1;
            let id = RequestId(self.last);
            self.waiting.insert(id, answer);
            return Ok(id);
        };
        Err(Error::new(ErrorKind::Unavailable, why))
    }

    /// The request by the time of the cluster, where it names one.
    fn stamped(&self, request: Request) -> Request {
        match (request, &self.life) {
            (Request::User { user, edit, call, is_again }, Some(life)) => {
                let edit = edit.earlier_by(life.node.ahead());
                Request::User { user, edit, call, is_again }
            }
            (other, _) => other,
        }
    }

    fn handle(&mut self, host: &Host, input: Input) -> Done {
        let mut done = Done::default();
        self.handle_into(host, input, &mut done);
        done
    }

    fn handle_into(&mut self, host: &Host, input: Input, done: &mut Done) {
        let Some(life) = &mut self.life else { return };
        if self.is_cut && matches!(input, Input::Message(_)) {
            return;
        }
        for output in life.node.handle(host.time.now(), input) {
            let wish = match output {
                Output::Send { to, message } => {
                    if !self.is_cut {
                        done.messages.push((to, message));
                    }
                    continue;
                }
                Output::Answer { id, answer } => {
                    done.answers.extend(self.waiting.remove(&id).map(|waiting| (waiting, answer)));
                    continue;
                }
                Output::Members(members) => Wish::Watch(members),
                Output::Recovered { doubtful } => Wish::Recovered { doubtful },
                Output::Retired => Wish::Retired,
            };
            // Without a driver there is nobody to wish anything of.
            let _ = host.wishes.send((self.number, wish));
        }
        if !done.messages.is_empty() && done.transport.is_none() {
            done.transport = Some(life.transport.clone());
        }
    }
}

impl Done {
    fn carry_out(self) {
        for (waiting, answer) in self.answers {
            // Who asked may not wait any more.
            let _ = waiting.send(answer);
        }
        let Some(transport) = self.transport else { return };
        let mut messages = self.messages;
        // Those to one peer go together, and before those to the next one are written.
        messages.sort_by_key(|(to, _)| *to);
        for group in messages.chunk_by(|(one, _), (other, _)| one == other) {
            transport.send_all(group[0].0, group.iter().filter_map(|(_, message)| encoded(message)));
        }
    }
}

fn encoded(message: &Message) -> Option<Bytes> {
    let bytes = codec::encode(message);
    bytes
        .inspect_err(|error| tracing::error!(%error, "cluster: a message cannot be written"))
        .ok()
        .map(Bytes::from)
}

impl Inbox for Letterbox {
    fn take(&self, events: &mut Vec<Event>) {
        // Read while nobody else has to wait for it.
        let inputs: Vec<Input> = events.drain(..).filter_map(input).collect();
        let mut done = Done::default();
        let mut state = self.host.state();
        if state.number != self.life {
            return;
        }
        if state.life.is_none() {
            let room = EARLY.saturating_sub(state.early.len());
            return state.early.extend(inputs.into_iter().take(room));
        }
        for input in inputs {
            state.handle_into(&self.host, input, &mut done);
        }
        let hurries = !state.waiting.is_empty() && !std::mem::replace(&mut state.hurries, true);
        drop(state);
        if hurries {
            self.host.hurry.notify_one();
        }
        done.carry_out();
    }
}
