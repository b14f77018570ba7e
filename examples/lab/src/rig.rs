//! What a scenario runs on: servers behind a balancer, and a Redis where the store asks for one.
//!
//! Everything stops when the rig is dropped.

use std::io;
use std::net::SocketAddr;

use crate::addresses::{self, Addresses};
use crate::balancer::Balancer;
use crate::redis::Redis;
use crate::scenarios::Scenario;
use crate::servers::Server;
use crate::stage::Stage;
use crate::tally::Memory;
use crate::wire::Client;

/// Neither the first, which founds things, nor the last.
const VICTIM: usize = 1;

#[derive(Debug)]
pub(crate) struct Rig {
    store: String,
    client: Client,
    addresses: Addresses,
    servers: Vec<Server>,
    balancer: Balancer,
    redis: Option<Redis>,
}

impl Rig {
    pub(crate) async fn start(scenario: &Scenario, redis: Option<&str>, client: Client) -> io::Result<Self> {
        let redis = match redis {
            _ if scenario.needs_sentinel() => Some(Redis::set().await?),
            redis if scenario.needs_redis() => Some(Redis::of(redis).await?),
            _ => None,
        };
        let links = (0..scenario.servers).map(|_| addresses::free()).collect::<io::Result<_>>()?;
        let addresses = Addresses { links, redis: redis.as_ref().map(Redis::url) };
        let balancer = Balancer::start(scenario.balancing, client.clone()).await?;
        let store = scenario.store.clone();
        let mut rig = Self { store, client, addresses, servers: Vec::new(), balancer, redis };
        rig.start_servers().await?;
        Ok(rig)
    }

    /// All are started before the first is waited for: a cluster is ready only together.
    async fn start_servers(&mut self) -> io::Result<()> {
        for link in self.addresses.links.clone() {
            self.start_server(link)?;
        }
        for index in 0..self.servers.len() {
            self.open(index).await?;
        }
        Ok(())
    }

    fn start_server(&mut self, link: SocketAddr) -> io::Result<()> {
        let name = name(self.servers.len());
        self.servers.push(Server::start(&name, &self.addresses.fill(&self.store, link))?);
        Ok(())
    }

    /// Puts a server behind the balancer once it is ready.
    async fn open(&mut self, index: usize) -> io::Result<()> {
        let server = &mut self.servers[index];
        let address = server.ready(&self.client).await?;
        self.balancer.add(&server.name, address);
        Ok(())
    }

    /// Where the users knock.
    pub(crate) fn door(&self) -> SocketAddr {
        self.balancer.address
    }

    pub(crate) async fn memory(&self) -> Vec<Memory> {
        let mut memory = Vec::new();
        for server in &self.servers {
            memory.push(server.memory().await);
        }
        memory
    }

    pub(crate) async fn kill_server(&mut self, stage: &Stage) -> io::Result<&str> {
        let victim = &mut self.servers[VICTIM];
        victim.kill(stage).await?;
        Ok(&victim.name)
    }

    pub(crate) async fn add_server(&mut self) -> io::Result<&str> {
        let index = self.servers.len();
        self.start_server(addresses::free()?)?;
        self.open(index).await?;
        Ok(&self.servers[index].name)
    }

    pub(crate) async fn replace_redis(&mut self) -> io::Result<()> {
        match &mut self.redis {
            Some(redis) => redis.replace().await,
            None => Err(io::Error::other("no Redis to kill, expected {redis} in the scenario's store")),
        }
    }

    pub(crate) async fn kill_master(&mut self) -> io::Result<()> {
        match &mut self.redis {
            Some(redis) => redis.kill_master().await,
            None => Err(io::Error::other("no master to kill, expected {sentinel} in the scenario's store")),
        }
    }
}

/// `a`, `b`, `c` and so on.
fn name(index: usize) -> String {
    ('a'..='z').nth(index).map_or_else(|| format!("s{index}"), String::from)
}
