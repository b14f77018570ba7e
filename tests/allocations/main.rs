//! What a handler that never asks pays for the layer: counted, not timed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use abide::core::LoadOptions;
use abide::{Config, Session};
use abide_harness::{Faults, Method};
use abide_memory::MemoryStore;
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, Response, header};
use tower::ServiceExt as _;

async fn untouched() -> &'static str {
    "ok"
}

async fn read(session: Session) -> Result<&'static str, abide::Error> {
    let n: Option<u64> = session.get("n").await?;
    Ok(if n.is_some() { "ok" } else { "nothing" })
}

async fn write(session: Session) -> Result<&'static str, abide::Error> {
    session.insert("n", &7_u64)?;
    Ok("ok")
}

async fn log_in(session: Session) -> Result<&'static str, abide::Error> {
    session.log_in("ada").await?;
    Ok("ok")
}

fn routes() -> Router {
    let router = Router::new().route("/untouched", get(untouched)).route("/login", get(log_in));
    router.route("/read", get(read)).route("/write", get(write))
}

async fn send(app: &Router, path: &str, cookie: &str) -> Response<Body> {
    let request = Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap();
    app.clone().oneshot(request).await.unwrap()
}

/// A runtime on this thread: the counts are this thread's.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Allocations of one request, once everything is warm.
fn allocations(app: &Router, path: &str, cookie: &str) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(send(app, path, cookie));
    let counted = allocation_counter::measure(|| {
        runtime.block_on(send(app, path, cookie));
    });
    counted.count_total
}

/// The cookie that a login sends.
async fn logged_in(app: &Router) -> String {
    let response = send(app, "/login", "").await;
    response.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned()
}

#[test]
fn an_untouched_request_costs_at_most_two_allocations_and_never_reaches_the_store() {
    let store = Arc::new(Faults::new(MemoryStore::new()));
    let (app, cookie) = block_on(async {
        let sessions = Config::new().builder().store(store.clone()).open().await.unwrap();
        let app = routes().layer(sessions.layer());
        let cookie = logged_in(&app).await;
        (app, cookie)
    });
    assert_eq!(store.calls(Method::Create), 1, "the login reached the store");
    let calls = store.all_calls();

    let others: String = (0..8).map(|n| format!("other{n}=value{n}; ")).collect();
    let floor = routes().layer(axum::Extension(7_u64));
    for cookie in ["", &cookie, &format!("{others}{cookie}")] {
        // axum boxes a route anew for whatever layer it gets, and the map of extensions grows with whatever it holds:
        // that is the price of handing a handler anything at all, so the floor hands it a number.
        let (floor, layered) =
            (allocations(&floor, "/untouched", cookie), allocations(&app, "/untouched", cookie));
        assert!(
            layered <= floor + 2,
            "{floor} allocations at the floor, {layered} with sessions; cookie {cookie:?}"
        );
    }
    assert_eq!(store.all_calls(), calls, "an untouched request reached the store");
}

/// The cookies that a login sends, as a browser returns them.
async fn logged_in_with_mark(app: &Router) -> String {
    let response = send(app, "/login", "").await;
    let cookies = response.headers().get_all(header::SET_COOKIE).iter();
    let pairs: Vec<_> =
        cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned()).collect();
    pairs.join("; ")
}

#[test]
fn a_route_mark_that_is_there_already_allocates_nothing() {
    let requests = |config: Config| {
        let (app, cookie) = block_on(async {
            let app = routes().layer(config.open().await.unwrap().layer());
            let cookie = logged_in_with_mark(&app).await;
            send(&app, "/write", &cookie).await;
            (app, cookie)
        });
        ["/untouched", "/read", "/write"].map(|path| allocations(&app, path, &cookie))
    };
    let marked = |route| Config::new().route(route).route_alias("x");
    let without = requests(Config::new());
    assert_eq!(requests(marked(abide::config::Route::Cookie)), without);
    assert_eq!(requests(marked(abide::config::Route::Suffix)), without);
}

#[test]
fn a_read_allocates_nothing_and_a_write_its_value_alone() {
    let (app, cookie) = block_on(async {
        let app = routes().layer(Config::new().open().await.unwrap().layer());
        let cookie = logged_in(&app).await;
        send(&app, "/write", &cookie).await;
        (app, cookie)
    });
    let [untouched, read, write] =
        ["/untouched", "/read", "/write"].map(|path| allocations(&app, path, &cookie));
    assert_eq!(read, untouched, "a read");
    assert_eq!(
        write,
        untouched + 1,
        "a write: its bytes, for the record that holds them is changed in place"
    );
}

#[test]
fn around_a_plain_service_the_layer_itself_allocates_twice() {
    use tower::{Layer as _, Service as _, service_fn};
    let sessions = block_on(Config::new().open()).unwrap();
    let bare = service_fn(async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(())));
    let layered = sessions.layer().layer(bare);
    let request = || {
        let mut request = Request::new(());
        request.extensions_mut().insert("whatever a server puts there");
        request
    };
    let count = |mut call: Box<dyn FnMut(Request<()>)>| {
        call(request());
        let request = request();
        allocation_counter::measure(move || call(request)).count_total
    };
    let (mut one, mut two) = (bare, layered);
    let bare = count(Box::new(move |request| drop(block_on_nothing(one.call(request)))));
    let layered = count(Box::new(move |request| drop(block_on_nothing(two.call(request)))));
    assert_eq!(layered, bare + 2, "{bare} allocations without the layer");
}

/// Polls a future that has nothing to wait for.
fn block_on_nothing<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("the future waits"),
    }
}

#[test]
fn loading_from_the_memory_store_copies_no_value() {
    use abide::core::{
        Clock as _, CreateOptions, NewRecord, Record, SessionStore, Stamps, SystemClock, Token,
    };
    let (store, token, now) = (MemoryStore::new(), Token::from_bytes([1; 32]), SystemClock.now());
    let new = NewRecord::new(Stamps::new(1).next(now), [2; 16], token.verifier(), now);
    let record = Record::create(new.value("blob", vec![0; 1 << 20]));
    block_on(store.create(token.key(), record, &CreateOptions::default())).unwrap();
    let counted = allocation_counter::measure(|| {
        store.peek(token.key());
    });
    assert_eq!(counted.count_total, 0, "a peek allocates nothing");
    let loaded = block_on(store.load(token.key(), &LoadOptions::default())).unwrap().unwrap();
    assert_eq!(loaded.record.value("blob").unwrap().len(), 1 << 20);
}
