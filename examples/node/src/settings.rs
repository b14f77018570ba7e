//! What the node reads of the environment beside abide's settings.

use std::path::PathBuf;

use abide::{Config, ConfigError};

pub(crate) struct Settings {
    pub(crate) listen: String,
    pub(crate) name: String,
    pub(crate) config: Config,
    pub(crate) admin_socket: Option<PathBuf>,
}

/// Where the operator is heard; nowhere without it.
pub(crate) fn admin_socket() -> Option<PathBuf> {
    std::env::var_os("ADMIN_SOCKET").filter(|path| !path.is_empty()).map(PathBuf::from)
}

impl Settings {
    /// Plain http is the default in this example alone: it is driven over loopback.
    pub(crate) fn from_env() -> Result<Self, ConfigError> {
        let config = Config::new().insecure_http(true).and_load()?;
        let listen = match std::env::var("LISTEN") {
            Ok(address) => address,
            Err(std::env::VarError::NotPresent) => "127.0.0.1:8001".into(),
            Err(_) => {
                return Err(ConfigError::new(
                    "LISTEN: not UTF-8, expected an address such as 127.0.0.1:8001",
                ));
            }
        };
        let name = config.node_name().unwrap_or("node").to_owned();
        if axum::http::HeaderValue::try_from(&name).is_err() {
            return Err(ConfigError::new("ABIDE_NODE: expected a name of visible characters, such as `a`"));
        }
        Ok(Self { listen, name, config, admin_socket: admin_socket() })
    }
}
