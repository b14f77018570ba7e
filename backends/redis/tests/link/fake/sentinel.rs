//! A sentinel that says what a test tells it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use abide_harness::Redis;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

use super::{bulk, command};

const NAME: &str = "main";

/// One sentinel of one master.
pub(crate) struct Sentinel {
    address: SocketAddr,
    master: Arc<Mutex<SocketAddr>>,
    events: broadcast::Sender<(String, String)>,
}

impl Sentinel {
    /// One that names this server.
    pub(crate) async fn of(master: &Redis) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sentinel = Self {
            address: listener.local_addr().unwrap(),
            master: Arc::new(Mutex::new(master.address())),
            events: broadcast::channel(16).0,
        };
        let (master, events) = (sentinel.master.clone(), sentinel.events.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, master.clone(), events.subscribe()));
            }
        });
        sentinel
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+sentinel://{}/{NAME}/0", self.address)
    }

    /// From now on it names another server to whoever asks.
    pub(crate) fn names(&self, master: &Redis) {
        *self.master.lock().unwrap() = master.address();
    }

    /// Publishes what a sentinel says of a replica in a failover.
    pub(crate) fn says_of(&self, channel: &str, replica: &Redis) {
        let (to, from) = (replica.port(), self.master.lock().unwrap().port());
        let text = match channel {
            "+switch-master" => format!("{NAME} 127.0.0.1 {from} 127.0.0.1 {to}"),
            _ => format!("slave 127.0.0.1:{to} 127.0.0.1 {to} @ {NAME} 127.0.0.1 {from}"),
        };
        self.events.send((channel.to_owned(), text)).unwrap();
    }
}

async fn serve(
    client: TcpStream,
    master: Arc<Mutex<SocketAddr>>,
    mut events: broadcast::Receiver<(String, String)>,
) {
    let (reader, mut writer) = client.into_split();
    let (mut reader, mut channels) = (BufReader::new(reader), Vec::new());
    loop {
        let answer = tokio::select! {
            command = command(&mut reader) => match command {
                Some(command) => answer(&command, &master, &mut channels),
                None => return,
            },
            event = events.recv() => match event {
                Ok((channel, text)) if channels.contains(&channel) => message("message", &channel, &bulk(&text)),
                Ok(_) => continue,
                Err(_) => return,
            },
        };
        if writer.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn answer(command: &[String], master: &Mutex<SocketAddr>, channels: &mut Vec<String>) -> String {
    let words: Vec<_> = command.iter().map(|word| word.to_ascii_uppercase()).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", _] => {
            let port = master.lock().unwrap().port();
            format!("*2\r\n{}{}", bulk("127.0.0.1"), bulk(&port.to_string()))
        }
        ["SENTINEL", "MASTER", _] => format!("*2\r\n{}{}", bulk("config-epoch"), bulk("1")),
        ["SUBSCRIBE", ..] => {
            let mut answers = String::new();
            for channel in &command[1..] {
                channels.push(channel.clone());
                answers += &message("subscribe", channel, &format!(":{}\r\n", channels.len()));
            }
            answers
        }
        _ => "+OK\r\n".into(),
    }
}

fn message(kind: &str, channel: &str, content: &str) -> String {
    format!("*3\r\n{}{}{content}", bulk(kind), bulk(channel))
}
