//! What a handler calls, as the engine has it.

use std::time::Duration;

use abide::{Keep, LogIn, Session};
use abide_conformance::interleavings::{Arithmetic, Calls, KEYS, Kept, USERS, View};
use abide_core::{ErrorKind, async_trait};

/// The kind of a session's error, in the terms of stores.
pub(crate) fn kind_of(error: &abide::Error) -> ErrorKind {
    match error.kind() {
        abide::ErrorKind::Store(kind) => kind,
        // No plan asks for what leads to any other error.
        _ => ErrorKind::Unsupported,
    }
}

fn answer<T>(result: Result<T, abide::Error>) -> Result<T, ErrorKind> {
    result.map_err(|error| kind_of(&error))
}

fn keep(kept: Kept) -> Keep {
    match kept {
        Kept::All => Keep::All,
        Kept::Nothing => Keep::Nothing,
        Kept::First => Keep::Only(vec![KEYS[0].into()]),
    }
}

/// The session of a request.
pub(crate) struct Handled(pub(crate) Session);

impl Handled {
    async fn view(&self) -> Result<Option<View>, abide::Error> {
        let Some(deadlines) = self.0.deadlines().await? else { return Ok(None) };
        let user = self.0.user().await?;
        let known = |name: &str| USERS.iter().position(|known| *known == name).unwrap_or(usize::MAX);
        let mut values = [None; KEYS.len()];
        for (value, key) in values.iter_mut().zip(KEYS) {
            *value = self.0.get::<i64>(key).await?;
        }
        Ok(Some(View {
            user: user.map(|user| known(&user)),
            values,
            idle: deadlines.idle.into(),
            absolute: deadlines.absolute.into(),
        }))
    }
}

#[async_trait]
impl Calls for Handled {
    async fn look(&self) -> Result<Option<View>, ErrorKind> {
        answer(self.view().await)
    }

    fn set(&self, key: usize, value: i64) {
        self.0.insert(KEYS[key], &value).expect("a number, before the headers are gone");
    }

    fn remove(&self, key: usize) {
        self.0.remove(KEYS[key]);
    }

    fn set_idle_timeout(&self, timeout: Duration) {
        self.0.set_idle_timeout(timeout);
    }

    async fn update(&self, key: usize, change: Arithmetic) -> Result<i64, ErrorKind> {
        answer(match change {
            Arithmetic::Add(by) => self.0.increment(KEYS[key], by).await,
            Arithmetic::DoubleAndAdd(_) => self.0.update(KEYS[key], |value| change.of(value)).await,
        })
    }

    async fn save(&self) -> Result<(), ErrorKind> {
        answer(self.0.save().await)
    }

    async fn log_in(&self, user: usize, kept: Kept) -> Result<(), ErrorKind> {
        answer(self.0.log_in(LogIn::new(USERS[user]).keep(keep(kept))).await)
    }

    async fn renew(&self) -> Result<(), ErrorKind> {
        answer(self.0.renew().await)
    }

    async fn leave(&self, kept: Kept) -> Result<(), ErrorKind> {
        answer(self.0.log_out_user(keep(kept)).await)
    }

    async fn log_out(&self) -> Result<(), ErrorKind> {
        answer(self.0.log_out().await)
    }

    async fn stray(&self) -> Result<(), ErrorKind> {
        // Plans for clients that do not create the session have none.
        Err(ErrorKind::Unsupported)
    }
}
