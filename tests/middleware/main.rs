//! The layer from outside: real stores, real servers, a clock that is moved by hand and a network that fails on
//! demand.
//!
//! | file | role |
//! |---|---|
//! | `stage` | sessions, clients, and what is behind them |
//! | `service` | the layer as a Tower service |
//! | `servers` | axum and plain hyper over real connections |
//! | `wire` | HTTP as it is spoken: `HEAD`, 304, HTTP/2, panics |
//! | `upgrades` | connections that go over to another protocol |
//! | `nesting` | layers within layers |
//! | `cookies` | which cookie counts, and what else stands in the headers |
//! | `testing` | what applications test themselves with |
//! | `writing` | when the store is written |
//! | `after_headers` | a session in a streamed body |
//! | `hang_up` | requests that are dropped, handlers that panic |
//! | `answers` | the table of answers |
//! | `outages` | a store out of reach, answers that get lost |
//! | `deadlines` | the idle and the absolute deadline |
//! | `draining` | what a load balancer asks, and how a server ends |
//! | `renewal` | periodic renewal |
//! | `routes` | route marks: what a load balancer keeps a client on its server by |
//! | `races` | writes of one session at the same time |
//! | `wrapped` | a store within the wrappers that the settings ask for |
//! | `identity_races` | logins, logouts and other ends while requests are under way |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod after_headers;
mod answers;
mod cookies;
mod deadlines;
mod draining;
mod hang_up;
mod identity_races;
mod nesting;
mod outages;
mod races;
mod renewal;
mod routes;
mod servers;
mod service;
mod stage;
mod testing;
mod upgrades;
mod wire;
mod wrapped;
mod writing;
