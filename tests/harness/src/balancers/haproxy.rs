//! HAProxy: its file is whole.

use std::net::SocketAddr;
use std::path::Path;

use tokio::process::Command;

use super::{Member, filled, program, write};

pub(super) fn command(folder: &Path, address: SocketAddr, members: &[Member; 3]) -> Command {
    let config = write(folder, "haproxy.cfg", &filled("haproxy/haproxy.cfg", address, members));
    let mut command = program(&["haproxy"]);
    command.arg("-db").arg("-f").arg(config);
    command
}
