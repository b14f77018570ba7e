//! What operators and load balancers ask.

use abide::core::Readiness;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use crate::Node;

pub(crate) async fn ready(State(node): State<Node>) -> impl IntoResponse {
    match node.sessions.ready().await {
        Readiness::Ready => (StatusCode::OK, "ready\n".to_owned()),
        Readiness::NotReady(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        other => (StatusCode::SERVICE_UNAVAILABLE, format!("{other:?}\n")),
    }
}

pub(crate) async fn metrics(State(node): State<Node>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match node.metrics.text(&node.sessions) {
        Ok(text) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
