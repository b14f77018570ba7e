//! Three nodes over one Redis.

mod near;
mod outages;
mod servers;
mod settings;
mod trips;

use abide_harness::{Browser, Node, Redis};

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

    /// A browser of somebody who signed in at the first node.
    async fn signed_in(&self) -> Browser {
        let mut browser = Browser::new(self.nodes[0].address);
        browser.log_in("ada").await;
        browser
    }

    /// The same person at the node whose turn it is.
    fn turn(&self, browser: &Browser, n: usize) -> Browser {
        browser.at(self.nodes[n % 3].address)
    }
}
