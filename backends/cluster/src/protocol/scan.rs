//! Which sessions there are: an administrator's question about all of them, some slots at a time.
//!
//! **Invariant.** A slot is answered for once a majority of its owners told, within one view. So every session is named that was
//! acknowledged before the question, and did not end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use abide_core::{Error, ErrorKind, SessionKey};

use super::ids::NodeId;
use super::io::{Answer, RequestId};
use super::message::Body;
use super::node::Node;
use super::slots::{SlotId, majority};
use super::steps;
use super::value::{Key, Value};

/// How many slots are asked about at a time.
const AT_ONCE: u16 = 512;

/// The questions under way.
#[derive(Debug, Default)]
pub(crate) struct Scans {
    last: u64,
    under_way: BTreeMap<u64, Scan>,
}

impl Scans {
    pub(crate) fn len(&self) -> usize {
        self.under_way.len()
    }
}

#[derive(Debug)]
struct Scan {
    request: RequestId,
    from: SlotId,
    started: Duration,
    asked: Duration,
    /// In which view answers count.
    view: u64,
    /// The slots that no majority told of yet, and who did.
    left: BTreeMap<SlotId, BTreeSet<NodeId>>,
    keys: BTreeSet<SessionKey>,
}

impl Node {
    /// Begins to ask about the slots from this one on.
    pub(crate) fn scan(&mut self, request: RequestId, from: SlotId) {
        let now = self.now.elapsed;
        self.scans.last += 1;
        let id = self.scans.last;
        let (left, keys) = (BTreeMap::new(), BTreeSet::new());
        let scan = Scan { request, from, started: now, asked: now, view: 0, left, keys };
        self.scans.under_way.insert(id, scan);
        self.ask_members(id);
    }

    /// The slots that are asked about from this one on, and where those after them begin.
    fn scanned_slots(&self, from: SlotId) -> (Vec<SlotId>, Option<SlotId>) {
        let slots = self.views.current().map_or(0, |placed| placed.view.slots);
        let to = from.saturating_add(AT_ONCE).min(slots);
        ((from..to).collect(), (to < slots).then_some(to))
    }

    /// Asks the owners of what is left, or of everything where the view changed.
    fn ask_members(&mut self, id: u64) {
        let (now, number) = (self.now.elapsed, self.views.number());
        let Some(placed) = self.views.current().cloned() else { return };
        let Some(scan) = self.scans.under_way.get(&id) else { return };
        let all = (scan.view != number).then(|| self.scanned_slots(scan.from).0);
        let Some(scan) = self.scans.under_way.get_mut(&id) else { return };
        if let Some(all) = all {
            scan.left = all.into_iter().map(|slot| (slot, BTreeSet::new())).collect();
            (scan.view, scan.keys) = (number, BTreeSet::new());
        }
        scan.asked = now;
        let mut asked: BTreeMap<NodeId, Vec<SlotId>> = BTreeMap::new();
        for (slot, told) in &scan.left {
            for owner in placed.owners(*slot).iter().filter(|owner| !told.contains(owner)) {
                asked.entry(*owner).or_default().push(*slot);
            }
        }
        self.step(steps::SCANS);
        for (owner, slots) in asked {
            self.send(owner, Body::Scan { scan: id, slots });
        }
        self.finish_scan(id);
    }

    pub(crate) fn on_scan(&mut self, from: NodeId, view: u64, scan: u64, slots: &[SlotId]) {
        if view != self.views.number() {
            return;
        }
        let (mut told, mut keys) = (Vec::new(), Vec::new());
        for slot in slots {
            let Some(copy) = self.serving(*slot) else { continue };
            told.push(*slot);
            keys.extend(copy.cells.iter().filter_map(|(key, cell)| match (key, cell.held()) {
                (Key::Session(key), Some(Value::Session(record, _))) => record.era().map(|_| *key),
                _ => None,
            }));
        }
        if !told.is_empty() {
            self.send(from, Body::Scanned { scan, slots: told, keys });
        }
    }

    pub(crate) fn on_scanned(
        &mut self,
        from: NodeId,
        view: u64,
        id: u64,
        slots: &[SlotId],
        keys: Vec<SessionKey>,
    ) {
        let Some(placed) = self.views.current().cloned() else { return };
        let Some(scan) = self.scans.under_way.get_mut(&id) else { return };
        if view != placed.view.number || scan.view != view {
            return;
        }
        scan.keys.extend(keys);
        for slot in slots {
            let owners = placed.owners(*slot);
            let Some(told) = scan.left.get_mut(slot).filter(|_| owners.contains(&from)) else { continue };
            told.insert(from);
            if told.len() >= majority(owners.len()) {
                scan.left.remove(slot);
            }
        }
        self.finish_scan(id);
    }

    fn finish_scan(&mut self, id: u64) {
        let is_done = |scan: &Scan| scan.view > 0 && scan.left.is_empty();
        if !self.scans.under_way.get(&id).is_some_and(is_done) {
            return;
        }
        let Some(scan) = self.scans.under_way.remove(&id) else { return };
        let next = self.scanned_slots(scan.from).1;
        self.step(steps::SCANNED);
        let keys = scan.keys.into_iter().collect();
        self.reply(scan.request, Ok(Answer::Sessions { keys, next }));
    }

    /// Time passes: what did not come is asked again, and what is late ends.
    pub(crate) fn scan_on(&mut self) {
        let (now, number) = (self.now.elapsed, self.views.number());
        let ids: Vec<u64> = self.scans.under_way.keys().copied().collect();
        for id in ids {
            let Some(scan) = self.scans.under_way.get(&id) else { continue };
            if now.saturating_sub(scan.started) >= self.settings.operation {
                let request = scan.request;
                self.scans.under_way.remove(&id);
                let why = "no majority of the owners of some sessions in time";
                self.reply(request, Err(Error::new(ErrorKind::Unavailable, why)));
            } else if scan.view != number || now.saturating_sub(scan.asked) >= self.settings.attempt {
                self.step(steps::SCANS_AGAIN);
                self.ask_members(id);
            }
        }
    }
}
