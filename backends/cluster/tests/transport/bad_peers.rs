//! Peers that misbehave, and a crowd at the door, while a good pair goes on exchanging.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

use abide_cluster::codec::MAX_MESSAGE;
use abide_cluster::transport::frame::{Kind, encode};
use abide_cluster::transport::{Counts, Event, Inbox, Limits, Refusal, Settings, Transport, Unsent};
use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::node::{ByHand, Node, PATIENCE, plain, settings};

/// Two that exchange all the while.
struct Pair {
    one: Node,
    two: Node,
}

impl Pair {
    async fn open(make: fn(u64) -> Settings) -> Self {
        let (one, mut two) = (Node::open(make(1)).await, Node::open(make(2)).await);
        one.reaches(&mut two).await;
        Self { one, two }
    }

    /// Runs an attack on the first one, and says how many questions of the second one were answered meanwhile.
    async fn during<T>(&mut self, attack: impl AsyncFnOnce(&Transport) -> T) -> (T, usize) {
        let Self { one, two } = self;
        let mut answered = 0;
        let exchange = async {
            loop {
                let began = Instant::now();
                two.transport.send(one.transport.me().address, Bytes::from_static(b"question")).unwrap();
                next_of(&mut one.events, &two.transport).await;
                one.transport.send(two.transport.me().address, Bytes::from_static(b"answer")).unwrap();
                next_of(&mut two.events, &one.transport).await;
                assert!(began.elapsed() < Duration::from_secs(2), "{:?} for an exchange", began.elapsed());
                answered += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let done = tokio::select! {
            () = exchange => unreachable!("it goes on"),
            done = timeout(4 * PATIENCE, attack(&one.transport)) => done.expect("the attack ends"),
        };
        assert_eq!(two.transport.counts().lost, 0, "the pair's links are up");
        (done, answered)
    }
}

/// The next message of the other one; what comes of anybody else is passed over.
async fn next_of(events: &mut mpsc::UnboundedReceiver<Event>, other: &Transport) {
    let other = other.me();
    loop {
        match events.recv().await.expect("the transport lives") {
            Event::Message(received) if received.from == other => return,
            Event::LinkLost(lost) | Event::Down(lost) => assert_ne!(lost, other, "the good one is harmed"),
            _ => {}
        }
    }
}

async fn until(transport: &Transport, mut is: impl FnMut(&Counts) -> bool) {
    while !is(&transport.counts()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

thread_local! {
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What this thread writes to the log from here on: each test has a thread and a runtime of its own. One subscriber serves
/// them all, for what a call site is worth is remembered for every thread.
struct Log;

struct Sink;

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn begin() -> Self {
        static SUBSCRIBED: Once = Once::new();
        SUBSCRIBED.call_once(|| tracing_subscriber::fmt().with_ansi(false).with_writer(|| Sink).init());
        LOGGED.with_borrow_mut(Vec::clear);
        Self
    }

    fn lines(&self, with: &str) -> usize {
        let count =
            |text: &Vec<u8>| String::from_utf8_lossy(text).lines().filter(|line| line.contains(with)).count();
        LOGGED.with_borrow(count)
    }
}

#[tokio::test]
async fn who_says_something_else_than_a_greeting_is_refused_counted_and_logged_once() {
    let log = Log::begin();
    let mut pair = Pair::open(plain).await;
    let first_words: [(&[u8], Refusal); 5] = [
        (b"GET / HTTP/1.1\r\n\r\n", Refusal::Oversized),
        (&[0x02, 0x02, 0, 0, 0], Refusal::Oversized),
        (&[0; 16], Refusal::Garbage),
        (&[7, 0, 0, 0, 0, b'a', b'b', b'i', b'd', b'o', 1], Refusal::Garbage),
        (&[6, 0, 0, 0, 2, b'a', b'b', b'i', b'd', b'e'], Refusal::Garbage),
    ];
    let ((), answered) = pair
        .during(async |one| {
            for _ in 0..20 {
                for (words, refusal) in first_words {
                    let before = one.counts().refused(refusal);
                    let mut stream = TcpStream::connect(one.me().address).await.unwrap();
                    stream.write_all(words).await.unwrap();
                    until(one, |counts| counts.refused(refusal) == before + 1).await;
                }
            }
        })
        .await;
    assert!(answered > 20, "{answered} exchanges");
    let counts = pair.one.transport.counts();
    assert_eq!((counts.refused(Refusal::Oversized), counts.refused(Refusal::Garbage)), (40, 60));
    assert_eq!((log.lines("reason=oversized"), log.lines("reason=garbage")), (1, 1));
}

#[tokio::test]
async fn a_peer_that_sends_an_oversized_frame_or_garbage_loses_its_link_and_nobody_else_does() {
    let mut pair = Pair::open(plain).await;
    let too_large = u32::try_from(MAX_MESSAGE + 2).unwrap().to_le_bytes();
    let bad: [(&[u8], Refusal); 4] = [
        (&too_large, Refusal::Oversized),
        (&[9, 0, 0, 0, 77], Refusal::Garbage),
        (&[0, 0, 0, 0], Refusal::Garbage),
        (&[1, 0, 0, 0, Kind::Hello as u8], Refusal::Garbage),
    ];
    let ((), answered) = pair
        .during(async |one| {
            for (n, (bytes, refusal)) in (0..40).zip(bad.iter().cycle()) {
                let before = one.counts().refused(*refusal);
                let mut peer = ByHand::greeted(one.me(), 100 + n).await;
                peer.say(Kind::Message, b"fine so far").await;
                peer.stream.write_all(bytes).await.unwrap();
                assert!(peer.hear().await.is_none(), "the link is closed");
                until(one, |counts| counts.refused(*refusal) == before + 1).await;
            }
            // What is no packet of the failure detector is dropped, and the link stays.
            let mut peer = ByHand::greeted(one.me(), 99).await;
            peer.say(Kind::Swim, b"no packet").await;
            peer.say(Kind::Ping, b"").await;
            assert_eq!(peer.hear().await.unwrap().kind, Kind::Pong);
            until(one, |counts| counts.swim_dropped == 1).await;
        })
        .await;
    assert!(answered > 20, "{answered} exchanges");
}

#[tokio::test]
async fn who_takes_too_long_to_greet_is_refused() {
    let mut slow = settings(1);
    slow.times.handshake = Duration::from_millis(300);
    let one = Node::open(slow).await;
    let mut stream = TcpStream::connect(one.me().address).await.unwrap();
    stream.write_all(&[22, 3, 1]).await.unwrap();
    one.until("it is refused", |counts| counts.refused(Refusal::Slow) == 1).await;
    let mut plainly = plain(2);
    plainly.times.handshake = Duration::from_millis(300);
    let two = Node::open(plainly).await;
    let mut peer = ByHand::connect(two.me()).await;
    peer.stream.write_all(&[9, 0, 0]).await.unwrap();
    assert!(peer.hear().await.is_none());
    two.until("it is refused", |counts| counts.refused(Refusal::Slow) == 1).await;
}

/// A peer that greets and then takes nothing.
async fn takes_nothing(listener: &TcpListener, id: u64) -> ByHand {
    let mut peer = ByHand::over(listener.accept().await.unwrap().0);
    peer.hear().await.unwrap();
    peer.say(Kind::Hello, &ByHand::hello(id).encode()).await;
    peer
}

#[tokio::test]
async fn a_slow_reader_is_shed_and_never_waited_for() {
    let log = Log::begin();
    let mut pair = Pair::open(plain).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let slow = listener.local_addr().unwrap();
    let ((), answered) = pair
        .during(async |one| {
            let mut kept = Vec::new();
            for round in 1..=3 {
                let message = Bytes::from(vec![7; 1 << 20]);
                one.send(slow, message.clone()).unwrap();
                kept.push(takes_nothing(&listener, 9).await);
                until(one, |counts| counts.links_out == 2).await;
                let shed = loop {
                    let began = Instant::now();
                    let sent = one.send(slow, message.clone());
                    assert!(
                        began.elapsed() < Duration::from_millis(200),
                        "sending waited {:?}",
                        began.elapsed()
                    );
                    match sent {
                        Ok(()) => tokio::task::yield_now().await,
                        Err(unsent) => break unsent,
                    }
                };
                let Unsent::Shed(lost) = shed else { panic!("{shed:?}") };
                assert!(lost <= 2 * (MAX_MESSAGE >> 20) + 1, "{lost} MiB waited");
                until(one, |counts| counts.refused(Refusal::Shed) == round).await;
                until(one, |counts| counts.links_out == 1).await;
            }
        })
        .await;
    assert!(answered > 3, "{answered} exchanges");
    assert_eq!(log.lines("reason=shed"), 1);
}

/// Takes nothing until it is let.
#[derive(Debug, Default)]
struct Shut(Mutex<()>);

impl Inbox for Shut {
    fn take(&self, events: &mut Vec<Event>) {
        let _opened = self.0.lock().unwrap();
        events.clear();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_what_came_is_not_taken_no_more_is_read() {
    let shut = Arc::new(Shut::default());
    let one = Transport::open(plain(1), shut.clone()).await.unwrap();
    let mut flood = ByHand::greeted(one.me(), 2).await.stream.into_std().unwrap();
    flood.set_nonblocking(false).unwrap();
    flood.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut frame = BytesMut::new();
    encode(Kind::Message, &[7; 1_000], &mut frame);
    let (taken, said) = {
        // The link's task waits for this, and with it all others.
        let _shutter = shut.0.lock().unwrap();
        let said = (0_u64..).find(|_| flood.write_all(&frame).is_err()).unwrap_or_default();
        (one.counts().frames_in, said)
    };
    assert!((1..=64).contains(&taken) && taken < said, "{taken} of {said} frames were read");
    until(&one, |counts| counts.frames_in >= said).await;
}

/// How many connections fit beside everything else.
fn crowd() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files =
        limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
    let files: usize = files.and_then(|files| files.parse().ok()).unwrap_or(1_024);
    let crowd = files.saturating_sub(800).clamp(200, 10_000);
    println!("a crowd of {crowd} connections: {files} files may be open");
    crowd
}

#[tokio::test]
async fn ten_thousand_connections_without_a_handshake_harm_nobody() {
    let log = Log::begin();
    // So long that nobody gets in because others were given up: who waits longest has to make room.
    let patient = |id| {
        let mut settings = settings(id);
        settings.times.handshake = 10 * PATIENCE;
        settings
    };
    let mut pair = Pair::open(patient).await;
    let crowd = crowd();
    let (held, answered) = pair
        .during(async |one| {
            let mut held = Vec::with_capacity(crowd);
            for n in 0..crowd {
                let socket = TcpSocket::new_v4().unwrap();
                // Half of them come from where the good ones are.
                let from = if n % 2 == 0 { "127.0.0.1:0" } else { "127.0.0.2:0" };
                socket.bind(from.parse().unwrap()).unwrap();
                held.push(socket.connect(one.me().address).await.unwrap());
                if n == crowd / 2 {
                    newcomer(one).await;
                }
            }
            newcomer(one).await;
            let waiting = Limits::default().handshakes;
            until(one, |counts| counts.refused(Refusal::Crowd) >= (crowd - waiting) as u64).await;
            held
        })
        .await;
    println!("{answered} exchanges meanwhile; {:?}", pair.one.transport.counts());
    assert!(answered > 5, "{answered} exchanges");
    assert_eq!(held.len(), crowd);
    assert_eq!(log.lines("reason=crowd"), 1);
    assert!(log.lines("WARN") <= 4, "{} lines for {crowd} connections", log.lines("WARN"));
}

/// Somebody who belongs to the cluster gets in.
async fn newcomer(one: &Transport) {
    let three = Node::open(settings(3)).await;
    let came_in = async {
        while three.transport.counts().links_out == 0 {
            let _ = three.transport.send(one.me().address, Bytes::from_static(b"hello"));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), came_in).await.expect("a newcomer gets in");
}
