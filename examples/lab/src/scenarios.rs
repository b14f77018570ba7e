//! What is compared. **Another scenario is one entry in [`all`]**, and nothing else.
//!
//! `store` is the `ABIDE_STORE` of every server, after these are filled in:
//!
//! | in the template | becomes |
//! |---|---|
//! | `{link}` | an address that this server alone may listen on, for its cluster links |
//! | `{links}` | those of all servers that the run begins with, joined by commas |
//! | `{redis}` | the URL of a Redis: that of `--redis`, else of one that the lab starts for the scenario and stops after it |
//! | `{sentinel}` | the URL of a Sentinel set (a master, two replicas, three sentinels) that the lab starts and stops |
//!
//! A cluster is therefore
//!
//! ```text
//! Scenario {
//!     name: "cluster, server killed",
//!     store: "cluster://{link}?join={links}".into(),
//!     servers: 3,
//!     balancing: Balancing::RoundRobin,
//!     fault: Fault::KillServer,
//!     claims: claims::PROMISE.to_vec(),
//! }
//! ```

use crate::balancer::Balancing;
use crate::claims::{self, Claim};
use crate::faults::Fault;

#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) store: String,
    /// With how many servers it begins.
    pub(crate) servers: usize,
    pub(crate) balancing: Balancing,
    pub(crate) fault: Fault,
    pub(crate) claims: Vec<Claim>,
}

/// As few as a cluster needs to go on without one.
pub(crate) const SERVERS: usize = 3;

pub(crate) fn all() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "memory, round robin",
            store: "memory:".into(),
            servers: SERVERS,
            balancing: Balancing::RoundRobin,
            fault: Fault::KillServer,
            claims: vec![claims::MOST_VIEWS_LOST, claims::NO_STRANGER, claims::NO_FAILURE],
        },
        Scenario {
            name: "memory, pinned",
            store: "memory:".into(),
            servers: SERVERS,
            balancing: Balancing::Pinned,
            fault: Fault::KillServer,
            claims: [&claims::PROMISE[..], &[claims::A_KILL_COSTS_SESSIONS]].concat(),
        },
        Scenario {
            name: "cluster, server killed",
            store: "cluster://{link}?join={links}".into(),
            servers: SERVERS,
            balancing: Balancing::RoundRobin,
            fault: Fault::KillServer,
            claims: claims::PROMISE.to_vec(),
        },
        Scenario {
            name: "cluster, server added",
            store: "cluster://{link}?join={links}".into(),
            servers: SERVERS,
            balancing: Balancing::RoundRobin,
            fault: Fault::AddServer,
            claims: claims::PROMISE.to_vec(),
        },
        Scenario {
            name: "cluster of 5, killed",
            store: "cluster://{link}?join={links}&copies=3".into(),
            servers: 5,
            balancing: Balancing::RoundRobin,
            fault: Fault::KillServer,
            claims: claims::PROMISE.to_vec(),
        },
        Scenario {
            name: "cluster of 5, all copies",
            store: "cluster://{link}?join={links}&copies=all".into(),
            servers: 5,
            balancing: Balancing::RoundRobin,
            fault: Fault::KillServer,
            claims: claims::PROMISE.to_vec(),
        },
        Scenario {
            name: "Redis",
            store: "{redis}".into(),
            servers: SERVERS,
            balancing: Balancing::RoundRobin,
            fault: Fault::KillServer,
            claims: claims::PROMISE.to_vec(),
        },
        Scenario {
            name: "Redis, Redis killed",
            store: "{redis}".into(),
            servers: SERVERS,
            balancing: Balancing::RoundRobin,
            fault: Fault::KillRedis,
            claims: claims::AFTER_REDIS_DIED.to_vec(),
        },
        Scenario {
            name: "Sentinel, master killed",
            store: "{sentinel}?durability=replicas=1".into(),
            servers: SERVERS,
            balancing: Balancing::RoundRobin,
            fault: Fault::KillMaster,
            claims: claims::AFTER_A_FAILOVER.to_vec(),
        },
    ]
}

impl Scenario {
    /// Whether a session lives in the process that served its login, and dies with it. Elsewhere a killed server excuses
    /// no loss.
    pub(crate) fn is_in_process(&self) -> bool {
        self.store.starts_with("memory:")
    }

    pub(crate) fn needs_redis(&self) -> bool {
        self.store.contains("{redis}") || self.needs_sentinel()
    }

    pub(crate) fn needs_sentinel(&self) -> bool {
        self.store.contains("{sentinel}")
    }

    /// Whether it needs a Redis that is the lab's to kill, or to make.
    pub(crate) fn owns_redis(&self) -> bool {
        self.fault == Fault::KillRedis || self.needs_sentinel()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_scenario_has_a_name_of_its_own_and_claims() {
        let names: HashSet<_> = all().iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), all().len());
        assert!(all().iter().all(|scenario| !scenario.claims.is_empty()));
    }
}
