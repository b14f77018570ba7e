//! One node with a snapshot, restarted and killed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use abide_harness::{Browser, Node};
use http::StatusCode;

/// A directory for a snapshot, removed with what is in it.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("abide-restart-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("sessions")
    }

    fn unfinished(&self) -> PathBuf {
        self.0.join("sessions.new")
    }

    fn store(&self) -> String {
        format!("memory:?snapshot={}", self.file().display())
    }

    async fn start(&self) -> Node {
        Node::start(&[("ABIDE_STORE", &self.store())]).await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn signed_in(node: &Node, user: &str) -> Browser {
    let mut browser = Browser::new(node.address);
    browser.log_in(user).await;
    browser
}

/// Whether the browser is signed in at a node.
async fn is_in(browser: &Browser, node: &Node) -> bool {
    let status = browser.at(node.address).get("/me").await.status;
    assert!(status == StatusCode::OK || status == StatusCode::UNAUTHORIZED, "{status}");
    status == StatusCode::OK
}

#[tokio::test]
async fn a_planned_restart_keeps_everybody_and_a_crash_after_it_brings_no_logout_back() {
    let place = Place::new();
    let node = place.start().await;
    let (mut ada, bob) = (signed_in(&node, "ada").await, signed_in(&node, "bob").await);
    ada.put("/values/cart", "[1,2]").await;
    let exit = node.terminate().await;
    assert!(
        exit.status.success() && exit.stderr.contains("2 sessions handed over, 0 left behind"),
        "{exit:?}"
    );
    assert!(place.file().exists());

    let node = place.start().await;
    assert!(!place.file().exists(), "gone before the first request");
    let (mut ada, mut bob) = (ada.at(node.address), bob.at(node.address));
    assert_eq!(ada.get("/me").await.json()["user"], "ada");
    assert_eq!(ada.get("/values/cart").await.json(), serde_json::json!([1, 2]));
    let before = bob.tab();
    assert_eq!(bob.post("/logout", "").await.status, StatusCode::NO_CONTENT);
    node.kill().await;

    let node = place.start().await;
    assert!(!is_in(&before, &node).await, "bob logged out");
    assert!(!is_in(&ada, &node).await, "a crash loses what was not handed over");

    // And once more the planned way: what ended stays over.
    let (eve, mut old) = (signed_in(&node, "eve").await, signed_in(&node, "old").await);
    let copy = old.tab();
    old.post("/logout", "").await;
    node.terminate().await;
    let node = place.start().await;
    assert!(is_in(&eve, &node).await && !is_in(&copy, &node).await);
}

#[tokio::test]
async fn a_node_killed_while_it_starts_leaves_the_whole_snapshot_or_none() {
    let place = Place::new();
    let (mut taken_in, mut left) = (0, 0);
    let mut node = place.start().await;
    for round in 0..12_u64 {
        let browsers = [signed_in(&node, "ada").await, signed_in(&node, "bob").await];
        node.terminate().await;
        assert!(place.file().exists());
        Node::start_and_kill(&[("ABIDE_STORE", &place.store())], Duration::from_millis(round * 4)).await;
        let was_left = place.file().exists();
        node = place.start().await;
        for browser in &browsers {
            assert_eq!(is_in(browser, &node).await, was_left, "round {round}: all or nobody");
        }
        taken_in += u32::from(!was_left);
        left += u32::from(was_left);
    }
    println!("killed before the snapshot was taken in: {left}, afterwards: {taken_in}");
    assert!(left > 0, "at least at once after its start");
}

#[tokio::test]
async fn a_node_killed_while_it_writes_a_snapshot_leaves_none_of_it() {
    let mut unfinished = 0;
    for round in 0..10 {
        let place = Place::new();
        let node = place.start().await;
        let mut browsers = Vec::new();
        for n in 0..150 {
            let mut browser = signed_in(&node, &format!("user {n}")).await;
            browser.put("/values/large", format!("{:?}", "x".repeat(60_000))).await;
            browsers.push(browser);
        }
        node.begin_to_end().await;
        appears(&place.unfinished()).await;
        node.kill().await;
        let whole = place.file().exists();
        unfinished += usize::from(place.unfinished().exists());
        let node = place.start().await;
        assert!(!place.unfinished().exists(), "what is left of it is removed");
        for browser in &browsers {
            assert_eq!(is_in(browser, &node).await, whole, "round {round}");
        }
        if unfinished > 0 {
            return;
        }
    }
    panic!("no node was killed while it wrote");
}

/// Waits for a file, without a pause that it could be missed in.
async fn appears(path: &Path) {
    let began = Instant::now();
    while !path.exists() {
        assert!(began.elapsed() < Duration::from_secs(30), "{} does not appear", path.display());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_snapshot_that_is_damaged_or_in_use_is_one_line_that_names_it() {
    let place = Place::new();
    let node = place.start().await;
    let store = place.store();
    let second = Node::run_to_end(&[("ABIDE_STORE", &store)]).await;
    assert!(!second.status.success() && second.stderr.contains("another process uses it"), "{second:?}");
    signed_in(&node, "ada").await;
    node.terminate().await;
    let mut bytes = std::fs::read(place.file()).unwrap();
    bytes.pop();
    std::fs::write(place.file(), &bytes).unwrap();
    let refused = Node::run_to_end(&[("ABIDE_STORE", &store)]).await;
    let expected = format!(
        "node: the session store cannot be opened: the snapshot {}: it is cut short or damaged: its checksum does not hold\n",
        place.file().display()
    );
    assert_eq!((refused.status.success(), refused.stderr), (false, expected));
    assert_eq!(std::fs::read(place.file()).unwrap(), bytes, "left where it is");
}

#[tokio::test]
async fn options_of_the_memory_store_that_are_wrong_are_named() {
    for (options, expected) in [
        (
            "max_sessions=0",
            "store option `max_sessions` is \"0\", expected a number of sessions, such as `100000`",
        ),
        ("max_sessions=many", "store option `max_sessions` is \"many\", expected a number of sessions"),
        (
            "max_bytes=1TB",
            "store option `max_bytes` is \"1TB\", expected a number of bytes, such as `256MiB`",
        ),
        ("snapshot=", "store option `snapshot` is empty, expected the path of a file"),
    ] {
        let exit = Node::run_to_end(&[("ABIDE_STORE", &format!("memory:?{options}"))]).await;
        assert!(!exit.status.success() && exit.stderr.contains(expected), "{exit:?}");
    }
    let node = Node::start(&[("ABIDE_STORE", "memory:?max_sessions=2&max_bytes=1MiB")]).await;
    signed_in(&node, "ada").await;
    signed_in(&node, "bob").await;
    let mut third = Browser::new(node.address);
    assert_eq!(third.post("/login", r#"{"user":"eve"}"#).await.status, StatusCode::SERVICE_UNAVAILABLE);
}
