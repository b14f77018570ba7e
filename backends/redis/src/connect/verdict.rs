//! What an error means to the caller: was anything written, and who should be asked next.

use abide_core::{Error, ErrorKind};
use redis::{RedisError, ServerError, Value};

/// Why commands have no answer.
#[derive(Debug)]
pub(super) enum Lost {
    /// The deadline came first.
    TimedOut,
    /// The connection broke, before or after they were written into it.
    Broken(RedisError),
}

impl Lost {
    /// The error of commands that were sent, or may have been.
    pub(super) fn into_error(self, read_only: bool) -> Error {
        let kind = if read_only { ErrorKind::Unavailable } else { ErrorKind::Ambiguous };
        match self {
            Self::TimedOut => Error::new(kind, "redis did not answer in time"),
            Self::Broken(source) => Error::new(kind, "the connection to redis broke").with_source(source),
        }
    }
}

/// What a master of a Cluster says that is down, behind the code `CLUSTERDOWN`.
const DOWN: &str = "The cluster is down";

/// The refusal of one who is not even asked.
pub(super) fn is_down() -> Error {
    Error::new(ErrorKind::Unavailable, "redis refuses with CLUSTERDOWN")
}

/// What a reply says about the server that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It did what it was asked, or the command itself was wrong.
    Answer,
    /// It is no master, or not yet: nothing was written, another one is to be found.
    NotServing,
    /// Another server has the slot: nothing was written.
    Moved,
    /// Another server has the key already: nothing was written.
    Ask,
    /// The keys are on their way: nothing was written.
    TryAgain,
    /// It refuses for now, or for this user: nothing was written.
    Refused,
    /// Its Cluster is down: it refuses everybody, and nothing was written.
    Down,
    /// It has no memory left: nothing was written.
    Full,
}

pub(super) fn judge(reply: &Value) -> Verdict {
    match reply {
        // A slot that nobody has is refused under the same code, beside others that are served.
        Value::ServerError(error) if error.details() == Some(DOWN) => Verdict::Down,
        Value::ServerError(error) => judge_code(code(error)),
        _ => Verdict::Answer,
    }
}

fn judge_code(code: &str) -> Verdict {
    match code {
        "READONLY" | "MASTERDOWN" | "LOADING" => Verdict::NotServing,
        "MOVED" => Verdict::Moved,
        "ASK" => Verdict::Ask,
        "TRYAGAIN" => Verdict::TryAgain,
        "NOAUTH" | "NOPERM" | "NOREPLICAS" | "MISCONF" | "BUSY" | "CLUSTERDOWN" | "WRONGPASS" => {
            Verdict::Refused
        }
        "OOM" => Verdict::Full,
        _ => Verdict::Answer,
    }
}

/// The code of an error. A server before 7.0 wraps what a command inside a script was told.
fn code(error: &ServerError) -> &str {
    let wrapped = match (error.code(), error.details()) {
        ("ERR", Some(details)) if details.starts_with("Error running script") => details.rsplit_once(": -"),
        _ => None,
    };
    match wrapped {
        Some((_, inner)) => inner.split(' ').next().unwrap_or(inner),
        None => error.code(),
    }
}

/// The error of a refusal: nothing was written.
pub(super) fn refused(verdict: Verdict, reply: &Value) -> Error {
    let kind = if verdict == Verdict::Full { ErrorKind::Full } else { ErrorKind::Unavailable };
    match reply {
        Value::ServerError(error) => Error::new(kind, format!("redis refuses with {}", code(error))),
        _ => Error::new(kind, "redis refuses"),
    }
}

/// Whether a reply says that the server does not know the script.
pub(super) fn is_no_script(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if error.code() == "NOSCRIPT")
}
