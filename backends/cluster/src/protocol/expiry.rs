//! Expiry is a write: the first owner that is not suspected ends what is past its deadline, by ballot and by the median of
//! the clocks. Whoever reads such a session does the same before it answers.
//!
//! Logins go from the list of their user in the same way, a while after their deadline.
//!
//! **Invariant.** A session is over because a majority stored its end, never because one clock says so.

use std::time::Duration;

use super::edit::Edit;
use super::node::{Chore, Node};
use super::operation::{Asker, Work, is_due};
use super::slots::SlotId;
use super::steps;
use super::value::Key;

const SWEEP_EVERY: Duration = Duration::from_millis(250);
/// In how many sweeps every slot is looked at.
const PARTS: u16 = 8;
/// How many sessions one sweep ends.
const AT_ONCE: usize = 64;

impl Node {
    /// The slots of which this node is the first owner that is not suspected: what is done once for each slot is done here.
    pub(crate) fn led_slots(&self) -> Vec<SlotId> {
        let Some(placed) = self.views.current().cloned() else { return Vec::new() };
        let leads = |slot: &SlotId| {
            let first = placed.owners(*slot).into_iter().find(|id| !self.is_suspect(*id));
            first == Some(self.me.id) && self.serving(*slot).is_some()
        };
        self.copies.keys().copied().filter(leads).collect()
    }

    pub(crate) fn expire_on(&mut self) {
        if !self.phase.serves() || !self.every(Chore::Sweep, SWEEP_EVERY) {
            return;
        }
        let Some(now) = self.judged_now() else { return };
        let part = (self.now.elapsed.as_millis() / SWEEP_EVERY.as_millis()) as u16 % PARTS;
        let mut due: Vec<Key> = Vec::new();
        for slot in self.led_slots().into_iter().filter(|slot| slot % PARTS == part) {
            let cells = self.copies.get(&slot).into_iter().flat_map(|copy| &copy.cells);
            due.extend(cells.filter(|(_, cell)| is_due(cell.held(), now)).map(|(key, _)| *key));
        }
        for key in due.into_iter().take(AT_ONCE) {
            if !self.operations.under_way.values().any(|operation| operation.key == key) {
                self.step(match key {
                    Key::Session(_) => steps::EXPIRES,
                    Key::User(_) => steps::SWEEPS,
                });
                self.operate(key, Work::Edit(Edit::Expire), Asker::Nobody);
            }
        }
    }
}
