//! The tables, in Markdown.

use std::fmt::Write as _;

use crate::allocations::PerRequest;
use crate::cluster::{Sizes, Times, COPIES};
use crate::contention::Contended;
use crate::hash::Time;
use crate::kinds::AnyKind;
use crate::memory::PerSession;
use crate::routes::Path;
use crate::speed::Rates;
use crate::values::PROFILE_BYTES;

/// The head of the table of speed, whose rows follow path by path.
pub(crate) const SPEED_HEAD: &str = "\
| path | kind | req/s | of the floor | rounds | allocations | over the floor | bytes |
|---|---|---:|---:|---:|---:|---:|---:|";

/// The rows of one path.
pub(crate) fn speed(path: Path, rates: &[Rates], counts: &[PerRequest]) -> String {
    let mut rows = String::new();
    for (rates, count) in rates.iter().zip(counts) {
        let (low, high) = range(&rates.ratios);
        let _ = writeln!(
            rows,
            "| {} | {} | {:.0} | **{:.2}** | {low:.2}–{high:.2} | {:.1} | {:+.1} | {:.0} |",
            path.name(),
            rates.kind.name(),
            median(&rates.rates),
            median(&rates.ratios),
            count.allocations,
            count.allocations - counts[0].allocations,
            count.bytes,
        );
    }
    rows
}

/// The head of the table of scale.
pub(crate) const SCALE_HEAD: &str = "\
| sessions | threads | path | kind | req/s | of the floor | rounds |
|---:|---:|---|---|---:|---:|---:|";

/// The rows of one number of sessions, on so many threads, on one path.
pub(crate) fn scale(sessions: u32, threads: usize, path: Path, rates: &[Rates]) -> String {
    let mut rows = String::new();
    for rates in rates {
        let (low, high) = range(&rates.ratios);
        let _ = writeln!(
            rows,
            "| {sessions} | {threads} | {} | {} | {:.0} | **{:.2}** | {low:.2}–{high:.2} |",
            path.name(),
            rates.kind.name(),
            median(&rates.rates),
            median(&rates.ratios),
        );
    }
    rows
}

/// The head of the table of requests with sessions in Redis.
pub(crate) const REDIS_HEAD: &str = "\
| path | kind | req/s | of the first | rounds | µs here | µs in the server |
|---|---|---:|---:|---:|---:|---:|";

/// The row of one kind on one path, or of one way to do an operation.
pub(crate) fn redis(
    path: &str,
    name: &str,
    rates: &[f64],
    ratios: &[f64],
    [here, server]: [f64; 2],
) -> String {
    let (low, high) = range(ratios);
    let (rate, ratio) = (median(rates), median(ratios));
    format!(
        "| {path} | {name} | {rate:.0} | **{ratio:.2}** | {low:.2}–{high:.2} | {here:.1} | {server:.1} |\n"
    )
}

/// The head of the table of a cluster's latency; the target is 2.5 times the bare request and answer.
pub(crate) const LATENCY_HEAD: &str = "\
| servers | operation | bytes to and fro | p50 µs | p99 µs | bare p50 µs | bare p99 µs | p50 of bare (≤ 2.5) |
|---:|---|---:|---:|---:|---:|---:|---:|";

/// The row of one operation.
pub(crate) fn latency(times: &Times) -> String {
    let Times { servers, name, bytes: [request, answer], micros, bare } = times;
    let [p50, p99, bare_p50, bare_p99] =
        [(micros, 0.5), (micros, 0.99), (bare, 0.5), (bare, 0.99)].map(|(of, share)| quantile(of, share));
    let ratio = p50 / bare_p50;
    format!(
        "| {servers} | {name} | {request} + {answer} | {p50:.0} | {p99:.0} | {bare_p50:.0} | {bare_p99:.0} | \
         **{ratio:.2}** |\n"
    )
}

/// The head of the table of what a cluster takes.
pub(crate) const SIZES_HEAD: &str = "\
| servers | sessions | MB a server | of 1.2·K·S·(512 + 250)/N | bytes of a copy | by the store's own count | with a user | B of a read | B of a write | idle B/s a server |
|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|";

/// The row of one number of servers.
pub(crate) fn sizes(sizes: &Sizes) -> String {
    let Sizes { servers, sessions, plain, of_users, read, write, idle } = sizes;
    let copies = f64::from(COPIES) * f64::from(*sessions);
    let may_be = 1.2 * copies * (PROFILE_BYTES + 250) as f64;
    format!(
        "| {servers} | {sessions} | {:.1} | **{:.2}** | {:.0} | {:.0} | {:.0} | {read:.0} | {write:.0} | {idle:.0} |\n",
        plain.resident / *servers as f64 / 1e6,
        plain.resident / may_be,
        plain.resident / copies,
        plain.held / copies,
        of_users.resident / copies,
    )
}

/// The table of contention.
pub(crate) fn contention(kinds: &[Contended]) -> String {
    let mut table = String::from("| kind | increments/s | lost of a million |\n|---|---:|---:|\n");
    for Contended { kind, rate, lost_of_a_million } in kinds {
        let _ = writeln!(table, "| {} | {rate:.0} | {lost_of_a_million:.0} |", kind.name());
    }
    table
}

/// The head of the table of instructions, whose rows follow path by path.
pub(crate) const INSTRUCTIONS_HEAD: &str = "\
| path | kind | instructions | of the floor | over the floor |
|---|---|---:|---:|---:|";

/// The rows of one path; the ratio is the floor's instructions to the kind's, as a speed would be.
pub(crate) fn instructions(path: Path, kinds: &[(AnyKind, u64)]) -> String {
    let mut rows = String::new();
    let floor = kinds[0].1;
    for (kind, instructions) in kinds {
        let ratio = floor as f64 / *instructions as f64;
        let over = *instructions as i64 - floor as i64;
        let _ = writeln!(
            rows,
            "| {} | {} | {instructions} | **{ratio:.2}** | {over:+} |",
            path.name(),
            kind.name()
        );
    }
    rows
}

/// The table of memory.
pub(crate) fn memory(kinds: &[PerSession]) -> String {
    let mut table = format!(
        "One {PROFILE_BYTES}-byte value, bound to a user.\n\n\
         | kind | live bytes of a session | of the value |\n|---|---:|---:|\n"
    );
    for PerSession { kind, bytes } in kinds {
        let _ = writeln!(table, "| {} | {bytes:.0} | {:.2} |", kind.name(), bytes / PROFILE_BYTES as f64);
    }
    table
}

/// The table of hashes; ratios are to the first, the one that is in use.
pub(crate) fn hash(times: &[Time]) -> String {
    let mut table = String::from("| hash of 48 bytes | ns | of the first |\n|---|---:|---:|\n");
    for Time { name, nanos } in times {
        let _ = writeln!(table, "| {name} | {nanos:.0} | {:.2} |", nanos / times[0].nanos);
    }
    table
}

/// The middle one; with an even number, the mean of the two in the middle.
pub(crate) fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}

/// The number below which such a share of them lies.
fn quantile(numbers: &[f64], share: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

fn range(numbers: &[f64]) -> (f64, f64) {
    let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (low, high)
}
