//! A commit once begun is finished, also when the client hangs up.
//!
//! The future runs where it is polled. Only when it is dropped while it waits is it handed to the runtime; and only
//! when it waits is it counted as under way, so a store that answers at once costs neither a task nor a count.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A future that is finished in the background where it is dropped while it waits.
pub(crate) struct Protected<T: Send + 'static> {
    future: Option<Boxed<T>>,
    /// There while the future waits: a shutdown waits for it, wherever it runs.
    waiting: Option<TaskTrackerToken>,
}

impl<T: Send + 'static> Protected<T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self { future: Some(Box::pin(future)), waiting: None }
    }

    /// Runs it to its end, counted among `tasks` while it waits.
    pub(crate) async fn run(mut self, tasks: &TaskTracker) -> T {
        poll_fn(|cx| self.poll(cx, tasks)).await
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, tasks: &TaskTracker) -> Poll<T> {
        let Some(future) = &mut self.future else { return Poll::Pending };
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => {
                self.future = None;
                self.waiting = None;
                Poll::Ready(output)
            }
            Poll::Pending => {
                self.waiting.get_or_insert_with(|| tasks.token());
                Poll::Pending
            }
        }
    }
}

impl<T: Send + 'static> Drop for Protected<T> {
    fn drop(&mut self) {
        let (Some(future), Some(waiting)) = (self.future.take(), self.waiting.take()) else { return };
        // Without a runtime there is nothing that could go on; the store's contract covers a commit cut off here.
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            future.await;
            drop(waiting);
        });
    }
}
