//! Running all cases.

use std::future::Future;

use crate::cases::cases;
use crate::report::{Finding, Report};
use crate::subject::Subject;

/// Runs every case, each on a store of its own that `fresh` makes, one after the other.
pub async fn run<F, Fut>(fresh: F) -> Report
where
    F: Fn() -> Fut,
    Fut: Future<Output = Subject>,
{
    let mut findings = Vec::new();
    for case in cases() {
        let outcome = case.run(fresh().await).await;
        findings.push(Finding { case, outcome });
    }
    Report { findings }
}
