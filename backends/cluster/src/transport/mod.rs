//! Links to peers over TCP and TLS, the failure detector that runs on them, and where peers are found.
//!
//! A [`Transport`] carries opaque bytes: it knows nothing of the protocol but who a [`Member`](crate::protocol::Member)
//! is. It puts [`Event`]s into the [`Inbox`] of its owner, who gives them to the protocol and sends what that wants sent.
//!
//! | bound | default |
//! |---|---|
//! | a frame | 64 MiB, the largest message of the codec |
//! | what waits for one peer | 8 192 frames, 128 MiB; then its link is dropped |
//! | connections that have not shown who they are | 128, each 3 s and 512 bytes |
//! | connections from one address | 256 |
//! | links | 512 each way |
//!
//! | file | role |
//! |---|---|
//! | `handle`, `shared`, `event`, `settings`, `name`, `counts` | the transport, its tasks' common state, what goes in and out |
//! | `identity/` | certificates: from files, or from a secret |
//! | `frame`, `hello`, `greeting`, `stream` | bytes, greetings, both on a connection |
//! | `link`, `links`, `queue`, `writer`, `backoff` | towards peers |
//! | `accept`, `door`, `lanes` | from peers, and from everybody else |
//! | `swim/` | failure detection: foca as a state machine, and its task |
//! | `discovery/` | addresses, and names looked up again and again |

mod accept;
mod backoff;
mod counts;
mod discovery;
mod door;
mod event;
#[doc(hidden)]
pub mod frame;
mod greeting;
mod handle;
#[doc(hidden)]
pub mod hello;
mod identity;
mod lanes;
mod link;
mod links;
mod name;
mod queue;
mod settings;
mod shared;
mod stream;
mod swim;
mod writer;

pub use counts::{Counts, Refusal};
pub use discovery::{Join, Resolver, SystemResolver};
pub use event::{Event, Inbox, Received};
pub use handle::{OpenError, Transport};
pub use identity::{Identity, IdentityError, PemFiles, Secret};
pub use links::Unsent;
pub use name::ClusterName;
pub use settings::{Limits, Settings, SettingsError, Times};
pub use swim::Membership;
#[doc(hidden)]
pub use swim::{Swim, Verdict};
