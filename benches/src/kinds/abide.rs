//! abide: on a store of any URL, everything else as it comes.

use std::borrow::Cow;

use ::abide::{Config, Session};
use async_trait::async_trait;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use axum::Router;

use super::{until_ready, Kind};
use crate::routes::{failed, Answer, Handlers};
use crate::values::{Profile, COUNTER, PROFILE};

/// abide with its memory store.
pub(crate) static IN_PROCESS: Abide = Abide { name: "abide, memory store", store: Cow::Borrowed("memory:") };

/// abide on the store of a URL.
pub(crate) struct Abide {
    name: &'static str,
    store: Cow<'static, str>,
}

impl Abide {
    /// abide on the store of any URL.
    pub(crate) fn at(name: &'static str, url: String) -> Self {
        Self { name, store: url.into() }
    }

    /// abide on a Redis.
    pub(crate) fn redis(url: &str) -> Self {
        Self::at("abide, redis", url.to_owned())
    }

    /// abide on a Redis, with a near-cache.
    pub(crate) fn near(url: &str) -> Self {
        Self::at("abide, redis with near-cache", format!("{url}?near_cache=256MiB"))
    }
}

#[async_trait]
impl Kind for Abide {
    fn name(&self) -> &'static str {
        self.name
    }

    fn remembers(&self) -> bool {
        true
    }

    async fn router(&self) -> anyhow::Result<Router> {
        let sessions = Config::new().store(&*self.store).insecure_http(true).open().await?;
        until_ready(&**sessions.store()).await?;
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
