//! Instructions of a request, counted by valgrind.
//!
//! A count hardly varies from run to run, so it tells what a change to the code did where a clock on a busy machine
//! would not. It says nothing about waiting: for memory, for another core's cache line, for the clock.
//!
//! This program runs itself under valgrind twice, the second time with more requests: the difference is the requests,
//! without start-up, opening of sessions and warming up.

use std::process::Command;

use anyhow::{ensure, Context as _};

use crate::client;
use crate::kinds::{self, AnyKind};
use crate::options::{Instructions, Serve};
use crate::routes::Path;

const SESSIONS: u32 = 100;
const WARM_UP: u32 = 500;

/// Instructions of one request, for each chosen kind.
pub(crate) fn measure(options: &Instructions, path: Path) -> anyhow::Result<Vec<(AnyKind, u64)>> {
    kinds::chosen(&options.only)?.into_iter().map(|kind| per_request(kind, path, options.requests)).collect()
}

fn per_request(kind: AnyKind, path: Path, requests: u32) -> anyhow::Result<(AnyKind, u64)> {
    let few = counted(kind, path, WARM_UP)?;
    let many = counted(kind, path, WARM_UP + requests)?;
    Ok((kind, many.saturating_sub(few) / u64::from(requests)))
}

/// All instructions of a process that serves so many requests.
fn counted(kind: AnyKind, path: Path, requests: u32) -> anyhow::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["serve", "--kind", kind.name(), "--path", path.name(), "--requests", &requests.to_string()])
        .output()
        .context("valgrind could not be started; is it installed?")?;
    let report = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "valgrind failed: {report}");
    let line = report.lines().find(|line| line.contains(" refs:")).context("valgrind printed no count")?;
    let digits: String =
        line.rsplit(':').next().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    digits.parse().context("valgrind printed no number")
}

/// Serves requests for some sessions in turn: what runs under valgrind.
pub(crate) fn serve(options: &Serve) -> anyhow::Result<()> {
    let kinds = kinds::chosen(&[])?;
    let kind = kinds.into_iter().find(|kind| kind.name() == options.kind).context("no such kind")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let router = kind.router().await?;
        let cookies = client::open_many(&router, SESSIONS).await;
        for cookie in cookies.iter().cycle().take(options.requests as usize) {
            client::send(&router, client::request(options.path.uri(), Some(cookie))).await;
        }
        Ok(())
    })
}
