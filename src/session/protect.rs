//! A commit once begun is finished, also when the client hangs up.
//!
//! The future runs where it is awaited. Only when it is dropped in the middle is it handed to the runtime, so the way
//! without a hang-up costs no task.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A future that is finished in the background where it is dropped after its first poll.
pub(crate) struct Protected<T: Send + 'static> {
    future: Option<Boxed<T>>,
    begun: bool,
    /// Counted as under way from the start: a shutdown waits for it wherever it runs.
    token: Option<TaskTrackerToken>,
}

impl<T: Send + 'static> Protected<T> {
    pub(crate) fn new(tasks: &TaskTracker, future: impl Future<Output = T> + Send + 'static) -> Self {
        Self { future: Some(Box::pin(future)), begun: false, token: Some(tasks.token()) }
    }
}

impl<T: Send + 'static> Future for Protected<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.begun = true;
        let Some(future) = &mut self.future else { return Poll::Pending };
        let output = std::task::ready!(future.as_mut().poll(cx));
        self.future = None;
        self.token = None;
        Poll::Ready(output)
    }
}

impl<T: Send + 'static> Drop for Protected<T> {
    fn drop(&mut self) {
        let (Some(future), true) = (self.future.take(), self.begun) else { return };
        // Without a runtime there is nothing that could go on; the store's contract covers a commit cut off here.
        let Ok(runtime) = Handle::try_current() else { return };
        let token = self.token.take();
        runtime.spawn(async move {
            future.await;
            drop(token);
        });
    }
}
