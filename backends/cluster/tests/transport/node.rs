//! A transport with its events, certificates, a peer made by hand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use abide_cluster::protocol::{Member, NodeId};
use abide_cluster::transport::frame::{self, Frame, Kind};
use abide_cluster::transport::hello::Hello;
use abide_cluster::transport::{
    ClusterName, Event, Identity, Inbox, OpenError, Received, Secret, Settings, Transport,
};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Far more than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Node {
    pub(crate) transport: Transport,
    pub(crate) events: mpsc::UnboundedReceiver<Event>,
}

/// Where a test finds what comes.
#[derive(Debug)]
struct Letters(mpsc::UnboundedSender<Event>);

impl Inbox for Letters {
    fn take(&self, events: &mut Vec<Event>) {
        events.drain(..).for_each(|event| drop(self.0.send(event)));
    }
}

pub(crate) fn secret(byte: u8) -> Secret {
    Secret::from_bytes(&[byte; 32]).unwrap()
}

pub(crate) fn identity(byte: u8, cluster: &str) -> Identity {
    Identity::from_secrets(&[secret(byte)], &ClusterName::new(cluster).unwrap()).unwrap()
}

pub(crate) fn member(id: u64, port: u16) -> Member {
    Member { id: NodeId(id), address: SocketAddr::from(([127, 0, 0, 1], port)) }
}

/// A node of the cluster `abide`, with the secret of ones.
pub(crate) fn settings(id: u64) -> Settings {
    let mut settings = plain(id);
    settings.identity = Some(identity(1, "abide"));
    settings
}

/// One without encryption.
pub(crate) fn plain(id: u64) -> Settings {
    Settings::new(member(id, 0), id)
}

impl Node {
    pub(crate) async fn open(settings: Settings) -> Self {
        Self::try_open(settings).await.unwrap()
    }

    pub(crate) async fn try_open(settings: Settings) -> Result<Self, OpenError> {
        let (letters, events) = mpsc::unbounded_channel();
        let transport = Transport::open(settings, Arc::new(Letters(letters))).await?;
        Ok(Self { transport, events })
    }

    pub(crate) fn me(&self) -> Member {
        self.transport.me()
    }

    pub(crate) fn send(&self, to: &Self, bytes: &'static str) {
        self.transport.send(to.me().address, Bytes::from_static(bytes.as_bytes())).unwrap();
    }

    /// The first event that is looked for; what comes before it is thrown away.
    pub(crate) async fn find<T>(&mut self, look: impl FnMut(Event) -> Option<T>) -> T {
        timeout(PATIENCE, self.first(look)).await.expect("it comes")
    }

    async fn first<T>(&mut self, mut look: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            if let Some(found) = look(self.events.recv().await.expect("the transport lives")) {
                return found;
            }
        }
    }

    pub(crate) async fn message(&mut self) -> Received {
        self.find(|event| if let Event::Message(received) = event { Some(received) } else { None }).await
    }

    /// Whether an event comes within a time.
    pub(crate) async fn comes(&mut self, within: Duration, mut is: impl FnMut(&Event) -> bool) -> bool {
        timeout(within, self.first(|event| is(&event).then_some(()))).await.is_ok()
    }

    /// Sends until something arrives: the first may be lost with a link that could not be made yet.
    pub(crate) async fn reaches(&self, to: &mut Self) {
        let arrival = async {
            loop {
                self.send(to, "are you there");
                if to.comes(Duration::from_millis(200), |event| matches!(event, Event::Message(_))).await {
                    return;
                }
            }
        };
        timeout(PATIENCE, arrival).await.expect("it arrives");
    }

    /// Waits until what is counted is as it should be.
    pub(crate) async fn until(
        &self,
        what: &str,
        mut is: impl FnMut(&abide_cluster::transport::Counts) -> bool,
    ) {
        let settled = async {
            while !is(&self.transport.counts()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let settled = timeout(PATIENCE, settled).await;
        assert!(settled.is_ok(), "{what}: {:?}", self.transport.counts());
    }
}

/// A peer that says what it is told to say.
pub(crate) struct ByHand {
    pub(crate) stream: TcpStream,
    buffer: BytesMut,
}

impl ByHand {
    pub(crate) async fn connect(to: Member) -> Self {
        Self::over(TcpStream::connect(to.address).await.unwrap())
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    pub(crate) fn hello(id: u64) -> Hello {
        Hello { versions: (1, 1), cluster: "abide".into(), member: member(id, 1) }
    }

    pub(crate) async fn say(&mut self, kind: Kind, payload: &[u8]) {
        let mut bytes = BytesMut::new();
        frame::encode(kind, payload, &mut bytes);
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// The next frame, none where the connection ends.
    pub(crate) async fn hear(&mut self) -> Option<Frame> {
        timeout(PATIENCE, async {
            loop {
                if let Some(frame) = frame::decode(&mut self.buffer, 1 << 20).unwrap() {
                    return Some(frame);
                }
                if !matches!(self.stream.read_buf(&mut self.buffer).await, Ok(1..)) {
                    return None;
                }
            }
        })
        .await
        .expect("an answer, or the end")
    }

    /// As a member of the cluster.
    pub(crate) async fn greeted(to: Member, id: u64) -> Self {
        let mut peer = Self::connect(to).await;
        peer.say(Kind::Hello, &Self::hello(id).encode()).await;
        assert_eq!(peer.hear().await.unwrap().kind, Kind::Hello);
        peer
    }
}
