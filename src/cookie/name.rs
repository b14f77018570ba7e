//! The cookie's full name.

/// The name with the strongest prefix that the attributes allow: `__Host-` binds the cookie to this host and to https,
/// `__Secure-` to https alone. The same function names the cookie for reading and for writing.
pub(crate) fn full_name(name: &str, secure: bool, domain: Option<&str>, path: &str) -> String {
    let prefix = match (secure, domain, path) {
        (false, ..) => "",
        (true, None, "/") => "__Host-",
        (true, ..) => "__Secure-",
    };
    format!("{prefix}{name}")
}
