//! Verdicts on real links: a killed process, a stopped one. The failure detector is twice as fast here as it is by default.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use abide_cluster::protocol::{Member, NodeId};
use abide_cluster::transport::{Event, Join, Settings};

use crate::node::{Node, PATIENCE, settings};

fn fast(id: u64, seeds: &[SocketAddr]) -> Settings {
    let mut settings = settings(id);
    settings.times.probe = Duration::from_millis(500);
    let list: Vec<String> = seeds.iter().map(ToString::to_string).collect();
    settings.join = Join::parse(&list.join(","), None).unwrap();
    settings
}

async fn until_up(node: &mut Node, peers: &[NodeId]) {
    let mut missing = peers.to_vec();
    node.find(|event| {
        if let Event::Up(peer) = event {
            missing.retain(|id| *id != peer.id);
        }
        missing.is_empty().then_some(())
    })
    .await;
}

/// What becomes of a node in a process of its own: a thread with a runtime, which can be stopped as a whole.
struct Apart {
    me: Member,
    stop: mpsc::Sender<mpsc::Receiver<()>>,
    thread: JoinHandle<()>,
}

impl Apart {
    fn open(settings: Settings) -> Self {
        let (started, me) = mpsc::channel();
        let (stop, stops) = mpsc::channel::<mpsc::Receiver<()>>();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut node = Node::open(settings).await;
                started.send(node.me()).unwrap();
                loop {
                    while node.events.try_recv().is_ok() {}
                    match stops.try_recv() {
                        // Nothing runs on this thread until somebody lets it go on.
                        Ok(until) => until.recv().unwrap_or_default(),
                        Err(mpsc::TryRecvError::Disconnected) => return,
                        Err(mpsc::TryRecvError::Empty) => {}
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        });
        Self { me: me.recv().unwrap(), stop, thread }
    }

    /// Stops until what is returned goes.
    fn pause(&self) -> mpsc::Sender<()> {
        let (resume, until) = mpsc::channel();
        self.stop.send(until).unwrap();
        resume
    }

    fn kill(self) {
        drop(self.stop);
        self.thread.join().unwrap();
    }
}

#[tokio::test]
async fn three_find_each_other_a_stopped_one_is_suspected_and_a_killed_one_is_down() {
    let mut one = Node::open(fast(1, &[])).await;
    let mut two = Node::open(fast(2, &[one.me().address])).await;
    let three = Apart::open(fast(3, &[one.me().address]));
    until_up(&mut one, &[NodeId(2), NodeId(3)]).await;
    until_up(&mut two, &[NodeId(1), NodeId(3)]).await;

    let resume = three.pause();
    let began = Instant::now();
    let mut membership = one.transport.membership();
    let suspected = membership.wait_for(|held| held.suspects.contains(&NodeId(3)));
    tokio::time::timeout(PATIENCE, suspected).await.unwrap().unwrap();
    println!("suspected after {:?}", began.elapsed());
    let lost = |event| matches!(event, Event::LinkLost(peer) if peer.id == NodeId(3)).then_some(());
    one.find(lost).await;
    println!("its link was given up after {:?}", began.elapsed());
    drop(resume);
    let back = membership.wait_for(|held| held.suspects.is_empty() && held.alive.contains(&NodeId(3)));
    tokio::time::timeout(PATIENCE, back).await.unwrap().unwrap();

    let (killed, began) = (three.me, Instant::now());
    three.kill();
    for node in [&mut one, &mut two] {
        node.find(|event| matches!(event, Event::Down(peer) if peer == killed).then_some(())).await;
    }
    println!("down after {:?}", began.elapsed());
    assert_eq!((one.transport.suspects(), two.transport.suspects()), (vec![], vec![]));
}
