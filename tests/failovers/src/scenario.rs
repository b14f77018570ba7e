//! What is done to whom, and how much a write waits for.

use std::fmt;

/// Which servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// One server, that nobody replaces: it comes back after three seconds.
    Single,
    /// One master, two replicas, three sentinels; `down-after-milliseconds` 1 s.
    Sentinel,
    /// Three masters with two replicas each; `cluster-node-timeout` 2 s.
    Cluster,
}

/// What is done to a master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL. It is started again after the failover.
    Killed,
    /// SIGSTOP. It goes on after the failover.
    Hung,
    /// `SENTINEL FAILOVER`, `CLUSTER FAILOVER`.
    Orderly,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Which servers.
    pub setup: Setup,
    /// What is done to a master.
    pub fault: Fault,
    /// How many replicas a write waits for.
    pub replicas: u8,
}

impl Scenario {
    /// Every row.
    pub fn all() -> impl Iterator<Item = Self> {
        let outages =
            [Fault::Killed, Fault::Hung].map(|fault| Self { setup: Setup::Single, fault, replicas: 0 });
        let failovers = [Setup::Sentinel, Setup::Cluster].into_iter().flat_map(|setup| {
            [Fault::Killed, Fault::Hung, Fault::Orderly].into_iter().flat_map(move |fault| {
                [0, 1, 2].into_iter().map(move |replicas| Self { setup, fault, replicas })
            })
        });
        outages.into_iter().chain(failovers)
    }

    /// The durability, as it is configured.
    #[must_use]
    pub fn durability(&self) -> String {
        match self.replicas {
            0 => "async".into(),
            replicas => format!("replicas={replicas}"),
        }
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Single => "single",
            Self::Sentinel => "Sentinel",
            Self::Cluster => "Cluster",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Killed => "master killed",
            Self::Hung => "master hung",
            Self::Orderly => "orderly failover",
        })
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}", self.setup, self.fault, self.durability())
    }
}
