//! What is watched all the time: who reaches whom, and that no two views or clusters are where one should be.

use abide_cluster::protocol::{Input, Member, NodeId, Phase, View};

use crate::detector::Verdict;
use crate::event::What;
use crate::process::{LOOK, Process, index};
use crate::world::World;

impl World {
    pub(crate) fn look(&mut self, at: usize, id: NodeId) {
        if self.id(at) != Some(id) {
            return;
        }
        self.after(LOOK, What::Look(at, id));
        if self.processes[at].paused_until > self.now {
            return;
        }
        let Some(view) = self.processes[at].node.as_ref().and_then(|node| node.view()) else { return };
        let members: Vec<Member> = view.members.clone();
        let stands = |other: usize, id: NodeId| {
            self.id(other) == Some(id) && self.processes[other].paused_until <= self.now
        };
        let open =
            |a: usize, b: usize| self.network.is_open(self.now, a, b) && self.network.is_open(self.now, b, a);
        let reached = |member: &Member| {
            let to = index(member.address);
            let relay = |through: &Member| {
                let through_at = index(through.address);
                stands(through_at, through.id) && open(at, through_at) && open(through_at, to)
            };
            stands(to, member.id) && (open(at, to) || members.iter().any(relay))
        };
        let others: Vec<&Member> = members.iter().filter(|member| member.id != id).collect();
        let ids: Vec<NodeId> = others.iter().map(|member| member.id).collect();
        let reachable: Vec<NodeId> =
            others.iter().filter(|member| reached(member)).map(|member| member.id).collect();
        let verdicts = self.processes[at].detector.look(self.now, &ids, |id| reachable.contains(&id));
        for verdict in verdicts {
            let input = match verdict {
                Verdict::Down(peer) => Input::Down(peer),
                Verdict::Up(peer) => Input::Up(peer),
            };
            self.give(at, id, input);
        }
    }

    pub(crate) fn check_view(&mut self, at: usize) {
        let Some(view) = self.processes[at].node.as_ref().and_then(|node| node.view()).cloned() else {
            return;
        };
        self.note(|| format!("process {at} is in view {} of {:?}", view.number, view.members));
        self.check_founding(at, &view);
        let members: Vec<NodeId> = view.members.iter().map(|member| member.id).collect();
        let known = self.views.entry((view.cluster.nonce, view.number)).or_insert_with(|| members.clone());
        if *known != members {
            let two = format!("two views of number {}: {known:?} and {members:?}", view.number);
            self.violations.push(two);
        }
    }

    /// No cluster is founded beside one that could be heard.
    fn check_founding(&mut self, at: usize, view: &View) {
        let serves = |process: &Process| {
            let node = process.node.as_ref().filter(|node| node.phase() == Phase::Member);
            node.and_then(|node| node.view()).is_some_and(|other| other.cluster != view.cluster)
        };
        if view.number > 1 || !self.processes.iter().any(serves) {
            return;
        }
        if self.network.is_cut(self.now)
            || self.processes.iter().any(|process| process.paused_until > self.now)
        {
            self.is_beyond = true;
        } else {
            self.violations.push(format!("process {at} founds a cluster beside another one"));
        }
    }
}
