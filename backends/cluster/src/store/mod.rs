//! The session store over the protocol and the transport: what a server opens.
//!
//! | file | role |
//! |---|---|
//! | `builder`, `error` | settings, and which of them are refused |
//! | `clock` | the time that the protocol is given |
//! | `life` | one process id: a node of the protocol with its links, from its start until it is no member any more |
//! | `driver` | the task that owns the life, carries requests to it and begins the next one |
//! | `status`, `figures` | what everybody may see of it: readiness, members, metrics |
//! | `handle`, `contract` | [`ClusterStore`], and the contract that it keeps |

mod builder;
mod clock;
mod contract;
mod driver;
mod error;
mod figures;
mod handle;
mod life;
mod status;

pub use builder::{ClusterStoreBuilder, Copies};
pub use error::OpenError;
pub use handle::ClusterStore;
pub use status::Status;
