//! What came of the cases.

use std::fmt;

use crate::case::{Case, Outcome};

/// A case and what came of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finding {
    /// The case.
    pub case: &'static Case,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of every case.
///
/// `Display` lists those that failed, with the sentences that they hold, and those that were skipped.
#[derive(Debug)]
#[must_use]
pub struct Report {
    pub(crate) findings: Vec<Finding>,
}

impl Report {
    /// Every case, in the order in which they ran.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter()
    }

    /// The names of the cases that failed.
    pub fn failed(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.named(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// The names of the cases that were skipped.
    pub fn skipped(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.named(|outcome| matches!(outcome, Outcome::Skipped(_)))
    }

    /// Fails the test unless every case passed or was skipped.
    ///
    /// # Panics
    ///
    /// Where a case failed, with the whole report.
    #[track_caller]
    pub fn assert(&self) {
        assert!(self.failed().next().is_none(), "{self}");
    }

    fn named<'a>(&'a self, which: impl Fn(&Outcome) -> bool + 'a) -> impl Iterator<Item = &'static str> + 'a {
        self.findings.iter().filter(move |finding| which(&finding.outcome)).map(|finding| finding.case.name())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (failed, skipped) = (self.failed().count(), self.skipped().count());
        let passed = self.findings.len() - failed - skipped;
        writeln!(f, "{passed} cases passed, {failed} failed, {skipped} were skipped")?;
        for finding in &self.findings {
            match &finding.outcome {
                Outcome::Failed(detail) => {
                    writeln!(f, "failed: {}\n  {detail}", finding.case.name())?;
                    finding.case.holds().iter().try_for_each(|said| writeln!(f, "  said: {said}"))?;
                }
                Outcome::Skipped(reason) => writeln!(f, "skipped: {}: {reason}", finding.case.name())?,
                Outcome::Passed => {}
            }
        }
        Ok(())
    }
}
