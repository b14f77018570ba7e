//! The tokens in the bytes of `Cookie` headers.
//!
//! Only our own cookie is looked at; the others are skipped without a copy. A browser may send several of one name
//! (for different paths or domains), so a stray one must not hide the good one: up to [`MOST`] are kept, and the
//! session decides which verifies.

use std::fmt;

use abide_core::Token;
use http::HeaderMap;
use http::header::COOKIE;
use smallvec::SmallVec;

/// How many cookies of our name are considered; more is not a browser.
pub(crate) const MOST: usize = 4;

/// The text of what may be a token: of the right length. It is parsed when somebody asks.
type Text = [u8; Token::ENCODED_LEN];

/// What may be tokens of a request, in the order in which they came.
#[derive(Clone, Default)]
pub(crate) struct Candidates {
    /// Allocated only for the rare request with several.
    texts: SmallVec<[Text; 1]>,
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

    /// The well-formed tokens.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = Token> {
        self.texts.iter().filter_map(|text| Token::parse(text).ok())
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
        let Ok(text) = Text::try_from(value) else { return };
        if self.texts.len() < MOST && !self.texts.contains(&text) {
            self.texts.push(text);
        }
    }
}

/// The texts are secrets.
impl fmt::Debug for Candidates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} candidates", self.texts.len())
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
        Candidates::of(&map, "id").tokens().collect()
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
