//! Sessions in Redis: a store for [`abide`](https://docs.rs/abide) on a single server, a Sentinel set or a Cluster.
//!
//! Every operation is one trip, but for a race between servers, a login (three) and the end of a session that this process
//! has not seen lately (two). What the server stores of a session is one string, `stamp ‖ record`: a commit merges the
//! changes here and puts the outcome in place of the string with the stamp that it was made from, or is answered what
//! is there instead and merges again. So no update is lost, however many servers there are, and an ended session is a
//! tombstone that nothing replaces.
//!
//! ```no_run
//! use abide_core::SessionStore;
//! use abide_redis::{Address, RedisStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = RedisStore::builder(Address::parse("redis", "//127.0.0.1:6379/0")?).prefix("shop:").open()?;
//! println!("{:?}", store.ready().await);
//! # Ok(()) }
//! ```
//!
//! # What it promises
//!
//! All that [`SessionStore`](abide_core::SessionStore) says, while the master lives. **A failover is not linearizable:**
//! Redis copies to replicas behind its answer, so a new master may lack the latest writes and ends.
//! [`replicas`](RedisStoreBuilder::replicas) narrows that and does not close it. A logout is guarded further: it waits for
//! one replica where one is connected, and the process that served it remembers it for eleven minutes, refuses the
//! session itself and writes the tombstone again after every change of master. It is lost where the master and that
//! process both die.
//!
//! Deadlines are judged by the store's clock, not the server's. A login is compared with the moment of "end all of a
//! user" by the clocks of the two processes that serve them: keep clocks together.
//!
//! [`end_all`](abide_core::SessionStore::end_all) ends every session that is there when it begins, and knows no barrier: a
//! session that is created meanwhile, by a request of before, may outlive it. (A script has one key. A barrier that all
//! creations ask for would be a trip more for each of them in a Cluster, or a key in each of its 16 384 slots.) Asked again a timeout later it finds that one. What a Cluster moves from
//! server to server meanwhile it may pass over.
//!
//! # The near-cache
//!
//! [`near_cache`](RedisStoreBuilder::near_cache), off by default, answers reads of sessions that this process read or wrote
//! lately without a trip. The server tells of each change; what was at hand is forgotten with the connection, and
//! believed only while a heartbeat that was sent within the last second is answered. So a read may be old by the flight
//! of one message, and by a second where the connection or the server hangs unnoticed. Every write is decided in the
//! server as ever.
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `pool` | connections of a pool of `deadpool-redis` that the application brings: `Address::pool`, which says what is missing then |
//!
//! # Size
//!
//! A session is refused above [`max_bytes`](RedisStoreBuilder::max_bytes), 1 MiB by default. A user's list is read whole,
//! 23 bytes for each session.
//!
//! # What is stored
//!
//! | key | value | lives until |
//! |---|---|---|
//! | `abide:s:KEY` | `stamp ‖ record`, or a tombstone | a minute past the deadline, ten minutes past the creation; a tombstone eleven minutes |
//! | `abide:u:HASH` | the sorted set of a user's sessions, scored by deadline, moved up by at most a tenth of the idle timeout | a minute past the last of these |
//!
//! Every key has an expiry: after the last deadline the server is empty.
//!
//! # The server
//!
//! The memory policy must be `noeviction`: any other drops sessions, and with tombstones the memory of logouts. The store
//! asks after each connection, and warns in the log.
//!
//! A user with the least rights:
//!
//! ```text
//! ACL SETUSER abide on >PASSWORD resetkeys ~abide:* resetchannels -@all
//!   +get +set +pexpire +eval +evalsha +zadd +zrem +zrange +zrangebyscore +zremrangebyscore +zscore +pttl
//!   +scan +ping +role +info +wait
//! ```
//!
//! `+scan` is for [`end_all`](abide_core::SessionStore::end_all), `+info` for the warning above, `+wait` for replicas,
//! `+role` for failover; the near-cache needs `+client|tracking +exists` too, a Cluster `+cluster|slots +asking`.
//! At sentinels the user of [`sentinel_login`](connect::LinkOptions::sentinel_login) needs
//! `+sentinel|get-master-addr-by-name +sentinel|master +subscribe` and the channels `&*`.
//!
//! # The files
//!
//! | file | role |
//! |---|---|
//! | `store` | the [`SessionStore`](abide_core::SessionStore) |
//! | `builder` | how one is made |
//! | `inner` | what it is made of, and the operations on one session in the server |
//! | `commit`, `combine` | from a queue of changes to one write; which changes go together |
//! | `login` | new eras and creations: what the user's list must know before and after |
//! | `users` | which sessions a user has |
//! | `everyone` | what concerns the sessions of a user, or all |
//! | `ended` | what this process ended |
//! | `recent` | what a commit is made from without a look |
//! | `near` | what reads are answered from without a trip |
//! | `keeper`, `counts` | what is done in the background, what is counted |
//! | `envelope`, `reply`, `scripts`, `keys` | what is stored, what replies mean, what runs in the server, names |
//! | `fuzzing` | what fuzzing calls |
//! | [`connect`] | the connections: addresses, deadlines, failover, the breaker |

mod builder;
mod combine;
mod commit;
pub mod connect;
mod counts;
mod ended;
mod envelope;
mod everyone;
#[doc(hidden)]
pub mod fuzzing;
mod inner;
mod keeper;
mod keys;
mod login;
mod near;
mod recent;
mod reply;
mod scripts;
mod store;
mod users;

pub use builder::{OpenError, RedisStoreBuilder};
pub use connect::Address;
pub use store::RedisStore;
