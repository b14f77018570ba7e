//! The security checklist, row by row: the number of a row stands above the test that holds it, and the test's name
//! is the claim.
//!
//! | file | rows |
//! |---|---|
//! | `tokens` | 1, 2, 3, 7, 20: what a token is, where it counts, and what is kept of it |
//! | `cookies` | 4, 5, 6, 13, 14: what a response says about the cookie |
//! | `life` | 8 to 12 and 28: when a token, and when a session, is over |
//! | `users` | 15, 16, 17, 18: a user's sessions, administrators, the limit, the last authentication |
//! | `races` | 24: what is checked and what is done come in one step |
//! | `bounds` | 27: what a client can make a server hold |
//! | `forgery` | 19: requests that another site made up |
//! | `disclosure` | 25, 26: what is logged and told, and what is never shown |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bounds;
mod cookies;
mod disclosure;
mod forgery;
mod life;
mod races;
#[allow(dead_code, reason = "shared with the tests of the layer, and each uses its part")]
#[path = "../middleware/stage.rs"]
mod stage;
mod tokens;
mod users;

use stage::Client;

/// The 32 bytes of a client's token.
fn token_bytes(client: &Client) -> [u8; 32] {
    let text = token_text(client);
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        other => panic!("{other} is no digit of base64url"),
    };
    let (mut bytes, mut buffer) = (Vec::new(), 0_u32);
    for (at, character) in text.bytes().enumerate() {
        buffer = (buffer << 6) | u32::from(digit(character));
        if at % 4 != 0 {
            bytes.push((buffer >> (6 - 2 * (at % 4))) as u8);
        }
    }
    bytes.try_into().unwrap()
}

/// The text of a client's token.
fn token_text(client: &Client) -> String {
    client.cookie.as_ref().unwrap().split_once('=').unwrap().1.to_owned()
}
