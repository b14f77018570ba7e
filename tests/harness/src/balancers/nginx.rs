//! nginx: its file is a part of an `http` block.

use std::net::SocketAddr;
use std::path::Path;

use tokio::process::Command;

use super::{Member, example, filled, is_root, program, write};

pub(super) fn command(folder: &Path, address: SocketAddr, members: &[Member; 3]) -> Command {
    let site = write(folder, "abide.conf", &filled(example("nginx/abide.conf"), address, members));
    let user = if is_root() { "user nobody nogroup;" } else { "" };
    let main = format!(
        "{user}
daemon off;
pid nginx.pid;
error_log stderr warn;
worker_processes 2;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include {};
}}
",
        site.display()
    );
    let main = write(folder, "nginx.conf", &main);
    let mut command = program(&["nginx"]);
    command.arg("-p").arg(folder).arg("-c").arg(main).args(["-e", "stderr"]);
    command
}
