//! The short forms of what `make cluster` and `make soak` run, and what holds of them on a machine of any speed.

use std::process::Command;
use std::time::Duration;

use abide_clusters::{Scenario, run};

async fn holds(scenario: Scenario) {
    let row = run(scenario).await;
    println!("{row}");
    assert!(row.is_sound(), "{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_five_under_load_loses_no_session_and_revives_no_logout() {
    holds(Scenario::Rolling(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_that_pauses_for_a_moment_answers_afterwards_is_not_old() {
    holds(Scenario::Pause(Duration::from_secs(3))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_everything_mixed_for_a_while_nothing_is_lost() {
    holds(Scenario::Soak(Duration::from_secs(12))).await;
}

#[test]
fn who_is_cut_off_serves_nobody_and_nothing_is_lost_when_links_break() {
    let command = Command::new(env!("CARGO_BIN_EXE_clusters")).args(["--anyhow", "cuts", "3"]).output();
    let output = command.expect("the command runs");
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "{said}{failed}");
}
