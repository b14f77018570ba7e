//! Settings that are wrong stop the node at once, with one line that says what would be right.

use abide_harness::{Browser, Node};

async fn refusal(name: &str, value: &str) -> String {
    let exit = Node::run_to_end(&[(name, value)]).await;
    assert!(!exit.status.success(), "{exit:?}");
    let lines: Vec<_> = exit.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "one line: {exit:?}");
    lines[0].to_owned()
}

#[tokio::test]
async fn a_scheme_that_is_unknown_is_named_with_those_that_are_known() {
    let line = refusal("ABIDE_STORE", "memroy:").await;
    let known = "`cluster:`, `memory:`, `redis:`, `redis+cluster:`, `redis+sentinel:`, `rediss:`, `rediss+cluster:`, \
                 `rediss+sentinel:`, `unix:`";
    assert_eq!(line, format!("node: store scheme `memroy:` is unknown, expected one of: {known}"));
}

#[tokio::test]
async fn a_variable_that_is_unknown_is_named_with_the_nearest_known_one() {
    let line = refusal("ABIDE_IDLE_TIMOUT", "30m").await;
    assert_eq!(line, "node: unknown setting ABIDE_IDLE_TIMOUT, did you mean ABIDE_IDLE_TIMEOUT?");
}

#[tokio::test]
async fn a_duration_that_is_none_is_named_with_what_would_be_accepted() {
    let line = refusal("ABIDE_IDLE_TIMEOUT", "half an hour").await;
    assert!(line.starts_with("node: ABIDE_IDLE_TIMEOUT: ") && line.contains("such as `30m`"), "{line}");
}

#[tokio::test]
async fn an_option_of_the_store_that_is_unknown_is_refused() {
    let line = refusal("ABIDE_STORE", "memory:?max_session=3").await;
    assert_eq!(
        line,
        "node: store option `max_session` is unknown for `memory:`, did you mean `max_sessions`?"
    );
}

#[tokio::test]
async fn a_file_that_is_missing_or_wrong_is_refused_and_a_good_one_is_read() {
    assert!(refusal("ABIDE_CONFIG", "/nowhere/abide.toml").await.contains("/nowhere/abide.toml"));
    let path = std::env::temp_dir().join(format!("abide-settings-{}.toml", std::process::id()));
    let path = path.to_str().unwrap();
    std::fs::write(path, "cookie_name = \"sid\"\nidle_timeuot = \"1m\"").unwrap();
    assert!(refusal("ABIDE_CONFIG", path).await.contains("did you mean idle_timeout?"));
    std::fs::write(path, "cookie_name = \"sid\"").unwrap();
    let node = Node::start(&[("ABIDE_CONFIG", path)]).await;
    let mut browser = Browser::new(node.address);
    browser.log_in("ada").await;
    assert!(browser.cookie.unwrap().as_bytes().starts_with(b"sid="));
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_secure_cookie_is_the_librarys_default_and_the_nodes_by_a_setting() {
    let node = Node::start(&[("ABIDE_INSECURE_HTTP", "false"), ("ABIDE_NODE", "a")]).await;
    let mut browser = Browser::new(node.address);
    let answer = browser.post("/login", r#"{"user":"ada"}"#).await;
    assert_eq!(answer.headers["x-node"], "a");
    let cookie = answer.set_cookies().remove(0);
    assert!(cookie.starts_with("__Host-id=") && cookie.contains("Secure"), "{cookie}");
    assert_eq!(browser.get("/me").await.status, 200, "written and read under one name");
}
