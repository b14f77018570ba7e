//! The values of a session.

use std::time::Duration;

use abide::{Error, Session};
use axum::Json;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::body::Body;

pub(crate) async fn all(session: Session) -> Result<Json<Map<String, Value>>, Error> {
    let mut values = Map::new();
    for key in session.keys().await? {
        if let Some(value) = session.get(&key).await? {
            values.insert(key, value);
        }
    }
    Ok(Json(values))
}

pub(crate) async fn one(
    session: Session,
    Path(key): Path<String>,
) -> Result<Result<Json<Value>, StatusCode>, Error> {
    Ok(session.get(&key).await?.map(Json).ok_or(StatusCode::NOT_FOUND))
}

pub(crate) async fn put(
    session: Session,
    Path(key): Path<String>,
    Body(value): Body<Value>,
) -> Result<StatusCode, Error> {
    session.insert(&key, &value)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn delete(session: Session, Path(key): Path<String>) -> StatusCode {
    session.remove(&key);
    StatusCode::NO_CONTENT
}

#[derive(Serialize)]
pub(crate) struct Sum {
    value: i64,
}

pub(crate) async fn increment(session: Session, Path(key): Path<String>) -> Result<Json<Sum>, Error> {
    Ok(Json(Sum { value: session.increment(&key, 1).await? }))
}

#[derive(Deserialize)]
pub(crate) struct Pace {
    #[serde(default)]
    ms: u64,
}

/// Reads, waits, and writes: the slow request that races with everything else.
pub(crate) async fn slow(
    session: Session,
    Query(pace): Query<Pace>,
    Body(values): Body<Map<String, Value>>,
) -> Result<StatusCode, Error> {
    session.keys().await?;
    tokio::time::sleep(Duration::from_millis(pace.ms)).await;
    for (key, value) in &values {
        session.insert(key, value)?;
    }
    Ok(StatusCode::OK)
}
