//! Which route mark the response carries. See [`crate::route`].

use abide_core::SecretState;

use super::Session;
use super::state::{Live, State};
use crate::cookie::{CookieChange, RouteChange};
use crate::route::RouteMarks;
use crate::sync::Ordering;

impl Session {
    /// What the response has to say about the mark's own cookie, beside `change` of the session's; `None` where the
    /// server writes no marks.
    pub(crate) fn route_change(&self, change: &CookieChange) -> Option<(&RouteMarks, RouteChange)> {
        let marks = self.shared().route.as_ref()?;
        let said =
            if marks.cookie().is_some() { self.cookie_change(change, marks) } else { RouteChange::None };
        Some((marks, said))
    }

    fn cookie_change(&self, change: &CookieChange, marks: &RouteMarks) -> RouteChange {
        let candidates = &self.0.candidates;
        if *change == CookieChange::Remove {
            let remove = candidates.brings_route() && !self.shares_the_mark();
            return if remove { RouteChange::Remove } else { RouteChange::None };
        }
        if candidates.is_routed_here() || self.shared().is_draining() {
            return RouteChange::None;
        }
        match self.state().live() {
            Some(live) => RouteChange::Set { mark: marks.mark(live.token.key()), life: self.life_of(live) },
            None => RouteChange::None,
        }
    }

    /// Whether another layer's session of the same request goes by the same cookie: then the mark is not ours to remove.
    fn shares_the_mark(&self) -> bool {
        let name = |session: &Self| {
            let cookie = session.shared().route.as_ref().and_then(RouteMarks::cookie);
            cookie.map(|cookie| cookie.name().to_owned())
        };
        let own = name(self);
        let around = std::iter::successors(self.0.outer.get(), |session| session.0.outer.get());
        let mut around = around.filter(|session| session.0.candidates.presented());
        self.0.is_around.load(Ordering::Relaxed) || around.any(|session| name(session) == own)
    }

    /// The mark behind the token of `change`.
    pub(crate) fn suffix(&self, change: &CookieChange) -> Option<String> {
        let CookieChange::Set { token, .. } = change else { return None };
        Some(self.suffix_marks()?.mark(token.key()))
    }

    /// Whether the presented token is good for more than a grace and came without this server's mark behind it. The mark
    /// then goes out beside a commit, which finds out whether the token still is the current one.
    pub(super) fn remark_is_due(&self, live: &Live) -> bool {
        self.suffix_marks().is_some()
            && matches!(live.secret, SecretState::Current | SecretState::Pending(_))
            && self.0.candidates.lacks_mark(&live.token)
    }

    /// Sends the presented token again, for the sake of its mark. A commit just found it to be the current one.
    pub(super) fn remark(&self, state: &mut State) {
        if state.cookie != CookieChange::None || state.headers_sent {
            return;
        }
        if let Some(live) = state.live().filter(|live| self.remark_is_due(live)) {
            state.cookie = CookieChange::Set { token: live.token, life: self.life_of(live) };
        }
    }

    /// The marks, where they are suffixes and this server wants clients.
    fn suffix_marks(&self) -> Option<&RouteMarks> {
        let marks = self.shared().route.as_ref()?;
        (marks.cookie().is_none() && !self.shared().is_draining()).then_some(marks)
    }
}
