//! Sessions in Redis: a single server, a Sentinel set or a Cluster.
//!
//! | module | role |
//! |---|---|
//! | [`connect`] | the connections: addresses, deadlines, failover, the breaker |

pub mod connect;
