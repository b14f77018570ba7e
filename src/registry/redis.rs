//! `redis:` and its kin: sessions on a Redis server, a Sentinel set or a Cluster.
//!
//! | option | what it is | default |
//! |---|---|---|
//! | `prefix` | what every key begins with | `abide:` |
//! | `durability` | `async`, or `replicas=N`: how many replicas must have a write before it is answered | `async` |
//! | `max_bytes` | the largest session, encoded, with `KiB` or `MiB` | `1MiB` |
//! | `near_cache` | `off`, or of how many bytes, with `KiB` or `MiB`: reads are answered in this process, and may lag | `off` |
//! | `tls_ca` | a file of the certificates to trust, as PEM | the system's |
//! | `database` | another one than 0, or than the path names: for `unix:`, which has no path for it | `0` |
//! | `sentinel_password`, `sentinel_user` | the login at the sentinels; that of the address is for the servers | none |
//! | `allow_insecure_tls` | `true` allows an address that ends in `#insecure`, which takes any certificate | `false` |
//!
//! One operation may take a second, or nine tenths of the setting `store_timeout`: so the store, which knows what it sent
//! and what it did not, answers before the wrapper that enforces that setting.

use std::sync::Arc;

use abide_core::SessionStore;
use abide_redis::connect::LinkOptions;
use abide_redis::{Address, RedisStore, RedisStoreBuilder};
use async_trait::async_trait;

use super::{Opener, SHARE_OF_TIMEOUT, StoreParts, StoreUrl, refused, wrong};
use crate::config::{ConfigError, parse_size};

#[derive(Debug)]
pub(super) struct Redis;

#[async_trait]
impl Opener for Redis {
    async fn open(
        &self,
        mut url: StoreUrl,
        parts: &StoreParts,
    ) -> Result<Arc<dyn SessionStore>, ConfigError> {
        let address = address(&mut url)?;
        let mut builder = RedisStore::builder(address).clock(parts.clock.clone()).link(link(&mut url)?);
        if let Some(timeout) = parts.timeout {
            builder = builder.timeout(timeout.mul_f64(SHARE_OF_TIMEOUT));
        }
        let builder = configured(&mut url, builder)?;
        url.finish()?;
        Ok(Arc::new(builder.open().map_err(refused)?))
    }
}

fn address(url: &mut StoreUrl) -> Result<Address, ConfigError> {
    let address = Address::parse(url.scheme(), url.rest()).map_err(refused)?;
    let Some(database) = url.take("database") else { return Ok(address) };
    let number = database.parse().map_err(|_| wrong("database", &database, "a number, such as `1`"))?;
    address.with_database(number).map_err(refused)
}

fn configured(url: &mut StoreUrl, mut builder: RedisStoreBuilder) -> Result<RedisStoreBuilder, ConfigError> {
    if let Some(prefix) = url.take("prefix") {
        builder = builder.prefix(prefix);
    }
    if let Some(durability) = url.take("durability") {
        builder = builder.replicas(replicas(&durability)?);
    }
    if let Some(bytes) = url.positive("max_bytes", parse_size, "a number of bytes, such as `256KiB`")? {
        builder = builder.max_bytes(bytes);
    }
    match url.take("near_cache").as_deref() {
        None | Some("off") => Ok(builder),
        Some(size) => match parse_size(size).filter(|bytes| *bytes > 0) {
            Some(bytes) => Ok(builder.near_cache(bytes as u64)),
            None => Err(wrong("near_cache", size, "`off`, or a number of bytes, such as `64MiB`")),
        },
    }
}

fn replicas(durability: &str) -> Result<u8, ConfigError> {
    let count = match durability.split_once('=') {
        None if durability == "async" => Some(0),
        Some(("replicas", count)) => count.parse().ok().filter(|count| *count > 0),
        _ => None,
    };
    count.ok_or_else(|| wrong("durability", durability, "`async` or `replicas=N` with N from 1 to 255"))
}

fn link(url: &mut StoreUrl) -> Result<LinkOptions, ConfigError> {
    let mut link = LinkOptions::new();
    if let Some(path) = url.take("tls_ca") {
        let pem = std::fs::read(&path).map_err(|error| {
            ConfigError::new(format!(
                "store option `tls_ca` is {path:?}, expected a file of certificates: {error}"
            ))
            .with_source(error)
        })?;
        link = link.tls_roots(pem);
    }
    match (url.take("sentinel_user"), url.take("sentinel_password")) {
        (user, Some(password)) => link = link.sentinel_login(user, password),
        (Some(_), None) => {
            return Err(ConfigError::new(
                "store option `sentinel_user` stands alone, expected `sentinel_password` beside it",
            ));
        }
        (None, None) => {}
    }
    match url.take("allow_insecure_tls").as_deref() {
        None | Some("false") => Ok(link),
        Some("true") => Ok(link.allow_insecure_tls(true)),
        Some(other) => Err(wrong("allow_insecure_tls", other, "`true` or `false`")),
    }
}
