//! HAProxy: its file is whole. The line by which it writes marks itself stands in its page.

use std::net::SocketAddr;
use std::path::Path;

use tokio::process::Command;

use super::{Member, example, filled, program, write};

pub(super) fn command(folder: &Path, address: SocketAddr, members: &[Member; 3], marks: bool) -> Command {
    let mut config = example("haproxy/haproxy.cfg");
    if marks {
        let page = example("haproxy/README.md");
        let line =
            page.lines().find(|line| line.starts_with("cookie ") && line.contains(" insert ")).unwrap();
        config = config.replace("    cookie __Host-route\n", &format!("    {line}\n"));
        assert!(config.contains(line), "the file has the line that this one replaces");
    }
    let config = write(folder, "haproxy.cfg", &filled(config, address, members));
    let mut command = program(&["haproxy"]);
    command.arg("-db").arg("-f").arg(config);
    command
}
