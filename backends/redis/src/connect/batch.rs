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

#[cfg(test)]
mod tests {
    use std::io;
    use std::pin::Pin;
    use std::task::Context;

    use redis::RedisConnectionInfo;
    use tokio::io::{
        AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, DuplexStream, ReadBuf,
    };
    use tokio::task::JoinSet;

    use super::*;

    const CROWD: usize = 200;

    /// A stream that counts how often something is written into it.
    struct Counted {
        stream: DuplexStream,
        writes: Arc<AtomicUsize>,
    }

    impl AsyncRead for Counted {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_read(cx, into)
        }
    }

    impl AsyncWrite for Counted {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.writes.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut self.stream).poll_write(cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_shutdown(cx)
        }
    }

    /// A server that answers each command with its last word, and the crowd once all of it has asked.
    async fn serve(stream: DuplexStream) -> io::Result<()> {
        let (reader, mut writer) = tokio::io::split(stream);
        let (mut lines, mut crowd) = (BufReader::new(reader).lines(), Vec::new());
        while let Some(line) = lines.next_line().await? {
            let words = line.trim_start_matches('*').parse().unwrap_or(0);
            let mut word = String::new();
            for _ in 0..words {
                lines.next_line().await?;
                word = lines.next_line().await?.unwrap_or_default();
            }
            let reply = format!("+{word}\r\n");
            if word.parse::<usize>().is_err() {
                writer.write_all(reply.as_bytes()).await?;
                continue;
            }
            crowd.push(reply);
            if crowd.len() == CROWD {
                writer.write_all(crowd.concat().as_bytes()).await?;
            }
        }
        Ok(())
    }

    async fn connect() -> (MultiplexedConnection, Arc<AtomicUsize>) {
        let ((stream, other), writes) = (tokio::io::duplex(1 << 20), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(serve(other));
        let counted = Counted { stream, writes: writes.clone() };
        let (made, connection) = oneshot::channel();
        tokio::spawn(async move {
            let info = RedisConnectionInfo::default();
            let (connection, driver) = MultiplexedConnection::new(&info, counted).await.unwrap();
            assert!(made.send(connection).is_ok());
            driver.await;
        });
        (connection.await.unwrap(), writes)
    }

    // One worker: it takes up the driver of the connection right after whoever sent something first.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn commands_that_are_asked_for_at_the_same_time_go_in_few_writes_and_each_has_its_own_answer() {
        let (connection, writes) = connect().await;
        let before = writes.load(Ordering::Relaxed);
        let crowd = tokio::spawn(async move {
            let (batches, mut asked) = (Arc::new(Batches::default()), JoinSet::new());
            for n in 0..CROWD {
                let (batches, connection) = (batches.clone(), connection.clone());
                asked.spawn(async move {
                    let mut echo = Cmd::new();
                    echo.arg("ECHO").arg(n);
                    (n, batches.send(&connection, echo).await.unwrap())
                });
            }
            asked.join_all().await
        });
        for (n, answer) in crowd.await.unwrap() {
            assert_eq!(answer, Value::SimpleString(n.to_string()));
        }
        let (writes, most) = (writes.load(Ordering::Relaxed) - before, FEW + 1 + CROWD.div_ceil(MOST));
        assert!(writes <= most, "{CROWD} commands went in {writes} writes, expected {most} or fewer");
    }
}
