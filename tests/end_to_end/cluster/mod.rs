//! Nodes that keep the sessions among themselves. The long forms are in `tests/clusters`.

mod changes;
mod crashes;
mod names;
mod operators;
mod servers;
mod starts;

use std::net::SocketAddr;

use abide_harness::Cluster;

/// Where the first three nodes serve.
fn three(cluster: &Cluster) -> [SocketAddr; 3] {
    [0, 1, 2].map(|seat| cluster.address(seat))
}
