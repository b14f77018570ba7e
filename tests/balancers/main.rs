//! Sticky routing and draining behind real load balancers: the very files of `examples/balancers`, over three `node`
//! processes.
//!
//! | file | role |
//! |---|---|
//! | `stage` | three nodes and a balancer |
//! | `sticky` | a client stays on its node, and on the next one once that is dead |
//! | `drained` | a node that ends under load, with a hand-over and with a snapshot |
//! | `moved` | a service that moves from one strategy to another under load |
//! | `marks` | marks that are forged, foreign, oversized or replayed |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod drained;
mod marks;
mod moved;
mod stage;
mod sticky;
