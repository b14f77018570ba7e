//! For tests of your own application: sessions on a clock that you move, and clients who are signed in.
//!
//! Needs the feature `testing`, which belongs under `[dev-dependencies]`:
//!
//! ```toml
//! [dev-dependencies]
//! abide = { version = "0.1", features = ["testing"] }
//! ```
//!
//! Nothing here goes around the layer: a [`Client`] has the cookie of a session that is really stored, and what it sends is
//! judged as in production. Only the clock and the random bytes are made up, so that a test replays.
//!
//! With axum:
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use abide::Session;
//! use abide::testing::Stage;
//! use axum::body::Body;
//! use axum::http::StatusCode;
//! use axum::routing::get;
//! use axum::Router;
//! use std::time::Duration;
//!
//! async fn account(session: Session) -> Result<String, StatusCode> {
//!     let user = session.user().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
//!     user.map(|user| format!("hello {user}")).ok_or(StatusCode::UNAUTHORIZED)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let stage = Stage::new();
//! let app: Router = Router::new().route("/account", get(account)).layer(stage.sessions().layer());
//!
//! let mut ada = stage.signed_in("ada").await;
//! let answer = ada.send(&app, ada.get("/account").body(Body::empty())?).await?;
//! assert_eq!(answer.status(), StatusCode::OK);
//!
//! stage.advance(Duration::from_secs(31 * 60)); // a minute longer than the idle timeout
//! let answer = ada.send(&app, ada.get("/account").body(Body::empty())?).await?;
//! assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
//! # Ok(()) }
//! # main().unwrap();
//! # }
//! ```
//!
//! With any other Tower service:
//!
//! ```
//! use abide::event::EventKind;
//! use abide::testing::Stage;
//! use abide::{Config, Error, Key, Session};
//! use http::{Request, Response};
//! use tower::{Layer, service_fn};
//!
//! const CART: Key<Vec<String>> = Key::new("cart");
//!
//! async fn buy(request: Request<String>) -> Result<Response<String>, Error> {
//!     let session = Session::of(&request)?;
//!     let cart = session.update(CART, |cart| [cart.unwrap_or_default(), vec!["milk".into()]].concat()).await?;
//!     Ok(Response::new(cart.join(" and ")))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let stage = Stage::with(Config::new().cookie_name("shop"));
//! let app = stage.sessions().layer().layer(service_fn(buy));
//!
//! let mut visitor = stage.client();
//! visitor.with_session(async |session| session.insert(CART, &vec!["tea".to_owned()])).await?;
//! let answer = visitor.send(&app, visitor.post("/buy").body(String::new())?).await?;
//! assert_eq!(answer.body(), "tea and milk");
//! assert_eq!(visitor.with_session(async |session| session.get(CART).await).await?.unwrap().len(), 2);
//! assert_eq!(stage.take_events()[0].kind, EventKind::Created);
//! # Ok(()) }
//! ```
//!
//! | file | role |
//! |---|---|
//! | `stage` | `Stage`: the sessions, their clock, and what happened to them |
//! | `client` | `Client`: a browser's cookies, and what it sends |

mod client;
mod stage;

pub use client::Client;
pub use stage::Stage;
