//! Verdicts about dead peers, as SWIM would give them: a peer is down for a process that has not reached it for a while,
//! neither directly nor through another one.

use std::collections::BTreeMap;
use std::time::Duration;

use abide_cluster::protocol::NodeId;

/// For how long a peer must have been out of reach.
const DOWN_AFTER: Duration = Duration::from_secs(10);

/// What one process's failure detector knows.
#[derive(Debug, Default)]
pub(crate) struct Detector {
    reached: BTreeMap<NodeId, Duration>,
    down: Vec<NodeId>,
}

/// A verdict, or its withdrawal.
pub(crate) enum Verdict {
    Down(NodeId),
    Up(NodeId),
}

impl Detector {
    /// Looks at who is within reach now.
    pub(crate) fn look(
        &mut self,
        now: Duration,
        members: &[NodeId],
        is_reached: impl Fn(NodeId) -> bool,
    ) -> Vec<Verdict> {
        self.reached.retain(|id, _| members.contains(id));
        self.down.retain(|id| members.contains(id));
        let mut verdicts = Vec::new();
        for id in members {
            let last = self.reached.entry(*id).or_insert(now);
            if is_reached(*id) {
                *last = now;
                if self.down.contains(id) {
                    self.down.retain(|down| down != id);
                    verdicts.push(Verdict::Up(*id));
                }
            } else if now - *last >= DOWN_AFTER && !self.down.contains(id) {
                self.down.push(*id);
                verdicts.push(Verdict::Down(*id));
            }
        }
        verdicts
    }
}
