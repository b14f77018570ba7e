//! Apache httpd: its file is one site among others.

use std::net::SocketAddr;
use std::path::Path;

use tokio::process::Command;

use super::{Member, example, filled, is_root, program, write};

const MODULES: [&str; 9] = [
    "mpm_event",
    "authz_core",
    "watchdog",
    "proxy",
    "proxy_http",
    "proxy_balancer",
    "proxy_hcheck",
    "lbmethod_byrequests",
    "slotmem_shm",
];

pub(super) fn command(folder: &Path, address: SocketAddr, members: &[Member; 3]) -> Command {
    let site = write(folder, "abide.conf", &filled(example("apache/abide.conf"), address, members));
    let modules = [
        "/usr/lib/apache2/modules",
        "/usr/lib/httpd/modules",
        "/usr/lib64/httpd/modules",
        "/opt/homebrew/lib/httpd/modules",
    ];
    let modules = modules.into_iter().find(|path| Path::new(path).exists()).unwrap_or("modules");
    // One that is built in has no file.
    let loads: String = MODULES
        .iter()
        .map(|name| (name, format!("{modules}/mod_{name}.so")))
        .filter(|(_, path)| Path::new(path).exists())
        .map(|(name, path)| format!("LoadModule {name}_module {path}\n"))
        .collect();
    let user = if is_root() { "User nobody\nGroup nogroup\n" } else { "" };
    let folder_ = folder.display();
    let main = format!(
        "ServerRoot {folder_}
DefaultRuntimeDir {folder_}
PidFile {folder_}/httpd.pid
ServerName localhost
ErrorLog {folder_}/errors
Mutex pthread default
# One process that never goes: an idle one that leaves would close connections that a client is about to use.
StartServers 1
ServerLimit 1
ThreadLimit 128
ThreadsPerChild 128
MaxRequestWorkers 128
MinSpareThreads 1
MaxSpareThreads 128
MaxKeepAliveRequests 0
KeepAliveTimeout 60
{loads}{user}Include {}
",
        site.display()
    );
    let main = write(folder, "httpd.conf", &main);
    let mut command = program(&["apache2", "httpd"]);
    command.arg("-DFOREGROUND").arg("-f").arg(main);
    command
}
