//! Operations of a session store, on sessions with one value of 512 bytes.

use std::time::Duration;

use abide_core::{
    Changes, Clock as _, CommitOptions, CreateOptions, EraId, LoadOptions, NewRecord, Record, SessionKey,
    SessionStore, Stamps, SystemClock, SystemEntropy, Token, Version,
};

/// What each session holds, and what is written.
pub(crate) const VALUE: [u8; 512] = [b'v'; 512];
const NAME: &str = "v";
const NONCE: [u8; 16] = [1; 16];
const HOUR: Duration = Duration::from_secs(3_600);

/// Sessions, named by their places, and what is done with them. An operation that fails ends the program: its speed would
/// mean nothing.
pub(crate) struct Operations {
    keys: Vec<SessionKey>,
    stamps: Stamps,
}

impl Operations {
    /// So many sessions, which are not stored yet. Their keys are random, as those of sessions are.
    pub(crate) fn on(sessions: u32) -> anyhow::Result<Self> {
        let tokens = (0..sessions).map(|_| Token::generate(&SystemEntropy)).collect::<Result<Vec<_>, _>>()?;
        let keys = tokens.iter().map(|token| *token.key()).collect();
        Ok(Self { keys, stamps: Stamps::new(u64::from(std::process::id())) })
    }

    /// The sessions' keys.
    pub(crate) fn keys(&self) -> &[SessionKey] {
        &self.keys
    }

    /// A new record without a user.
    pub(crate) fn record(&self) -> Record {
        Record::create(self.new_record())
    }

    fn new_record(&self) -> NewRecord {
        let now = SystemClock.now();
        NewRecord::new(self.stamps.next(now), NONCE, Token::from_bytes([1; 32]).verifier(), now)
            .idle_timeout(HOUR)
            .value(NAME, VALUE)
    }

    /// Stores a session without a user.
    pub(crate) async fn create(&self, store: &dyn SessionStore, at: usize) {
        self.store(store, at, self.record()).await;
    }

    /// Stores a session of a user who has no other.
    pub(crate) async fn create_of_user(&self, store: &dyn SessionStore, at: usize) {
        let user = format!("user-{}", self.keys[at].handle());
        self.store(store, at, Record::create(self.new_record().user(user, SystemClock.now()))).await;
    }

    async fn store(&self, store: &dyn SessionStore, at: usize, record: Record) {
        let created = store.create(&self.keys[at], record, &CreateOptions::default()).await;
        created.expect("a session is created");
    }

    /// Loads a session.
    pub(crate) async fn load(&self, store: &dyn SessionStore, at: usize) {
        let loaded = store.load(&self.keys[at], &LoadOptions::default()).await;
        assert!(loaded.expect("a session is loaded").is_some(), "the session is there");
    }

    /// Commits another value.
    pub(crate) async fn set(&self, store: &dyn SessionStore, at: usize) {
        let mut changes = Changes::new(self.stamps.next(SystemClock.now()), EraId::first(NONCE));
        changes.set(NAME, VALUE);
        let options = CommitOptions::default();
        store.commit(&self.keys[at], Version::default(), &changes, &options).await.expect("it is committed");
    }
}
