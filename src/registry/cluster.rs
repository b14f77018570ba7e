//! `cluster:`, sessions on the servers of a cluster, this one among them.
//!
//! `cluster://ADDRESS?join=…`, where `ADDRESS` is the address at which the others reach this server.
//!
//! | option | what it is | default |
//! |---|---|---|
//! | `join` | where the others may be found: addresses, or names with `expect`, separated by commas; the same everywhere, with this server among them | none: a cluster of one |
//! | `expect` | how many servers there will be when a cluster is founded; required beside a name | as many as `join` has addresses |
//! | `copies` | how many servers keep each session, or `all` | `3` |
//! | `listen` | the address to listen on, where it is another one | `ADDRESS` |
//! | `name` | the cluster's name | `abide` |
//! | `secret_file` | a file of secrets that every server has: links are encrypted, and nobody else is let in | none |
//! | `ca`, `cert`, `key` | certificates as PEM instead: the authorities, this server's with the cluster's name in it, its key | none |
//!
//! The files are read when the store opens, and again by [`Sessions::renew_identity`](crate::Sessions::renew_identity).
//! Without a secret or certificates nothing beyond loopback is listened on. One operation may take a second, or nine tenths
//! of the setting `store_timeout`, so that the store answers before the wrapper that enforces that setting.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use abide_cluster::store::{ClusterStore, ClusterStoreBuilder, Copies};
use abide_cluster::transport::{ClusterName, Identity, Join, PemFiles, Secret};
use abide_core::{Error, SessionStore};
use async_trait::async_trait;

use super::{Opener, Operable, SHARE_OF_TIMEOUT, StoreParts, StoreUrl, refused, wrong};
use crate::config::ConfigError;

#[derive(Debug)]
pub(super) struct Cluster;

#[async_trait]
impl Opener for Cluster {
    async fn open(
        &self,
        mut url: StoreUrl,
        parts: &StoreParts,
    ) -> Result<Arc<dyn SessionStore>, ConfigError> {
        let address = address(url.rest()).await?;
        let mut builder = ClusterStore::builder(address).clock(parts.clock.clone());
        if let Some(timeout) = parts.timeout {
            builder = builder.timeout(timeout.mul_f64(SHARE_OF_TIMEOUT));
        }
        let name = match url.take("name") {
            Some(name) => ClusterName::new(&name).map_err(refused)?,
            None => ClusterName::default(),
        };
        let papers = Papers::of(&mut url, name)?;
        if let Some(identity) = papers.read()? {
            builder = builder.identity(identity);
        }
        let builder = configured(&mut url, builder.cluster(papers.name.clone()))?;
        url.finish()?;
        let store = builder.open().await.map_err(refused)?;
        parts.offer(Arc::new(Operated { store: store.clone(), papers }));
        Ok(Arc::new(store))
    }
}

/// What an operator may ask of it.
#[derive(Debug)]
struct Operated {
    store: ClusterStore,
    papers: Papers,
}

#[async_trait]
impl Operable for Operated {
    async fn renew_identity(&self) -> Result<bool, ConfigError> {
        let Some(identity) = self.papers.read()? else { return Ok(false) };
        self.store.renew(identity).await;
        Ok(true)
    }

    async fn recover(&self) -> Result<usize, Error> {
        self.store.recover().await
    }
}

/// The address of this server, given as such or by a name.
async fn address(rest: &str) -> Result<SocketAddr, ConfigError> {
    let expected = || {
        ConfigError::new(
            "store `cluster:` has no address of this server, expected one such as `cluster://10.0.0.1:7001?join=…`",
        )
    };
    let given = rest.strip_prefix("//").ok_or_else(expected)?.trim_end_matches('/');
    if let Ok(address) = given.parse() {
        return Ok(address);
    }
    let found = tokio::net::lookup_host(given).await.map_err(|error| expected().with_source(error))?;
    let mut found = found.collect::<Vec<SocketAddr>>();
    found.sort_unstable();
    found.into_iter().next().ok_or_else(expected)
}

fn configured(
    url: &mut StoreUrl,
    mut builder: ClusterStoreBuilder,
) -> Result<ClusterStoreBuilder, ConfigError> {
    let number = |text: &str| text.parse().ok();
    let expect = url.positive("expect", number, "a number of servers, such as `3`")?;
    let join = url.take("join");
    if join.is_some() || expect.is_some() {
        builder = builder.join(Join::parse(join.as_deref().unwrap_or(""), expect).map_err(refused)?);
    }
    match url.take("copies").as_deref() {
        None => {}
        Some("all") => builder = builder.copies(Copies::All),
        Some(text) => match text.parse().ok().filter(|copies| *copies > 0) {
            Some(copies) => builder = builder.copies(Copies::Few(copies)),
            None => return Err(wrong("copies", text, "`all`, or a number of servers such as `3`")),
        },
    }
    if let Some(listen) = url.take("listen") {
        let address =
            listen.parse().map_err(|_| wrong("listen", &listen, "an address such as `0.0.0.0:7001`"))?;
        builder = builder.listen(address);
    }
    Ok(builder)
}

/// By what this server is let in.
#[derive(Debug)]
struct Papers {
    name: ClusterName,
    files: Option<Files>,
}

#[derive(Debug)]
enum Files {
    Secret(PathBuf),
    Certificates(PemFiles),
}

impl Papers {
    /// A secret file, or certificates, or neither.
    fn of(url: &mut StoreUrl, name: ClusterName) -> Result<Self, ConfigError> {
        let secret = url.take("secret_file");
        let files = match (secret, url.take("ca"), url.take("cert"), url.take("key")) {
            (None, None, None, None) => None,
            (Some(path), None, None, None) => Some(Files::Secret(path.into())),
            (None, Some(ca), Some(cert), Some(key)) => {
                let files = PemFiles { authorities: ca.into(), certificate: cert.into(), key: key.into() };
                Some(Files::Certificates(files))
            }
            _ => {
                return Err(ConfigError::new(
                    "store options `secret_file`, `ca`, `cert`, `key`: expected `secret_file`, or the other three",
                ));
            }
        };
        Ok(Self { name, files })
    }

    /// What the files hold now.
    fn read(&self) -> Result<Option<Identity>, ConfigError> {
        let identity = match &self.files {
            None => return Ok(None),
            Some(Files::Secret(path)) => {
                Secret::read(path).and_then(|secrets| Identity::from_secrets(&secrets, &self.name))
            }
            Some(Files::Certificates(files)) => Identity::from_pem_files(files, &self.name),
        };
        identity.map(Some).map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use abide_core::{SystemClock, SystemEntropy};

    use super::*;
    use crate::registry::{Operables, Registry};

    async fn refusal(options: &str) -> String {
        let parts = StoreParts {
            clock: Arc::new(SystemClock),
            timeout: None,
            entropy: Arc::new(SystemEntropy),
            registry: Registry::default(),
            operables: Operables::default(),
        };
        let url = format!("cluster:{options}");
        match parts.open(&url).await {
            Ok(_) => panic!("{url} opens"),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn each_wrong_option_is_refused_with_what_would_be_accepted() {
        for (options, expected) in [
            ("", "no address of this server, expected one such as `cluster://10.0.0.1:7001?join=…`"),
            ("//here", "no address of this server"),
            ("//127.0.0.1:0?jion=127.0.0.1:1", "`jion` is unknown for `cluster:`, did you mean `join`?"),
            ("//127.0.0.1:0?join=here", "join \"here\", expected an address or a name with a port"),
            ("//127.0.0.1:0?join=peers:7001", "expected expect = n beside it"),
            ("//127.0.0.1:0?expect=0", "`expect` is \"0\", expected a number of servers, such as `3`"),
            (
                "//127.0.0.1:0?copies=few",
                "`copies` is \"few\", expected `all`, or a number of servers such as `3`",
            ),
            ("//127.0.0.1:0?copies=0", "`copies` is \"0\""),
            ("//127.0.0.1:0?listen=everywhere", "`listen` is \"everywhere\", expected an address"),
            ("//127.0.0.1:0?secret_file=/nowhere/secret", "/nowhere/secret cannot be read"),
            ("//127.0.0.1:0?ca=/nowhere/ca.pem", "expected `secret_file`, or the other three"),
            ("//10.255.255.1:7001", "10.255.255.1:7001 is beyond loopback: expected a secret file"),
            ("//0.0.0.0:7001", "0.0.0.0:7001 is no address at which peers reach this server"),
        ] {
            let line = refusal(options).await;
            assert!(line.contains(expected), "{options}: {line}");
        }
    }
}
