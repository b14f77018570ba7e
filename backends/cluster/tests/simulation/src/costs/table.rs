//! The figures as a table, a column for each size of cluster.

use std::time::Duration;

use super::{Costs, Each};

type Row = (&'static str, fn(&Costs) -> String);

const ROWS: [Row; 21] = [
    ("sessions", |costs| costs.sessions.to_string()),
    ("time to a full view", |costs| time(costs.full_view)),
    ("idle: B/s sent by a node (< 1000)", |costs| format!("{:.0}", costs.idle)),
    ("empty: MB a node", |costs| format!("{:.1}", costs.empty / 1e6)),
    ("sessions: MB a node", |costs| format!("{:.1}", costs.memory / 1e6)),
    ("  of 1.2 x K x S x (512 + 250) / N (< 1)", |costs| format!("{:.2}", costs.memory_part)),
    ("  fullest node / mean", |costs| format!("{:.2}", costs.fullest)),
    ("read: messages", |costs| messages(costs.read)),
    ("read: bytes", |costs| bytes(costs.read)),
    ("read: round trips", |costs| trips(costs.read)),
    ("set: messages", |costs| messages(costs.write)),
    ("set: bytes", |costs| bytes(costs.write)),
    ("set: round trips", |costs| trips(costs.write)),
    ("update: messages", |costs| messages(costs.update)),
    ("update: bytes", |costs| bytes(costs.update)),
    ("update: round trips", |costs| trips(costs.update)),
    ("a pause of 5 s evicts nobody", |costs| costs.pause_evicts_nobody.to_string()),
    ("crash: suspected by all (< 2.5 s)", |costs| time(costs.suspected)),
    ("crash: out of the view of all (< 15 s)", |costs| time(costs.evicted)),
    ("joiner: ready after", |costs| time(costs.joined)),
    ("  MB sent by all per 100 000 sessions", |costs| {
        format!("{:.0}", costs.join_bytes / 1e6 * 1e5 / costs.sessions as f64)
    }),
];

fn messages(each: Each) -> String {
    format!("{:.1}", each.messages)
}

fn bytes(each: Each) -> String {
    format!("{:.0}", each.bytes)
}

fn trips(each: Each) -> String {
    format!("{:.1}", each.trips)
}

fn time(time: Option<Duration>) -> String {
    time.map_or_else(|| "never".to_owned(), |time| format!("{:.2} s", time.as_secs_f64()))
}

/// The table, as Markdown.
#[must_use]
pub fn table(all: &[Costs]) -> String {
    let row = |cells: Vec<String>| cells.iter().fold(String::from("|"), |row, cell| row + " " + cell + " |");
    let mut rows = vec![
        row(std::iter::once("nodes".to_owned())
            .chain(all.iter().map(|costs| costs.nodes.to_string()))
            .collect()),
        format!("|---|{}", "---:|".repeat(all.len())),
    ];
    for (name, figure) in ROWS {
        rows.push(row(std::iter::once(name.to_owned()).chain(all.iter().map(figure)).collect()));
    }
    rows.join("\n")
}
