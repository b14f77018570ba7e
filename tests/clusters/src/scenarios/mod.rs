//! What is done to whom.
//!
//! | file | role |
//! |---|---|
//! | `kills` | one of three is killed, again and again |
//! | `rolling` | five are replaced one after the other, round by round |
//! | `cuts` | the network between them breaks |
//! | `pauses` | one of three stops for a while, and goes on |
//! | `soak` | all of it mixed, for a long time |

mod cuts;
mod kills;
mod pauses;
mod rolling;
mod soak;

use std::time::Duration;

use crate::row::Row;

/// One scenario, and how long it is.
#[derive(Clone, Copy, Debug)]
pub enum Scenario {
    /// One of three is killed and comes back, so many times.
    Kills(usize),
    /// All of five are replaced, one after the other, in so many rounds.
    Rolling(usize),
    /// One of three is stopped for so long, and goes on.
    Pause(Duration),
    /// One of three is cut off from the others for so long, in both directions. Needs a [`Network`](crate::Network).
    TwoAgainstOne(Duration),
    /// What one of three sends does not arrive for so long. Needs a [`Network`](crate::Network).
    OneWay(Duration),
    /// What the first of three sends to the second does not arrive for so long. Needs a [`Network`](crate::Network).
    OneLink(Duration),
    /// Links break and mend for so long. Needs a [`Network`](crate::Network).
    Flapping(Duration),
    /// Nodes are killed, paused and replaced for so long.
    Soak(Duration),
}

impl Scenario {
    /// Whether it needs a network whose links can be cut.
    #[must_use]
    pub fn needs_network(&self) -> bool {
        matches!(self, Self::TwoAgainstOne(_) | Self::OneWay(_) | Self::OneLink(_) | Self::Flapping(_))
    }
}

/// Runs one scenario, on a cluster of its own.
///
/// # Panics
///
/// Where the cluster does not come up, or never becomes well again.
pub async fn run(scenario: Scenario) -> Row {
    match scenario {
        Scenario::Kills(times) => kills::run(times).await,
        Scenario::Rolling(rounds) => rolling::run(rounds).await,
        Scenario::Pause(length) => pauses::run(length).await,
        Scenario::TwoAgainstOne(length) => cuts::two_against_one(length).await,
        Scenario::OneWay(length) => cuts::one_way(length).await,
        Scenario::OneLink(length) => cuts::one_link(length).await,
        Scenario::Flapping(length) => cuts::flapping(length).await,
        Scenario::Soak(length) => soak::run(length).await,
    }
}
