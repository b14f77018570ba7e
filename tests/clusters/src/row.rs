//! A row of the table.

use std::fmt;
use std::time::Duration;

use abide_harness::{Findings, Requests};

/// What happened in one scenario, and which promises broke.
#[derive(Clone, Debug, Default)]
pub struct Row {
    what: String,
    times: usize,
    requests: usize,
    writes: usize,
    failed: Requests,
    first_write: Option<Duration>,
    healed: Option<Duration>,
    findings: Findings,
    notes: Vec<String>,
    broken: Vec<String>,
    /// What a machine that is busy with something else may bring about as well.
    late: Vec<String>,
}

impl Row {
    /// The head of the table.
    pub const HEAD: &'static str = "| scenario | times | requests | writes answered | not good | first good write | healed | \
                                    stale, lost, revived, odd | promises |\n|---|--:|--:|--:|---|--:|--:|---|---|";

    pub(crate) fn new(what: &str) -> Self {
        Self { what: what.to_owned(), ..Self::default() }
    }

    /// It happened once more.
    pub(crate) fn again(&mut self) {
        self.times += 1;
    }

    pub(crate) fn count(&mut self, requests: &Requests) {
        self.requests += requests.count();
        self.writes += requests.writes().good().count();
        self.failed.0.extend(requests.failed().0);
    }

    /// After the fault the first write was answered so late. The table shows the worst.
    pub(crate) fn first_write(&mut self, after: Option<Duration>, promised: Duration) {
        let Some(after) = after else { return self.breaks("no write was answered after the fault".into()) };
        self.first_write = self.first_write.max(Some(after));
        if after > promised {
            self.late
                .push(format!("the first good write came after {after:.1?}, promised are {promised:.1?}"));
        }
    }

    /// After its end everything was well so late. The table shows the worst.
    pub(crate) fn healed(&mut self, after: Duration, promised: Duration) {
        self.healed = self.healed.max(Some(after));
        if after > promised {
            self.late.push(format!("healed after {after:.1?}, promised are {promised:.1?}"));
        }
    }

    /// These requests should all have come to what they asked for.
    pub(crate) fn all_good(&mut self, which: &str, requests: &Requests) {
        let failed = requests.failed();
        if failed.count() > 0 {
            self.late.push(format!("of {which} not good: {}", failed.by_status()));
        }
    }

    pub(crate) fn note(&mut self, words: String) {
        self.notes.push(words);
    }

    pub(crate) fn late(&mut self, words: String) {
        self.late.push(words);
    }

    pub(crate) fn breaks(&mut self, words: String) {
        self.broken.push(words);
    }

    pub(crate) fn found(&mut self, findings: Findings) {
        if !findings.is_none() {
            self.breaks(findings.to_string());
        }
        self.findings = findings;
    }

    /// Whether every promise held, those included that are about how long something takes.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.is_sound() && self.late.is_empty()
    }

    /// Whether everything held that a machine of any speed owes, whatever else it does.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.broken.is_empty()
    }
}

/// The row, and below it what broke.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time =
            |time: Option<Duration>| time.map_or("-".into(), |time| format!("{} ms", time.as_millis()));
        let Findings { stale, lost, revived, odd, .. } = self.findings;
        write!(
            f,
            "| {} | {} | {} | {} | {} | {} | {} | {stale}, {lost}, {revived}, {odd} | {} |",
            self.what,
            self.times,
            self.requests,
            self.writes,
            self.failed.by_status(),
            time(self.first_write),
            time(self.healed),
            match (self.is_sound(), self.late.is_empty()) {
                (true, true) => "hold",
                (true, false) => "LATE",
                (false, _) => "BROKEN",
            },
        )?;
        self.notes.iter().try_for_each(|note| write!(f, "\n  {note}"))?;
        self.late.iter().try_for_each(|late| write!(f, "\n  LATE: {late}"))?;
        self.broken.iter().try_for_each(|broken| write!(f, "\n  BROKEN: {broken}"))
    }
}
