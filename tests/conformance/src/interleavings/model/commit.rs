//! What a commit comes to, and a creation.

use super::*;

impl State {
    /// The blind writes of a turn that others' came between, so that they may count as having come before those.
    pub(in crate::interleavings) fn contested(&self, turn: &Turn, work: Work) -> u8 {
        let (Some(alive), Identity::Live(seen, _)) = (self.alive(), &turn.identity) else { return 0 };
        let updated = match work {
            Work::Called(act) => act.update.map(|(key, _)| key),
            Work::Finish => None,
        };
        let mut bits = 0;
        for key in 0..KEYS.len() {
            let blind = turn.pending.values[key].is_some() && updated != Some(key);
            if blind && alive.cells[key].root != seen.cells[key].root {
                bits |= 1 << key;
            }
        }
        if turn.pending.idle.is_some() && alive.idle_by != seen.idle_by {
            bits |= IDLE_BIT;
        }
        bits
    }

    /// What a commit comes to that happens now.
    pub(in crate::interleavings) fn commit(
        &self,
        turn: &Turn,
        work: Work,
        how: How,
        id: StepId,
        here: bool,
    ) -> Came {
        match &turn.identity {
            Identity::Live(seen, worth) => self.change(turn, seen, *worth, work, how, id),
            Identity::Over if work == Work::Finish && turn.pending.is_empty() => Came::Nothing,
            Identity::Over => Came::Over,
            Identity::Elsewhere => Came::Elsewhere,
            Identity::Unopened | Identity::Empty => self.create(turn, work, how, id, here),
        }
    }

    fn change(&self, turn: &Turn, seen: &Alive, worth: Worth, work: Work, how: How, id: StepId) -> Came {
        let act = match work {
            Work::Called(act) => act,
            Work::Finish if self.finish_has_work(turn, seen, worth) => Act::default(),
            Work::Finish => return Came::Nothing,
        };
        let writes = |key: usize| match turn.pending.values[key] {
            Some(None) => seen.cells[key].value.is_some(),
            other => other.is_some(),
        };
        let confirms = match worth {
            Worth::Pending(generation) if act.opens.is_none() => Some(generation),
            _ => None,
        };
        let renews = act.opens.is_none() && seen.renewal_is_due(worth, how.at);
        let upkeep = act.opens.is_none() && seen.slide_is_due(how.at);
        let asked = (0..KEYS.len()).any(writes) || turn.pending.idle.is_some();
        let called = act.update.is_some() || act.opens.is_some();
        if !asked && !called && confirms.is_none() && !renews && !upkeep {
            return Came::Nothing;
        }
        let Some(held) = self.alive() else { return Came::Over };
        if held.era != seen.era {
            return Came::Superseded;
        }
        let mut next = match act.opens {
            Some(opens) => held.opened(opens, id, how.at),
            None => Alive::clone(held),
        };
        for key in (0..KEYS.len()).filter(|key| writes(*key) && how.before & (1 << key) == 0) {
            next.cells[key] = Cell { value: turn.pending.values[key].flatten(), root: id };
        }
        let mut updated = None;
        if let Some((key, change)) = act.update {
            let current = turn.pending.values[key].unwrap_or(held.cells[key].value);
            updated = Some(change.of(current));
            next.cells[key] = Cell { value: updated, root: held.cells[key].root };
        }
        if let Some(idle) = turn.pending.idle.filter(|_| how.before & IDLE_BIT == 0) {
            (next.idle, next.idle_by) = (idle, id);
        }
        next.last_seen = next.last_seen.max(how.at);
        let mut minted = act.opens.map(|_| true);
        if renews {
            let first = held.newest().generation == seen.newest().generation && held.has_room();
            if first {
                next.mint(UNHEARD | id, how.at);
            }
            minted = Some(first);
        }
        if let Some(generation) = confirms {
            for secret in next.secrets.iter_mut().flatten().filter(|one| one.generation == generation) {
                secret.confirmed.get_or_insert(how.at);
            }
        }
        Came::Done(Done { alive: Arc::new(next), updated, minted })
    }

    /// What is due when the handler answered is judged by when the request began.
    fn finish_has_work(&self, turn: &Turn, seen: &Alive, worth: Worth) -> bool {
        turn.looked_again
            || !turn.pending.is_empty()
            || seen.slide_is_due(turn.began)
            || seen.renewal_is_due(worth, turn.began)
            || matches!(worth, Worth::Pending(_))
    }

    /// Whether a record that was made at a time comes so late that it is over already.
    pub(in crate::interleavings) fn is_late(&self, turn: &Turn, at: Timestamp) -> bool {
        at + turn.pending.idle.unwrap_or(IDLE).min(LIFE) <= self.now
    }

    fn create(&self, turn: &Turn, work: Work, how: How, id: StepId, here: bool) -> Came {
        let at = how.at;
        let act = match work {
            Work::Called(act) => act,
            Work::Finish => Act::default(),
        };
        let user = match act.opens {
            Some((Who::User(user), _)) => Some(user),
            Some(_) => return Came::Nothing,
            None => None,
        };
        let mut values = turn.pending.values.map(Option::flatten);
        let updated = act.update.map(|(key, change)| {
            values[key] = Some(change.of(values[key]));
            change.of(turn.pending.values[key].flatten())
        });
        if user.is_none() && values.iter().all(Option::is_none) {
            return Came::Nothing;
        }
        match self.life {
            _ if !here => Came::Elsewhere,
            Life::Alive(_) => Came::Exists,
            Life::Ended => Came::Over,
            Life::Expired if !how.forgotten => Came::Over,
            _ if self.is_late(turn, at) => Came::Over,
            Life::Absent | Life::Expired => Came::Done(Done {
                alive: Arc::new(Alive {
                    created: id,
                    era: id,
                    user,
                    hard: at + LIFE,
                    idle: turn.pending.idle.unwrap_or(IDLE),
                    idle_by: id,
                    last_seen: at,
                    secrets: Alive::first_secret(UNHEARD | id, at),
                    cells: values
                        .map(|value| Cell { value, root: if value.is_some() { id } else { NOBODY } }),
                }),
                updated,
                minted: Some(true),
            }),
        }
    }
}
