//! Any bytes as what a peer of the cluster sends.
//!
//! Nothing panics and nothing takes more memory than came in; a stream is cut into the same frames however it arrives, and
//! they are encoded as they came; a greeting that is read is written as it was meant; a packet of the failure detector
//! leaves it able to go on.

use std::time::Duration;

use abide_cluster::protocol::{Member, NodeId};
use abide_cluster::transport::Swim;
use abide_cluster::transport::frame::{Frame, FrameError, Kind, decode, encode};
use abide_cluster::transport::hello::Hello;
use bytes::BytesMut;

use crate::memory::bounded;

/// The bound on a frame.
const LARGEST: usize = 64;
const SECOND: Duration = Duration::from_secs(1);

/// The first byte says into which pieces the stream falls; the rest is a stream, a greeting and a packet.
pub fn frames(input: &[u8]) {
    let (size, input) =
        input.split_first().map_or((1, input), |(first, rest)| (usize::from(*first) % 32 + 1, rest));
    stream(input, size);
    greeting(input);
    packet(input);
}

fn stream(input: &[u8], size: usize) {
    let whole = bounded(input, |input| Ok::<_, ()>(cut(input, input.len().max(1)))).expect("an end");
    assert_eq!(cut(input, size), whole, "in pieces of {size}");
    let mut again = BytesMut::new();
    whole.0.iter().for_each(|frame| encode(frame.kind, &frame.payload, &mut again));
    assert!(input.starts_with(&again), "frames are what their bytes say");
}

fn cut(input: &[u8], size: usize) -> (Vec<Frame>, Option<FrameError>) {
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for piece in input.chunks(size) {
        buffer.extend_from_slice(piece);
        loop {
            match decode(&mut buffer, LARGEST) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

fn greeting(input: &[u8]) {
    if let Some(hello) = bounded(input, Hello::decode) {
        assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
    }
}

fn packet(input: &[u8]) {
    let mut swim = Swim::new(member(1), SECOND, 7);
    bounded(input, |input| Ok::<_, ()>(swim.on_packet(SECOND, input)));
    for second in 2..20 {
        swim.tick(second * SECOND);
    }
    let packets: usize = swim.take_packets().iter().map(|(_, packet)| packet.len()).sum();
    assert!(packets <= 1 << 20, "{packets} bytes for {} of input", input.len());
    let membership = swim.membership();
    assert!(membership.alive.len() <= input.len() && !membership.alive.contains(&NodeId(1)));
}

fn member(id: u64) -> Member {
    Member { id: NodeId(id), address: ([127, 0, 0, 1], 7_000 + id as u16).into() }
}

/// Streams of frames, greetings, and packets that nodes really send.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let kinds = [Kind::Hello, Kind::Refusal, Kind::Message, Kind::Swim, Kind::Ping, Kind::Pong];
    let mut stream = BytesMut::new();
    for (kind, length) in kinds.into_iter().zip([LARGEST, 1, 30, LARGEST / 2, 0, 0]) {
        encode(kind, &vec![7; length], &mut stream);
    }
    let hello = Hello { versions: (1, 1), cluster: "abide".into(), member: member(2) };
    let begun = |bytes: &[u8]| [&[3], bytes].concat();
    [&stream[..], &hello.encode()]
        .into_iter()
        .map(begun)
        .chain(packets().iter().map(|packet| begun(packet)))
        .collect()
}

/// What comes to the first of three nodes that find each other.
fn packets() -> Vec<Vec<u8>> {
    let mut nodes = [1, 2, 3].map(|id| Swim::new(member(id), SECOND, id));
    let mut heard = Vec::new();
    for second in 1..12 {
        let now = second * SECOND;
        if second == 1 {
            nodes[1].on_link_up(now, member(1));
            nodes[2].on_link_up(now, member(1));
        }
        for _ in 0..3 {
            let sent: Vec<_> = nodes.iter_mut().flat_map(Swim::take_packets).collect();
            for (to, packet) in sent {
                let at = usize::from(to.port() - 7_001);
                if at == 0 {
                    heard.push(packet.to_vec());
                }
                nodes[at].on_packet(now, &packet);
            }
        }
        nodes.iter_mut().for_each(|node| node.tick(now));
    }
    heard
}
