//! Several futures at once, on no runtime in particular.

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use crate::subject::{Spawner, Task};

/// Lets the others have a turn.
pub(crate) async fn give_way() {
    let mut gave_way = false;
    poll_fn(|context| {
        if std::mem::replace(&mut gave_way, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Polls a future up to `times` times, whenever it asks for it, and drops it then. Answers what it resolved to.
pub(crate) async fn polled_at_most<T>(times: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = std::pin::pin!(work);
    let mut left = times;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        let polled = work.as_mut().poll(context).map(Some);
        if left == 0 && polled.is_pending() {
            return Poll::Ready(None);
        }
        polled
    })
    .await
}

/// Where a participant leaves what it came to.
type Answer<T> = Arc<Mutex<Option<T>>>;

/// Runs all of `work` at the same time, and answers what each came to, in their order.
pub(crate) async fn together<T, Fut>(spawner: Option<&Spawner>, work: Vec<Fut>) -> Vec<T>
where
    T: Send + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    let answers: Vec<Answer<T>> = work.iter().map(|_| Answer::default()).collect();
    let tasks = work.into_iter().zip(&answers).map(|(work, answer)| into_task(work, answer.clone()));
    match spawner {
        Some(spawn) => all_done(tasks.map(|task| spawn(task)).collect()).await,
        None => all_done(tasks.collect()).await,
    }
    answers.iter().filter_map(|answer| answer.lock().unwrap_or_else(PoisonError::into_inner).take()).collect()
}

fn into_task<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static, answer: Answer<T>) -> Task {
    Box::pin(async move {
        let came_to = work.await;
        *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(came_to);
    })
}

async fn all_done(mut tasks: Vec<Task>) {
    poll_fn(|context| poll_each(&mut tasks, context)).await;
}

fn poll_each(tasks: &mut Vec<Task>, context: &mut Context<'_>) -> Poll<()> {
    tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
    if tasks.is_empty() { Poll::Ready(()) } else { Poll::Pending }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn participants_take_turns_and_answer_in_order() {
        let turns = Arc::new(Mutex::new(Vec::new()));
        let work = (0..2).map(|n| {
            let turns = turns.clone();
            async move {
                for _ in 0..2 {
                    turns.lock().unwrap().push(n);
                    give_way().await;
                }
                n
            }
        });
        assert_eq!(together(None, work.collect()).await, [0, 1]);
        assert_eq!(*turns.lock().unwrap(), [0, 1, 0, 1]);
    }

    #[tokio::test]
    async fn a_future_is_dropped_after_its_polls() {
        assert_eq!(polled_at_most(0, async { 1 }).await, None);
        assert_eq!(polled_at_most(1, give_way()).await, None);
        assert_eq!(polled_at_most(2, give_way()).await, Some(()));
    }
}
