//! The floor: what no session layer can go below.
//!
//! The same router without sessions. Its handlers take the encoded values from an [`Extension`] and decode and encode
//! what the others decode and encode; nothing is looked up, verified or stored.

use std::hint::black_box;
use std::sync::Arc;

use async_trait::async_trait;
use axum::routing::get;
use axum::{Extension, Router};

use super::Kind;
use crate::routes::{failed, Answer, Handlers};
use crate::values::Profile;

/// The floor.
pub(super) struct Floor;

#[async_trait]
impl Kind for Floor {
    fn name(&self) -> &'static str {
        "floor"
    }

    fn remembers(&self) -> bool {
        false
    }

    async fn router(&self) -> anyhow::Result<Router> {
        let values = Arc::new(Values { profile: Profile::sample().encode(), counter: b"0".to_vec() });
        let handlers = Handlers {
            open: get(open),
            member: get(open),
            read: get(read),
            write: get(write),
            increment: get(write),
        };
        Ok(handlers.router().layer(Extension(values)))
    }
}

/// Values as a store keeps them.
struct Values {
    profile: Vec<u8>,
    counter: Vec<u8>,
}

async fn open() -> Answer {
    Ok("ok".into())
}

async fn read(Extension(values): Extension<Arc<Values>>) -> Answer {
    let profile: Profile = serde_json::from_slice(&values.profile).map_err(failed)?;
    Ok(profile.name)
}

async fn write(Extension(values): Extension<Arc<Values>>) -> Answer {
    let n: u64 = serde_json::from_slice(&values.counter).map_err(failed)?;
    black_box(serde_json::to_vec(&(n + 1)).map_err(failed)?);
    Ok(n.to_string())
}
