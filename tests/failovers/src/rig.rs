//! The servers of a scenario, and the fault.

use std::time::Duration;

use abide_core::SessionKey;
use abide_harness::{Redis, RedisCluster, RedisSettings, SentinelSet};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::time::{Instant, sleep};

use crate::scenario::{Fault, Setup};

/// Of each master of a Cluster: with one alone, nothing could be waited for after a failover.
const REPLICAS: usize = 2;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

pub(crate) enum Rig {
    Single(Box<Redis>),
    Sentinel(SentinelSet),
    Cluster(RedisCluster),
}

/// The master that the fault is done to.
pub(crate) const STRUCK: usize = 0;
const MASTERS: usize = 3;
const SLOTS: u16 = 16_384;

/// Which master has which sessions, at the start.
pub(crate) struct Masters {
    /// The last slot of each, in their order.
    last: Vec<usize>,
}

impl Masters {
    /// The master of a session; that of [`STRUCK`] is struck.
    pub(crate) fn of(&self, key: &SessionKey) -> usize {
        let name = format!("abide:s:{}", URL_SAFE_NO_PAD.encode(key.as_bytes()));
        let slot = usize::from(crc16::State::<crc16::XMODEM>::calculate(name.as_bytes()) % SLOTS);
        self.last.partition_point(|last| *last < slot)
    }
}

impl Rig {
    pub(crate) async fn start(setup: Setup) -> Self {
        match setup {
            // Keeps its data over a restart, so that what is lost was lost by abide.
            Setup::Single => {
                let keeping = RedisSettings::default().set("appendonly", &["yes"]);
                Self::Single(Box::new(Redis::start(keeping).await))
            }
            Setup::Sentinel => Self::Sentinel(SentinelSet::start().await),
            Setup::Cluster => {
                Self::Cluster(RedisCluster::start_with_replicas(&RedisSettings::default(), REPLICAS).await)
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Single(redis) => redis.url(),
            Self::Sentinel(set) => set.url(),
            Self::Cluster(cluster) => cluster.url(),
        }
    }

    /// Which master has which sessions.
    pub(crate) async fn masters(&self) -> Masters {
        match self {
            Self::Single(_) | Self::Sentinel(_) => Masters { last: vec![SLOTS.into()] },
            Self::Cluster(cluster) => {
                let mut last = Vec::new();
                for master in 0..MASTERS {
                    last.push(cluster.slots_of(master).await[0].1);
                }
                assert!(last.is_sorted(), "each has one range, in their order: {last:?}");
                Masters { last }
            }
        }
    }

    pub(crate) async fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::Killed => self.struck().kill9().await,
            Fault::Hung => self.struck().stop().await,
            Fault::Orderly => match self {
                Self::Single(_) => panic!("nobody takes over from a single server"),
                Self::Sentinel(set) => set.fail_over().await,
                Self::Cluster(cluster) => cluster.fail_over(STRUCK).await,
            },
        }
    }

    /// Waits until the servers have somebody else for the master, and answers when that was seen. Nobody replaces a single
    /// server.
    pub(crate) async fn replaced(&self) -> Option<Instant> {
        match self {
            Self::Single(_) => return None,
            Self::Sentinel(set) => {
                while set.master().await == STRUCK {
                    sleep(BETWEEN_LOOKS).await;
                }
            }
            Self::Cluster(cluster) => {
                while !cluster.slots_of(STRUCK).await.is_empty() {
                    sleep(BETWEEN_LOOKS).await;
                }
            }
        }
        Some(Instant::now())
    }

    /// Waits until all agree on who the master is.
    pub(crate) async fn settled(&self) {
        match self {
            Self::Single(_) => {}
            Self::Sentinel(set) => set.settled().await,
            Self::Cluster(cluster) => cluster.settled().await,
        }
    }

    /// Has the struck server come back, waits until everybody is there again, and answers when it came.
    pub(crate) async fn mend(&mut self) -> Instant {
        let struck = self.struck();
        if struck.is_stopped() {
            struck.cont().await;
        } else if !struck.serves() {
            struck.restart().await;
        }
        let back = Instant::now();
        self.settled().await;
        back
    }

    fn struck(&mut self) -> &mut Redis {
        match self {
            Self::Single(redis) => redis,
            Self::Sentinel(set) => &mut set.servers[STRUCK],
            Self::Cluster(cluster) => &mut cluster.servers[STRUCK],
        }
    }
}
