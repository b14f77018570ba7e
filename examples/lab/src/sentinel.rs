//! A Sentinel set of a scenario's own: a master, two replicas, three sentinels, each a process of the installed `redis-server`.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::time::{sleep, timeout};

use crate::redis::{own, program};

const NAME: &str = "lab";
const SENTINELS: usize = 3;
const REPLICAS: usize = 2;
/// Sentinels tell of each other every two seconds.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Its processes are killed when this is dropped.
#[derive(Debug)]
pub(crate) struct SentinelSet {
    sentinels: Vec<SocketAddr>,
    master: Child,
    _others: Vec<Child>,
    /// What sentinels write down, and replicas as they catch up.
    _folder: TempDir,
}

impl SentinelSet {
    /// A set that could replace its master.
    pub(crate) async fn start() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("abide-lab-").tempdir()?;
        let files = folder.path().to_string_lossy().into_owned();
        let (address, master) = own(&["--dir", &files]).await?;
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        let mut others = Vec::new();
        for index in 0..REPLICAS {
            let file = format!("{index}.rdb");
            let settings = ["--dir", &files, "--dbfilename", &file, "--replicaof", &host, &port];
            others.push(own(&settings).await?.1);
        }
        // A sentinel looks for replicas when it starts, and then no more for a long time.
        until(address, &format!("WAIT {REPLICAS} 1000"), &format!(":{REPLICAS}")).await?;
        let mut sentinels = Vec::new();
        for index in 0..SENTINELS {
            let at = crate::addresses::free()?;
            others.push(sentinel(at, address, &folder.path().join(format!("{index}.conf")))?);
            sentinels.push(at);
        }
        for sentinel in &sentinels {
            until(*sentinel, &format!("SENTINEL CKQUORUM {NAME}"), &format!("+OK {SENTINELS} usable"))
                .await?;
            until(*sentinel, &format!("SENTINEL REPLICAS {NAME}"), &format!("*{REPLICAS}")).await?;
        }
        Ok(Self { sentinels, master, _others: others, _folder: folder })
    }

    pub(crate) fn url(&self) -> String {
        let hosts: Vec<_> = self.sentinels.iter().map(SocketAddr::to_string).collect();
        format!("redis+sentinel://{}/{NAME}/0", hosts.join(","))
    }

    /// SIGKILL to the master of the beginning.
    pub(crate) async fn kill_master(&mut self) -> io::Result<()> {
        self.master.kill().await
    }
}

fn sentinel(at: SocketAddr, master: SocketAddr, file: &Path) -> io::Result<Child> {
    let settings = format!(
        "bind {}\nport {}\nsentinel monitor {NAME} {} {} 2\nsentinel down-after-milliseconds {NAME} 1000\n",
        at.ip(),
        at.port(),
        master.ip(),
        master.port()
    );
    std::fs::write(file, settings)?;
    program().arg(file).arg("--sentinel").spawn()
}

/// Waits until a server's answer to a command begins so.
async fn until(server: SocketAddr, command: &str, answer: &str) -> io::Result<()> {
    let looks = async {
        while !first_line(server, command).await.is_ok_and(|line| line.starts_with(answer)) {
            sleep(BETWEEN_LOOKS).await;
        }
    };
    timeout(SETTLED_WITHIN, looks).await.map_err(|_| {
        io::Error::other(format!(
            "the Sentinel set does not come up: {server} never answers {answer} to {command}"
        ))
    })
}

/// Commands may be sent as lines; the first line of an answer is enough to know it.
async fn first_line(server: SocketAddr, command: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect(server).await?;
    connection.write_all(format!("{command}\r\n").as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(connection).read_line(&mut line).await?;
    Ok(line)
}
