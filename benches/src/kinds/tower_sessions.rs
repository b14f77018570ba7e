//! tower-sessions: with its own memory store, with the moka store, and with its Redis store.
//!
//! Two versions take part, for the moka and Redis stores have no release for 0.15; their interfaces are the same here, so the
//! handlers are written once, as a macro over the crate.

use async_trait::async_trait;
use axum::Router;
use tower_sessions_redis_store::fred::prelude::{ClientLike as _, Config, Pool};

use super::Kind;

/// The newest release, with its memory store: one `Mutex` over one `HashMap`.
pub(super) struct WithMemoryStore;

#[async_trait]
impl Kind for WithMemoryStore {
    fn name(&self) -> &'static str {
        "tower-sessions 0.15, memory store"
    }

    fn remembers(&self) -> bool {
        true
    }

    async fn router(&self) -> anyhow::Result<Router> {
        Ok(newest::router(::tower_sessions::MemoryStore::default()))
    }
}

/// The release before, with the store on the moka cache, without a bound.
pub(super) struct WithMokaStore;

#[async_trait]
impl Kind for WithMokaStore {
    fn name(&self) -> &'static str {
        "tower-sessions 0.14, moka store"
    }

    fn remembers(&self) -> bool {
        true
    }

    async fn router(&self) -> anyhow::Result<Router> {
        Ok(before::router(tower_sessions_moka_store::MokaStore::new(None)))
    }
}

/// The release before, with its Redis store on a pool of six connections, as its documentation has it.
pub(crate) struct WithRedisStore {
    /// The server.
    pub(crate) url: String,
}

#[async_trait]
impl Kind for WithRedisStore {
    fn name(&self) -> &'static str {
        "tower-sessions 0.14, redis store"
    }

    fn remembers(&self) -> bool {
        true
    }

    async fn router(&self) -> anyhow::Result<Router> {
        let pool = Pool::new(Config::from_url(&self.url)?, None, None, None, 6)?;
        pool.connect();
        pool.wait_for_connect().await?;
        Ok(before::router(tower_sessions_redis_store::RedisStore::new(pool)))
    }
}

/// Handlers for one version of the crate.
macro_rules! handlers {
    ($module:ident, $version:ident) => {
        mod $module {
            use axum::extract::Path;
            use axum::http::StatusCode;
            use axum::routing::get;
            use axum::Router;
            use $version::cookie::time::Duration;
            use $version::{Expiry, Session, SessionManagerLayer, SessionStore};

            use crate::routes::{failed, Answer, Handlers};
            use crate::values::{Profile, COUNTER, PROFILE, USER};

            pub(super) fn router<S: SessionStore + Clone>(store: S) -> Router {
                let layer = SessionManagerLayer::new(store)
                    .with_secure(false)
                    .with_expiry(Expiry::OnInactivity(Duration::hours(1)));
                let handlers = Handlers {
                    open: get(open),
                    member: get(member),
                    read: get(read),
                    write: get(write),
                    increment: get(write),
                };
                handlers.router().layer(layer)
            }

            async fn open(session: Session) -> Answer {
                session.insert(PROFILE, Profile::sample()).await.map_err(failed)?;
                session.insert(COUNTER, 0_u64).await.map_err(failed)?;
                Ok("ok".into())
            }

            async fn member(Path(user): Path<String>, session: Session) -> Answer {
                session.insert(PROFILE, Profile::sample()).await.map_err(failed)?;
                session.insert(USER, user).await.map_err(failed)?;
                Ok("ok".into())
            }

            async fn read(session: Session) -> Answer {
                let profile: Option<Profile> = session.get(PROFILE).await.map_err(failed)?;
                Ok(profile.ok_or(StatusCode::NOT_FOUND)?.name)
            }

            async fn write(session: Session) -> Answer {
                let n: Option<u64> = session.get(COUNTER).await.map_err(failed)?;
                let n = n.ok_or(StatusCode::NOT_FOUND)?;
                session.insert(COUNTER, n + 1).await.map_err(failed)?;
                Ok(n.to_string())
            }
        }
    };
}

handlers!(newest, tower_sessions);
handlers!(before, tower_sessions_0_14);
