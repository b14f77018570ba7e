//! Login, logout, and a user's sessions.

use std::time::{SystemTime, UNIX_EPOCH};

use abide::{Error, Session};
use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::body::Body;

#[derive(Deserialize)]
pub(crate) struct Credentials {
    user: String,
}

#[derive(Serialize)]
pub(crate) struct Me {
    user: String,
}

/// A real service checks a password first.
pub(crate) async fn log_in(session: Session, Body(who): Body<Credentials>) -> Result<Json<Me>, Error> {
    session.log_in(who.user.as_str()).await?;
    Ok(Json(Me { user: who.user }))
}

pub(crate) async fn me(session: Session) -> Result<Result<Json<Me>, StatusCode>, Error> {
    Ok(match session.user().await? {
        Some(user) => Ok(Json(Me { user: user.to_string() })),
        None => Err(StatusCode::UNAUTHORIZED),
    })
}

pub(crate) async fn renew(session: Session) -> Result<StatusCode, Error> {
    session.renew().await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn log_out(session: Session) -> Result<StatusCode, Error> {
    session.log_out().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Times are milliseconds since the Unix epoch.
#[derive(Serialize)]
pub(crate) struct Entry {
    handle: String,
    created: u64,
    last_seen: u64,
    current: bool,
}

pub(crate) async fn sessions(session: Session) -> Result<Json<Vec<Entry>>, Error> {
    let sessions = session.user_sessions().await?;
    let entries = sessions.into_iter().map(|session| Entry {
        handle: session.handle.to_string(),
        created: millis(session.created),
        last_seen: millis(session.last_seen),
        current: session.current,
    });
    Ok(Json(entries.collect()))
}

#[derive(Serialize)]
pub(crate) struct Ended {
    ended: u64,
}

pub(crate) async fn end_others(session: Session) -> Result<Json<Ended>, Error> {
    Ok(Json(Ended { ended: session.end_others().await? }))
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
