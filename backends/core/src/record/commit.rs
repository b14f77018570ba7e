//! Whether changes apply to a record, and the record that they make.
//!
//! Every store decides here, at its own point of serialisation: under a shard's lock, inside a compare-and-set, on an
//! owner. So the rules of a race exist once.

use std::sync::Arc;

use super::plan::Plan;
use super::{Ended, Era, Life, Record};
use crate::changes::Changes;
use crate::error::{Error, ErrorKind};
use crate::stamp::{MAX_AHEAD, Stamp};
use crate::time::Timestamp;

/// By what a store judges changes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CommitRules {
    /// The store's time.
    pub now: Timestamp,
    /// The largest [`weight`](Record::weight) that a record may grow to.
    pub max_weight: usize,
    /// Of each value, the bytes that do not count.
    pub value_overhead: usize,
    /// Whether these changes were sent before and their answer was lost.
    pub retry: bool,
}

impl CommitRules {
    /// Judged at `now`, without a limit on size, as a first attempt.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self { now, max_weight: usize::MAX, value_overhead: 0, retry: false }
    }

    /// With a limit on size.
    #[must_use]
    pub const fn max_weight(mut self, weight: usize) -> Self {
        self.max_weight = weight;
        self
    }

    /// With bytes of each value that do not count; see
    /// [`CommitOptions::value_overhead`](crate::CommitOptions::value_overhead).
    #[must_use]
    pub const fn value_overhead(mut self, bytes: usize) -> Self {
        self.value_overhead = bytes;
        self
    }

    /// As a second attempt.
    #[must_use]
    pub const fn retry(mut self, retry: bool) -> Self {
        self.retry = retry;
        self
    }
}

impl Record {
    /// The record that changes make, or `None` where there is nothing to do: they were applied before, or nothing
    /// differs.
    ///
    /// # Errors
    ///
    /// [`Ended`](ErrorKind::Ended) where the session is over or past its deadline,
    /// [`Superseded`](ErrorKind::Superseded) where it moved into another era,
    /// [`Conflict`](ErrorKind::Conflict) where a condition does not hold,
    /// [`Ambiguous`](ErrorKind::Ambiguous) where that may be so because a retried operation was applied long ago, or
    /// where its first attempt may still be applied,
    /// [`ClockSkew`](ErrorKind::ClockSkew) and [`TooLarge`](ErrorKind::TooLarge). The record is as it was then.
    pub fn commit(&self, changes: &Changes, rules: &CommitRules) -> Result<Option<Self>, Error> {
        let Some(plan) = self.plan(changes, rules)? else { return Ok(None) };
        let mut record = self.clone();
        record.carry_out(plan);
        Ok(Some(record))
    }

    /// As [`commit`](Self::commit), in `record` itself; it is copied only where somebody else holds it. Answers whether
    /// anything changed.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use abide_core::{Changes, CommitRules, NewRecord, Record, Stamps, Timestamp, Token};
    /// # let (now, token) = (Timestamp::from_millis(1_000), Token::from_bytes([1; 32]));
    /// # let stamps = Stamps::new(7);
    /// # let new = NewRecord::new(stamps.next(now), [9; 16], token.verifier(), now);
    /// let mut record = Arc::new(Record::create(new));
    /// let mut changes = Changes::new(stamps.next(now), record.era().unwrap().id());
    /// changes.set("cart", b"abc".as_slice());
    /// assert!(Record::commit_in_place(&mut record, &changes, &CommitRules::at(now))?);
    /// assert_eq!(record.value("cart"), Some(b"abc".as_slice()));
    /// # Ok::<(), abide_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`commit`](Self::commit). The record is as it was then.
    pub fn commit_in_place(
        record: &mut Arc<Self>,
        changes: &Changes,
        rules: &CommitRules,
    ) -> Result<bool, Error> {
        let Some(plan) = record.plan(changes, rules)? else { return Ok(false) };
        Arc::make_mut(record).carry_out(plan);
        Ok(true)
    }

    /// What changes come to, where they come to anything: all that can be refused is refused here.
    fn plan(&self, changes: &Changes, rules: &CommitRules) -> Result<Option<Plan>, Error> {
        let Some(era) = self.era().filter(|_| self.over(rules.now).is_none()) else {
            return Err(ErrorKind::Ended.into());
        };
        self.check_skew(changes.operation, rules.now)?;
        if era.has_applied(changes) {
            return Ok(None);
        }
        if era.id != changes.era {
            return Err(ErrorKind::Superseded.into());
        }
        let plan = Plan::of(era, changes, rules)?;
        if plan.is_empty() {
            return Ok(None);
        }
        self.check_weight(&plan, rules)?;
        Ok(Some(plan))
    }

    fn carry_out(&mut self, plan: Plan) {
        if let Life::Alive(era) = &mut self.life {
            plan.carry_out(era);
        }
    }

    /// A record may be above the limit and shrink, but not grow.
    fn check_weight(&self, plan: &Plan, rules: &CommitRules) -> Result<(), Error> {
        // Seldom is it so near that somebody must weigh what comes out.
        if self.weight().saturating_add(plan.most_added()) <= rules.max_weight {
            return Ok(());
        }
        let mut planned = self.clone();
        planned.carry_out(plan.clone());
        let weight = planned.weight_beside(rules.value_overhead);
        if weight > rules.max_weight && weight > self.weight_beside(rules.value_overhead) {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("{weight} bytes, at most {} are allowed", rules.max_weight),
            ));
        }
        Ok(())
    }

    /// The session as it is once it has ended: without its content.
    #[must_use]
    pub fn end(&self, ended: Ended) -> Self {
        match self.life {
            Life::Ended(_) => self.clone(),
            Life::Alive(_) => Self::ended(self.created, ended.at, ended.reason),
        }
    }

    /// A stamp is judged by the record as well as by the clock, so that a store whose clock was set back still takes
    /// the writes of sessions that it has.
    fn check_skew(&self, operation: Stamp, now: Timestamp) -> Result<(), Error> {
        let limit = now.max(self.latest_stamp().at()) + MAX_AHEAD;
        if operation.at() > limit {
            let ahead = operation.at().since(now);
            return Err(Error::new(
                ErrorKind::ClockSkew,
                format!("{} ms ahead, at most {} are allowed", ahead.as_millis(), MAX_AHEAD.as_millis()),
            ));
        }
        Ok(())
    }
}

impl Era {
    /// Whether the operation is known to have been applied: it opened this era, or is among the latest updates.
    /// Blind writes need no memory: their stamps tell.
    fn has_applied(&self, changes: &Changes) -> bool {
        changes.new_era().is_some_and(|new| self.id.nonce() == new.nonce)
            || self.rare.operations().contains(changes.operation)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{NOW, record, stamp, token};
    use super::super::{EndReason, ValueEntry};
    use super::*;
    use crate::changes::{Keep, NewEra};

    fn changes(record: &Record, millis: u64, writer: u64) -> Changes {
        Changes::new(stamp(NOW.as_millis() + millis, writer), record.era().unwrap().id())
    }

    fn apply(record: &Record, changes: &Changes) -> Result<Record, ErrorKind> {
        match record.commit(changes, &CommitRules::at(NOW)) {
            Ok(Some(record)) => Ok(record),
            Ok(None) => Ok(record.clone()),
            Err(error) => Err(error.kind()),
        }
    }

    fn login(record: &Record, millis: u64, nonce: u8) -> Changes {
        let mut changes = changes(record, millis, u64::from(nonce));
        let new = NewEra::new([nonce; 16], token().verifier(), NOW + Duration::from_secs(3600));
        changes.open_era(new.user("ada", NOW));
        changes
    }

    #[test]
    fn sets_of_different_keys_are_both_kept() {
        let start = record();
        let (mut one, mut two) = (changes(&start, 1, 1), changes(&start, 1, 2));
        one.set("b", b"2".as_slice());
        two.set("c", b"3".as_slice());
        let end = apply(&apply(&start, &one).unwrap(), &two).unwrap();
        assert_eq!((end.value("b"), end.value("c")), (Some(&b"2"[..]), Some(&b"3"[..])));
    }

    #[test]
    fn an_update_whose_value_moved_is_a_conflict() {
        let start = record();
        let seen = Some(start.era().unwrap().entry("a").unwrap().stamp());
        let (mut one, mut two) = (changes(&start, 1, 1), changes(&start, 1, 2));
        one.update("a", seen, Some(b"2".as_slice().into()));
        two.update("a", seen, Some(b"2".as_slice().into()));
        let end = apply(&start, &one).unwrap();
        assert_eq!(apply(&end, &two), Err(ErrorKind::Conflict));
    }

    #[test]
    fn an_update_sent_twice_is_applied_once_also_after_another_one() {
        let start = record();
        let mut one = changes(&start, 1, 1);
        one.update("n", None, Some(b"1".as_slice().into()));
        let end = apply(&start, &one).unwrap();
        assert_eq!(apply(&end, &one), Ok(end.clone()));
        let seen = Some(end.era().unwrap().entry("n").unwrap().stamp());
        let mut two = changes(&end, 2, 2);
        two.update("n", seen, Some(b"2".as_slice().into()));
        let end = apply(&end, &two).unwrap();
        assert_eq!(apply(&end, &one).unwrap().value("n"), Some(&b"2"[..]));
    }

    #[test]
    fn a_retried_update_that_may_have_been_forgotten_is_ambiguous() {
        let mut end = record();
        let mut lost = changes(&end, 1, 9);
        lost.update("n", None, Some(b"0".as_slice().into()));
        end = apply(&end, &lost).unwrap();
        for n in 2..30 {
            let seen = end.era().unwrap().entry("n").map(ValueEntry::stamp);
            let mut next = changes(&end, n, 1);
            next.update("n", seen, Some(n.to_string().into_bytes().into()));
            end = apply(&end, &next).unwrap();
        }
        assert_eq!(
            apply(&end, &lost),
            Err(ErrorKind::Conflict),
            "a first attempt knows that it was not applied"
        );
        let again = end.commit(&lost, &CommitRules::at(NOW).retry(true));
        assert_eq!(again.unwrap_err().kind(), ErrorKind::Ambiguous);
    }

    #[test]
    fn a_set_that_no_update_saw_is_asked_again_instead_of_lost() {
        let start = record();
        let mut late = changes(&start, 1, 1);
        late.set("a", b"100".as_slice());
        let seen = Some(start.era().unwrap().entry("a").unwrap().stamp());
        let mut update = changes(&start, 2, 2);
        update.update("a", seen, Some(b"2".as_slice().into()));
        let end = apply(&start, &update).unwrap();
        assert_eq!(apply(&end, &late), Err(ErrorKind::Conflict));
    }

    #[test]
    fn a_set_sent_twice_does_not_undo_a_later_one() {
        let start = record();
        let (mut one, mut two) = (changes(&start, 1, 1), changes(&start, 2, 2));
        one.set("a", b"one".as_slice());
        two.set("a", b"two".as_slice());
        let end = apply(&apply(&start, &one).unwrap(), &two).unwrap();
        assert_eq!(apply(&end, &one).unwrap().value("a"), Some(&b"two"[..]));
    }

    #[test]
    fn a_retry_that_an_overtaken_set_holds_back_may_still_happen_and_is_ambiguous() {
        let start = record();
        let seen = Some(start.era().unwrap().entry("a").unwrap().stamp());
        let (mut late, mut update) = (changes(&start, 1, 1), changes(&start, 2, 2));
        late.set("a", b"100".as_slice());
        late.update("n", None, Some(b"1".as_slice().into()));
        update.update("a", seen, Some(b"2".as_slice().into()));
        let held_back = apply(&start, &update).unwrap();
        let again = held_back.commit(&late, &CommitRules::at(NOW).retry(true));
        assert_eq!(again.unwrap_err().kind(), ErrorKind::Ambiguous);
        assert_eq!(apply(&held_back, &late), Err(ErrorKind::Conflict), "a first attempt is not in doubt");
        let mut set = changes(&held_back, 3, 3);
        set.set("a", b"3".as_slice());
        let end = apply(&apply(&held_back, &set).unwrap(), &late).unwrap();
        assert_eq!(end.value("n"), Some(&b"1"[..]), "the first attempt arrived late, and happened");
    }

    #[test]
    fn a_write_begun_before_a_login_is_superseded() {
        let start = record();
        let mut late = changes(&start, 5, 1);
        late.set("role", b"admin".as_slice());
        let end = apply(&start, &login(&start, 2, 7)).unwrap();
        assert_eq!(apply(&end, &late), Err(ErrorKind::Superseded));
        assert_eq!(end.value("a"), Some(&b"1"[..]), "values are carried over");
        assert_eq!(end.era().unwrap().user().map(|user| &**user), Some("ada"));
    }

    #[test]
    fn of_two_logins_one_opens_the_era_and_a_retry_finds_itself() {
        let start = record();
        let (one, two) = (login(&start, 2, 7), login(&start, 2, 8));
        let end = apply(&start, &one).unwrap();
        assert_eq!(apply(&end, &two), Err(ErrorKind::Superseded));
        assert_eq!(apply(&end, &one), Ok(end));
    }

    #[test]
    fn a_new_era_keeps_what_its_opener_chose() {
        let start = record();
        let mut changes = login(&start, 2, 7);
        changes.new_era.as_mut().unwrap().keep = Keep::Nothing;
        changes.set("b", b"2".as_slice());
        let end = apply(&start, &changes).unwrap();
        let keys: Vec<_> = end.era().unwrap().keys().map(|key| key.to_string()).collect();
        assert_eq!(keys, ["b"]);
    }

    #[test]
    fn nothing_is_written_to_a_session_that_is_over() {
        let start = record();
        let mut late = changes(&start, 5, 1);
        late.set("a", b"2".as_slice());
        let over = start.end(Ended { at: NOW, reason: EndReason::LoggedOut });
        assert_eq!(apply(&over, &late), Err(ErrorKind::Ended));
        let past = CommitRules::at(NOW + Duration::from_secs(601));
        assert_eq!(start.commit(&late, &past).unwrap_err().kind(), ErrorKind::Ended);
    }

    #[test]
    fn a_stamp_from_the_future_is_refused_and_one_that_follows_the_record_is_not() {
        let start = record();
        let mut ahead = changes(&start, 61_000, 1);
        ahead.set("a", b"2".as_slice());
        assert_eq!(apply(&start, &ahead), Err(ErrorKind::ClockSkew));
        // The store's clock was set back by an hour: its own sessions go on.
        let mut next = changes(&start, 1, 1);
        next.set("a", b"2".as_slice());
        let back = CommitRules::at(NOW.before(Duration::from_secs(3600)));
        assert!(start.commit(&next, &back).is_ok());
    }

    #[test]
    fn a_record_may_shrink_but_not_grow_past_its_limit() {
        let start = record();
        let rules = CommitRules::at(NOW).max_weight(start.weight());
        let mut grow = changes(&start, 1, 1);
        grow.set("a", [0; 100].as_slice());
        assert_eq!(start.commit(&grow, &rules).unwrap_err().kind(), ErrorKind::TooLarge);
        let mut same = changes(&start, 1, 1);
        same.set("a", b"2".as_slice());
        assert!(start.commit(&same, &rules.max_weight(1)).is_ok());
    }

    #[test]
    fn bytes_that_a_wrapper_adds_to_each_value_do_not_count_against_the_limit() {
        let start = record();
        let mut add = changes(&start, 1, 1);
        add.set("b", [0; 40].as_slice());
        let weight = apply(&start, &add).unwrap().weight();
        let rules = CommitRules::at(NOW).max_weight(weight - 2 * 10);
        assert_eq!(start.commit(&add, &rules).unwrap_err().kind(), ErrorKind::TooLarge);
        assert!(start.commit(&add, &rules.value_overhead(10)).is_ok());
        assert_eq!(start.commit(&add, &rules.value_overhead(9)).unwrap_err().kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn a_removal_is_forgotten_once_no_late_write_can_arrive() {
        let start = record();
        let mut remove = changes(&start, 1, 1);
        remove.remove("a");
        let removed = apply(&start, &remove).unwrap();
        assert!(removed.era().unwrap().entry("a").is_some());
        let mut slide = changes(&start, 2, 1);
        slide.seen_at(NOW + Duration::from_secs(300));
        let removed = apply(&removed, &slide).unwrap();
        let mut later = changes(&start, 650_000, 1);
        later.seen_at(NOW + Duration::from_secs(650));
        let rules = CommitRules::at(NOW + Duration::from_secs(650));
        let end = removed.commit(&later, &rules).unwrap().unwrap();
        assert!(end.era().unwrap().entry("a").is_none());
    }

    #[test]
    fn what_is_refused_leaves_the_record_as_it_was_also_in_place() {
        let start = record();
        let mut refused = changes(&start, 1, 1);
        refused.set("b", b"2".as_slice());
        refused.update("a", None, Some(b"2".as_slice().into()));
        let mut alone = Arc::new(start.clone());
        let rules = CommitRules::at(NOW);
        let error = Record::commit_in_place(&mut alone, &refused, &rules).unwrap_err();
        assert_eq!((error.kind(), &*alone), (ErrorKind::Conflict, &start));
        let mut large = changes(&start, 1, 1);
        large.set("b", [7; 500].as_slice());
        let error = Record::commit_in_place(&mut alone, &large, &rules.max_weight(400)).unwrap_err();
        assert_eq!((error.kind(), &*alone), (ErrorKind::TooLarge, &start));
    }

    #[test]
    fn a_record_that_somebody_else_holds_is_not_changed_under_them_and_one_held_alone_is_not_copied() {
        let mut held = Arc::new(record());
        let seen = held.clone();
        let mut set = changes(&held, 1, 1);
        set.set("a", b"2".as_slice());
        assert!(Record::commit_in_place(&mut held, &set, &CommitRules::at(NOW)).unwrap());
        assert_eq!((seen.value("a"), held.value("a")), (Some(&b"1"[..]), Some(&b"2"[..])));
        assert!(!Record::commit_in_place(&mut held, &set, &CommitRules::at(NOW)).unwrap(), "asked again");
        let at = Arc::as_ptr(&held);
        let mut next = changes(&held, 2, 1);
        next.set("a", b"3".as_slice());
        assert!(Record::commit_in_place(&mut held, &next, &CommitRules::at(NOW)).unwrap());
        assert_eq!((Arc::as_ptr(&held), held.value("a")), (at, Some(&b"3"[..])));
    }
}
