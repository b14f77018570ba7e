//! The tokens in the bytes of `Cookie` headers.
//!
//! Only our own cookie is looked at; the others are skipped without a copy. A browser may send several of one name
//! (for different paths or domains), so a stray one must not hide the good one: up to [`MOST`] are kept, and the
//! session decides which verifies.

use abide_core::Token;
use http::HeaderMap;
use http::header::COOKIE;

/// How many cookies of our name are considered; more is not a browser.
pub(crate) const MOST: usize = 4;

/// The well-formed tokens of a request, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidates {
    first: Option<Token>,
    /// Allocated only for the rare request with several.
    more: Vec<Token>,
    /// Whether a cookie of our name was there, well formed or not.
    presented: bool,
}

impl Candidates {
    pub(crate) fn of(headers: &HeaderMap, name: &str) -> Self {
        let mut candidates = Self::default();
        for header in headers.get_all(COOKIE) {
            candidates.scan(header.as_bytes(), name.as_bytes());
        }
        candidates
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Token> {
        self.first.iter().chain(&self.more)
    }

    pub(crate) fn presented(&self) -> bool {
        self.presented
    }

    fn scan(&mut self, header: &[u8], name: &[u8]) {
        let mut rest = header;
        loop {
            let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
            if let Some(value) = value_of(rest[..end].trim_ascii(), name) {
                self.add(value);
            }
            match rest.get(end + 1..) {
                Some(next) => rest = next,
                None => return,
            }
        }
    }

    fn add(&mut self, value: &[u8]) {
        self.presented = true;
        let Ok(token) = Token::parse(value) else { return };
        if self.iter().any(|known| *known == token) {
            return;
        }
        if self.first.is_none() {
            self.first = Some(token);
        } else if self.more.len() + 1 < MOST {
            self.more.push(token);
        }
    }
}

fn value_of<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    pair.strip_prefix(name)?.strip_prefix(b"=")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(n: u8) -> Token {
        Token::from_bytes([n; 32])
    }

    fn found(headers: &[&[u8]]) -> Vec<Token> {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(COOKIE, http::HeaderValue::from_bytes(header).unwrap());
        }
        Candidates::of(&map, "id").iter().copied().collect()
    }

    #[test]
    fn our_cookie_is_found_among_others_and_in_a_second_header() {
        let (one, two) = (token(1).encode(), token(2).encode());
        let header = format!("theme=dark; id={one}; xid={two}; id2={two}");
        assert_eq!(found(&[header.as_bytes()]), [token(1)]);
        let second = format!("id={two}");
        assert_eq!(found(&[b"a=b", second.as_bytes()]), [token(2)]);
    }

    #[test]
    fn malformed_and_binary_values_are_passed_over() {
        let good = token(1).encode();
        let header = [b"id=\xFF\xFE; id=; id; =; id=".as_slice(), good.as_bytes()].concat();
        assert_eq!(found(&[&header]), [token(1)]);
        assert!(found(&[b";;;=;"]).is_empty());
    }

    #[test]
    fn at_most_four_are_considered_and_a_twin_counts_once() {
        let header: String = (0..9).map(|n| format!("id={0}; id={0};", token(n).encode())).collect();
        assert_eq!(found(&[header.as_bytes()]), [token(0), token(1), token(2), token(3)]);
    }
}
