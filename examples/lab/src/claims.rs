//! What must hold in a scenario.
//!
//! A claim looks at the tally of a whole run. One that had nothing to look at does not hold: a run without a logout
//! says nothing about logouts.

use std::time::Duration;

use crate::tally::Tally;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) says: &'static str,
    pub(crate) holds: fn(&Tally) -> bool,
    /// The numbers behind the verdict.
    pub(crate) shows: fn(&Tally) -> String,
}

/// What abide promises of every strategy between servers that live.
pub(crate) const PROMISE: [Claim; 7] = [
    NO_SESSION_LOST,
    NO_UPDATE_LOST,
    NO_UPDATE_TWICE,
    NO_STALE_READ,
    NO_LOGOUT_UNDONE,
    NO_STRANGER,
    NO_FAILURE,
];

/// Where Redis died that keeps nothing on disk: the sessions are gone, and nothing else is worse.
pub(crate) const AFTER_REDIS_DIED: [Claim; 5] =
    [REDIS_TOOK_SESSIONS, NO_STALE_READ, NO_LOGOUT_UNDONE, NO_STRANGER, ANSWERED_IN_TIME];

/// Where the master of a Sentinel set died, and each write waited for a replica: time is lost, and nothing else.
pub(crate) const AFTER_A_FAILOVER: [Claim; 8] = [
    NO_SESSION_LOST,
    NO_UPDATE_LOST,
    NO_UPDATE_TWICE,
    NO_STALE_READ,
    NO_LOGOUT_UNDONE,
    NO_STRANGER,
    ANSWERED_IN_TIME,
    REFUSED_AND_BACK,
];

/// A run whose users were refused to the end has few updates.
pub(crate) const REFUSED_AND_BACK: Claim = Claim {
    says: "requests are refused while there is no master, and it all goes on with the next one",
    holds: |tally| tally.failures > 0 && tally.updates > tally.failures,
    shows: |tally| {
        format!("{} of {} refused, {} updates done", tally.failures, tally.requests, tally.updates)
    },
};

pub(crate) const REDIS_TOOK_SESSIONS: Claim = Claim {
    says: "the sessions are lost with the Redis that held them, and users log in again: the price of one Redis without a disk",
    holds: |tally| tally.sessions_lost > 0 && tally.sessions > tally.sessions_lost,
    shows: |tally| {
        format!("{} of {} lost, {} requests failed", tally.sessions_lost, tally.sessions, tally.failures)
    },
};

/// The store's own deadline is a second, a write is tried again, and the lab's machine is busy.
pub(crate) const ANSWERED_IN_TIME: Claim = Claim {
    says: "every request is answered within five seconds, outage or not",
    holds: |tally| tally.percentile(100).is_some_and(|longest| longest < Duration::from_secs(5)),
    shows: |tally| format!("the longest took {} ms", tally.percentile(100).unwrap_or_default().as_millis()),
};

pub(crate) const MOST_VIEWS_LOST: Claim = Claim {
    says: "most views after a login land where nobody knows it",
    holds: |tally| tally.views_lost > tally.views_found,
    shows: |tally| format!("{} of {} views", tally.views_lost, tally.views()),
};

/// Where sessions live in one process, a killed server takes its own with it, and that alone is excused.
pub(crate) const NO_SESSION_LOST: Claim = Claim {
    says: "no session is lost but in the process that was killed",
    holds: |tally| {
        tally.views_found > 0
            && tally.sessions_lost == tally.sessions_killed
            && tally.sessions_lost <= tally.sessions_on_killed
    },
    shows: |tally| {
        format!(
            "{} of {} lost, {} of them with the killed server, which had begun {}",
            tally.sessions_lost, tally.sessions, tally.sessions_killed, tally.sessions_on_killed
        )
    },
};

pub(crate) const A_KILL_COSTS_SESSIONS: Claim = Claim {
    says: "the killed server's sessions are lost: the price of pinning",
    holds: |tally| tally.sessions_killed > 0,
    shows: |tally| format!("{} sessions, {} updates", tally.sessions_killed, tally.updates_killed),
};

pub(crate) const NO_UPDATE_LOST: Claim = Claim {
    says: "no acknowledged update is lost from a session that survives",
    holds: |tally| tally.updates > 0 && tally.updates_lost == 0,
    shows: |tally| {
        format!(
            "{} of {}, beside {} with the killed server",
            tally.updates_lost, tally.updates, tally.updates_killed
        )
    },
};

pub(crate) const NO_UPDATE_TWICE: Claim = Claim {
    says: "no update counts twice",
    holds: |tally| tally.updates > 0 && tally.updates_twice == 0,
    shows: |tally| format!("{} of {}", tally.updates_twice, tally.updates),
};

pub(crate) const NO_STALE_READ: Claim = Claim {
    says: "no read misses what was acknowledged before it",
    holds: |tally| tally.reads > 0 && tally.reads_stale == 0,
    shows: |tally| format!("{} of {}", tally.reads_stale, tally.reads),
};

pub(crate) const NO_LOGOUT_UNDONE: Claim = Claim {
    says: "no logout is undone, and no cookie comes back after it",
    holds: |tally| tally.logouts_raced > 0 && tally.logouts_undone == 0,
    shows: |tally| {
        format!(
            "{} of {}, {} of them while a write was under way",
            tally.logouts_undone, tally.logouts, tally.logouts_raced
        )
    },
};

pub(crate) const NO_STRANGER: Claim = Claim {
    says: "nobody sees another user's session",
    holds: |tally| tally.views() > 0 && tally.strangers == 0,
    shows: |tally| format!("{} of {} views", tally.strangers, tally.views()),
};

pub(crate) const NO_FAILURE: Claim = Claim {
    says: "no request fails but those in flight to the killed server",
    holds: |tally| tally.requests > 0 && tally.failures == 0,
    shows: |tally| format!("{} of {}, beside {} in flight", tally.failures, tally.requests, tally.cut_off),
};

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of which every claim of the pinned scenario holds.
    fn good() -> Tally {
        Tally {
            sessions: 66,
            sessions_lost: 16,
            sessions_killed: 16,
            sessions_on_killed: 17,
            views_found: 700,
            views_lost: 16,
            updates: 900,
            reads: 300,
            logouts: 25,
            logouts_raced: 24,
            requests: 4000,
            cut_off: 2,
            ..Tally::default()
        }
    }

    fn failing(tally: &Tally) -> Vec<&'static str> {
        let claims = [&PROMISE[..], &[A_KILL_COSTS_SESSIONS]].concat();
        claims.iter().filter(|claim| !(claim.holds)(tally)).map(|claim| claim.says).collect()
    }

    #[test]
    fn a_good_run_holds_every_claim() {
        assert_eq!(failing(&good()), [""; 0]);
    }

    #[test]
    fn each_thing_that_goes_wrong_fails_its_own_claim_alone() {
        let wrong = [
            (NO_SESSION_LOST, Tally { sessions_lost: 17, ..good() }),
            (NO_SESSION_LOST, Tally { sessions_on_killed: 15, ..good() }),
            (NO_UPDATE_LOST, Tally { updates_lost: 1, ..good() }),
            (NO_UPDATE_TWICE, Tally { updates_twice: 1, ..good() }),
            (NO_STALE_READ, Tally { reads_stale: 1, ..good() }),
            (NO_LOGOUT_UNDONE, Tally { logouts_undone: 1, ..good() }),
            (NO_LOGOUT_UNDONE, Tally { logouts_raced: 0, ..good() }),
            (NO_STRANGER, Tally { strangers: 1, ..good() }),
            (NO_FAILURE, Tally { failures: 1, ..good() }),
        ];
        for (claim, tally) in wrong {
            assert_eq!(failing(&tally), [claim.says]);
        }
    }

    #[test]
    fn a_killed_server_that_costs_nothing_fails_the_price_of_pinning() {
        let tally = Tally { sessions_lost: 0, sessions_killed: 0, ..good() };
        assert_eq!(failing(&tally), [A_KILL_COSTS_SESSIONS.says]);
    }

    #[test]
    fn a_run_that_did_nothing_holds_no_claim() {
        assert_eq!(failing(&Tally::default()).len(), PROMISE.len() + 1);
        assert!(!(MOST_VIEWS_LOST.holds)(&Tally::default()));
    }

    #[test]
    fn an_outage_of_redis_costs_sessions_and_nobodys_time() {
        let good = Tally { sessions_lost: 20, latencies: vec![Duration::from_millis(4_900)], ..good() };
        let failing = |tally: &Tally| {
            let failing: Vec<_> = AFTER_REDIS_DIED.iter().filter(|claim| !(claim.holds)(tally)).collect();
            failing.iter().map(|claim| claim.says).collect::<Vec<_>>()
        };
        assert_eq!(failing(&good), [""; 0]);
        let slow = Tally { latencies: vec![Duration::from_secs(5)], ..good.clone() };
        assert_eq!(failing(&slow), [ANSWERED_IN_TIME.says]);
        for unharmed in [Tally { sessions_lost: 0, ..good.clone() }, Tally { sessions: 20, ..good.clone() }] {
            assert_eq!(failing(&unharmed), [REDIS_TOOK_SESSIONS.says]);
        }
        assert_eq!(failing(&Tally { logouts_undone: 1, ..good }), [NO_LOGOUT_UNDONE.says]);
    }

    #[test]
    fn a_failover_costs_time_and_nothing_else() {
        let good = Tally {
            sessions_lost: 0,
            sessions_killed: 0,
            failures: 300,
            latencies: vec![Duration::from_millis(900)],
            ..good()
        };
        let failing = |tally: &Tally| {
            let failing: Vec<_> = AFTER_A_FAILOVER.iter().filter(|claim| !(claim.holds)(tally)).collect();
            failing.iter().map(|claim| claim.says).collect::<Vec<_>>()
        };
        assert_eq!(failing(&good), [""; 0]);
        assert_eq!(failing(&Tally { sessions_lost: 1, ..good.clone() }), [NO_SESSION_LOST.says]);
        assert_eq!(failing(&Tally { updates_lost: 1, ..good.clone() }), [NO_UPDATE_LOST.says]);
        for wrong in [Tally { failures: 0, ..good.clone() }, Tally { failures: 900, ..good }] {
            assert_eq!(failing(&wrong), [REFUSED_AND_BACK.says]);
        }
    }

    #[test]
    fn half_of_the_views_is_not_most() {
        let tally = |views_lost| Tally { views_lost, views_found: 10, ..Tally::default() };
        assert!(!(MOST_VIEWS_LOST.holds)(&tally(10)));
        assert!((MOST_VIEWS_LOST.holds)(&tally(11)));
    }
}
