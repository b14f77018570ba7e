//! Sessions on the servers of a cluster, over real TLS links on loopback.
//!
//! | module | what it does |
//! |---|---|
//! | [`latency`] | a commit and a read beside a bare request and answer ([`bare`]) |
//! | [`throughput`] | three servers beside the same three over Redis |
//! | [`sizes`] | memory of a session, bytes of a read and of a write |
//! | [`rig`] | addresses, the secret, and how a server is opened |
//! | [`server`], [`process`] | a server in a process of its own, from the inside and from the outside |

mod bare;
mod latency;
mod process;
mod rig;
pub(crate) mod server;
mod sizes;
mod throughput;

pub(crate) use latency::Times;
pub(crate) use sizes::{Sizes, COPIES};

use std::future::Future;

use tokio::runtime::Runtime;

use crate::machine;
use crate::options::{Cluster, ClusterPart};
use crate::report;

/// Measures and prints, part by part.
pub(crate) fn compare(options: &Cluster) -> anyhow::Result<()> {
    for part in options.parts() {
        println!("{}\n", machine::load());
        match part {
            ClusterPart::Latency => latency(options)?,
            ClusterPart::Throughput => {
                let speed = options.speed();
                println!("{speed}\n\n{}", report::REDIS_HEAD);
                throughput::compare(&speed)?;
            }
            ClusterPart::Sizes => sizes(options)?,
        }
        println!();
    }
    Ok(())
}

fn latency(options: &Cluster) -> anyhow::Result<()> {
    println!("{}", report::LATENCY_HEAD);
    for servers in [3, 5] {
        let options = options.clone();
        let times = on_a_worker(async move { latency::measure(servers, &options).await })?;
        times.iter().for_each(|times| print!("{}", report::latency(times)));
    }
    Ok(())
}

fn sizes(options: &Cluster) -> anyhow::Result<()> {
    println!("{}", report::SIZES_HEAD);
    for servers in [3, 5, 8] {
        let options = options.clone();
        let sizes = on_a_worker(async move { sizes::measure(servers, &options).await })?;
        print!("{}", report::sizes(&sizes));
    }
    Ok(())
}

/// Runs something as a server's handlers run: on a thread of the runtime, and not on the one that waits for it.
fn on_a_worker<T: Send + 'static>(
    work: impl Future<Output = anyhow::Result<T>> + Send + 'static,
) -> anyhow::Result<T> {
    let runtime = Runtime::new()?;
    runtime.block_on(async { runtime.spawn(work).await? })
}
