//! Messages and requests on their way.

use std::net::SocketAddr;
use std::time::Duration;

use abide_cluster::codec;
use abide_cluster::protocol::{Answer, Input, Message, Phase, Request, RequestId};
use abide_core::{Error, ErrorKind};

use crate::event::What;
use crate::hub::{Ticket, Wanted};
use crate::process::{address, index};
use crate::world::World;

/// One of so many messages goes through its bytes.
const CODED: u64 = 16;
/// So many microseconds later at the most does a process do its own share of what it was asked: others may have answered by then.
const REST: u64 = 2_000;
/// Kinds of messages from here on are not known.
const NEW_KINDS: u32 = 1_000;

impl World {
    pub(crate) fn send(&mut self, from: usize, to: SocketAddr, message: Message) {
        self.coverage.messages += 1;
        let to = index(to);
        let message = self.through_bytes(from, to, message);
        for delay in self.network.delays(&mut self.rng, self.now, (from, to), message.kind()) {
            let arrives = What::Arrive(from, to, Box::new(message.clone()));
            self.after(delay, arrives);
        }
    }

    /// A message as its bytes tell it: each of a newer process, and some of the others. A newer one also says what is not known.
    fn through_bytes(&mut self, from: usize, to: usize, message: Message) -> Message {
        let read = |bytes: Result<Vec<u8>, Error>| {
            bytes.and_then(|bytes| codec::decode(&bytes)).expect("what a node says can be read")
        };
        if !self.processes[from].is_newer {
            let goes = self.coverage.messages % CODED == 0;
            return if goes { read(codec::encode(&message)) } else { message };
        }
        if self.rng.chance(20) {
            let kind = NEW_KINDS + self.rng.next_u64() as u32 % 1_000;
            let unknown = read(codec::encode_newer(&message, Some(kind)));
            self.after(Duration::from_micros(100), What::Arrive(from, to, Box::new(unknown)));
        }
        read(codec::encode_newer(&message, None))
    }

    pub(crate) fn arrive(&mut self, from: usize, to: usize, message: Box<Message>) {
        match self.id(to) {
            Some(id) => {
                if self.trace {
                    self.note(|| format!("{from} -> {to} v{}: {:?}", message.view, message.body));
                }
                self.give(to, id, Input::Message(*message));
            }
            None => {
                let sender = message.from.id;
                if self.network.is_open(self.now, to, from) && self.id(from) == Some(sender) {
                    self.after(Duration::from_micros(300), What::Refused(from, sender, address(to)));
                }
            }
        }
    }

    pub(crate) fn ask(&mut self, wanted: Wanted) {
        let ready: Vec<usize> = (0..self.processes.len())
            .filter(|at| {
                let node = self.processes[*at].node.as_ref();
                node.is_some_and(|node| matches!(node.phase(), Phase::Member | Phase::Leaving))
            })
            .collect();
        if ready.is_empty() {
            return self.hub.came(wanted.ticket, Err(ErrorKind::Unavailable.into()));
        }
        let at = ready[self.rng.below(ready.len())];
        self.ask_at(at, wanted.ticket, wanted.request);
    }

    /// Asks this process.
    pub(crate) fn ask_at(&mut self, at: usize, ticket: Ticket, wanted: Request) {
        let Some(id) = self.id(at) else { return self.hub.came(ticket, Err(ErrorKind::Unavailable.into())) };
        self.last_request += 1;
        let request = RequestId(self.last_request);
        let is_read = wanted.is_read();
        self.note(|| format!("process {at} is asked {request:?}: {wanted:?}"));
        // A request that a process does not get round to is in doubt as well.
        if self.processes[at].paused_until > self.now {
            let kind = if is_read { ErrorKind::Unavailable } else { ErrorKind::Ambiguous };
            return self.hub.came(ticket, Err(kind.into()));
        }
        self.processes[at].working.insert(request, ticket);
        self.processes[at].reads.insert(request, is_read);
        self.give(at, id, Input::Request { id: request, request: wanted });
        // Its thread may have to wait in between.
        let later = if self.rng.chance(50) { 0 } else { self.rng.next_u64() % REST };
        self.after(Duration::from_micros(later), What::Rest(at, id));
    }

    pub(crate) fn answer(&mut self, at: usize, id: RequestId, answer: Result<Answer, Error>) {
        let Some(ticket) = self.processes[at].working.remove(&id) else { return };
        let is_read = self.processes[at].reads.remove(&id) == Some(true);
        let kind = match &answer {
            Ok(_) => "answered".to_owned(),
            Err(error) => format!("{:?}", error.kind()),
        };
        self.note(|| format!("process {at} answers {id:?}: {answer:?}"));
        let kind = format!("{} {kind}", if is_read { "load" } else { "change" });
        *self.coverage.answers.entry(kind).or_default() += 1;
        self.hub.came(ticket, answer);
    }
}
