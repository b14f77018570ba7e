//! Free ports, and the templates of `ABIDE_STORE`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A loopback address that nobody listens on. Another process could take it before it is used; the lab then ends with the
/// error of the one that came too late.
pub(crate) fn free() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// The addresses that a template may name.
#[derive(Debug)]
pub(crate) struct Addresses {
    /// Of the servers that the run begins with.
    pub(crate) links: Vec<SocketAddr>,
    /// A URL.
    pub(crate) redis: Option<String>,
}

impl Addresses {
    /// The store of the server whose link this is.
    pub(crate) fn fill(&self, template: &str, link: SocketAddr) -> String {
        let links: Vec<_> = self.links.iter().map(SocketAddr::to_string).collect();
        template
            .replace("{link}", &link.to_string())
            .replace("{links}", &links.join(","))
            .replace("{sentinel}", self.redis.as_deref().unwrap_or_default())
            .replace("{redis}", self.redis.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_gets_its_own_link_all_links_and_redis() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let addresses = Addresses { links: vec![at(1), at(2)], redis: Some("redis://r".into()) };
        assert_eq!(
            addresses.fill("x://{link}?join={links}&also={redis}", at(2)),
            "x://127.0.0.1:2?join=127.0.0.1:1,127.0.0.1:2&also=redis://r"
        );
    }
}
