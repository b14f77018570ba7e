//! One HTTP exchange, bodies collected: the balancer must be able to send a request again, and an answer that breaks off
//! is no answer.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::time::timeout;

/// Which server an answer is from, in the words of the balancer: it also tells for answers that never came.
pub(crate) const SERVER: HeaderName = HeaderName::from_static("x-lab-server");

const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) type Client = legacy::Client<HttpConnector, Full<Bytes>>;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The request was never sent, and may go elsewhere.
    Unreached,
    /// The request may have been served.
    Broken,
}

pub(crate) fn client() -> Client {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    legacy::Client::builder(TokioExecutor::new()).build(connector)
}

/// Of addresses and paths that the lab itself wrote; one that is no URI becomes a request for `/`.
pub(crate) fn request(method: Method, uri: &str, body: Option<&Value>) -> Request<Full<Bytes>> {
    let body = body.map(|value| Bytes::from(value.to_string())).unwrap_or_default();
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri.parse().unwrap_or_default();
    request
}

pub(crate) async fn exchange(
    client: &Client,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, Failure> {
    timeout(PATIENCE, converse(client, request)).await.unwrap_or(Err(Failure::Broken))
}

async fn converse(client: &Client, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Failure> {
    let answer = client
        .request(request)
        .await
        .map_err(|error| if error.is_connect() { Failure::Unreached } else { Failure::Broken })?;
    let (head, body) = answer.into_parts();
    let body = body.collect().await.map_err(|_| Failure::Broken)?;
    Ok(Response::from_parts(head, body.to_bytes()))
}
