//! A request on its way to a server, and its answer on the way back.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::State as Shared;
use axum::http::header::{CONNECTION, COOKIE, SET_COOKIE, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use cookie::Cookie;
use http_body_util::Full;

use super::choice::order;
use super::{Balancing, State, Upstream};
use crate::wire::{self, Failure, SERVER};

/// The balancer's cookie, with the name of a server.
pub(crate) const PIN: &str = "lab_server";

const MAX_BODY: usize = 1 << 20;

pub(super) async fn forward(Shared(state): Shared<Arc<State>>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let servers = state.servers();
    let pinned = state.pinned(&head.headers, &servers);
    for index in order(pinned, servers.len(), || state.next_turn()) {
        let server = &servers[index];
        match wire::exchange(&state.client, outgoing(server, &head, &body)).await {
            Ok(answer) => return state.incoming(server, answer, pinned == Some(index)),
            Err(Failure::Broken) => return broken(server),
            Err(Failure::Unreached) => {}
        }
    }
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}

fn outgoing(server: &Upstream, head: &Parts, body: &Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body.clone()));
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = uri(server, &head.uri);
    *request.headers_mut() = head.headers.clone();
    request.headers_mut().remove(CONNECTION);
    request.headers_mut().remove(TRANSFER_ENCODING);
    request
}

fn uri(server: &Upstream, asked: &Uri) -> Uri {
    let path = asked.path_and_query().map_or("/", |path| path.as_str());
    format!("http://{}{path}", server.address).parse().unwrap_or_default()
}

fn broken(server: &Upstream) -> Response<Body> {
    let mut answer = StatusCode::BAD_GATEWAY.into_response();
    append(answer.headers_mut(), SERVER, &server.name);
    answer
}

impl State {
    /// Where the client's cookie says that it belongs.
    fn pinned(&self, headers: &HeaderMap, servers: &[Upstream]) -> Option<usize> {
        if self.balancing != Balancing::Pinned {
            return None;
        }
        let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let pin = cookies.flat_map(Cookie::split_parse).flatten().find(|cookie| cookie.name() == PIN)?;
        servers.iter().position(|server| server.name == pin.value())
    }

    fn incoming(&self, server: &Upstream, answer: Response<Bytes>, is_pinned: bool) -> Response<Body> {
        let mut answer = answer.map(Body::from);
        let headers = answer.headers_mut();
        headers.remove(CONNECTION);
        headers.remove(TRANSFER_ENCODING);
        append(headers, SERVER, &server.name);
        if self.balancing == Balancing::Pinned && !is_pinned {
            let pin = Cookie::build((PIN, server.name.as_str())).path("/").http_only(true);
            append(headers, SET_COOKIE, &pin.to_string());
        }
        answer
    }
}

/// Names of servers are the lab's own, and always make a header.
fn append(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.append(name, value);
    }
}
