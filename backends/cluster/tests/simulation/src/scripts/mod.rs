//! Scripted runs: what a random one seldom or never gets to, each from a seed that varies it a little.

mod clocks;
mod doubts;
mod graves;
mod handovers;
mod lists;
mod losses;
mod meetings;
mod scans;
mod stragglers;

use abide_cluster::protocol::Variant;

use crate::run::Outcome;

/// One script.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// What it shows.
    pub name: &'static str,
    /// Carries it out.
    pub run: fn(u64, Option<Variant>) -> Outcome,
}

/// All of them.
pub const SCRIPTS: [Script; 20] = [
    Script { name: "what ended while an owner was away stays so", run: graves::ends_missed },
    Script {
        name: "ends are forgotten though every process is replaced",
        run: graves::forgotten_by_successors,
    },
    Script { name: "a write that a handover overtakes is not acknowledged", run: handovers::late_write },
    Script { name: "a new owner takes over though a giver dies", run: handovers::giver_dies },
    Script { name: "a promise outlives the view it was given in", run: handovers::forgotten_promise },
    Script { name: "no read rests on hearsay", run: handovers::hearsay },
    Script { name: "an operation that a minority stored stays in doubt", run: doubts::refused_write_back },
    Script { name: "sessions end at their deadline, whatever one clock shows", run: clocks::deadlines },
    Script { name: "the last member's clock ends nothing", run: clocks::last_clock },
    Script { name: "a list that some owners forgot is not taken back", run: lists::forgotten },
    Script { name: "a list goes once all in it had its time", run: lists::drained },
    Script { name: "a question for all sessions finds every one", run: scans::missed },
    Script { name: "joiners evict nobody", run: stragglers::votes_of_joiners },
    Script { name: "a joiner gets in though all it knew are gone", run: stragglers::old_contacts },
    Script { name: "a member comes back though all it knew are gone", run: stragglers::old_members },
    Script { name: "a member that lags too far begins anew", run: stragglers::old_views },
    Script { name: "after a restart of all a new cluster serves", run: losses::restart_of_all },
    Script { name: "without a majority an operator goes on", run: losses::recovery },
    Script { name: "all seeds restart at once and found nothing", run: meetings::seeds_restart },
    Script { name: "of two clusters that meet the older one stays", run: meetings::two_clusters },
];
