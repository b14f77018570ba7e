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

use super::CookieTemplate;
use crate::route::RouteMarks;

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
    /// Of which texts the route mark behind them is this server's: a bit each.
    marked: u8,
    /// Whether the route mark's own cookie was there, and whether it is this server's.
    route: (bool, bool),
}

/// What is looked for.
struct Names<'a> {
    session: &'a [u8],
    marks: Option<&'a RouteMarks>,
    route: Option<&'a [u8]>,
}

impl Candidates {
    pub(crate) fn of(headers: &HeaderMap, session: &CookieTemplate, marks: Option<&RouteMarks>) -> Self {
        let route = marks.and_then(RouteMarks::cookie).map(|cookie| cookie.name().as_bytes());
        let names = Names { session: session.name().as_bytes(), marks, route };
        let mut candidates = Self::default();
        for header in headers.get_all(COOKIE) {
            candidates.scan(header.as_bytes(), &names);
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

    /// Whether the token came with another route mark than this server's, or with none. One that did not come at all
    /// lacks nothing.
    pub(crate) fn lacks_mark(&self, token: &Token) -> bool {
        let at = self.texts.iter().position(|text| Token::parse(text).as_ref() == Ok(token));
        at.is_some_and(|at| self.marked & 1 << at == 0)
    }

    /// Whether the route mark's own cookie was there.
    pub(crate) fn brings_route(&self) -> bool {
        self.route.0
    }

    /// Whether the route mark's own cookie names this server.
    pub(crate) fn is_routed_here(&self) -> bool {
        self.route.1
    }

    fn scan(&mut self, header: &[u8], names: &Names<'_>) {
        let mut rest = header;
        loop {
            let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
            let pair = rest[..end].trim_ascii();
            if let Some(value) = value_of(pair, names.session) {
                self.add(value, names.marks);
            } else if let Some(route) = names.route {
                self.see_route(pair, route, names.marks);
            }
            match rest.get(end + 1..) {
                Some(next) => rest = next,
                None => return,
            }
        }
    }

    /// A route mark behind the text is no part of it, whether or not this server writes any: also a client that another
    /// setting gave one stays signed in.
    fn add(&mut self, value: &[u8], marks: Option<&RouteMarks>) {
        self.presented = true;
        let (text, mark) = match value.split_at_checked(Token::ENCODED_LEN) {
            Some((text, [])) => (text, None),
            Some((text, [b'.', mark @ ..])) => (text, Some(mark)),
            _ => return,
        };
        let Ok(text) = Text::try_from(text) else { return };
        let known = self.texts.iter().position(|known| *known == text);
        let at = known.unwrap_or(self.texts.len());
        if at == MOST {
            return;
        }
        if known.is_none() {
            self.texts.push(text);
        }
        if mark.is_some_and(|mark| marks.is_some_and(|marks| marks.are_ours(mark))) {
            self.marked |= 1 << at;
        }
    }

    fn see_route(&mut self, pair: &[u8], name: &[u8], marks: Option<&RouteMarks>) {
        if let Some(mark) = value_of(pair, name) {
            self.route.0 = true;
            self.route.1 |= marks.is_some_and(|marks| marks.are_ours(mark));
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
        let template = CookieTemplate::of(&crate::Config::new().insecure_http(true));
        Candidates::of(&map, &template, None).tokens().collect()
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
    fn a_route_mark_behind_a_token_is_no_part_of_it() {
        let text = token(1).encode();
        for mark in ["", "a", "a.b", "\"", &"x".repeat(5_000)] {
            assert_eq!(found(&[format!("id={text}.{mark}").as_bytes()]), [token(1)], "{mark}");
        }
        let header = format!("id={text}.a; id={text}; id={text}.b; id={text}x; id={}.a", &text[..42]);
        assert_eq!(found(&[header.as_bytes()]), [token(1)]);
    }

    #[test]
    fn at_most_four_are_considered_and_a_twin_counts_once() {
        let header: String = (0..9).map(|n| format!("id={0}; id={0};", token(n).encode())).collect();
        assert_eq!(found(&[header.as_bytes()]), [token(0), token(1), token(2), token(3)]);
    }
}
