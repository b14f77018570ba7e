//! A network of namespaces in which links are cut: each node in one of its own, this process between them as their router.
//!
//! Packets that a cut concerns are dropped without a word, as a broken network does: the router has a blackhole for what
//! comes from one address and goes to another. So a cut may be one-way, and this process itself reaches everybody.
//!
//! Everything goes with the processes that hold it: nothing is named in the system.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::{env, fs};

use abide_harness::Seat;

/// Says that this process is in a network namespace of its own.
const INSIDE: &str = "ABIDE_CLUSTERS_INSIDE";
const SERVES: u16 = 8000;
const PEERS: u16 = 7000;

/// Runs this program again, in a network namespace of its own, and answers how it ended: `None` where it is in one
/// already.
///
/// # Errors
///
/// Where none can be made: neither as root nor in a user namespace.
pub fn enter() -> Result<Option<ExitStatus>, String> {
    if env::var_os(INSIDE).is_some() {
        // Also for scenarios that cut nothing: a new namespace has no loopback yet.
        ip("link set lo up");
        return Ok(None);
    }
    let way = ["-n", "-rn"].into_iter().find(|way| run("unshare", &[way, "ip", "link"]).is_ok());
    let way = way.ok_or("network namespaces cannot be made here")?;
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let mut again = Command::new("unshare");
    again.arg(way).arg(program).args(env::args_os().skip(1)).env(INSIDE, "yes");
    again.status().map(Some).map_err(|error| error.to_string())
}

/// The namespaces of some nodes.
#[derive(Debug)]
pub struct Network {
    /// Each holds a namespace while it lives.
    holders: Vec<Child>,
}

impl Network {
    /// A network with room for so many nodes, in the [namespace of this process](enter).
    ///
    /// # Panics
    ///
    /// Where it cannot be made.
    #[must_use]
    pub fn of(nodes: u8) -> Self {
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("this process may forward");
        Self { holders: (0..nodes).map(add).collect() }
    }

    /// Where its nodes are.
    #[must_use]
    pub fn seats(&self) -> Vec<Seat> {
        let seat = |(n, holder): (u8, &Child)| Seat {
            serves: SocketAddr::from((address(n), SERVES)),
            peers: SocketAddr::from((address(n), PEERS)),
            runner: vec!["nsenter".to_owned(), namespace(holder), "--".to_owned()],
        };
        (0..).zip(&self.holders).map(seat).collect()
    }

    /// From now on nothing that one node sends arrives at the other.
    ///
    /// # Panics
    ///
    /// Where the rule cannot be made.
    pub fn cut(&self, from: u8, to: u8) {
        ip(&format!("rule add from {} to {} blackhole", address(from), address(to)));
    }

    /// Everything arrives again.
    ///
    /// # Panics
    ///
    /// Where a rule cannot be taken away.
    pub fn mend(&self) {
        let nodes = 0..u8::try_from(self.holders.len()).unwrap();
        for (from, to) in nodes.clone().flat_map(|from| nodes.clone().map(move |to| (from, to))) {
            // A rule may be there more than once, or not at all.
            let rule = format!("rule del from {} to {} blackhole", address(from), address(to));
            while run("ip", &rule.split(' ').collect::<Vec<_>>()).is_ok() {}
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.mend();
        for (n, holder) in (0..).zip(&mut self.holders) {
            // By itself the link would go some time after its namespace.
            let _ = run("ip", &["link", "del", &link(n)]);
            let _ = holder.kill();
            let _ = holder.wait();
        }
    }
}

/// A namespace with a link to this one.
fn add(n: u8) -> Child {
    let holder = hold();
    let (pid, own, inside) = (holder.id(), link(n), namespace(&holder));
    let within = |command: &str| {
        let arguments: Vec<_> = [inside.as_str(), "ip"].into_iter().chain(command.split(' ')).collect();
        run("nsenter", &arguments).unwrap();
    };
    ip(&format!("link add {own} type veth peer name router netns {pid}"));
    ip(&format!("addr add {}/30 dev {own}", router(n)));
    ip(&format!("link set {own} up"));
    within("link set lo up");
    within(&format!("addr add {}/30 dev router", address(n)));
    within("link set router up");
    within(&format!("route add default via {}", router(n)));
    holder
}

/// A process in a network namespace of its own, which ends with this one: then there is nothing more to read.
fn hold() -> Child {
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c", "echo here; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = command.spawn().expect("unshare runs");
    let mut line = String::new();
    BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "here\n", "the namespace is there");
    holder
}

fn namespace(holder: &Child) -> String {
    format!("--net=/proc/{}/ns/net", holder.id())
}

/// The name of this end of a node's link.
fn link(n: u8) -> String {
    format!("abide{n}")
}

fn address(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 213, n, 2)
}

fn router(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 213, n, 1)
}

fn ip(command: &str) {
    run("ip", &command.split(' ').collect::<Vec<_>>()).unwrap();
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{program} {}: {said}", arguments.join(" "))) }
}
