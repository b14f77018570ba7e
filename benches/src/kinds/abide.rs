//! abide: sessions in this process, everything else as it comes.

use ::abide::{Config, Session};
use async_trait::async_trait;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use axum::Router;

use super::Kind;
use crate::routes::{failed, Answer, Handlers};
use crate::values::{Profile, COUNTER, PROFILE};

/// abide with its memory store.
pub(super) struct InProcess;

#[async_trait]
impl Kind for InProcess {
    fn name(&self) -> &'static str {
        "abide, memory store"
    }

    fn remembers(&self) -> bool {
        true
    }

    async fn router(&self) -> anyhow::Result<Router> {
        let sessions = Config::new().insecure_http(true).open().await?;
        let handlers = Handlers {
            open: get(open),
            member: get(member),
            read: get(read),
            write: get(write),
            increment: get(increment),
        };
        Ok(handlers.router().layer(sessions.layer()))
    }
}

async fn open(session: Session) -> Answer {
    session.insert(PROFILE, &Profile::sample()).map_err(failed)?;
    session.insert(COUNTER, &0_u64).map_err(failed)?;
    Ok("ok".into())
}

async fn member(Path(user): Path<String>, session: Session) -> Answer {
    session.insert(PROFILE, &Profile::sample()).map_err(failed)?;
    session.log_in(user).await.map_err(failed)?;
    Ok("ok".into())
}

async fn read(session: Session) -> Answer {
    let profile: Option<Profile> = session.get(PROFILE).await.map_err(failed)?;
    Ok(profile.ok_or(StatusCode::NOT_FOUND)?.name)
}

async fn write(session: Session) -> Answer {
    let n: Option<u64> = session.get(COUNTER).await.map_err(failed)?;
    let n = n.ok_or(StatusCode::NOT_FOUND)?;
    session.insert(COUNTER, &(n + 1)).map_err(failed)?;
    Ok(n.to_string())
}

async fn increment(session: Session) -> Answer {
    let n = session.increment(COUNTER, 1).await.map_err(failed)?;
    Ok((n - 1).to_string())
}
