//! What a load balancer asks: whether this server may take traffic.
//!
//! | state | answer |
//! |---|---|
//! | the store can serve | 200 `ready` |
//! | the store cannot | 503 and the reason |
//! | the server [drains](crate::drain) | [`draining_status`](crate::Config::draining_status), 503 or 404, and `draining` |
//!
//! While it drains, a server serves whoever comes. A balancer that takes 503 for down sends its clients elsewhere;
//! HAProxy with `http-check disable-on-404` takes 404 for "no new clients", and goes on sending the old ones.
//!
//! The answer is never cached, and names no server and no store.
//!
//! | file | role |
//! |---|---|
//! | `service` | `ReadyService`: for a route |
//! | `layer` | `ReadyLayer`: for a service without routes |

mod layer;
mod service;

pub use layer::{ReadyFuture, ReadyLayer, ReadyOr};
pub use service::ReadyService;
