//! Commands that are asked for at the same time go together.
//!
//! Each write into a socket and each read of its server costs more than most commands do. The driver of a shared connection
//! writes what it has whenever it is woken, and a runtime wakes it right after the first of many tasks that are about to
//! send something. So where others are under way, a command waits until those tasks had their turn: a task of its own goes to
//! the end of the queue of tasks, and sends whatever came until then as one. Where few are, a command goes at once.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisError, RedisResult, Value};
use tokio::sync::oneshot;

/// With so many under way, or fewer, one more goes at once.
const FEW: usize = 3;
/// Whoever goes together is answered together.
const MOST: usize = 64;

/// The commands of one connection that wait to be sent.
#[derive(Debug, Default)]
pub(super) struct Batches {
    waiting: Mutex<Vec<Asked>>,
    under_way: AtomicUsize,
}

/// A command, and who waits for its reply.
#[derive(Debug)]
struct Asked {
    command: Cmd,
    answer: oneshot::Sender<RedisResult<Value>>,
}

/// One that is under way.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Batches {
    /// Sends a command over the connection, with others that are asked for now. Dropped, it may be sent all the same.
    pub(super) async fn send(
        self: &Arc<Self>,
        connection: &MultiplexedConnection,
        command: Cmd,
    ) -> RedisResult<Value> {
        let others = self.under_way.fetch_add(1, Ordering::Relaxed);
        let _under_way = UnderWay(&self.under_way);
        if others <= FEW {
            return connection.clone().send_packed_command(&command).await;
        }
        let (answer, reply) = oneshot::channel();
        if self.push(Asked { command, answer }) {
            tokio::spawn(send_all(self.clone(), connection.clone()));
        }
        reply.await.unwrap_or_else(|_| Err(cut_off()))
    }

    /// Answers whether it is the first: then whoever asks is to have them sent.
    fn push(&self, asked: Asked) -> bool {
        let mut waiting = self.lock();
        waiting.push(asked);
        waiting.len() == 1
    }

    /// Those that wait, but for those whose callers are gone.
    fn take(&self) -> Vec<Asked> {
        let mut waiting = std::mem::take(&mut *self.lock());
        waiting.retain(|asked| !asked.answer.is_closed());
        waiting
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Asked>> {
        // Each change is one call: a panic leaves it whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn send_all(batches: Arc<Batches>, connection: MultiplexedConnection) {
    to_the_end_of_the_queue().await;
    let mut waiting = batches.take();
    while waiting.len() > MOST {
        let rest = waiting.split_off(MOST);
        tokio::spawn(send_together(waiting, connection.clone()));
        waiting = rest;
    }
    send_together(waiting, connection).await;
}

async fn send_together(asked: Vec<Asked>, mut connection: MultiplexedConnection) {
    if asked.is_empty() {
        return;
    }
    let mut commands = Pipeline::with_capacity(asked.len());
    let mut answers = Vec::with_capacity(asked.len());
    for Asked { command, answer } in asked {
        commands.add_command(command);
        answers.push(answer);
    }
    let sent = connection.send_packed_commands(&commands, 0, answers.len()).await;
    let replies: Vec<_> = match sent {
        Ok(replies) => replies.into_iter().map(Ok).collect(),
        Err(error) => answers.iter().map(|_| Err(error.clone())).collect(),
    };
    for (answer, reply) in answers.into_iter().zip(replies) {
        // Nobody listens where the caller was dropped.
        let _ = answer.send(reply);
    }
}

/// Has the tasks run that are ready now.
async fn to_the_end_of_the_queue() {
    let mut is_there = false;
    poll_fn(|cx| {
        if is_there {
            return Poll::Ready(());
        }
        is_there = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn cut_off() -> RedisError {
    std::io::Error::new(std::io::ErrorKind::BrokenPipe, "the commands were cut off").into()
}
