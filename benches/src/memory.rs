//! Live heap bytes of a session that holds one 512-byte value and belongs to a user.
//!
//! All sessions are opened on one thread and everything that is still allocated afterwards is counted: records, indexes,
//! the slack of tables. Kinds that have no notion of users keep the user as one more value.

use crate::allocator;
use crate::client;
use crate::kinds::{self, AnyKind};
use crate::options::Memory;
use crate::routes;

/// What a session of one kind takes.
pub(crate) struct PerSession {
    /// The kind.
    pub(crate) kind: AnyKind,
    /// Live bytes, on average.
    pub(crate) bytes: f64,
}

/// Measures each kind that keeps sessions.
pub(crate) fn measure(options: &Memory) -> anyhow::Result<Vec<PerSession>> {
    let kinds = kinds::chosen(&options.only)?.into_iter().filter(|kind| kind.remembers());
    kinds.map(|kind| per_session(kind, options.sessions)).collect()
}

fn per_session(kind: AnyKind, sessions: u32) -> anyhow::Result<PerSession> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let router = runtime.block_on(kind.router())?;
    // The first request fills what a process fills once; it must not be spread over the sessions.
    runtime.block_on(client::open(&router, &routes::member(0)));
    let counted = allocator::count(|| {
        runtime.block_on(async {
            for user in 1..=sessions {
                client::open(&router, &routes::member(user)).await;
            }
        });
    });
    Ok(PerSession { kind, bytes: counted.live() as f64 / f64::from(sessions) })
}
