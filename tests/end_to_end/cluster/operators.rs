//! What the operator of a cluster does.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::Duration;

use abide_harness::{Browser, Certificates, Cluster, Node};
use http::StatusCode;
use tokio::time::{sleep, timeout};

use crate::promises;

const PATIENCE: Duration = Duration::from_secs(30);

/// Sends SIGHUP, and waits until the node says this, once more.
async fn hangs_up(node: &Node, says: &str) {
    let before = node.said().matches(says).count();
    node.hang_up().await;
    let said = timeout(PATIENCE, async {
        while node.said().matches(says).count() == before {
            sleep(Duration::from_millis(10)).await;
        }
    });
    said.await.unwrap_or_else(|_| panic!("{says:?} is not in {}", node.said()));
}

async fn all_hang_up(cluster: &Cluster) {
    for seat in cluster.taken() {
        hangs_up(cluster.node(seat), "node: certificates renewed").await;
    }
}

/// A server that knows nothing but what is in the files now gets in, and knows who is signed in.
async fn another_gets_in(cluster: &mut Cluster, browser: &Browser) {
    let another = cluster.add_seat();
    cluster.start(another).await;
    cluster.ready(another).await;
    assert_eq!(browser.at(cluster.address(another)).get("/me").await.status, StatusCode::OK);
}

#[tokio::test]
async fn renewed_certificates_count_for_new_links_after_a_hangup_and_bad_ones_change_nothing() {
    let certificates = Certificates::of_cluster();
    let mut cluster = Cluster::seats(3).identified_by(&certificates.cluster_options());
    cluster.start_all().await;
    let browser = promises::signed_in(cluster.address(0)).await;

    // Of another authority: who has the old ones and who has the new ones refuse each other.
    certificates.renew();
    all_hang_up(&cluster).await;
    another_gets_in(&mut cluster, &browser).await;

    let good = certificates.spoil();
    hangs_up(cluster.node(0), "node: certificates not renewed: ").await;
    assert!(!cluster.node(0).said().contains("PRIVATE KEY"), "{}", cluster.node(0).said());
    assert_eq!(cluster.why_not_ready(0).await, None, "it goes on with what it has");
    // The next link is made with what was there before.
    cluster.kill9(1).await;
    certificates.mend(&good);
    cluster.start(1).await;
    cluster.ready(1).await;
    assert_eq!(browser.at(cluster.address(1)).get("/me").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_new_secret_takes_the_place_of_the_old_one_while_nodes_run() {
    let mut cluster = Cluster::together(3).await;
    let browser = promises::signed_in(cluster.address(0)).await;
    let file = cluster.path("secret");
    let (old, new) = (fs::read_to_string(&file).unwrap(), "5e".repeat(32));
    for secrets in [format!("{old}\n{new}\n"), format!("{new}\n{old}\n"), format!("{new}\n")] {
        fs::write(&file, secrets).unwrap();
        all_hang_up(&cluster).await;
    }
    another_gets_in(&mut cluster, &browser).await;
}

#[tokio::test]
async fn the_last_of_three_that_is_told_that_the_others_are_gone_serves_again_what_it_held() {
    let mut cluster = Cluster::seats(3).setting("ADMIN_SOCKET", "{folder}/admin-{seat}");
    cluster.start_all().await;
    let socket = cluster.path("admin-2");
    let browser = promises::signed_in(cluster.address(0)).await;
    let mut last = browser.at(cluster.address(2));
    assert_eq!(last.put("/values/cart", "[1,2]").await.status, StatusCode::NO_CONTENT);
    cluster.kill9(0).await;
    cluster.kill9(1).await;
    while cluster.why_not_ready(2).await.is_none() {
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(last.get("/values/cart").await.status, StatusCode::SERVICE_UNAVAILABLE);

    // Not by a slip of the hand, and not without a node that listens.
    let told = async |words: &[&str], socket: &str| Node::run_with(words, &[("ADMIN_SOCKET", socket)]).await;
    let exit = told(&["recover"], &socket).await;
    assert!(!exit.status.success() && exit.stderr.contains("--others-are-gone"), "{exit:?}");
    let exit = told(&["recover", "--others-are-gone"], &cluster.path("nobody")).await;
    assert!(!exit.status.success() && exit.stderr.contains("no node listens at"), "{exit:?}");
    assert_eq!(last.get("/values/cart").await.status, StatusCode::SERVICE_UNAVAILABLE);

    let exit = told(&["recover", "--others-are-gone"], &socket).await;
    assert!(exit.status.success(), "{exit:?}");
    assert!(cluster.node(2).said().contains("slots may lack something"), "{}", cluster.node(2).said());
    cluster.ready(2).await;
    assert_eq!(last.get("/values/cart").await.json(), serde_json::json!([1, 2]));
    assert_eq!(last.post("/values/n/increment", "").await.json()["value"], 1);

    // It grows again, and the others know what it held.
    cluster.start(0).await;
    cluster.ready(0).await;
    assert_eq!(browser.at(cluster.address(0)).get("/values").await.json()["cart"], serde_json::json!([1, 2]));
}

#[tokio::test]
async fn a_node_whose_sessions_are_in_no_cluster_has_nothing_to_recover_and_nothing_to_renew() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin");
    let variables = [("ADMIN_SOCKET", socket.to_str().unwrap())];
    let node = Node::start(&variables).await;
    let exit = Node::run_with(&["recover", "--others-are-gone"], &variables).await;
    assert!(!exit.status.success() && exit.stderr.contains("nothing to recover"), "{exit:?}");
    hangs_up(&node, "node: no certificates to renew").await;

    // One that somebody listens on is not taken from them; one that a crash left behind is replaced.
    let exit = Node::run_to_end(&variables).await;
    assert!(!exit.status.success() && exit.stderr.contains("ADMIN_SOCKET"), "{exit:?}");
    node.kill().await;
    assert!(socket.exists());
    assert!(Node::start(&variables).await.terminate().await.status.success());
    assert!(!socket.exists(), "it goes with the node");
}

/// Whom every system has, and nobody runs anything as.
const NOBODY: u32 = 65_534;

#[tokio::test]
async fn a_node_does_not_take_the_word_of_another_user_who_gets_at_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    if fs::metadata(folder.path()).unwrap().uid() != 0 {
        return println!("only root can be another user: 1 test did not run");
    }
    let socket = folder.path().join("admin");
    let variables = [("ADMIN_SOCKET", socket.to_str().unwrap())];
    let node = Node::start(&variables).await;
    for (path, mode) in [(folder.path(), 0o755), (&*socket, 0o777)] {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    let words = ["recover", "--others-are-gone"];
    let exit = Node::run_as(NOBODY, folder.path(), &words, &variables).await;
    assert!(
        !exit.status.success() && exit.stderr.contains("does not take the word of this user"),
        "{exit:?}"
    );
    assert!(!node.said().contains("told to recover"), "{}", node.said());
    let exit = Node::run_with(&words, &variables).await;
    assert!(exit.stderr.contains("nothing to recover"), "root is heard: {exit:?}");
}
