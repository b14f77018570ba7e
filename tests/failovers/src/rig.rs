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

/// The master that the fault is done to: in a Cluster the first, which has the lowest slots.
const STRUCK: usize = 0;

/// Which sessions the fault concerns.
#[derive(Clone, Copy)]
pub(crate) struct Concern {
    /// The last slot of the struck master.
    last: u16,
}

impl Concern {
    pub(crate) fn is(self, key: &SessionKey) -> bool {
        let name = format!("abide:s:{}", URL_SAFE_NO_PAD.encode(key.as_bytes()));
        crc16::State::<crc16::XMODEM>::calculate(name.as_bytes()) % 16_384 <= self.last
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

    /// Which sessions the fault will concern.
    pub(crate) async fn affected(&self) -> Concern {
        match self {
            Self::Single(_) | Self::Sentinel(_) => Concern { last: u16::MAX },
            Self::Cluster(cluster) => {
                let (first, last) = cluster.slots_of(STRUCK).await[0];
                assert_eq!(first, 0, "the first master has the lowest slots");
                Concern { last: u16::try_from(last).unwrap() }
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

    /// Waits until somebody else is the master, and all others agree.
    pub(crate) async fn settled(&self) {
        match self {
            Self::Single(_) => {}
            Self::Sentinel(set) => {
                while set.master().await == STRUCK {
                    sleep(BETWEEN_LOOKS).await;
                }
                set.settled().await;
            }
            Self::Cluster(cluster) => {
                while !cluster.slots_of(STRUCK).await.is_empty() {
                    sleep(BETWEEN_LOOKS).await;
                }
                cluster.settled().await;
            }
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
        match self {
            Self::Single(_) => {}
            Self::Sentinel(set) => set.settled().await,
            Self::Cluster(cluster) => cluster.settled().await,
        }
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
