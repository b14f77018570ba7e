//! The session store over the protocol and the transport: what a server opens.
//!
//! | file | role |
//! |---|---|
//! | `builder`, `error` | settings, and which of them are refused |
//! | `clock` | the time that the protocol is given |
//! | `life` | one process id: a node of the protocol with its links, from its start until it is no member any more |
//! | `host` | the node, called by the tasks of requests and of links |
//! | `driver` | the task that gives it the time, does what takes longer, and begins the next life |
//! | `status`, `figures` | what everybody may see of it: readiness, members, metrics |
//! | `handle`, `contract` | [`ClusterStore`], and the contract that it keeps |
//! | `asking` | questions that are asked again where nobody knows what came of them |
//! | `users`, `login`, `everyone` | the lists of users: what is asked of them; logins; of a user, and of all |
//! | `recent` | sessions that were answered lately |

mod asking;
mod builder;
mod clock;
mod contract;
mod driver;
mod error;
mod everyone;
mod figures;
mod handle;
mod host;
mod life;
mod login;
mod recent;
mod status;
mod users;

pub use builder::{ClusterStoreBuilder, Copies};
pub use error::OpenError;
pub use handle::ClusterStore;
pub use status::Status;
