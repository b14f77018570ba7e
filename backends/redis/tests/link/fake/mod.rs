//! Servers that say what a test tells them.
//!
//! | file | role |
//! |---|---|
//! | `sentinel` | a sentinel of one master |
//! | `master` | the only master of a Cluster, which is up or down |

mod master;
mod sentinel;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::tcp::OwnedReadHalf;

pub(crate) use master::Master;
pub(crate) use sentinel::Sentinel;

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// The words of the next command; nothing where the client is gone.
async fn command(reader: &mut BufReader<OwnedReadHalf>) -> Option<Vec<String>> {
    let count = number(reader).await?;
    let mut words = Vec::new();
    for _ in 0..count {
        let mut word = vec![0; number(reader).await? + 2];
        reader.read_exact(&mut word).await.ok()?;
        word.truncate(word.len() - 2);
        words.push(String::from_utf8(word).ok()?);
    }
    Some(words)
}

/// `*3` or `$12`.
async fn number(reader: &mut BufReader<OwnedReadHalf>) -> Option<usize> {
    let mut line = String::new();
    reader.read_line(&mut line).await.ok()?;
    line.trim_end().get(1..)?.parse().ok()
}
