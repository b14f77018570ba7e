//! What a store counts about itself.

/// How a [`Metric`] moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// It only grows while the store is open.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// One figure of a store, for dashboards and alarms.
///
/// ```
/// use abide_core::{Metric, MetricKind};
///
/// let hits = Metric::counter("near_hits", "Reads that needed no trip", 17);
/// assert_eq!((hits.kind(), hits.value()), (MetricKind::Counter, 17));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    name: &'static str,
    help: &'static str,
    kind: MetricKind,
    value: u64,
}

impl Metric {
    /// A figure that only grows: events since the store was opened.
    #[must_use]
    pub const fn counter(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, kind: MetricKind::Counter, value }
    }

    /// A figure of this moment.
    #[must_use]
    pub const fn gauge(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, kind: MetricKind::Gauge, value }
    }

    /// Its name: lower case, with underscores, its unit at the end where it has one, no prefix.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it says, in a few words.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        self.help
    }

    /// How it moves.
    #[must_use]
    pub const fn kind(&self) -> MetricKind {
        self.kind
    }

    /// Its value.
    #[must_use]
    pub const fn value(&self) -> u64 {
        self.value
    }
}
