//! What `/metrics` shows.

use abide_harness::{Browser, Node};

#[tokio::test]
async fn the_metrics_page_counts_events_and_what_the_store_counts() {
    let node = Node::start(&[]).await;
    let mut browser = Browser::new(node.address);
    browser.log_in("ada").await;
    let page = browser.get("/metrics").await;
    let page = String::from_utf8_lossy(&page.body);
    for line in ["abide_session_events_total{event=\"logged_in\"} 1", "abide_store_sessions 1"] {
        assert!(page.lines().any(|of_page| of_page == line), "{line} is missing in\n{page}");
    }
}
