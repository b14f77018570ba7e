//! One application server, whole, as a user of abide would write it: axum, the session layer, nothing else.
//!
//! It is configured by the environment alone and never knows on which strategy it runs. It is a library as well, so
//! that `lab` can run as several nodes without another binary.
//!
//! | file | role |
//! |---|---|
//! | `lib` | from the environment to a server, and its end |
//! | `settings` | what the node reads of the environment beside abide's settings |
//! | `app` | the routes |
//! | `values`, `account`, `operations` | the handlers: values, login and sessions, readiness and metrics |
//! | `body` | JSON bodies, whatever their content type says |
//! | `operator` | what the operator asks of a node that runs |
//! | `metrics` | counters of abide's events |

mod account;
mod app;
mod body;
mod metrics;
mod operations;
mod operator;
mod settings;
mod values;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use abide::Sessions;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use metrics::Metrics;
use operator::Door;
use settings::Settings;

/// How long all of it may take after SIGTERM: the notice, requests in flight, and the hand-over of sessions.
const DRAIN: Duration = Duration::from_secs(20);
/// How long `/ready` says 503 before the listener closes, so that a balancer sees it.
const NOTICE: Duration = Duration::from_secs(1);

/// What every handler can reach.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) sessions: Sessions,
    pub(crate) metrics: Arc<Metrics>,
}

/// Runs a node until SIGTERM. A setting that is wrong is one line on standard error and a failure.
pub async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("node: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Tells the node that listens at `ADMIN_SOCKET` that the servers of its cluster that it misses are gone for good, and
/// prints what it says.
pub async fn recover() -> ExitCode {
    let told = match settings::admin_socket() {
        Some(path) => operator::tell_to_recover(&path).await,
        None => {
            Err("ADMIN_SOCKET is not set, expected the path of the socket at which the node listens".into())
        }
    };
    match told {
        Ok(said) => {
            println!("node: {said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("node: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let metrics = Arc::new(Metrics::default());
    let events = metrics.clone();
    let sessions = settings.config.builder().on_event(move |event| events.count(event)).open().await?;
    let listener = TcpListener::bind(&settings.listen).await.map_err(|error| {
        format!("LISTEN={}: {error}, expected a free address to serve on", settings.listen)
    })?;
    operator::renew_at_hangup(sessions.clone())?;
    let terminated = terminated()?;
    if let Some(path) = &settings.admin_socket {
        let door = Door::open(path).await.map_err(|error| {
            let path = path.display();
            format!("ADMIN_SOCKET={path}: {error}, expected the path of a socket that is this node's own")
        })?;
        tokio::spawn(door.listen(sessions.clone()));
    }
    println!("listening on {}", listener.local_addr()?);
    let node = Node { sessions: sessions.clone(), metrics };
    serve(listener, app::router(node, &settings.name), sessions, terminated).await
}

async fn serve(
    listener: TcpListener,
    app: axum::Router,
    sessions: Sessions,
    terminated: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Box<dyn Error>> {
    let drain = sessions.drain(DRAIN).notice(NOTICE);
    let begins = drain.clone();
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        terminated.await;
        begins.begin().await;
    });
    tokio::select! {
        result = server => result?,
        () = drain.out_of_time() => eprintln!("node: requests were still in flight when the time was up"),
    }
    let drained = drain.finish().await?;
    eprintln!("node: {} sessions handed over, {} left behind", drained.handed_over, drained.left_behind);
    Ok(())
}

/// Listens for SIGTERM at once: whoever sees the node's address may send it.
fn terminated() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    })
}
