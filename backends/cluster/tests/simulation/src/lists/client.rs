//! Carries out what the clients of one list do, as a store would.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use abide_cluster::protocol::{Answer, Login, Request, UserAnswer, UserEdit};
use abide_conformance::interleavings::{Rng, START};
use abide_core::users::{Entered, Entry};
use abide_core::{ErrorKind, SessionKey, Stamp, Timestamp};

use crate::hub::Hub;

use super::plan::{Act, ListPlan};
use super::{Call, Done, ListHistory};

/// How often a call is made that finds nobody, or whose answer is lost.
const TRIES: usize = 3;
/// Later than any clock that jumped: nothing of these lists has had its time.
const LATE: Duration = Duration::from_secs(10 * 3_600);

/// What the clients of one list share.
struct List {
    user: [u8; 16],
    hub: Hub,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    moment: u64,
    /// A look found nobody: the clients give up.
    is_hopeless: bool,
    history: ListHistory,
}

impl List {
    fn with<T>(&self, change: impl FnOnce(&mut Shared) -> T) -> T {
        change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts calls and answers; also the time that requests and logins know.
    fn moment(&self) -> u64 {
        self.with(|shared| {
            shared.moment += 1;
            shared.moment
        })
    }

    fn time(&self) -> Timestamp {
        START + LATE + Duration::from_millis(self.moment())
    }

    /// Asks once. A call has a name, under which it is made again.
    async fn ask(&self, call: &Call, name: Stamp, is_again: bool) -> Result<Answer, ErrorKind> {
        let user = self.user;
        let ticket = self.hub.want(match call.clone() {
            Call::Edit(edit) => Request::User { user, edit, call: name, is_again },
            Call::Read => Request::UserList { user },
        });
        let came = poll_fn(|context| match self.hub.poll(ticket, context.waker()) {
            Some(came) => Poll::Ready(came),
            None => Poll::Pending,
        });
        came.await.map_err(|error| error.kind())
    }

    /// A call: asked again where it finds nobody, or its answer is lost.
    async fn call(&self, call: Call) -> Option<Answer> {
        let (called, mut is_lost, mut came) = (self.moment(), false, None);
        let tries = if self.with(|shared| shared.is_hopeless) { 0 } else { TRIES };
        let name = Stamp::floor(Timestamp::from_millis(called));
        for attempt in 0..tries {
            match self.ask(&call, name, attempt > 0).await {
                Ok(answer) => came = Some(answer),
                Err(ErrorKind::Ambiguous) => is_lost = true,
                Err(ErrorKind::Unavailable) => {}
                Err(other) => panic!("{call:?} of a list came to {other:?}"),
            }
            if came.is_some() {
                break;
            }
        }
        let answered = self.moment();
        if matches!(call, Call::Read) && came.is_none() {
            self.with(|shared| shared.is_hopeless = true);
        }
        // One that surely did not happen is none.
        if came.is_some() || is_lost {
            let done = Done { call, called, answered, came: came.clone() };
            self.with(|shared| shared.history.push(done));
        }
        came
    }

    async fn edit(&self, edit: UserEdit) -> Option<UserAnswer> {
        match self.call(Call::Edit(edit)).await {
            Some(Answer::User(answer)) => Some(answer),
            Some(other) => panic!("an edit of a list was answered {other:?}"),
            None => {
                // What became of it? Whoever sees it must go on seeing it.
                for _ in 0..2 {
                    self.call(Call::Read).await;
                }
                None
            }
        }
    }

    async fn log_in(&self, login: Login, then: UserEdit) {
        if self.edit(UserEdit::Enter(login)).await == Some(UserAnswer::Entered(Entered::Yes)) {
            self.edit(then).await;
        }
    }

    async fn client(&self, acts: &[Act], keys: &[SessionKey]) {
        let mut last: Option<Login> = None;
        for act in acts {
            match *act {
                Act::LogIn { session, limit, fails } => {
                    let began = self.time();
                    let entry = Entry { key: keys[session], login: began };
                    let deadline = began + LATE;
                    let login = Login { entry, deadline, began: Some(began) };
                    last = Some(login);
                    let then = if fails { UserEdit::Withdraw(entry) } else { UserEdit::Settle(login, limit) };
                    self.log_in(login, then).await;
                }
                Act::Again { limit } => {
                    if let Some(login) = last {
                        self.log_in(login, UserEdit::Settle(login, limit)).await;
                    }
                }
                Act::Slide => {
                    if let Some(login) = last {
                        let deadline = self.time() + 2 * LATE;
                        self.edit(UserEdit::Slide(login.entry, deadline)).await;
                    }
                }
                Act::Leave => {
                    if let Some(login) = last {
                        self.edit(UserEdit::Leave([login.entry].into())).await;
                    }
                }
                Act::EndAll => {
                    let barrier = self.time();
                    if let Some(UserAnswer::Raised(found)) = self.edit(UserEdit::Raise(barrier)).await {
                        self.edit(UserEdit::Leave(found.into())).await;
                    }
                }
                Act::Read => drop(self.call(Call::Read).await),
            }
        }
    }
}

/// Carries out a plan, and answers what came of it. Two looks are the last of it.
pub(crate) async fn carry_out(plan: ListPlan, hub: Hub) -> ListHistory {
    let mut rng = Rng::new(plan.seed ^ 0x11_57);
    let keys: Arc<[SessionKey]> = (0..8).map(|_| SessionKey::from_bytes(rng.bytes())).collect();
    let list = Arc::new(List { user: rng.bytes(), hub, shared: Mutex::default() });
    let mut clients: Vec<Pin<Box<dyn Future<Output = ()> + Send>>> = Vec::new();
    for acts in plan.clients {
        let (list, keys) = (list.clone(), keys.clone());
        clients.push(Box::pin(async move { list.client(&acts, &keys).await }));
    }
    poll_fn(|context| {
        clients.retain_mut(|client| client.as_mut().poll(context).is_pending());
        if clients.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    list.with(|shared| shared.is_hopeless = false);
    for _ in 0..2 {
        list.call(Call::Read).await;
    }
    list.with(|shared| std::mem::take(&mut shared.history))
}
