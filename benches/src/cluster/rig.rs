//! Addresses and a secret for the servers of one cluster, and how one of them is opened.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use abide_cluster::store::ClusterStore;
use abide_cluster::transport::{ClusterName, Identity, Join, Secret};
use abide_core::{Readiness, SessionStore as _};
use abide_harness::Seat;
use anyhow::bail;
use tempfile::TempDir;

/// Far longer than servers take to find each other.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an operation may take: on a machine with fewer cores than servers one that is late is no failure.
const OPERATION: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// What the servers of one cluster are told. The secret goes with it.
pub(crate) struct Rig {
    folder: TempDir,
    addresses: Vec<SocketAddr>,
}

impl Rig {
    /// For so many servers, on free ports of loopback.
    pub(crate) fn of(servers: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let addresses = (0..servers).map(|_| Seat::free().peers).collect();
        let rig = Self { folder, addresses };
        Secret::create(rig.secret())?;
        Ok(rig)
    }

    /// The file with the secret.
    pub(crate) fn secret(&self) -> PathBuf {
        self.folder.path().join("secret")
    }

    /// Where each server is.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where all of them are, as every server is told.
    pub(crate) fn join(&self) -> String {
        let addresses: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        addresses.join(",")
    }

    /// The stores as URLs.
    pub(crate) fn urls(&self) -> Vec<String> {
        let (join, secret) = (self.join(), self.secret());
        let url = |address| format!("cluster://{address}?join={join}&secret_file={}", secret.display());
        self.addresses.iter().map(url).collect()
    }
}

/// A server of a cluster, as its URL would open it, but with more patience.
pub(crate) async fn open(address: SocketAddr, join: &str, secret: &Path) -> anyhow::Result<ClusterStore> {
    let identity = Identity::from_secrets(&Secret::read(secret)?, &ClusterName::default())?;
    let builder = ClusterStore::builder(address).join(Join::parse(join, None)?).identity(identity);
    Ok(builder.timeout(OPERATION).open().await?)
}

/// Waits until a server sees so many members, and has what it is to keep.
pub(crate) async fn until_whole(store: &ClusterStore, servers: usize) -> anyhow::Result<()> {
    let is_whole =
        async || store.ready().await == Readiness::Ready && store.status().borrow().members.len() == servers;
    let begun = std::time::Instant::now();
    while !is_whole().await {
        if begun.elapsed() > PATIENCE {
            bail!("the servers do not find each other within a minute: {:?}", store.ready().await);
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    Ok(())
}
