//! The routes.

use axum::Router;
use axum::http::{HeaderName, HeaderValue};
use axum::routing::{get, post};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::{Node, account, operations, values};

pub(crate) fn router(node: Node, name: &str) -> Router {
    let (sessions, ready) = (node.sessions.layer(), node.sessions.ready_service());
    let name = HeaderValue::try_from(name).unwrap_or(HeaderValue::from_static("node"));
    Router::new()
        .route("/login", post(account::log_in))
        .route("/me", get(account::me))
        .route("/renew", post(account::renew))
        .route("/logout", post(account::log_out))
        .route("/sessions", get(account::sessions))
        .route("/sessions/end-others", post(account::end_others))
        .route("/values", get(values::all))
        .route("/values/{key}", get(values::one).put(values::put).delete(values::delete))
        .route("/values/{key}/increment", post(values::increment))
        .route("/slow", post(values::slow))
        .route("/untouched", get(async || "ok"))
        .layer(sessions)
        .route_service("/ready", ready)
        .route("/metrics", get(operations::metrics))
        .layer(SetResponseHeaderLayer::overriding(HeaderName::from_static("x-node"), name))
        .with_state(node)
}
