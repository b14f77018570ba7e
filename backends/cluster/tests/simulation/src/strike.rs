//! Faults strike, and end.

use std::time::Duration;

use abide_cluster::protocol::{Input, Node, Phase};

use crate::event::What;
use crate::fault::Fault;
use crate::safety::survives;
use crate::world::World;

impl World {
    /// A fault strikes, or another one where it cannot.
    pub(crate) fn strike(&mut self, fault: Fault) {
        self.note(|| format!("strikes: {fault:?}"));
        if fault.waits() {
            self.ambushes.push(fault);
        } else if !self.struck(&fault) {
            self.struck(&Fault::Reordering(Duration::from_millis(150), Duration::from_secs(2)));
        }
    }

    fn struck(&mut self, fault: &Fault) -> bool {
        let done = match *fault {
            Fault::Crash(at, again) => return self.crash(at, again, fault.name()),
            Fault::Pause(at, how_long) => {
                self.processes[at].paused_until = self.now + how_long;
                true
            }
            Fault::ClockJump(at, by) => self.jump(at, by),
            Fault::Newer(at) => !std::mem::replace(&mut self.processes[at].is_newer, true),
            Fault::Start(at) => self.start(at),
            Fault::Leave(at, again) => self.leave(at, again),
            Fault::RestartSeeds(apart) => {
                for at in 0..self.scenario.seeds {
                    let crash = Fault::Crash(at, Some(Duration::from_millis(300)));
                    self.after(apart * at as u32, What::Strike(crash));
                }
                true
            }
            Fault::CrashProposer(_)
            | Fault::CrashJoining(_)
            | Fault::CrashTaking(_)
            | Fault::CrashLeaving(_) => false,
            Fault::Loss(_, how_long)
            | Fault::Duplication(_, how_long)
            | Fault::Reordering(_, how_long)
            | Fault::Late(_, _, how_long)
            | Fault::CutOneWay(_, _, how_long)
            | Fault::CutBetween(_, _, how_long)
            | Fault::Isolated(_, how_long)
            | Fault::Split(_, how_long)
            | Fault::Flapping(_, _, how_long)
            | Fault::Slow(_, _, how_long)
            | Fault::Lost(_, _, _, how_long) => {
                self.network.pass(self.now);
                self.network.add(self.now, how_long, fault.clone());
                true
            }
        };
        if done {
            self.count(fault.name());
        }
        done
    }

    /// Counts a fault that struck.
    pub(crate) fn count(&mut self, name: &'static str) {
        self.coverage.fault(name);
        self.struck += 1;
    }

    /// One clock at a time is wrong.
    fn jump(&mut self, at: usize, by: i64) -> bool {
        let is_first = self.processes.iter().all(|process| process.jumped == 0);
        if is_first && self.scenario.processes > 1 {
            self.processes[at].jumped += by;
        }
        is_first && self.scenario.processes > 1
    }

    fn start(&mut self, at: usize) -> bool {
        let is_free = self.processes[at].node.is_none();
        self.begin(at);
        is_free
    }

    fn leave(&mut self, at: usize, again: Option<Duration>) -> bool {
        // The last one would take everything along.
        let stays = |node: &&&Node| node.phase() == Phase::Member;
        let others = self.alive().iter().filter(stays).count();
        let Some(id) = self.id(at).filter(|_| others > 2) else { return false };
        self.give(at, id, Input::Leave);
        if let Some(again) = again {
            self.after(again, What::Begin(at));
        }
        true
    }

    /// From now on messages arrive.
    pub(crate) fn mend_network(&mut self) {
        self.network.heal(self.now);
    }

    /// Every process is killed at once: all is gone.
    pub(crate) fn kill_all(&mut self) {
        self.count("all restart");
        (0..self.processes.len()).for_each(|at| self.kill(at));
    }

    /// An operator goes on with all that live, at the one that knows the last view.
    pub(crate) fn recover(&mut self) {
        let alive = self.alive();
        let last = alive.iter().filter(|node| matches!(node.phase(), Phase::Member | Phase::Leaving));
        let Some(last) = last.max_by_key(|node| node.view().map(|view| view.number)) else { return };
        let (id, survivors) = (last.id(), alive.iter().map(|node| node.id()).collect());
        let Some(at) = (0..self.processes.len()).find(|at| self.id(*at) == Some(id)) else { return };
        self.give(at, id, Input::Recover(survivors));
    }

    /// Kills a process, if what was acknowledged survives it, and begins another one there.
    pub(crate) fn crash(&mut self, at: usize, again: Option<Duration>, name: &'static str) -> bool {
        let Some(id) = self.id(at) else { return false };
        let ghosts = self.joiner_died.is_some_and(|died| self.now < died + Duration::from_secs(8));
        if !survives(&self.alive(), &self.dead, id, ghosts, self.scenario.slots) {
            return false;
        }
        if self.processes[at].node.as_ref().is_some_and(|node| node.phase() == Phase::Joining) {
            self.joiner_died = Some(self.now);
        }
        self.note(|| format!("process {at} crashes ({name})"));
        self.count(name);
        self.kill(at);
        if let Some(again) = again {
            self.after(again, What::Begin(at));
        }
        true
    }

    /// Crashes that wait for a moment: is this one?
    pub(crate) fn spring(&mut self, at: usize, before: (Phase, u64), after: (Phase, u64)) {
        let node = self.processes[at].node.as_ref();
        let taking = node.is_some_and(|node| node.phase() == Phase::Member && !node.has_synced());
        let draw = self.rng.chance(30);
        let found = self.ambushes.iter().position(|fault| match fault {
            Fault::CrashProposer(_) => {
                after.1 > before.1 || (after.1 > 0 && draw && before.0 == after.0 && taking)
            }
            Fault::CrashJoining(_) => after.0 == Phase::Joining && draw,
            Fault::CrashTaking(_) => taking && draw,
            Fault::CrashLeaving(_) => matches!(after.0, Phase::Leaving | Phase::Left) && draw,
            _ => false,
        });
        let Some(found) = found else { return };
        let fault = self.ambushes.remove(found);
        let name = fault.name();
        let again = match fault {
            Fault::CrashProposer(again)
            | Fault::CrashJoining(again)
            | Fault::CrashTaking(again)
            | Fault::CrashLeaving(again) => again,
            _ => Duration::from_secs(1),
        };
        let waits = Fault::clone(&fault);
        if !self.crash(at, Some(again), name) {
            self.ambushes.push(waits);
        }
    }

    /// From now on nothing is wrong.
    pub(crate) fn heal(&mut self) {
        self.note(|| "heals".to_owned());
        self.network.heal(self.now);
        self.ambushes.clear();
        for process in &mut self.processes {
            (process.jumped, process.is_newer) = (0, false);
        }
        for at in 0..self.scenario.processes {
            if self.processes[at].node.is_none() {
                self.after(Duration::from_millis(100), What::Begin(at));
            }
        }
    }
}
