//! What a store does in the background, from its opening until its last clone is gone.
//!
//! After every change of master it writes the tombstones of this process again, and asks the new one whether it may drop
//! sessions for want of memory. An end of which no answer came it writes again until there is one.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use redis::{Pipeline, Value};
use tokio::time::sleep;

use crate::connect::Terms;
use crate::ended::End;
use crate::inner::Inner;

/// How many tombstones are under way at once.
const AT_ONCE: usize = 64;
/// How long after a failure the rest is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Begins, in a task of the current runtime.
pub(crate) fn keep(inner: &Arc<Inner>) {
    let (mut changes, ended) = (inner.servers.masters_changed(), inner.ended.clone());
    let inner = Arc::downgrade(inner);
    tokio::spawn(async move {
        // Where a first connection was made before this looked, that is one to look at.
        changes.mark_changed();
        loop {
            let changed = tokio::select! {
                changed = changes.changed() => changed.map(|()| true),
                () = ended.doubted() => Ok(false),
            };
            match changed {
                // The store is gone.
                Err(_) => return,
                Ok(false) => write_again(&inner, ended.in_doubt()).await,
                Ok(true) if *changes.borrow_and_update() == 0 => {}
                Ok(true) => {
                    write_again(&inner, ended.all()).await;
                    let Some(inner) = inner.upgrade() else { return };
                    warn_of_eviction(&inner).await;
                }
            }
        }
    });
}

/// Writes tombstones until all are written, or past their time.
async fn write_again(inner: &Weak<Inner>, mut ends: Vec<End>) {
    while !ends.is_empty() {
        let Some(inner) = inner.upgrade() else { return };
        let again = async |end: End| inner.end_again(&end, inner.deadline()).await.is_err().then_some(end);
        let failed = stream::iter(ends.iter().copied())
            .map(again)
            .buffer_unordered(AT_ONCE)
            .filter_map(std::future::ready);
        let failed: Vec<_> = failed.collect().await;
        drop(inner);
        ends = failed.into_iter().filter(|end| !end.life().is_zero()).collect();
        if !ends.is_empty() {
            sleep(AGAIN_AFTER).await;
        }
    }
}

/// Says in the log where a server drops keys that have a life when its memory is full: those are all of ours.
async fn warn_of_eviction(inner: &Inner) {
    let terms = Terms::read(inner.deadline());
    let Ok(masters) = inner.servers.masters(terms).await else { return };
    let mut info = Pipeline::new();
    info.cmd("INFO").arg("memory");
    for master in masters {
        let reply = master.run(&info, terms).await.map(|mut replies| replies.pop());
        // Where the server does not say, or not to this user, there is nothing to warn of.
        let Ok(Some(Value::BulkString(text))) = reply else { continue };
        let text = String::from_utf8_lossy(&text);
        if let Some(policy) = field(&text, "maxmemory_policy").filter(|policy| *policy != "noeviction") {
            let bounded = field(&text, "maxmemory") != Some("0");
            warn(policy, bounded);
        }
    }
}

fn warn(policy: &str, bounded: bool) {
    let now = if bounded { "" } else { " once it has a `maxmemory`" };
    tracing::warn!(
        target: "abide",
        policy,
        "redis drops sessions and tombstones when its memory is full{now}: set `maxmemory-policy noeviction`"
    );
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = info.lines().filter_map(|line| line.trim_end().split_once(':'));
    fields.find(|(known, _)| *known == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let info = "# Memory\r\nmaxmemory:0\r\nmaxmemory_human:0B\r\nmaxmemory_policy:allkeys-lru\r\n";
        assert_eq!(field(info, "maxmemory"), Some("0"));
        assert_eq!(field(info, "maxmemory_policy"), Some("allkeys-lru"));
        assert_eq!(field(info, "memory"), None);
    }
}
