//! What a handler calls.

use super::*;

#[async_trait]
impl Calls for Session {
    async fn look(&self) -> Result<Option<View>, ErrorKind> {
        self.open().await.map_err(|error| error.kind())?;
        let state = self.state();
        let Identity::Live(live) = &state.identity else { return Ok(None) };
        let Some(era) = live.era() else { return Ok(None) };
        let name =
            era.user().map(|user| USERS.iter().position(|name| **name == **user).unwrap_or(usize::MAX));
        Ok(Some(View {
            user: name,
            values: std::array::from_fn(|key| {
                state.values[key].unwrap_or_else(|| number(&live.loaded.record, key))
            }),
            idle: era.deadline(),
            absolute: era.hard_deadline(),
        }))
    }

    fn set(&self, key: usize, value: i64) {
        self.state().values[key] = Some(Some(value));
    }

    fn remove(&self, key: usize) {
        self.state().values[key] = Some(None);
    }

    fn set_idle_timeout(&self, timeout: Duration) {
        self.state().idle = Some(timeout);
    }

    async fn update(&self, key: usize, change: Arithmetic) -> Result<i64, ErrorKind> {
        let updated = self.write(Intent::Update(key, change)).await.map_err(|error| error.kind())?;
        updated.ok_or(ErrorKind::Corrupt)
    }

    async fn save(&self) -> Result<(), ErrorKind> {
        self.write(Intent::Save).await.map(drop).map_err(|error| error.kind())
    }

    async fn log_in(&self, user: usize, kept: Kept) -> Result<(), ErrorKind> {
        let intent = Intent::Open(Who::User(user), kept);
        self.write(intent).await.map(drop).map_err(|error| error.kind())
    }

    async fn renew(&self) -> Result<(), ErrorKind> {
        let intent = Intent::Open(Who::Same, Kept::All);
        self.write(intent).await.map(drop).map_err(|error| error.kind())
    }

    async fn leave(&self, kept: Kept) -> Result<(), ErrorKind> {
        let intent = Intent::Open(Who::Nobody, kept);
        self.write(intent).await.map(drop).map_err(|error| error.kind())
    }

    async fn log_out(&self) -> Result<(), ErrorKind> {
        let opened = self.open().await;
        let live = {
            let mut state = self.state();
            let live = matches!(state.identity, Identity::Live(_));
            state.settle();
            state.identity = Identity::Empty;
            state.cookie = if live || self.token.is_some() { Cookie::Removed } else { Cookie::None };
            live
        };
        opened.map_err(|error| error.kind())?;
        if live {
            let options = EndOptions::default();
            let end = self.server.store.end(&self.server.key, EndReason::LoggedOut, &options);
            end.await.map_err(|error| error.kind())?;
        }
        Ok(())
    }

    async fn stray(&self) -> Result<(), ErrorKind> {
        let server = &self.server;
        let era = EraId::first(server.bytes());
        let mut changes = Changes::new(server.stamps.next(server.clock.now()), era);
        changes.set(KEYS[0], written(-1));
        let answer = server.commit(Version::default(), &changes).await;
        answer.map(drop).map_err(|error| error.kind())
    }
}
