//! Any bytes as the `Cookie` headers of a request, through the whole layer.
//!
//! What the layer finds is what a slow and simple splitter finds: at most four candidates, looked at in their order,
//! of which the best that verifies is the session. No other session is touched, and no token that came from outside
//! becomes that of a new one.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use abide::event::EventKind;
use abide::{Config, Session, SessionLayer};
use abide_core::{
    CreateOptions, LoadOptions, ManualClock, NewRecord, Record, Secret, SeededEntropy, SessionStore, Stamps,
    Timestamp, Token,
};
use abide_memory::MemoryStore;
use http::{HeaderValue, Request, Response, header};
use tower_layer::Layer;
use tower_service::Service;

use crate::at_once;

const NAME: &[u8] = b"__Host-id";
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
/// How many candidates are looked at.
const MOST: usize = 4;
/// Sessions that there are: each a better choice than those before it.
const SESSIONS: u8 = 5;

/// Lines are headers. Control characters, which no header may hold, stand for what an input would seldom hit: our
/// cookie's name, and tokens, of which some name a session, and some do so with another secret.
pub fn cookie_header(input: &[u8]) {
    let headers: Vec<HeaderValue> = input
        .split(|byte| *byte == b'\n')
        .filter_map(|line| HeaderValue::from_bytes(&spelled(line)).ok())
        .collect();
    let stage = Stage::new();
    let presented = presented(&headers);
    let tokens: Vec<Token> = presented.iter().filter_map(|text| Token::parse(text).ok()).collect();
    let best = (0..SESSIONS).rev().find(|n| tokens.contains(&token(*n)));
    let before = stage.stored();

    let request =
        headers.into_iter().fold(Request::builder(), |request, value| request.header(header::COOKIE, value));
    let response = at_once(stage.layer.layer(Handler).call(request.body(()).unwrap())).unwrap();

    assert_eq!(response.body().0, best.map(user), "the best of those that verify");
    let unknown = tokens.iter().filter(|known| !(0..SESSIONS).any(|n| **known == token(n))).count();
    assert_eq!(stage.refused.load(Ordering::Relaxed), unknown, "every other candidate is told of");
    for (n, (before, after)) in (0..).zip(before.iter().zip(stage.stored())) {
        assert_eq!(*before != after, best == Some(n), "the write went to that session alone");
    }
    let made = response.headers().get(header::SET_COOKIE).map(made);
    assert_eq!(made.is_some(), best.is_none(), "a new session where there was none");
    if let Some(made) = made {
        let given = |token: &Token| token.key() == made.key() || token.encode() == made.encode();
        assert!(!tokens.iter().any(given), "nothing from outside is adopted");
    }
}

/// The line with what its control characters stand for.
fn spelled(line: &[u8]) -> Vec<u8> {
    let mut spelled = Vec::new();
    for byte in line {
        match byte {
            1 => spelled.extend([NAME, b"="].concat()),
            2..=8 => spelled.extend(token(byte - 2).encode().bytes()),
            // The key of a session, with another secret.
            11 => spelled.extend(Token::new(*token(0).key(), Secret::from_bytes([9; 16])).encode().bytes()),
            byte => spelled.push(*byte),
        }
    }
    spelled
}

/// What the slow and simple splitter finds: the first values of our name that are as long as a token.
fn presented(headers: &[HeaderValue]) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    for pair in headers.iter().flat_map(|header| header.as_bytes().split(|byte| *byte == b';')) {
        let pair = pair.trim_ascii();
        let Some(at) = pair.iter().position(|byte| *byte == b'=') else { continue };
        let (name, value) = (&pair[..at], &pair[at + 1..]);
        // A route mark is no part of the token.
        let value =
            if value.get(Token::ENCODED_LEN) == Some(&b'.') { &value[..Token::ENCODED_LEN] } else { value };
        if name == NAME && value.len() == Token::ENCODED_LEN && !found.iter().any(|known| known == value) {
            found.push(value.to_vec());
        }
    }
    found.truncate(MOST);
    found
}

/// The token of a session, or of none from [`SESSIONS`] on.
fn token(n: u8) -> Token {
    Token::from_bytes([n.wrapping_mul(31) ^ 0x5A; 32])
}

fn user(n: u8) -> String {
    format!("user {n}")
}

/// The token that a response sets.
fn made(cookie: &HeaderValue) -> Token {
    let value = cookie.as_bytes().strip_prefix(NAME).and_then(|rest| rest.strip_prefix(b"=")).unwrap();
    Token::parse(&value[..Token::ENCODED_LEN]).unwrap()
}

struct Stage {
    layer: SessionLayer,
    store: MemoryStore,
    /// How many candidates were told to be unknown.
    refused: Arc<AtomicUsize>,
}

impl Stage {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let store = MemoryStore::builder().clock(clock.clone()).build();
        let stamps = Stamps::new(1);
        for n in 0..SESSIONS {
            at_once(store.create(token(n).key(), record(n, &stamps), &CreateOptions::default())).unwrap();
        }
        let refused = Arc::new(AtomicUsize::new(0));
        let counted = refused.clone();
        let builder = Config::new().builder().clock(clock).store(Arc::new(store.clone()));
        let opened = builder
            .entropy(Arc::new(SeededEntropy::new(7)))
            .on_event(move |event| _ = is_refusal(event).then(|| counted.fetch_add(1, Ordering::Relaxed)))
            .open();
        Self { layer: at_once(opened).unwrap().layer(), store, refused }
    }

    fn stored(&self) -> Vec<Arc<Record>> {
        let load = |n| at_once(self.store.load(token(n).key(), &LoadOptions::default()));
        (0..SESSIONS).map(|n| load(n).unwrap().unwrap().record).collect()
    }
}

fn is_refusal(event: &abide::Event) -> bool {
    event.kind == EventKind::UnknownToken
}

/// The first ones anonymous, the later ones signed in, each later than the one before.
fn record(n: u8, stamps: &Stamps) -> Record {
    let at = START.before(Duration::from_secs(60 - u64::from(n)));
    let new = NewRecord::new(stamps.next(at), [n; 16], token(n).verifier(), START);
    let new = new.value("who", format!("{:?}", user(n)).into_bytes());
    Record::create(if n > 1 { new.user(user(n), at) } else { new })
}

/// Reads who the session is, and writes.
#[derive(Clone)]
struct Handler;

#[derive(Default)]
struct Answer(Option<String>);

impl Service<Request<()>> for Handler {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Answer>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let session = Session::of(&request).unwrap();
        let who = at_once(session.get::<String>("who")).unwrap();
        session.insert("seen", &true).unwrap();
        ready(Ok(Response::new(Answer(who))))
    }
}

/// Headers as browsers send them, and worse.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    [
        b"\x01\x02".as_slice(),
        b"theme=dark; \x01\x03; lang=en\n\x01\x06",
        b"\x01\x02;\x01\x04;\x01\x05;\x01\x07;\x01\x08",
        b"\x01\x07; \x01\x08; \x01\x0b; \x01\x02; \x01\x06",
        b"\x01; \x01=; \x01 \x02; x\x01\x03; \x01\"\x04\";\t\x01\x05\t",
        b";;;=;\n\n__Host-id=\n__Host-id\nid=\x02",
        b"\x01\x02.a1b2; \x01\x03.; \x01\x03..; \x01\x04.\x05; \x01.\x06",
        b"\x01\xff\xfe\x80; \x01AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB; \x01\x03\x03; \x01\x03",
    ]
    .map(<[u8]>::to_vec)
    .into()
}
