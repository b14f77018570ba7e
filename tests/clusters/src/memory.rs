//! How much memory nodes take.

use std::fs;

use abide_harness::Cluster;

/// What is judged flat may grow by this much: an allocator does not give everything back.
const GROWTH: f64 = 1.15;
const SLACK: u64 = 8 << 20;

/// Looks at the memory of all nodes, in the order of time.
#[derive(Debug, Default)]
pub(crate) struct Memory(Vec<u64>);

impl Memory {
    /// Looks once: at the node that takes the most.
    pub(crate) fn look(&mut self, cluster: &Cluster) {
        let nodes = cluster.taken().into_iter().map(|seat| cluster.node(seat).pid());
        self.0.extend(nodes.filter_map(resident).max());
    }

    /// As of the last look.
    pub(crate) fn last(&self) -> u64 {
        self.0.last().copied().unwrap_or_default()
    }

    /// The most in the second third of the time, and in the last.
    pub(crate) fn thirds(&self) -> Option<(u64, u64)> {
        let third = self.0.len() / 3;
        let most = |looks: &[u64]| looks.iter().max().copied();
        Some((most(self.0.get(third..2 * third)?)?, most(self.0.get(2 * third..)?)?))
    }

    /// Whether the last third took no more than the one before.
    pub(crate) fn is_flat(before: u64, last: u64) -> bool {
        last as f64 <= before as f64 * GROWTH + SLACK as f64
    }
}

/// The bytes of a process that are in memory.
fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
