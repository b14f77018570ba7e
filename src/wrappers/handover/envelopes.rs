//! Sessions on their way: each is one value of a record of its own in the shared store.
//!
//! The value is the session's encoded record behind a head: free, or claimed by one process. Every change of it is a
//! compare-and-set, so what the old server writes and what the next one claims come one after the other.

use std::sync::Arc;

use abide_core::{
    Changes, Clock, CommitOptions, CreateOptions, EndOptions, EndReason, Entropy, Error, ErrorKind,
    LoadOptions, Loaded, NewRecord, Page, Record, SessionKey, SessionStore, Stamps, Timestamp, Token, codec,
    entropy::random_bytes,
};

use super::places::There;

const VALUE: &str = "record";
const FREE: u8 = 0;
const CLAIMED: u8 = 1;
/// How often a compare-and-set is tried that others got in before, and a question whose answer was lost.
const MOST_ATTEMPTS: usize = 100;
const MOST_RETRIES: usize = 3;

type Process = [u8; 16];

pub(super) struct Envelopes {
    store: Arc<dyn SessionStore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    stamps: Stamps,
    /// What this process claims with.
    me: Process,
}

/// An envelope that is to be made.
pub(super) struct Envelope {
    pub(super) there: There,
    record: Record,
}

/// An envelope as it was found.
pub(super) struct Found {
    key: SessionKey,
    stored: Loaded,
    claimed_by: Option<Process>,
    session: Record,
}

impl Found {
    pub(super) fn there(&self) -> There {
        there(self.key, &self.session)
    }
}

impl Envelopes {
    pub(super) fn new(
        store: Arc<dyn SessionStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        // Without a random source no session is made either; the first envelope says so.
        let me = random_bytes(&*entropy).unwrap_or_default();
        let mut writer = [0; 8];
        writer.copy_from_slice(&me[..8]);
        Self { store, clock, entropy, stamps: Stamps::new(u64::from_be_bytes(writer)), me }
    }

    /// The envelope of a session: its secret is known to nobody, so that it opens nothing.
    pub(super) fn new_one(&self, key: &SessionKey, session: &Record) -> Result<Envelope, Error> {
        let now = self.clock.now();
        let era = session.era().ok_or(ErrorKind::Ended)?;
        let token = Token::generate(&*self.entropy)?;
        let new = NewRecord::new(self.stamps.next(now), random_bytes(&*self.entropy)?, token.verifier(), now);
        let record = Record::create(
            new.idle_timeout(era.hard_deadline().since(now))
                .hard_deadline(era.hard_deadline())
                .user(address(key), now)
                .value(VALUE, sealed(None, session)?),
        );
        Ok(Envelope { there: there(*token.key(), session), record })
    }

    /// Makes it. Asked again, it meets itself.
    pub(super) async fn put(&self, envelope: &Envelope) -> Result<(), Error> {
        let options = CreateOptions::default();
        self.store.create(&envelope.there.envelope, envelope.record.clone(), &options).await.map(drop)
    }

    /// The envelope of a session that this process may have.
    pub(super) async fn find(&self, key: &SessionKey) -> Result<Option<Found>, Error> {
        let page = self.store.of_user(&address(key), &Page::default()).await?;
        for entry in page.sessions {
            let found = self.open(&entry.key).await?;
            if let Some(found) = found.filter(|found| found.claimed_by.is_none_or(|by| by == self.me)) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    async fn open(&self, envelope: &SessionKey) -> Result<Option<Found>, Error> {
        let stored = self.store.load(envelope, &LoadOptions::default().fresh(true)).await?;
        let Some(stored) = stored else { return Ok(None) };
        let (claimed_by, session) = unsealed(stored.record.value(VALUE).unwrap_or_default())?;
        Ok(Some(Found { key: *envelope, stored, claimed_by, session }))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes a session back that this process handed over; `None` where it is over.
    pub(super) async fn take(&self, there: &There) -> Result<Option<Record>, Error> {
        match self.answered_for(there).await? {
            Some(found) => self.claim(found).await?.map(Some).ok_or_else(taken_over),
            None => Ok(None),
        }
    }

    /// Claims a session for this process and answers its record; `None` where another one did, or it is over.
    pub(super) async fn claim(&self, mut found: Found) -> Result<Option<Record>, Error> {
        for _ in 0..MOST_ATTEMPTS {
            if found.session.over(self.clock.now()).is_some() {
                return Ok(None);
            }
            match found.claimed_by {
                Some(by) if by == self.me => return Ok(Some(found.session)),
                Some(_) => return Ok(None),
                None => {}
            }
            match self.replace(&found, Some(self.me), &found.session).await {
                Ok(_) => return Ok(Some(found.session)),
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) if error.is_over() => return Ok(None),
                Err(error) => return Err(error),
            }
            match self.open(&found.key).await? {
                Some(newer) => found = newer,
                None => return Ok(None),
            }
        }
        Err(ErrorKind::Unavailable.into())
    }

    /// Puts another content into an envelope that still is as it was found.
    async fn replace(&self, found: &Found, by: Option<Process>, session: &Record) -> Result<Loaded, Error> {
        let era = found.stored.record.era().ok_or(ErrorKind::Ended)?;
        let seen = era.entry(VALUE).map(|entry| entry.stamp());
        let operation = self.stamps.next_after(self.clock.now(), found.stored.record.latest_stamp());
        let mut changes = Changes::new(operation, era.id());
        changes.update(VALUE, seen, Some(sealed(by, session)?.into()));
        let mut retries = 0;
        loop {
            let options = CommitOptions::default().retry(retries > 0);
            match self.store.commit(&found.key, found.stored.version, &changes, &options).await {
                Err(error) if error.kind() == ErrorKind::Ambiguous && retries < MOST_RETRIES => retries += 1,
                answer => return answer,
            }
        }
    }

    /// The session in an envelope that this process answers for. One that another server claimed is out of reach; one
    /// past its deadline is over.
    async fn answered_for(&self, there: &There) -> Result<Option<Found>, Error> {
        match self.open(&there.envelope).await? {
            Some(found) if found.claimed_by.is_some() => Err(taken_over()),
            Some(found) => Ok(Some(found).filter(|found| found.session.over(self.clock.now()).is_none())),
            None if self.clock.now() < there.hard_deadline => Err(taken_over()),
            None => Ok(None),
        }
    }

    pub(super) async fn load(&self, there: &There) -> Result<Option<Loaded>, Error> {
        let found = self.answered_for(there).await?;
        Ok(found.map(|found| Loaded::new(Arc::new(found.session), found.stored.version)))
    }

    /// The live session in an envelope, for lists: none where another server has it.
    pub(super) async fn live(&self, envelope: &SessionKey) -> Result<Option<Record>, Error> {
        let now = self.clock.now();
        let found = self.open(envelope).await?;
        let ours = found.filter(|found| found.claimed_by.is_none() && found.session.over(now).is_none());
        Ok(ours.map(|found| found.session))
    }

    /// What a creation comes to that meets a session in an envelope.
    pub(super) async fn meet(&self, there: &There, record: &Record) -> Result<Loaded, Error> {
        match self.load(there).await? {
            Some(live) if live.record.created() == record.created() => Ok(live),
            Some(_) => Err(ErrorKind::Exists.into()),
            None => Err(ErrorKind::Ended.into()),
        }
    }

    /// Merges changes into the session in an envelope, by the rules that every store has.
    pub(super) async fn commit(
        &self,
        there: &There,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<Loaded, Error> {
        for _ in 0..MOST_ATTEMPTS {
            let found = self.answered_for(there).await?.ok_or(ErrorKind::Ended)?;
            let as_it_is = || Loaded::new(Arc::new(found.session.clone()), found.stored.version);
            let next = match found.session.commit(changes, &options.rules(self.clock.now())) {
                Ok(Some(next)) => next,
                Ok(None) => return Ok(as_it_is()),
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    return Err(error.with_current(as_it_is()));
                }
                Err(error) => return Err(error),
            };
            match self.replace(&found, None, &next).await {
                Ok(stored) => return Ok(Loaded::new(Arc::new(next), stored.version)),
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) if error.is_over() => return Err(taken_over()),
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::Unavailable.into())
    }

    /// Ends the session in an envelope, and answers whether it was live.
    pub(super) async fn end(&self, envelope: &SessionKey, reason: EndReason) -> Result<bool, Error> {
        let live = self.live(envelope).await?.is_some();
        let ended = self.store.end(envelope, reason, &EndOptions::default()).await?;
        Ok(live && ended.was_live)
    }

    /// Ends whatever envelope a session has that nobody claimed.
    pub(super) async fn end_of(&self, key: &SessionKey, reason: EndReason) -> Result<bool, Error> {
        match self.find(key).await? {
            Some(found) => self.end(&found.key, reason).await,
            None => Ok(false),
        }
    }

    /// Lets go of an envelope that is of no more use: it is claimed, so it harms nobody where this fails.
    pub(super) async fn discard(&self, envelope: &SessionKey) {
        let _ = self.store.end(envelope, EndReason::Expired, &EndOptions::default()).await;
    }
}

fn there(envelope: SessionKey, session: &Record) -> There {
    let (deadline, hard_deadline) =
        session.era().map_or_else(Default::default, |era| (era.deadline(), era.hard_deadline()));
    There { envelope, deadline, hard_deadline }
}

/// By which the envelope of a session is found: a hash of its key, so that the key stands nowhere else.
fn address(key: &SessionKey) -> String {
    format!("abide handover {}", key.handle())
}

fn sealed(by: Option<Process>, session: &Record) -> Result<Vec<u8>, Error> {
    let mut bytes = match by {
        None => vec![FREE],
        Some(process) => [&[CLAIMED], &process[..]].concat(),
    };
    bytes.extend(codec::encode(session)?);
    Ok(bytes)
}

fn unsealed(bytes: &[u8]) -> Result<(Option<Process>, Record), Error> {
    let (by, record) = match bytes {
        [FREE, record @ ..] => (None, record),
        [CLAIMED, rest @ ..] => {
            let (process, record) = rest.split_first_chunk().ok_or_else(damaged)?;
            (Some(*process), record)
        }
        _ => return Err(damaged()),
    };
    Ok((by, codec::decode(record)?))
}

fn damaged() -> Error {
    Error::new(ErrorKind::Corrupt, "a session that was handed over cannot be read")
}

fn taken_over() -> Error {
    Error::new(ErrorKind::Unavailable, "another server took the session over")
}
