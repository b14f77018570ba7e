//! What the operator asks of a node that runs: other certificates (SIGHUP), and to go on without servers that are gone
//! for good (`node recover --others-are-gone`).
//!
//! To recover while the others live would make two clusters of one, so it cannot be hit by accident: it is no request
//! that a balancer could pass on. The node listens on a Unix socket where `ADMIN_SOCKET` names one, takes the word of the
//! user alone whom it runs as, and of root, and the command wants to be told that the others are gone.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use abide::Sessions;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

const RECOVER: &str = "recover";
/// How an answer begins that is an error.
const FAILED: &str = "failed: ";
/// Nobody needs longer for a word.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than any word.
const LONGEST: u64 = 256;
const ROOT: u32 = 0;

/// Reads certificates and secrets again at each SIGHUP. What is refused changes nothing.
pub(crate) fn renew_at_hangup(sessions: Sessions) -> io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match sessions.renew_identity().await {
                Ok(0) => eprintln!("node: no certificates to renew"),
                Ok(_) => eprintln!("node: certificates renewed"),
                Err(error) => eprintln!("node: certificates not renewed: {error}"),
            }
        }
    });
    Ok(())
}

/// Where the operator is heard. The socket goes with it.
#[derive(Debug)]
pub(crate) struct Door {
    listener: UnixListener,
    path: PathBuf,
    owner: u32,
}

impl Door {
    /// A socket that a dead process left behind is replaced; one that somebody listens on is not.
    pub(crate) async fn open(path: &Path) -> io::Result<Self> {
        if let Err(error) = UnixStream::connect(path).await {
            if error.kind() == ErrorKind::ConnectionRefused {
                fs::remove_file(path)?;
            }
        }
        let listener = UnixListener::bind(path)?;
        let owner = fs::metadata(path)?.uid();
        Ok(Self { listener, path: path.to_owned(), owner })
    }

    /// Does what the operator says, one word after the other.
    pub(crate) async fn listen(self, sessions: Sessions) {
        while let Ok((stream, _)) = self.listener.accept().await {
            let is_operator = stream.peer_cred().is_ok_and(|who| [self.owner, ROOT].contains(&who.uid()));
            if is_operator {
                drop(timeout(PATIENCE, answer(stream, &sessions)).await);
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

async fn answer(mut stream: UnixStream, sessions: &Sessions) -> io::Result<()> {
    let mut word = String::new();
    BufReader::new((&mut stream).take(LONGEST)).read_line(&mut word).await?;
    let said = match word.trim_end() {
        RECOVER => recover(sessions).await,
        _ => format!("{FAILED}nothing but `{RECOVER}` is understood"),
    };
    eprintln!("node: told to recover: {said}");
    stream.write_all(said.as_bytes()).await?;
    stream.shutdown().await
}

async fn recover(sessions: &Sessions) -> String {
    match sessions.recover().await {
        Ok(Some(doubtful)) => format!("recovered; {doubtful} of 16384 slots may lack something"),
        Ok(None) => format!("{FAILED}sessions are not in a cluster: nothing to recover"),
        Err(error) => format!("{FAILED}{error}"),
    }
}

/// Tells the node that listens there to recover, and answers what it said.
pub(crate) async fn tell_to_recover(path: &Path) -> Result<String, String> {
    let unheard = |error: &dyn fmt::Display| format!("no node listens at {}: {error}", path.display());
    let asked = async {
        let mut stream = UnixStream::connect(path).await?;
        let mut said = String::new();
        let answered = async {
            stream.write_all(format!("{RECOVER}\n").as_bytes()).await?;
            stream.read_to_string(&mut said).await
        };
        match answered.await {
            // It hangs up on whom it does not listen to, as soon as it sees who that is.
            Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                Err(error)
            }
            _ => io::Result::Ok(said),
        }
    };
    let said =
        timeout(PATIENCE, asked).await.map_err(|late| unheard(&late))?.map_err(|error| unheard(&error))?;
    match said.strip_prefix(FAILED) {
        Some(why) => Err(why.to_owned()),
        None if said.is_empty() => {
            Err(format!("the node at {} does not take the word of this user", path.display()))
        }
        None => Ok(said),
    }
}
