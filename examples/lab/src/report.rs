//! How a run is shown: the table, a line for each claim, and the exit status.

use std::fmt::Display;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, TableComponent, presets};

use crate::scenarios::Scenario;
use crate::tally::{Memory, Tally};

/// A scenario that was run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) scenario: Scenario,
    pub(crate) tally: Tally,
}

/// One line of the table.
type Row = (&'static str, fn(&Tally) -> String);

const ROWS: [Row; 17] = [
    ("sessions begun", |tally| tally.sessions.to_string()),
    ("sessions lost", |tally| (tally.sessions_lost - tally.sessions_killed).to_string()),
    ("  with the killed server", |tally| tally.sessions_killed.to_string()),
    ("views found", |tally| tally.views_found.to_string()),
    ("views lost", |tally| share(tally.views_lost, tally.views())),
    ("views of another user", |tally| tally.strangers.to_string()),
    ("updates acknowledged", |tally| tally.updates.to_string()),
    ("updates lost", |tally| tally.updates_lost.to_string()),
    ("  with the killed server", |tally| tally.updates_killed.to_string()),
    ("updates counted twice", |tally| tally.updates_twice.to_string()),
    ("stale reads", |tally| format!("{} of {}", tally.reads_stale, tally.reads)),
    ("logouts undone", |tally| format!("{} of {}", tally.logouts_undone, tally.logouts)),
    ("requests failed", |tally| format!("{} of {}", tally.failures, tally.requests)),
    ("  cut off by the kill", |tally| tally.cut_off.to_string()),
    ("latency p50, p99", |tally| format!("{}, {}", latency(tally, 50), latency(tally, 99))),
    ("memory per server", |tally| lines(tally.memory.iter().map(resident))),
    ("time", |tally| seconds(tally.took)),
];

pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    for between_rows in [TableComponent::HorizontalLines, TableComponent::MiddleIntersections] {
        table.remove_style(between_rows);
    }
    table.set_header([""].into_iter().chain(outcomes.iter().map(|outcome| outcome.scenario.name)));
    for (name, show) in ROWS {
        let cells = outcomes.iter().map(|outcome| show(&outcome.tally));
        table.add_row([name.to_owned()].into_iter().chain(cells));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// A line for each claim of each scenario.
pub(crate) fn verdicts(outcomes: &[Outcome]) -> String {
    lines(outcomes.iter().flat_map(|Outcome { scenario, tally }| {
        scenario.claims.iter().map(move |claim| {
            let verdict = if (claim.holds)(tally) { "held  " } else { "FAILED" };
            format!("{verdict}  {}: {} ({})", scenario.name, claim.says, (claim.shows)(tally))
        })
    }))
}

/// 0 where every claim holds, else 1.
pub(crate) fn status(outcomes: &[Outcome]) -> u8 {
    let holds =
        |Outcome { scenario, tally }: &Outcome| scenario.claims.iter().all(|claim| (claim.holds)(tally));
    u8::from(!outcomes.iter().all(holds))
}

fn share(part: u64, whole: u64) -> String {
    match (part * 100).checked_div(whole) {
        Some(percent) => format!("{part} ({percent} %)"),
        None => part.to_string(),
    }
}

fn latency(tally: &Tally, percent: usize) -> String {
    tally.percentile(percent).map_or("n/a".into(), |time| format!("{:.1} ms", time.as_secs_f64() * 1000.0))
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn resident(memory: &Memory) -> String {
    let killed = if memory.killed { ", killed" } else { "" };
    match memory.bytes {
        Some(bytes) => format!("{} {:.1} MiB{killed}", memory.server, bytes as f64 / f64::from(1 << 20)),
        None => format!("{} n/a{killed}", memory.server),
    }
}

fn lines(items: impl Iterator<Item = impl Display>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancer::Balancing;
    use crate::claims;
    use crate::faults::Fault;

    fn outcome(logouts_undone: u64) -> Outcome {
        let scenario = Scenario {
            name: "made up",
            store: "memory:".into(),
            servers: 3,
            balancing: Balancing::Pinned,
            fault: Fault::Nothing,
            claims: vec![claims::NO_LOGOUT_UNDONE],
        };
        let memory = vec![
            Memory { server: "a".into(), bytes: Some(14 << 20), killed: true },
            Memory { server: "b".into(), bytes: None, killed: false },
        ];
        Outcome {
            scenario,
            tally: Tally { logouts: 25, logouts_raced: 25, logouts_undone, memory, ..Tally::default() },
        }
    }

    #[test]
    fn a_claim_that_does_not_hold_is_exit_status_1() {
        assert_eq!(status(&[outcome(0)]), 0);
        assert_eq!(status(&[outcome(0), outcome(1)]), 1);
    }

    #[test]
    fn a_verdict_names_the_scenario_the_claim_and_the_numbers() {
        let lines = verdicts(&[outcome(0), outcome(1)]);
        let says = claims::NO_LOGOUT_UNDONE.says;
        let [held, failed] = lines.split('\n').collect::<Vec<_>>()[..] else { panic!("{lines}") };
        assert!(held.starts_with(&format!("held    made up: {says} (0 of 25")), "{held}");
        assert!(failed.starts_with(&format!("FAILED  made up: {says} (1 of 25")), "{failed}");
    }

    #[test]
    fn the_table_has_a_column_for_each_scenario_and_says_what_is_not_known() {
        let table = table(&[outcome(0), outcome(3)]);
        assert_eq!(table.matches("made up").count(), 2);
        assert!(table.contains("3 of 25"), "{table}");
        assert!(table.contains("a 14.0 MiB, killed") && table.contains("b n/a"), "{table}");
        assert!(table.contains("n/a, n/a"), "{table}");
    }
}
