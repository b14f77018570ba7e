//! The cases, a file for each part of the contract.
//!
//! | file | what it holds |
//! |---|---|
//! | `living` | when a session is live and when it is over |
//! | `creating`, `loading`, `committing`, `ending` | the operations on one session |
//! | `trying` | commits that do not wait |
//! | `users` | a user's sessions, and the end of all of them |
//! | `limits` | a limit on the sessions of one user |
//! | `everyone` | the end of all sessions |
//! | `standing` | ready, capabilities, drain |
//! | `secrets` | logins and renewals |
//! | `races` | requests at the same time |
//! | `retries` | the same operation asked for again |
//! | `cancelling` | futures dropped before they resolved |
//! | `outages` | a store out of reach |

mod cancelling;
mod committing;
mod creating;
mod ending;
mod everyone;
mod limits;
mod living;
mod loading;
mod outages;
mod races;
mod retries;
mod secrets;
mod standing;
mod trying;
mod users;

use crate::case::Case;

const PARTS: [&[Case]; 15] = [
    living::CASES,
    creating::CASES,
    loading::CASES,
    committing::CASES,
    trying::CASES,
    secrets::CASES,
    ending::CASES,
    users::CASES,
    limits::CASES,
    everyone::CASES,
    standing::CASES,
    races::CASES,
    retries::CASES,
    cancelling::CASES,
    outages::CASES,
];

/// Every case.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    PARTS.into_iter().flatten()
}
