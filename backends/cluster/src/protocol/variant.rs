//! Broken forms of the protocol, for tests: each leaves one rule out. The simulator must catch every one of them, or its
//! silence about the real one would say nothing.

/// A rule that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[cfg_attr(not(feature = "__variants"), allow(unreachable_pub, reason = "named by the simulator alone"))]
pub enum Variant {
    /// A coordinator counts acknowledgements of different views together.
    AcknowledgeAcrossViews,
    /// A new owner counts before it has anything.
    CountAtOnce,
    /// A new owner counts once it has the copy of one owner of the view before.
    SyncFromOne,
    /// The owners of the view before go on serving while they are copied.
    NoSeal,
    /// A tombstone goes when it is old enough, whatever the other owners hold.
    TombstoneByTimer,
    /// Owners take what was meant for another view, another generation or another time.
    NoFence,
    /// A read is answered before what it found is stored by a majority.
    RepairAfterAnswer,
    /// A compare-and-commit is decided by one owner's copy.
    CompareAtOneOwner,
    /// Owners take blind writes into a generation although they promised a later one.
    WritesPastPromises,
    /// A copy is handed over without what was promised.
    ForgetPromises,
    /// A read rests on what a copy was told below a promise.
    TrustHearsay,
    /// Each node judges deadlines by its own clock.
    OwnClock,
    /// What is forgotten leaves no floor under the ballots that follow.
    NoFloor,
    /// What was decided lately is not remembered.
    NoDeeds,
}

impl Variant {
    /// All of them.
    #[cfg(feature = "__variants")]
    pub const ALL: [Self; 14] = [
        Self::AcknowledgeAcrossViews,
        Self::CountAtOnce,
        Self::SyncFromOne,
        Self::NoSeal,
        Self::TombstoneByTimer,
        Self::NoFence,
        Self::RepairAfterAnswer,
        Self::CompareAtOneOwner,
        Self::WritesPastPromises,
        Self::ForgetPromises,
        Self::TrustHearsay,
        Self::OwnClock,
        Self::NoFloor,
        Self::NoDeeds,
    ];
}
