//! Sticky routing: marks by which a load balancer keeps a client on its server.
//!
//! Where sessions live in one process, or on a few of many, a request should come to the server that has its session.
//! The layer tells the client which that is, in a *route mark*, and the balancer reads the mark:
//!
//! | setting | the mark is | read by |
//! |---|---|---|
//! | `route = "cookie"` | a cookie of its own, [`route_cookie`](crate::Config::route_cookie) | HAProxy (`cookie`), nginx (`map`), Traefik and Envoy by rules |
//! | `route = "suffix"` | behind the token, after a dot: `token.alias` | Apache (`stickysession`), nginx (`map`), whatever knows Tomcat's convention |
//!
//! `examples/balancers` has configurations that work.
//!
//! **What a mark says.** The server's *alias*: 16 characters of hex, a hash of its [name](crate::Config::node) under a
//! secret that the servers share ([`RouteKey`]), so it tells nobody how servers are called or how many there are. With
//! [`fallback_routes`](crate::SessionsBuilder::fallback_routes) others that have the session follow, each after a dot.
//!
//! **When it is sent.** Only beside a live session that the request looked at, and only where the client brought no
//! mark or another server's: after a login, and once after another server took over. A server that is
//! [draining](crate::Sessions::begin_shutdown) sends none. A logout removes the mark with the session's cookie.
//!
//! **What it is worth.** Nothing, to the server: it is cut off before the token is looked at, compared with the server's
//! own and otherwise forgotten. A forged, foreign or replayed one only leads its own client to another server.
//!
//! **A suffix is rewritten with care.** It stands in the session cookie, and an older token must not overwrite a newer
//! one; so it is written only beside a commit that found the presented token to be the current one. A cookie of its own
//! has no such cost.
//!
//! **Nested layers** of one server share its mark: where both have a cookie for it, by the same name, it is sent once,
//! and a logout of one layer removes it only where the request brought no session of the other.
//!
//! | file | role |
//! |---|---|
//! | `key` | the secret, and the aliases that it makes |
//! | `marks` | the marks of one server |

mod key;
mod marks;

pub use key::RouteKey;
pub(crate) use marks::{Fallbacks, RouteMarks};
