//! Three nodes and a balancer.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use abide::route::RouteKey;
use abide_harness::{Answer, Balancer, JarBrowser, Kind, Member, Node};
use http::Method;

/// Far longer than a cluster takes to be founded.
const READY_WITHIN: Duration = Duration::from_secs(60);
const NAMES: [&str; 3] = ["server-one", "server-two", "server-three"];

/// Three nodes of one service behind a balancer.
pub(crate) struct Stage {
    pub(crate) nodes: Vec<Option<Node>>,
    pub(crate) balancer: Balancer,
    addresses: Vec<SocketAddr>,
    key_file: PathBuf,
    folder: tempfile::TempDir,
    kind: Kind,
}

impl Stage {
    /// Each node with a store of its own: `{n}` in the URL is its number, `{folder}` a folder for all.
    pub(crate) async fn start(kind: Kind, store: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("abide-nodes-").tempdir().unwrap();
        let key_file = folder.path().join("route.key");
        std::fs::write(&key_file, "the secret of the servers of this test").unwrap();
        let (mut nodes, mut addresses) = (Vec::new(), Vec::new());
        for n in 0..3 {
            let store =
                store.replace("{folder}", folder.path().to_str().unwrap()).replace("{n}", &n.to_string());
            let node = started(kind, n, &store, &key_file, "127.0.0.1:0", &[]).await;
            addresses.push(node.address);
            nodes.push(Some(node));
        }
        let key = RouteKey::from_file(&key_file).unwrap();
        let member = |n: usize| -> Member { (key.alias(NAMES[n]), addresses[n]) };
        let balancer = Balancer::start(kind, &[member(0), member(1), member(2)]).await;
        Self { nodes, balancer, addresses, key_file, folder, kind }
    }

    pub(crate) fn browser(&self) -> JarBrowser {
        JarBrowser::new(self.balancer.address)
    }

    /// Starts a node again where it was.
    pub(crate) async fn restart(&mut self, n: usize, store: &str) {
        self.restart_with(n, store, &[]).await;
    }

    /// As [`restart`](Self::restart), with more settings.
    pub(crate) async fn restart_with(&mut self, n: usize, store: &str, more: &[(&str, &str)]) {
        let folder = self.folder.path().to_str().unwrap();
        let filled = |text: &str| text.replace("{folder}", folder).replace("{n}", &n.to_string());
        let more: Vec<_> = more.iter().map(|(name, value)| (*name, filled(value))).collect();
        let (store, listen) = (filled(store), self.addresses[n].to_string());
        let node = started(self.kind, n, &store, &self.key_file, &listen, &more).await;
        self.nodes[n] = Some(node);
    }

    /// Waits until a node may be sent requests.
    pub(crate) async fn ready(&self, n: usize) {
        let mut browser = JarBrowser::new(self.addresses[n]);
        let is_ready = async {
            while browser.try_send(Method::GET, "/ready", "").await.is_none_or(|answer| answer.status != 200)
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(READY_WITHIN, is_ready).await.expect("the node gets ready");
    }

    /// Where the nodes serve.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    pub(crate) fn take(&mut self, n: usize) -> Node {
        self.nodes[n].take().expect("the node runs")
    }
}

async fn started(
    kind: Kind,
    n: usize,
    store: &str,
    key_file: &Path,
    listen: &str,
    more: &[(&str, String)],
) -> Node {
    let mut variables = vec![
        ("LISTEN", listen),
        ("ABIDE_NODE", NAMES[n]),
        ("ABIDE_STORE", store),
        ("ABIDE_ROUTE", if kind == Kind::Apache { "suffix" } else { "cookie" }),
        ("ABIDE_ROUTE_KEY_FILE", key_file.to_str().unwrap()),
        ("RUST_LOG", "abide=info"),
    ];
    variables.extend(more.iter().map(|(name, value)| (*name, value.as_str())));
    Node::start(&variables).await
}

/// The number of the node that answered.
pub(crate) fn node_of(answer: &Answer) -> usize {
    let name = answer.headers["x-node"].to_str().unwrap();
    NAMES.iter().position(|known| *known == name).unwrap()
}

/// A browser that is signed in, and the number of its node.
pub(crate) async fn signed_in(stage: &Stage, user: &str) -> (JarBrowser, usize) {
    let mut browser = stage.browser();
    let answer = browser.log_in(user).await;
    (browser, node_of(&answer))
}

/// Who is signed in.
pub(crate) async fn user_of(browser: &mut JarBrowser) -> Option<String> {
    let answer = browser.send(Method::GET, "/me", "").await;
    (answer.status == 200).then(|| answer.json()["user"].as_str().unwrap().to_owned())
}
