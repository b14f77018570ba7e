//! `axum_session`: in memory without a database behind it, and in Redis; everything else as it comes.

use std::fmt::Debug;

use ::axum_session::{DatabasePool, Session, SessionConfig, SessionLayer, SessionNullPool, SessionStore};
use async_trait::async_trait;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use axum::Router;
use axum_session_redispool::SessionRedisPool;
use redis_pool::RedisPool;

use super::Kind;
use crate::routes::{Answer, Handlers};
use crate::values::{Profile, COUNTER, PROFILE, USER};

/// `axum_session` with the null pool.
pub(super) struct InMemory;

#[async_trait]
impl Kind for InMemory {
    fn name(&self) -> &'static str {
        "axum_session 0.22, in memory"
    }

    fn remembers(&self) -> bool {
        true
    }

    async fn router(&self) -> anyhow::Result<Router> {
        router::<SessionNullPool>(None).await
    }
}

/// `axum_session` in Redis, with the memory cache that it has by default.
pub(crate) struct InRedis {
    /// The server.
    pub(crate) url: String,
}

#[async_trait]
impl Kind for InRedis {
    fn name(&self) -> &'static str {
        "axum_session 0.22, redis pool"
    }

    fn remembers(&self) -> bool {
        true
    }

    async fn router(&self) -> anyhow::Result<Router> {
        let pool = RedisPool::from(redis::Client::open(self.url.as_str())?);
        router(Some(SessionRedisPool::from(pool))).await
    }
}

async fn router<P: Pooled>(pool: Option<P>) -> anyhow::Result<Router> {
    let store = SessionStore::new(pool, SessionConfig::default()).await?;
    let handlers = Handlers {
        open: get(open::<P>),
        member: get(member::<P>),
        read: get(read::<P>),
        write: get(write::<P>),
        increment: get(write::<P>),
    };
    Ok(handlers.router().layer(SessionLayer::new(store)))
}

/// What the crate asks of a database.
trait Pooled: DatabasePool + Clone + Debug + Send + Sync + 'static {}

impl<P: DatabasePool + Clone + Debug + Send + Sync + 'static> Pooled for P {}

async fn open<P: Pooled>(session: Session<P>) -> Answer {
    session.set(PROFILE, Profile::sample());
    session.set(COUNTER, 0_u64);
    Ok("ok".into())
}

async fn member<P: Pooled>(Path(user): Path<String>, session: Session<P>) -> Answer {
    session.set(PROFILE, Profile::sample());
    session.set(USER, user);
    Ok("ok".into())
}

async fn read<P: Pooled>(session: Session<P>) -> Answer {
    let profile: Profile = session.get(PROFILE).ok_or(StatusCode::NOT_FOUND)?;
    Ok(profile.name)
}

async fn write<P: Pooled>(session: Session<P>) -> Answer {
    let n: u64 = session.get(COUNTER).ok_or(StatusCode::NOT_FOUND)?;
    session.set(COUNTER, n + 1);
    Ok(n.to_string())
}
