//! The command line.

use clap::Parser;

use crate::balancer::Balancing;
use crate::claims;
use crate::faults::Fault;
use crate::run::Crowd;
use crate::scenarios::{self, Scenario};

/// Compares the strategies of abide: three servers, a balancer, users, and a server that is killed.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// How many users are there at once
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(10..=500))]
    users: u16,
    /// Repeats the choices of an earlier run; printed by each run
    #[arg(long)]
    seed: Option<u64>,
    /// Only the scenarios whose name contains this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Shorter journeys
    #[arg(long)]
    quick: bool,
    /// Instead of the built-in scenarios, one on this store; may contain {link}, {links} and {redis}
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// The Redis that stands for {redis}, in place of one that the lab starts; its URL
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// The balancer of the scenario on `--store`
    #[arg(long, value_enum, default_value_t = Balancing::RoundRobin, requires = "store")]
    balancing: Balancing,
    /// What goes wrong in the scenario on `--store`
    #[arg(long, value_enum, default_value_t = Fault::KillServer, requires = "store")]
    fault: Fault,
}

impl Options {
    /// Fewer rounds than this leave too little before or after the fault.
    const QUICK_ROUNDS: usize = 6;
    const ROUNDS: usize = 16;

    pub(crate) fn crowd(&self) -> Crowd {
        Crowd {
            users: usize::from(self.users),
            rounds: if self.quick { Self::QUICK_ROUNDS } else { Self::ROUNDS },
            seed: self.seed.unwrap_or_else(|| fastrand::u64(..)),
        }
    }

    pub(crate) fn redis(&self) -> Option<&str> {
        self.redis.as_deref()
    }

    pub(crate) fn scenarios(&self) -> Result<Vec<Scenario>, String> {
        let mut chosen = match &self.store {
            Some(store) => vec![self.own(store)],
            None => scenarios::all(),
        };
        let names: Vec<_> = chosen.iter().map(|scenario| scenario.name).collect();
        let names = names.join("`, `");
        if let Some(part) = &self.only {
            chosen.retain(|scenario| scenario.name.contains(part.as_str()));
        }
        if chosen.is_empty() {
            return Err(format!("--only: no scenario of that name, expected a part of `{names}`"));
        }
        Ok(chosen)
    }

    fn own(&self, store: &str) -> Scenario {
        Scenario {
            name: "your store",
            store: store.to_owned(),
            servers: scenarios::SERVERS,
            balancing: self.balancing,
            fault: self.fault,
            claims: claims::PROMISE.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> Options {
        Options::try_parse_from([&["lab"], arguments].concat()).unwrap()
    }

    #[test]
    fn a_seed_that_is_given_is_kept() {
        assert_eq!(options(&["--seed", "7"]).crowd().seed, 7);
    }

    #[test]
    fn an_unknown_scenario_is_an_error_that_names_the_known_ones() {
        let error = options(&["--only", "moon"]).scenarios().unwrap_err();
        assert!(error.contains("`memory, pinned`"), "{error}");
    }

    #[test]
    fn a_store_of_ones_own_replaces_the_scenarios() {
        let scenarios = options(&["--store", "memory:", "--fault", "add-server"]).scenarios().unwrap();
        assert_eq!(scenarios.len(), 1);
        assert_eq!(scenarios[0].fault, Fault::AddServer);
    }
}
