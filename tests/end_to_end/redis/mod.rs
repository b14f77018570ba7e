//! Three nodes over one Redis.

mod near;
mod outages;
mod servers;
mod settings;
mod trips;

use std::net::SocketAddr;

use abide_harness::{Browser, Node, Redis};

use crate::promises;

/// Three nodes, and the Redis that they share.
struct Three {
    redis: Redis,
    nodes: [Node; 3],
}

impl Three {
    async fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_with("", settings).await
    }

    /// With options of the store.
    async fn start_with(options: &str, settings: &[(&str, &str)]) -> Self {
        let redis = Redis::single().await;
        let url = format!("{}{options}", redis.url());
        let node = async |name| {
            let variables = [&[("ABIDE_STORE", url.as_str()), ("ABIDE_NODE", name)], settings].concat();
            Node::start(&variables).await
        };
        let nodes = [node("a").await, node("b").await, node("c").await];
        Self { redis, nodes }
    }

    fn addresses(&self) -> [SocketAddr; 3] {
        self.nodes.each_ref().map(|node| node.address)
    }

    /// A browser of somebody who signed in at the first node.
    async fn signed_in(&self) -> Browser {
        promises::signed_in(self.nodes[0].address).await
    }

    /// The same person at the node whose turn it is.
    fn turn(&self, browser: &Browser, n: usize) -> Browser {
        promises::turn(browser, &self.addresses(), n)
    }
}
