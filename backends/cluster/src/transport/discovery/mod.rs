//! Where peers may be found: addresses that stay, and names that are looked up again and again.
//!
//! **Invariant.** What a look-up found last holds until another one finds something: a name server that fails takes
//! nobody's peers away.

mod join;
mod resolver;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use tokio::sync::watch;
use tokio::time::timeout;

pub use join::Join;
pub use resolver::{Resolver, SystemResolver};

use super::settings::Settings;
use join::Name;

/// Looks names up until the transport stops, and tells the addresses whenever they change.
pub(super) async fn look_up(settings: Settings, found: watch::Sender<Vec<SocketAddr>>) {
    let names = settings.join.names();
    let mut known: Vec<Vec<SocketAddr>> = vec![Vec::new(); names.len()];
    if names.is_empty() {
        return;
    }
    loop {
        for (name, addresses) in names.iter().zip(&mut known) {
            if let Some(answer) = ask(&settings, name).await {
                *addresses = answer;
            }
        }
        let all = settings.join.addresses().iter().chain(known.iter().flatten()).copied();
        let all: Vec<_> = all.collect::<BTreeSet<_>>().into_iter().collect();
        found.send_if_modified(|before| {
            *before != all && {
                *before = all;
                true
            }
        });
        tokio::time::sleep(settings.times.lookup).await;
    }
}

/// The addresses of a name, where it has any.
async fn ask(settings: &Settings, name: &Name) -> Option<Vec<SocketAddr>> {
    let asked = timeout(settings.times.lookup, settings.resolver.resolve(&name.host, name.port)).await;
    match asked {
        Ok(Ok(addresses)) if !addresses.is_empty() => Some(addresses),
        Ok(Ok(_)) => None,
        Ok(Err(error)) => {
            tracing::debug!(name = name.host, %error, "cluster: a name cannot be looked up");
            None
        }
        Err(_) => {
            tracing::debug!(name = name.host, "cluster: a name server does not answer");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use async_trait::async_trait;

    use super::*;
    use crate::protocol::{Member, NodeId};

    /// Answers what it is told to, one after the other, and the last for ever.
    #[derive(Debug)]
    struct Script(Mutex<Vec<Option<Vec<SocketAddr>>>>);

    #[async_trait]
    impl Resolver for Script {
        async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
            assert_eq!((host, port), ("peers.test", 7001));
            let mut answers = self.0.lock().unwrap();
            let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
            answer.ok_or_else(|| io::Error::other("no name server"))
        }
    }

    fn at(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 7001))
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_is_looked_up_again_and_again_and_a_failed_look_up_takes_nobody_away() {
        let me = Member { id: NodeId(1), address: at(1) };
        let answers = vec![None, Some(vec![at(2), at(1)]), None, Some(vec![]), Some(vec![at(3)])];
        let mut settings = Settings::new(me, 1);
        settings.join = Join::parse("peers.test:7001,10.0.0.9:7001", Some(3)).unwrap();
        settings.resolver = Arc::new(Script(Mutex::new(answers)));
        let (found, seeds) = watch::channel(settings.join.addresses().to_vec());
        let step = settings.times.lookup + Duration::from_millis(1);
        tokio::spawn(look_up(settings, found));
        let expected = [
            vec![at(9)],
            vec![at(1), at(2), at(9)],
            vec![at(1), at(2), at(9)],
            vec![at(1), at(2), at(9)],
            vec![at(3), at(9)],
        ];
        for addresses in expected {
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert_eq!(*seeds.borrow(), addresses);
            tokio::time::sleep(step - Duration::from_millis(1)).await;
        }
    }
}
