//! `axum_session` as it keeps sessions in memory: no database behind it, everything else as it comes.

use ::axum_session::{SessionConfig, SessionLayer, SessionNullPool, SessionStore};
use async_trait::async_trait;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use axum::Router;

use super::Kind;
use crate::routes::{Answer, Handlers};
use crate::values::{Profile, COUNTER, PROFILE, USER};

type Session = ::axum_session::Session<SessionNullPool>;

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
        let store = SessionStore::<SessionNullPool>::new(None, SessionConfig::default()).await?;
        let handlers = Handlers {
            open: get(open),
            member: get(member),
            read: get(read),
            write: get(write),
            increment: get(write),
        };
        Ok(handlers.router().layer(SessionLayer::new(store)))
    }
}

async fn open(session: Session) -> Answer {
    session.set(PROFILE, Profile::sample());
    session.set(COUNTER, 0_u64);
    Ok("ok".into())
}

async fn member(Path(user): Path<String>, session: Session) -> Answer {
    session.set(PROFILE, Profile::sample());
    session.set(USER, user);
    Ok("ok".into())
}

async fn read(session: Session) -> Answer {
    let profile: Profile = session.get(PROFILE).ok_or(StatusCode::NOT_FOUND)?;
    Ok(profile.name)
}

async fn write(session: Session) -> Answer {
    let n: u64 = session.get(COUNTER).ok_or(StatusCode::NOT_FOUND)?;
    session.set(COUNTER, n + 1);
    Ok(n.to_string())
}
