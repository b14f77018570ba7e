//! The seeded interleavings of `abide-conformance` on the memory store, on Redis and through abide's layer.
//!
//! `abide-conformance` has the engine and the clients that talk to a store; here are those that go through the layer, and
//! the command that runs as many seeds as one likes.
//!
//! | file | role |
//! |---|---|
//! | `layer` | clients that send requests to a service under the layer |
//! | `session` | what a handler calls, as the engine has it |
//! | `redis`, `blocking` | stores on Redis servers; each operation runs to its end where it is asked for |
//! | `many` | many seeds on all cores |
//! | `main` | the command |

mod blocking;
mod layer;
mod many;
mod redis;
mod session;

use std::sync::Arc;

use abide_conformance::interleavings::Stores;
use abide_memory::MemoryStore;

pub use layer::{Layers, layer_setup};
pub use many::{Progress, many};
pub use redis::redis;

/// Plans against the memory store, as the layer would.
#[must_use]
pub fn memory() -> Stores {
    Stores::new(|clock| Arc::new(MemoryStore::builder().clock(clock).build()))
}
