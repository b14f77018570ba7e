//! What may go wrong, and when.

use std::time::Duration;

use abide_conformance::interleavings::Rng;

/// Something that goes wrong. Processes are numbers; those beyond the first are started by [`Fault::Start`].
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// So many of a thousand messages get lost.
    Loss(u32, Duration),
    /// So many of a thousand messages arrive twice.
    Duplication(u32, Duration),
    /// Messages take up to so long, each on its own, and so overtake each other.
    Reordering(Duration, Duration),
    /// So many of a thousand messages arrive very late.
    Late(u32, Duration, Duration),
    /// Nothing gets from the first to the second.
    CutOneWay(usize, usize, Duration),
    /// Nothing gets from either to the other, while both talk to the rest.
    CutBetween(usize, usize, Duration),
    /// Nothing gets to or from this process.
    Isolated(usize, Duration),
    /// Processes below the number do not hear the others.
    Split(usize, Duration),
    /// The links of a process come and go.
    Flapping(usize, Duration, Duration),
    /// A process answers late, and says nothing about it.
    Slow(usize, Duration, Duration),
    /// A process stands still.
    Pause(usize, Duration),
    /// A process is killed, and begins anew after a while, if at all.
    Crash(usize, Option<Duration>),
    /// As a crash, of whoever proposes the next view, while it does.
    CrashProposer(Duration),
    /// As a crash, of whoever joins next, before it is in.
    CrashJoining(Duration),
    /// As a crash, of whoever takes slots over next, in the midst of it.
    CrashTaking(Duration),
    /// As a crash, of whoever leaves next, while it hands over.
    CrashLeaving(Duration),
    /// A wall clock jumps by so many seconds.
    ClockJump(usize, i64),
    /// A process begins.
    Start(usize),
    /// A process leaves, and may begin anew.
    Leave(usize, Option<Duration>),
    /// Messages of one kind get lost, from and to these processes where they are named.
    Lost(&'static str, Option<usize>, Option<usize>, Duration),
    /// A process is of a newer version, and says what the others do not know.
    Newer(usize),
    /// Every process that others look for first is killed and begins anew, one after the other.
    RestartSeeds(Duration),
}

/// The kinds of messages that get lost on their own.
const KINDS: [&str; 7] = ["store", "write", "reply", "views", "paxos", "pull", "pulled"];

/// All kinds of faults.
pub(crate) const FAULTS: [&str; 24] = [
    "loss",
    "duplication",
    "reordering",
    "messages held up",
    "messages of one kind lost",
    "mixed message versions",
    "one-way cut",
    "cut between two",
    "isolation",
    "split",
    "flapping",
    "gray-slow node",
    "pause",
    "pause past suspicion",
    "crash",
    "crash of a proposer",
    "crash while joining",
    "crash while taking over",
    "crash while handing over",
    "clock jump",
    "join",
    "leave",
    "all seeds restart",
    "all restart",
];

impl Fault {
    /// Its kind, for the count of what happened.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Loss(..) => "loss",
            Self::Duplication(..) => "duplication",
            Self::Reordering(..) => "reordering",
            Self::Late(..) => "messages held up",
            Self::CutOneWay(..) => "one-way cut",
            Self::CutBetween(..) => "cut between two",
            Self::Isolated(..) => "isolation",
            Self::Split(..) => "split",
            Self::Flapping(..) => "flapping",
            Self::Slow(..) => "gray-slow node",
            Self::Pause(_, how_long) if *how_long > Duration::from_secs(2) => "pause past suspicion",
            Self::Pause(..) => "pause",
            Self::Crash(..) => "crash",
            Self::CrashProposer(_) => "crash of a proposer",
            Self::CrashJoining(_) => "crash while joining",
            Self::CrashTaking(_) => "crash while taking over",
            Self::CrashLeaving(_) => "crash while handing over",
            Self::ClockJump(..) => "clock jump",
            Self::Start(_) => "join",
            Self::Leave(..) => "leave",
            Self::RestartSeeds(_) => "all seeds restart",
            Self::Lost(..) => "messages of one kind lost",
            Self::Newer(_) => "mixed message versions",
        }
    }

    /// Whether it waits for a moment that may not come.
    pub(crate) fn waits(&self) -> bool {
        matches!(
            self,
            Self::CrashProposer(_) | Self::CrashJoining(_) | Self::CrashTaking(_) | Self::CrashLeaving(_)
        )
    }

    /// One at random, among `processes`.
    pub(crate) fn any(rng: &mut Rng, processes: usize) -> Self {
        let ms =
            |rng: &mut Rng, from: u64, to: u64| Duration::from_millis(from + rng.next_u64() % (to - from));
        let how_long = ms(rng, 300, 8_000);
        let one = rng.below(processes);
        let other = (one + 1 + rng.below(processes.max(2) - 1)) % processes;
        match rng.below(28) {
            0 => Self::Loss(20 + rng.below(280) as u32, how_long),
            1 => Self::Duplication(300, how_long),
            2 => Self::Reordering(ms(rng, 20, 400), how_long),
            3 => Self::Late(100, ms(rng, 500, 6_000), how_long),
            4 | 5 => Self::CutOneWay(one, other, how_long),
            6 | 7 => Self::CutBetween(one, other, how_long),
            8 => Self::Isolated(one, ms(rng, 300, 16_000)),
            9 => Self::Split(1 + rng.below(processes), ms(rng, 300, 14_000)),
            10 => Self::Flapping(one, ms(rng, 100, 1_500), how_long),
            11 => Self::Slow(one, ms(rng, 20, 500), how_long),
            12 => Self::Pause(one, ms(rng, 50, 2_000)),
            13 | 14 => Self::Pause(one, ms(rng, 2_000, 16_000)),
            15 | 16 => Self::Crash(one, Some(ms(rng, 50, 9_000))),
            17 => Self::CrashProposer(ms(rng, 500, 5_000)),
            18 => Self::CrashJoining(ms(rng, 500, 5_000)),
            19 => Self::CrashTaking(ms(rng, 500, 5_000)),
            20 => Self::CrashLeaving(ms(rng, 500, 5_000)),
            21 => Self::ClockJump(one, if rng.chance(50) { 3_600 } else { -3_600 }),
            22 => Self::Start(processes + rng.below(2)),
            23 => Self::Start(processes),
            24 => Self::Leave(one, Some(ms(rng, 500, 6_000))),
            25 => Self::Lost(KINDS[rng.below(KINDS.len())], Some(one), None, how_long),
            26 => Self::Newer(one),
            _ => Self::RestartSeeds(ms(rng, 0, 3_000)),
        }
    }
}
