//! The session cookie: finding it in a request, writing it into a response.
//!
//! | file | role |
//! |---|---|
//! | `name` | its full name, with the prefix that its attributes earn |
//! | `scan` | the tokens in the bytes of `Cookie` headers, without a jar of all cookies |
//! | `write` | `Set-Cookie`, through the `cookie` crate |

mod name;
mod scan;
mod write;

pub(crate) use name::full_name;
pub(crate) use scan::Candidates;
pub(crate) use write::{CookieChange, CookieTemplate, RouteChange, add_cookie, add_route_cookie};
