//! Nodes that know of each other by one name alone, as behind a headless service.

use abide_harness::{Cluster, Name};
use http::StatusCode;
use tokio::time::sleep;

use super::starts::FOUNDED_BY_THEN;
use super::three;
use crate::promises;

/// A name, and three seats whose nodes look it up; nothing where there cannot be any, in one line.
fn by_name() -> Option<(Name, Cluster)> {
    match Name::new() {
        Ok(name) => {
            let cluster = Cluster::of((0..3).map(|seat| name.seat(seat)).collect()).looking_up(&name, 3);
            Some((name, cluster))
        }
        Err(why) => {
            println!("{why}: 1 test did not run");
            None
        }
    }
}

#[tokio::test]
async fn nodes_that_start_together_find_each_other_by_one_name_and_so_does_who_comes_later() {
    let Some((name, mut cluster)) = by_name() else { return };
    (0..3).for_each(|seat| name.shows(seat));
    cluster.start_all().await;
    promises::of_32_keys_every_one_is_kept(&three(&cluster)).await;

    let browser = promises::signed_in(cluster.address(0)).await;
    let fourth = cluster.add(name.seat(3));
    cluster.start(fourth).await;
    cluster.ready(fourth).await;
    assert_eq!(browser.at(cluster.address(fourth)).get("/me").await.status, StatusCode::OK);
}

#[tokio::test]
async fn nodes_whose_addresses_a_name_shows_only_later_find_each_other_then() {
    let Some((name, mut cluster)) = by_name() else { return };
    // All that the name has is an address at which nobody is.
    for seat in 0..3 {
        cluster.start(seat).await;
    }
    sleep(FOUNDED_BY_THEN).await;
    for seat in 0..3 {
        let reason = cluster.why_not_ready(seat).await.expect("one of three expected founds nothing");
        assert!(reason.starts_with("503"), "{reason}");
    }
    (0..3).for_each(|seat| name.shows(seat));
    cluster.all_ready().await;
    promises::of_32_keys_every_one_is_kept(&three(&cluster)).await;
}
