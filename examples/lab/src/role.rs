//! The other role of this program: run again by itself, it is a node.

use std::io::Read as _;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

/// Not `ABIDE_…`: the node refuses variables of that prefix which it does not know.
pub(crate) const VARIABLE: &str = "LAB_ROLE";
pub(crate) const NODE: &str = "node";

pub(crate) fn is_node() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|role| role == NODE)
}

pub(crate) async fn play() -> ExitCode {
    std::thread::spawn(end_with_the_lab);
    node::main().await
}

/// The lab holds the other end of standard input and never writes to it. However the lab ends, also by SIGKILL, the
/// system closes that end, and the node follows. A plain thread, because a runtime waits for its blocking tasks.
fn end_with_the_lab() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    std::process::exit(1);
}

/// Ctrl-C, or a polite end from outside.
pub(crate) async fn interrupted() {
    let Ok(mut terminated) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminated.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
