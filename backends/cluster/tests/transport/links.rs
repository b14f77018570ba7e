//! What goes over a link, and what is told of it.

use std::time::Duration;

use abide_cluster::codec::MAX_MESSAGE;
use abide_cluster::transport::frame::Kind;
use abide_cluster::transport::{ClusterName, Event, Identity, OpenError, Refusal, Unsent};
use bytes::Bytes;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::node::{ByHand, Node, identity, member, plain, secret, settings};

#[tokio::test]
async fn bytes_arrive_in_order_from_whom_they_were_sent() {
    let (one, mut two) = (Node::open(settings(1)).await, Node::open(settings(2)).await);
    let largest = Bytes::from(vec![7; MAX_MESSAGE]);
    for n in 0..1_000_u32 {
        one.transport.send(two.me().address, Bytes::copy_from_slice(&n.to_le_bytes())).unwrap();
    }
    one.transport.send(two.me().address, largest.clone()).unwrap();
    for n in 0..1_000_u32 {
        let received = two.message().await;
        assert_eq!((received.from, &received.bytes[..]), (one.me(), &n.to_le_bytes()[..]));
    }
    assert_eq!(two.message().await.bytes, largest);
}

#[tokio::test]
async fn what_is_sent_together_to_one_peer_leaves_together() {
    let (one, mut two) = (Node::open(settings(1)).await, Node::open(settings(2)).await);
    one.reaches(&mut two).await;
    let before = one.transport.counts();
    let question = Bytes::from_static(b"question");
    one.transport.send_all(two.me().address, std::iter::repeat_n(question, 100));
    for _ in 0..100 {
        two.message().await;
    }
    let after = one.transport.counts();
    assert!(after.frames_out - before.frames_out >= 100);
    let flushes = after.flushes - before.flushes;
    assert!(flushes <= 10, "{flushes} writes for 100 questions: the detector has a few of its own");
}

#[test]
fn a_link_that_a_caller_of_another_runtime_began_stays_when_that_runtime_ends() {
    let carries = tokio::runtime::Runtime::new().unwrap();
    let (one, mut two) =
        carries.block_on(async { (Node::open(settings(1)).await, Node::open(settings(2)).await) });
    let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
    other.block_on(async { one.send(&two, "the first") });
    drop(other);
    carries.block_on(one.reaches(&mut two));
}

#[tokio::test]
async fn a_refused_connection_is_told_again_and_again_and_one_that_is_not_answered_never() {
    let mut one = Node::open(settings(1)).await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for _ in 0..3 {
        let _ = one.transport.send(nobody, Bytes::from_static(b"probe"));
        let _ = one.transport.send(silent.local_addr().unwrap(), Bytes::from_static(b"probe"));
        let refused = one.find(|event| if let Event::Refused(at) = event { Some(at) } else { None }).await;
        assert_eq!(refused, nobody);
    }
    let counted = one.transport.counts().failed;
    one.until("the silent one is given up", |counts| counts.failed > counted).await;
    let is_silent = |event: &Event| matches!(event, Event::Refused(at) if *at != nobody);
    assert!(!one.comes(Duration::from_millis(100), is_silent).await);
    assert!(one.transport.counts().unsent >= 3);
}

#[tokio::test]
async fn a_broken_link_is_told_and_made_again() {
    let mut one = Node::open(settings(1)).await;
    let two = Node::open(settings(2)).await;
    let there = two.me();
    one.send(&two, "hello");
    let up = one.find(|event| if let Event::LinkUp(peer) = event { Some(peer) } else { None }).await;
    assert_eq!(up, there);
    two.transport.close().await;
    let lost = one.find(|event| if let Event::LinkLost(peer) = event { Some(peer) } else { None }).await;
    assert_eq!(lost, there);
    let mut again = settings(3);
    again.me.address = there.address;
    again.listen = there.address;
    let mut three = Node::open(again).await;
    one.reaches(&mut three).await;
    let is_new = |event: &Event| matches!(event, Event::LinkUp(peer) if *peer == three.transport.me());
    assert!(one.comes(Duration::from_secs(10), is_new).await, "the same address is another process");
}

#[tokio::test]
async fn a_peer_has_one_link_and_a_newer_one_takes_its_place() {
    let mut one = Node::open(plain(1)).await;
    let mut older = ByHand::greeted(one.me(), 2).await;
    let mut newer = ByHand::greeted(one.me(), 2).await;
    assert_eq!(older.hear().await, None);
    newer.say(Kind::Message, b"hello").await;
    assert_eq!(&one.message().await.bytes[..], b"hello");
    assert_eq!(one.transport.counts().links_in, 1);
}

#[tokio::test]
async fn a_link_that_is_not_answered_is_lost_within_its_silence() {
    let mut one = Node::open(plain(1)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    one.transport.send(at, Bytes::from_static(b"question")).unwrap();
    let mut peer = ByHand::over(listener.accept().await.unwrap().0);
    peer.hear().await.unwrap();
    peer.say(Kind::Hello, &ByHand::hello(2).encode()).await;
    let began = std::time::Instant::now();
    one.find(|event| matches!(event, Event::LinkLost(_)).then_some(())).await;
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_large_frame_that_takes_longer_than_the_silence_keeps_its_link_up() {
    let mut patient = plain(1);
    patient.times.silence = Duration::from_secs(1);
    let mut one = Node::open(patient).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    one.transport.send(at, Bytes::from(vec![7; 32 << 20])).unwrap();
    let mut peer = ByHand::over(listener.accept().await.unwrap().0);
    peer.hear().await.unwrap();
    peer.say(Kind::Hello, &ByHand::hello(2).encode()).await;
    let (began, mut left, mut part) = (std::time::Instant::now(), 32_usize << 20, vec![0; 64 << 10]);
    while left > 4 << 20 {
        left -= peer.stream.read(&mut part).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(began.elapsed() > Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(one.transport.counts().lost, 0);
    one.find(|event| matches!(event, Event::LinkLost(_)).then_some(())).await;
}

#[tokio::test]
async fn beyond_loopback_nothing_listens_or_speaks_without_a_secret_or_a_certificate() {
    for (listen, me) in
        [("0.0.0.0:0", "127.0.0.1:0"), ("127.0.0.1:0", "192.0.2.1:7001"), ("[::]:0", "[::1]:0")]
    {
        let mut exposed = plain(1);
        (exposed.listen, exposed.me.address) = (listen.parse().unwrap(), me.parse().unwrap());
        let error = Node::try_open(exposed).await.err().unwrap();
        assert!(matches!(error, OpenError::Settings(_)));
        let text = error.to_string();
        assert!(text.contains("secret_file") && text.contains("ca, cert and key"), "{text}");
    }
    let one = Node::open(plain(1)).await;
    let beyond = "192.0.2.1:7001".parse().unwrap();
    assert_eq!(one.transport.send(beyond, Bytes::new()), Err(Unsent::Insecure));
    let mut secured = settings(2);
    secured.listen = "0.0.0.0:0".parse().unwrap();
    Node::open(secured).await;
}

#[tokio::test]
async fn what_surely_goes_nowhere_is_refused_and_counted() {
    let mut small = settings(1);
    (small.limits.frame, small.limits.links) = (8, 1);
    let mut one = Node::open(small).await;
    let mut two = Node::open(settings(2)).await;
    let nine = Bytes::from_static(b"123456789");
    assert_eq!(one.transport.send(two.me().address, nine), Err(Unsent::TooLarge));
    assert_eq!(one.transport.send(one.me().address, Bytes::new()), Err(Unsent::Itself));
    one.transport.send(two.me().address, Bytes::from_static(b"12345678")).unwrap();
    assert_eq!(&two.message().await.bytes[..], b"12345678");
    assert_eq!(one.transport.send(member(3, 1).address, Bytes::new()), Err(Unsent::TooManyLinks));
    assert_eq!(one.transport.counts().unsent, 3);
    assert!(!one.comes(Duration::from_millis(50), |event| matches!(event, Event::LinkLost(_))).await);
}

#[tokio::test]
async fn a_secret_is_replaced_step_by_step_while_everybody_speaks_with_everybody() {
    let both = |first: u8, second: u8| {
        let secrets = [secret(first), secret(second)];
        Identity::from_secrets(&secrets, &ClusterName::default()).unwrap()
    };
    let steps = [identity(1, "abide"), both(1, 9), both(9, 1), identity(9, "abide")].map(|identity| {
        move |id| {
            let mut settings = plain(id);
            settings.identity = Some(identity.clone());
            settings
        }
    });
    for step in steps.windows(2) {
        let (mut before, mut after) = (Node::open(step[0](1)).await, Node::open(step[1](2)).await);
        before.reaches(&mut after).await;
        after.reaches(&mut before).await;
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_for_new_links_and_those_that_are_up_stay() {
    let (one, mut two) = (Node::open(settings(1)).await, Node::open(settings(2)).await);
    one.reaches(&mut two).await;
    two.transport.renew(identity(9, "abide"));
    let mut renewed = settings(3);
    renewed.identity = Some(identity(9, "abide"));
    Node::open(renewed).await.reaches(&mut two).await;
    one.reaches(&mut two).await;
    assert_eq!(one.transport.counts().lost, 0);
    Node::open(settings(4)).await.send(&two, "let me in");
    two.until("the old secret is refused", |counts| counts.refused(Refusal::Tls) > 0).await;
}
