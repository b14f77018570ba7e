//! What is left of it in the end, at every server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Shared;
use super::findings::Finding;
use super::person::Person;
use super::visit::number;
use crate::browser::Answer;

const AT_ONCE: usize = 32;
/// A server that is well answers a read within these attempts.
const ATTEMPTS: usize = 50;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(100);

/// Looks at every session at each of the servers.
pub(super) async fn all(shared: &Arc<Shared>, servers: &[SocketAddr]) {
    let (kept, left) = (shared.kept.lock().unwrap().clone(), shared.left.lock().unwrap().clone());
    let (room, mut looks) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    let people = kept.iter().map(|person| (person, true)).chain(left.iter().map(|person| (person, false)));
    for (person, stays) in people {
        for server in servers {
            let (shared, person, server, room) = (shared.clone(), person.clone(), *server, room.clone());
            looks.spawn(async move {
                let _place = room.acquire().await.unwrap();
                if stays {
                    shared.is_all_there(&person, server).await;
                } else {
                    shared.is_over(&person, server).await;
                }
            });
        }
    }
    while let Some(look) = looks.join_next().await {
        look.unwrap();
    }
}

impl Shared {
    async fn is_all_there(&self, person: &Person, server: SocketAddr) {
        let known = self.look(person, server, "/me").await;
        let values = self.look(person, server, "/values").await;
        let (Some(known), Some(values)) = (known, values) else { return };
        if known.status != StatusCode::OK {
            return self
                .find(Finding::Lost, format!("{} is gone at {server}: {}", person.user, known.status));
        }
        let values = values.json();
        for (name, bounds) in [("visits", &person.visits), ("page", &person.page)] {
            let (least, found, most) = (bounds.least(), number(&values[name]), bounds.most());
            let words =
                || format!("{name} of {} at {server}: {found}, expected {least} to {most}", person.user);
            if found < least && !bounds.may_come_late(found) {
                self.find(Finding::Lost, words());
            } else if found > most {
                self.find(Finding::Odd, words());
            }
        }
    }

    async fn is_over(&self, person: &Person, server: SocketAddr) {
        let known = self.look(person, server, "/me").await;
        if known.is_some_and(|answer| answer.status == StatusCode::OK) {
            self.find(Finding::Revived, format!("{} is back at {server}", person.user));
        }
    }

    /// What a server answers, with patience.
    async fn look(&self, person: &Person, server: SocketAddr, path: &str) -> Option<Answer> {
        for _ in 0..ATTEMPTS {
            let mut browser = self.base.at(server);
            browser.cookie = person.cookie.lock().unwrap().clone();
            match browser.try_send(Method::GET, path, "").await {
                Ok(answer) if answer.status != StatusCode::SERVICE_UNAVAILABLE => return Some(answer),
                _ => sleep(BETWEEN_ATTEMPTS).await,
            }
        }
        self.find(Finding::Odd, format!("{server} does not answer {path} of {}", person.user));
        None
    }
}
