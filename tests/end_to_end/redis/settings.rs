//! URLs and options: each wrong one stops the node with one line that says what would be right, and no password.

use abide_harness::{Browser, Node, Redis};

async fn refusal(store: &str) -> String {
    let exit = Node::run_to_end(&[("ABIDE_STORE", store)]).await;
    assert!(!exit.status.success(), "{exit:?}");
    let lines: Vec<_> = exit.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "one line: {exit:?}");
    assert!(!exit.stderr.contains("hunter2"), "the password is shown: {exit:?}");
    lines[0].to_owned()
}

#[tokio::test]
async fn each_wrong_option_is_refused_with_what_would_be_accepted() {
    let wrong = [
        ("prefx=shop:", "store option `prefx` is unknown for `redis:`, did you mean `prefix`?"),
        ("prefix={shop}", "the prefix is \"{shop}\", expected at most 64 visible ASCII characters"),
        (
            "durability=sync",
            "store option `durability` is \"sync\", expected `async` or `replicas=N` with N from 1 to 255",
        ),
        (
            "durability=replicas=0",
            "store option `durability` is \"replicas=0\", expected `async` or `replicas=N`",
        ),
        (
            "near_cache=on",
            "store option `near_cache` is \"on\", expected `off`, or a number of bytes, such as `64MiB`",
        ),
        (
            "max_bytes=much",
            "store option `max_bytes` is \"much\", expected a number of bytes, such as `256KiB`",
        ),
        ("max_bytes=1GiB", "the largest session is 1073741824 bytes, expected 1 to 16777216"),
        (
            "tls_ca=/nowhere/ca.pem",
            "store option `tls_ca` is \"/nowhere/ca.pem\", expected a file of certificates",
        ),
        ("database=one", "store option `database` is \"one\", expected a number, such as `1`"),
        ("database=-1", "redis database -1 is negative, expected 0 or more"),
        (
            "sentinel_user=ada",
            "store option `sentinel_user` stands alone, expected `sentinel_password` beside it",
        ),
        (
            "allow_insecure_tls=yes",
            "store option `allow_insecure_tls` is \"yes\", expected `true` or `false`",
        ),
    ];
    for (option, expected) in wrong {
        let line = refusal(&format!("redis://ada:hunter2@127.0.0.1:6379/0?{option}")).await;
        assert!(line.contains(expected), "{option}: {line}");
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_without_its_password() {
    for store in [
        "redis://ada:hunter2@",
        "redis:",
        "redis+sentinel://ada:hunter2@",
        "unix:",
        "redis://:hunter2@host:port",
    ] {
        let line = refusal(store).await;
        assert!(line.contains("expected"), "{store}: {line}");
    }
}

#[tokio::test]
async fn the_options_of_the_url_and_a_unix_socket_are_taken() {
    let redis = Redis::single().await;
    let store = format!(
        "unix:{}?prefix=shop:&durability=async&max_bytes=64KiB&near_cache=8MiB&database=2",
        redis.socket().display()
    );
    let node = Node::start(&[("ABIDE_STORE", &store), ("ABIDE_STORE_TIMEOUT", "700ms")]).await;
    let mut browser = Browser::new(node.address);
    browser.log_in("ada").await;
    assert_eq!(browser.get("/me").await.json()["user"], "ada");
    let keys = redis.cli(&["-n", "2", "KEYS", "*"]).await;
    let keys: Vec<_> = keys.lines().collect();
    assert!(!keys.is_empty() && keys.iter().all(|key| key.starts_with("shop:")), "{keys:?}");
}
