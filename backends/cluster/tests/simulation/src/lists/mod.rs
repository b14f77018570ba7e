//! Clients of the lists of users: what they do, what came of it, and whether that is what one list would have said.
//!
//! | file | role |
//! |---|---|
//! | `mod` | a call, its answer, and when they were |
//! | `plan` | what the clients of one list do: logins as a store makes them, and ends of all |
//! | `client` | carrying that out |
//! | `model` | the list as it should be, one call after the other |
//! | `check` | the search for an order of the calls that the model accepts |

mod check;
mod client;
mod model;
mod plan;

use abide_cluster::protocol::{Answer, UserEdit};

pub(crate) use check::{HAPPENS, check};
pub(crate) use client::carry_out;
pub use plan::{Act, ListPlan};

/// What a client asks of a list.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Edit(UserEdit),
    Read,
}

/// A call, and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) call: Call,
    /// The order of all calls and answers of one list.
    pub(crate) called: u64,
    pub(crate) answered: u64,
    /// `None` where the answer was lost: then it may happen at any time after its call, or never.
    pub(crate) came: Option<Answer>,
}

/// All that was asked of one list.
pub(crate) type ListHistory = Vec<Done>;
