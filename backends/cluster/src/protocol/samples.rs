//! A message of every kind, by chance, for the tests of its bytes.

use std::sync::Arc;

use abide_core::{
    Changes, EndReason, ErrorKind, NewRecord, Record, SessionKey, Stamp, Stamps, Timestamp, Verifier, users,
};
use fastrand::Rng;

use super::deeds::{Deeds, Name};
use super::edit::Told;
use super::entrust::{Came, Entrust, Entrusted, Task};
use super::ids::{ClusterId, Member, NodeId};
use super::message::{Ask, Body, Entry, Has, Message, No, Probed, Reply, Terms, What};
use super::paxos::Step;
use super::replica::{Body as StateBody, State};
use super::user_edit::{Login, UserAnswer, UserEdit};
use super::user_list::{Kind, Listed, UserList};
use super::value::{Digest, Held, Key, Value};
use super::view::View;

fn stamp(rng: &mut Rng) -> Stamp {
    let at = Timestamp::from_millis(rng.u64(..1 << 48));
    if rng.u8(..8) == 0 { Stamp::ZERO } else { Stamps::new(rng.u64(..)).next(at) }
}

fn some<T>(rng: &mut Rng, mut one: impl FnMut(&mut Rng) -> T) -> Vec<T> {
    (0..rng.usize(..4)).map(|_| one(rng)).collect()
}

fn record(rng: &mut Rng) -> Record {
    let (now, verifier) =
        (Timestamp::from_millis(rng.u64(..1 << 48)), Verifier::from_bytes([rng.u8(..); 16]));
    let record = Record::create(NewRecord::new(stamp(rng), [rng.u8(..); 16], verifier, now));
    if rng.bool() { record } else { Record::ended(record.created(), now, EndReason::LoggedOut) }
}

fn changes(rng: &mut Rng) -> Changes {
    let era = loop {
        if let Some(era) = record(rng).era() {
            break era.id();
        }
    };
    let mut changes = Changes::new(stamp(rng), era);
    changes.set("a", vec![7; rng.usize(..30)]);
    changes
}

/// Any list of a user, of few sessions so that two have some in common.
pub(crate) fn user_list(rng: &mut Rng) -> UserList {
    let at = |rng: &mut Rng| Timestamp::from_millis(rng.u64(..1 << 48));
    let mut list = UserList::default();
    for _ in 0..rng.usize(..6) {
        let key = SessionKey::from_bytes([rng.u8(..3); 16]);
        let entry = users::Entry { key, login: Timestamp::from_millis(rng.u64(..3)) };
        let kind = [Kind::UnderWay, Kind::Settled, Kind::Outnumbered][rng.usize(..3)];
        let _ = list.put(Listed { entry, deadline: at(rng), kind });
    }
    if rng.bool() {
        list.raise(at(rng));
    }
    list
}

fn name(rng: &mut Rng) -> Name {
    Name { call: stamp(rng), bound: stamp(rng) }
}

fn deeds(rng: &mut Rng) -> Deeds {
    (0..rng.usize(..3)).fold(Deeds::default(), |deeds, _| {
        let told = if rng.bool() { Told::Stored } else { Told::User(UserAnswer::Done) };
        deeds.with(name(rng), stamp(rng), told, Timestamp::from_millis(rng.u64(..1 << 48)))
    })
}

fn held(rng: &mut Rng) -> Held {
    match rng.u8(..3) {
        0 => None,
        1 => Some(Value::Session(Arc::new(record(rng)), deeds(rng))),
        _ => Some(Value::User(Arc::new(user_list(rng)), deeds(rng))),
    }
}

fn key(rng: &mut Rng) -> Key {
    let bytes = rng.u128(..).to_be_bytes();
    if rng.bool() { SessionKey::from_bytes(bytes).into() } else { Key::User(bytes) }
}

fn digest(rng: &mut Rng) -> Digest {
    Digest(rng.u128(..).to_be_bytes())
}

fn id(rng: &mut Rng) -> NodeId {
    NodeId(rng.u64(1..))
}

fn member(rng: &mut Rng) -> Member {
    let ip = if rng.bool() {
        [10, 0, 0, rng.u8(..)].into()
    } else {
        std::net::Ipv6Addr::from(rng.u128(..)).into()
    };
    Member { id: id(rng), address: std::net::SocketAddr::new(ip, rng.u16(..)) }
}

fn cluster(rng: &mut Rng) -> ClusterId {
    ClusterId { founded: rng.u64(..), nonce: rng.u64(..) }
}

fn has(rng: &mut Rng) -> Has {
    some(rng, |rng| (key(rng), stamp(rng), digest(rng)))
}

/// Any view.
pub(crate) fn view(rng: &mut Rng) -> View {
    let mut members = some(rng, member);
    members.push(member(rng));
    members.sort_unstable();
    let (number, copies, slots) = (rng.u64(1..), rng.u8(1..), rng.u16(1..));
    View { cluster: cluster(rng), number, members, copies, slots, recovered: rng.bool() }
}

/// What makes a view one that the protocol cannot work with.
pub(crate) const UNSOUND: [fn(&mut View); 5] = [
    |view| view.members.clear(),
    |view| view.members.push(view.members[0]),
    |view| view.number = 0,
    |view| view.copies = 0,
    |view| view.slots = 0,
];

fn ask(rng: &mut Rng, what: What) -> Body {
    let (operation, round, view, key) = (rng.u64(..), rng.u32(..), rng.u64(..), key(rng));
    Body::Ask(Ask { operation, round, view, key, what })
}

fn asks(rng: &mut Rng) -> Vec<Body> {
    let terms = Terms {
        began: Timestamp::from_millis(rng.u64(..)),
        max_weight: rng.usize(..),
        value_overhead: rng.usize(..),
        retry: rng.bool(),
    };
    let (ballot, value, changes) = (stamp(rng), held(rng), Arc::new(changes(rng)));
    let whats = vec![
        What::Read { body: rng.bool() },
        What::Prepare { ballot, has: rng.bool().then(|| digest(rng)) },
        What::Store { ballot, value },
        What::Write { generation: ballot, changes, terms, body: rng.bool() },
    ];
    whats.into_iter().map(|what| ask(rng, what)).collect()
}

fn replies(rng: &mut Rng) -> Vec<Body> {
    let body = if rng.bool() { StateBody::Given(held(rng)) } else { StateBody::Omitted };
    let state = State { generation: stamp(rng), digest: digest(rng), body };
    let results = [
        Ok(state),
        Err(No::NotServing),
        Err(No::Overtaken(stamp(rng))),
        Err(No::Refused(if rng.bool() { ErrorKind::Ended } else { ErrorKind::Unsupported })),
    ];
    let (operation, round, view) = (rng.u64(..), rng.u32(..), rng.u64(..));
    results.into_iter().map(|result| Body::Reply(Reply { operation, round, view, result })).collect()
}

fn entrusted(rng: &mut Rng) -> Vec<Body> {
    let (operation, round, view, key) = (rng.u64(..), rng.u32(..), rng.u64(..), key(rng));
    let terms = Terms {
        began: Timestamp::from_millis(rng.u64(..)),
        max_weight: rng.usize(..),
        value_overhead: rng.usize(..),
        retry: rng.bool(),
    };
    let changes = Arc::new(changes(rng));
    let in_doubt = rng.bool();
    let entry = users::Entry { key: SessionKey::from_bytes([rng.u8(..); 16]), login: terms.began };
    let login = Login { entry, deadline: terms.began, began: rng.bool().then_some(terms.began) };
    let edits = [
        UserEdit::Enter(login),
        UserEdit::Settle(login, std::num::NonZeroUsize::new(rng.usize(..3))),
        UserEdit::Slide(entry, terms.began),
        UserEdit::Raise(terms.began),
        UserEdit::Leave(some(rng, |_| entry).into()),
        UserEdit::Withdraw(entry),
    ];
    let tasks = [Task::Load, Task::Commit { changes, terms }, Task::End { reason: rng.u8(..) }];
    let name = name(rng);
    let tasks = tasks.into_iter().chain(edits.map(|edit| Task::User { edit, name }));
    let entrust = |task| Body::Entrust(Entrust { operation, round, view, key, in_doubt, task });
    let session = |rng: &mut Rng| rng.bool().then(|| Value::Session(Arc::new(record(rng)), Deeds::default()));
    let came = [
        Ok(Came::Session(session(rng))),
        Ok(Came::Ended { was_live: rng.bool() }),
        Ok(Came::User(UserAnswer::Settled(users::Settled::Yes(some(rng, |_| entry))))),
        Ok(Came::Failed(ErrorKind::Conflict, session(rng))),
        Err(No::NotServing),
    ];
    let told = |came| Body::Entrusted(Entrusted { operation, round, came });
    tasks.map(entrust).chain(came.into_iter().map(told)).collect()
}

fn choices(rng: &mut Rng) -> Vec<Body> {
    let (proposal, number) = ((rng.u64(..), id(rng)), rng.u64(..));
    let accepted = rng.bool().then(|| (proposal, view(rng)));
    let steps = [
        Step::Prepare(proposal),
        Step::Promised(proposal, accepted),
        Step::Accept(proposal, view(rng)),
        Step::Accepted(proposal),
        Step::Refused(proposal),
    ];
    steps.into_iter().map(|step| Body::Paxos { number, step }).collect()
}

fn entry(rng: &mut Rng) -> Entry {
    let (key, generation, promised, digest) = (key(rng), stamp(rng), stamp(rng), digest(rng));
    Entry { key, generation, promised, digest, age: rng.u32(..), value: rng.bool().then(|| held(rng)) }
}

fn transfers(rng: &mut Rng) -> Vec<Body> {
    vec![
        Body::Plan { view: view(rng), plan: rng.u64(..) },
        Body::Planned { plan: rng.u64(..) },
        Body::Pull { target: rng.u64(..), parts: some(rng, |rng| (rng.u16(..), has(rng))) },
        Body::Pulled {
            target: rng.u64(..),
            slot: rng.u16(..),
            complete_in: rng.u64(..),
            entries: some(rng, entry),
            floor: stamp(rng),
        },
        Body::Synced { view: rng.u64(..) },
        Body::SyncedPlease { view: rng.u64(..) },
    ]
}

fn upkeep(rng: &mut Rng) -> Vec<Body> {
    let round = rng.u64(..);
    vec![
        Body::Beat { wall: Timestamp::from_millis(rng.u64(..)), synced: rng.u64(..) },
        Body::Suspected { peer: id(rng) },
        Body::Down { peers: some(rng, id) },
        Body::Roots { roots: some(rng, |rng| (rng.u16(..), digest(rng))) },
        Body::Differing { slots: some(rng, |rng| (rng.u16(..), has(rng))) },
        Body::Bury { dead: has(rng), round },
        Body::Buried { dead: some(rng, key), round },
        Body::Settled { dead: some(rng, |rng| (key(rng), stamp(rng))) },
    ]
}

fn beginnings(rng: &mut Rng) -> Vec<Body> {
    let round = rng.u64(..);
    let found = Probed::Cluster { cluster: cluster(rng), serves: rng.bool(), contacts: some(rng, member) };
    let answers = [Probed::Granted, Probed::Busy, found];
    let mut bodies: Vec<Body> = answers.into_iter().map(|answer| Body::Probed { round, answer }).collect();
    bodies.extend([
        Body::Views { views: some(rng, view) },
        Body::ViewsPlease { after: rng.u64(..) },
        Body::Want { joins: some(rng, member), leaves: some(rng, id) },
        Body::Probe { round, founds: rng.bool() },
        Body::Announce { cluster: cluster(rng), contacts: some(rng, member) },
        Body::Bye,
        Body::Root { root: digest(rng) },
        Body::RootsPlease,
        Body::Scan { scan: rng.u64(..), slots: some(rng, |rng| rng.u16(..)) },
        Body::Scanned {
            scan: rng.u64(..),
            slots: some(rng, |rng| rng.u16(..)),
            keys: some(rng, |rng| SessionKey::from_bytes([rng.u8(..); 16])),
        },
    ]);
    bodies
}

/// What may be said, of every kind.
pub(crate) fn bodies(rng: &mut Rng) -> Vec<Body> {
    [asks, replies, entrusted, choices, transfers, upkeep, beginnings]
        .iter()
        .flat_map(|make| make(rng))
        .collect()
}

/// A message that says it.
pub(crate) fn message(rng: &mut Rng, body: Body) -> Message {
    Message {
        from: member(rng),
        to: if rng.bool() { id(rng) } else { NodeId::ANY },
        cluster: rng.bool().then(|| cluster(rng)),
        view: rng.u64(..),
        beat: rng.u32(..),
        echo: rng.u32(..),
        body,
    }
}
