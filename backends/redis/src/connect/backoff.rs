//! How long to wait before the next attempt.

use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::node::jittered;

/// A login that was refused is refused again until somebody changes something, and a server may lock out who tries often.
const LONGEST_AFTER_REFUSAL: Duration = Duration::from_secs(5);

/// Pauses that double up to a limit, jittered.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
    /// Whether the login was refused the last time.
    is_refused: bool,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first, is_refused: false }
    }

    /// An attempt came to something.
    pub(super) fn reset(&mut self) {
        (self.next, self.is_refused) = (self.first, false);
    }

    /// How long to wait after a failure. Of a refused login it tells the log, the first time.
    pub(super) fn after(&mut self, cause: &RedisError) -> Duration {
        let was_refused = std::mem::replace(&mut self.is_refused, is_login_refused(cause));
        if self.is_refused && !was_refused {
            tracing::error!(
                target: "abide",
                %cause,
                "redis refuses the login: check user, password and rights; it is tried again every few seconds"
            );
        }
        let longest = if self.is_refused { LONGEST_AFTER_REFUSAL } else { self.longest };
        let pause = self.next.min(longest);
        self.next = (pause * 2).min(longest);
        jittered(pause)
    }

    /// Whether it is of no use to come earlier.
    pub(super) fn is_refused(&self) -> bool {
        self.is_refused
    }
}

fn is_login_refused(cause: &RedisError) -> bool {
    let of_server = matches!(cause.code(), Some("WRONGPASS" | "NOAUTH" | "NOPERM"));
    of_server
        || matches!(
            cause.kind(),
            ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm)
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(20);
    const LONGEST: Duration = Duration::from_millis(200);

    fn refused() -> RedisError {
        (ErrorKind::AuthenticationFailed, "Password authentication failed").into()
    }

    fn away() -> RedisError {
        std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into()
    }

    /// The pauses after ten failures in a row, and what none of them is below and above, for the jitter.
    fn sums(backoff: &mut Backoff, cause: &RedisError) -> Duration {
        (0..10).map(|_| backoff.after(cause)).sum()
    }

    #[test]
    fn a_server_that_is_away_is_looked_for_often_and_one_that_refuses_the_login_seldom() {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        // 20, 40, 80, 160, and 200 six times.
        assert!(sums(&mut backoff, &away()) <= Duration::from_millis(2_250));
        // 200, 400 and so on, and 5000 five times.
        let refusals = sums(&mut backoff, &refused());
        assert!(refusals >= Duration::from_millis(15_000) && refusals <= Duration::from_millis(47_000));
        assert!(backoff.is_refused());
        // One that goes away is looked for as before.
        assert!(sums(&mut backoff, &away()) <= Duration::from_millis(3_000));
        backoff.reset();
        assert!(backoff.after(&away()) <= FIRST.mul_f64(1.5));
    }

    #[test]
    fn only_a_refused_login_counts_as_one() {
        assert!(is_login_refused(&refused()));
        assert!(!is_login_refused(&away()));
        assert!(!is_login_refused(&(ErrorKind::Client, "the server is not a master").into()));
    }
}
