//! The command line.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::routes::Path;

/// Compares abide with the floor and with its peers, in one run.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    /// What to measure; without one: speed and allocations.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) speed: Speed,
}

/// What else can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Live heap bytes of a session.
    Memory(Memory),
    /// Candidates for the hash of a verifier.
    Hash(Hash),
    /// The same comparison with fewer and more sessions, on one core and on all.
    Scale(Scale),
    /// Many requests for one session at the same time.
    Contention(Contention),
    /// Sessions in Redis beside the peers that keep them there, and beside the raw commands.
    Redis(Redis),
    /// Sessions on the servers of a cluster: latency beside a bare link, throughput beside Redis, memory and bytes.
    Cluster(Cluster),
    /// What `cluster` runs in processes of their own: one server.
    #[command(hide = true)]
    ClusterServer(ClusterServer),
    /// Instructions of a request, counted by valgrind, which must be installed.
    Instructions(Instructions),
    /// What `instructions` runs under valgrind: some requests, one after the other.
    #[command(hide = true)]
    Serve(Serve),
}

/// How the speed is measured.
#[derive(Args, Debug)]
pub(crate) struct Speed {
    /// Sessions of each kind; each request picks one at random.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sessions: u32,
    /// Tasks that send requests at the same time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) tasks: u32,
    /// Rounds; each measures every kind once.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Milliseconds that one kind is measured in one round.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u64).range(1..))]
    millis: u64,
    /// Seed of the choice of sessions.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Only kinds whose name contains one of these, separated by commas; the floor is always there.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
}

impl Speed {
    /// How long one kind is measured in one round.
    pub(crate) fn length(&self) -> Duration {
        Duration::from_millis(self.millis)
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sessions, tasks, rounds, millis, seed, .. } = self;
        write!(f, "{sessions} sessions, {tasks} tasks, {rounds} rounds of {millis} ms, seed {seed}")
    }
}

/// How fewer and more sessions are compared.
#[derive(Args, Debug)]
pub(crate) struct Scale {
    /// Numbers of sessions, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000,1000000")]
    pub(crate) sessions: Vec<u32>,
    /// Rounds; each measures every kind once.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Milliseconds that one kind is measured in one round.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    millis: u64,
    /// Only kinds whose name contains one of these, separated by commas; the floor is always there.
    #[arg(long, value_delimiter = ',', default_value = "abide")]
    only: Vec<String>,
}

impl Speed {
    /// The speed with so many sessions.
    pub(crate) fn of(scale: &Scale, sessions: u32) -> Self {
        let Scale { rounds, millis, only, .. } = scale;
        Self { sessions, tasks: 32, rounds: *rounds, millis: *millis, seed: 1, only: only.clone() }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "32 tasks, {} rounds of {} ms", self.rounds, self.millis)
    }
}

/// How stores on a Redis are compared.
#[derive(Args, Debug)]
pub(crate) struct Redis {
    /// A server to use, which is emptied first; without one `redis-server` is started.
    #[arg(long)]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) speed: Speed,
}

/// What is measured of a cluster.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum ClusterPart {
    Latency,
    Throughput,
    Sizes,
}

/// How a cluster is measured.
#[derive(Args, Clone, Debug)]
pub(crate) struct Cluster {
    /// Only these parts, separated by commas.
    #[arg(long, value_delimiter = ',')]
    only: Vec<ClusterPart>,
    /// Rounds of the latency: ten operations of each kind, and as many bare requests.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) latency_rounds: u32,
    /// Rounds of the throughput; each measures every kind once.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Milliseconds that the throughput of one kind is measured in one round.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u64).range(1..))]
    millis: u64,
    /// Sessions by which memory is measured.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sessions: u32,
}

impl Cluster {
    /// What is measured.
    pub(crate) fn parts(&self) -> Vec<ClusterPart> {
        if self.only.is_empty() {
            vec![ClusterPart::Latency, ClusterPart::Throughput, ClusterPart::Sizes]
        } else {
            self.only.clone()
        }
    }

    /// How the throughput is measured.
    pub(crate) fn speed(&self) -> Speed {
        let Self { rounds, millis, .. } = *self;
        Speed { sessions: 1_000, tasks: 32, rounds, millis, seed: 1, only: Vec::new() }
    }
}

/// One server of a cluster.
#[derive(Args, Debug)]
pub(crate) struct ClusterServer {
    /// Where its peers reach it.
    #[arg(long)]
    pub(crate) address: SocketAddr,
    /// Where all of them are.
    #[arg(long)]
    pub(crate) join: String,
    /// The file with the secret.
    #[arg(long)]
    pub(crate) secret: PathBuf,
}

/// How one session is fought for.
#[derive(Args, Debug)]
pub(crate) struct Contention {
    /// Tasks that send requests for the same session.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) tasks: u32,
    /// Milliseconds that one kind is measured.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    millis: u64,
    /// Only kinds whose name contains one of these, separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
}

impl Contention {
    /// How long one kind is measured.
    pub(crate) fn length(&self) -> Duration {
        Duration::from_millis(self.millis)
    }
}

impl fmt::Display for Contention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one session, {} tasks, {} ms", self.tasks, self.millis)
    }
}

/// How the memory is measured.
#[derive(Args, Debug)]
pub(crate) struct Memory {
    /// Sessions of each kind.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sessions: u32,
    /// Only kinds whose name contains one of these, separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sessions", self.sessions)
    }
}

/// How the hashes are measured.
#[derive(Args, Debug)]
pub(crate) struct Hash {
    /// Rounds; each measures every candidate once.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Hashes that one candidate computes in one round.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) hashes: u32,
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rounds of {} hashes", self.rounds, self.hashes)
    }
}

/// How the instructions are counted.
#[derive(Args, Debug)]
pub(crate) struct Instructions {
    /// Requests of which one is the mean.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) requests: u32,
    /// Only kinds whose name contains one of these, separated by commas; the floor is always there.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
}

impl fmt::Display for Instructions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one thread, the mean of {} requests", self.requests)
    }
}

/// What is run under valgrind.
#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// The name of the kind.
    #[arg(long)]
    pub(crate) kind: String,
    /// Where the requests go.
    #[arg(long)]
    pub(crate) path: Path,
    /// How many.
    #[arg(long)]
    pub(crate) requests: u32,
}
