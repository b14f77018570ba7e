//! The near-cache: sessions that this process read or wrote lately, so that the next read needs no trip.
//!
//! **Invariant.** What [`NearCache::get`] answers at `now` was the server's state at some moment after `now` minus
//! [`Lease::LENGTH`], whatever the link does; while the link is well, it is behind by no more than the flight of one push.
//! Three things hold it:
//!
//! - `marks`: an answer is kept only if nothing said, between the asking and the keeping, that it may have changed;
//! - the server tracks each key that is kept, so it says so (who puts must have read, or written and then read, over the
//!   connection that tracks: [`Mark`] names it);
//! - `lease`: invalidations and the answers to heartbeats come down one connection in order, so the answer to a
//!   heartbeat proves that every invalidation up to its sending was heard. Without one, nothing is believed.
//!
//! | file | role |
//! |---|---|
//! | `cache` | the entries, bounded in bytes |
//! | `marks` | has anything changed since |
//! | `lease` | until when the entries are believed |
//! | `listen` | from the news of the link to the above |
//! | `counts` | hits, misses, and why |

mod cache;
mod counts;
mod lease;
mod listen;
mod marks;

pub(crate) use cache::{Answered, NearCache};
pub(crate) use listen::watcher;
