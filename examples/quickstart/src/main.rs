//! A counter for each visitor: `cargo run -p quickstart`, then open <http://127.0.0.1:3000>.
//!
//! `ABIDE_STORE` and the other settings choose where the sessions live; the code stays as it is.

use abide::{Config, Session};
use axum::{Router, routing::get};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Plain http is for development; without this line the cookie is for https alone.
    let sessions = Config::new().insecure_http(true).and_load()?.open().await?;
    let app = Router::new().route("/", get(home)).layer(sessions.layer());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

async fn home(session: Session) -> Result<String, abide::Error> {
    Ok(format!("visit {}\n", session.increment("visits", 1).await?))
}
