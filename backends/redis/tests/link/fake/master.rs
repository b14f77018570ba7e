//! The only master of a Cluster, which is up or down.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{bulk, command};

/// A master that keeps nothing, and counts what it was asked.
pub(crate) struct Master {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_down: bool,
    replicas: usize,
    /// How often each command came.
    asked: HashMap<String, usize>,
}

impl Master {
    /// One that is up.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let master = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let (address, state) = (master.address, master.state.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, address, state.clone()));
            }
        });
        master
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+cluster://{}", self.address)
    }

    /// From now on it refuses whatever concerns a key, or serves.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.state.lock().unwrap().is_down = is_down;
    }

    /// From now on it has so many replicas.
    pub(crate) fn set_replicas(&self, replicas: usize) {
        self.state.lock().unwrap().replicas = replicas;
    }

    /// How often a command came.
    pub(crate) fn asked(&self, name: &str) -> usize {
        self.state.lock().unwrap().asked.get(name).copied().unwrap_or(0)
    }
}

async fn serve(client: TcpStream, address: SocketAddr, state: Arc<Mutex<State>>) {
    let (reader, mut writer) = client.into_split();
    let mut reader = BufReader::new(reader);
    while let Some(command) = command(&mut reader).await {
        let answer = answer(&command[0].to_ascii_uppercase(), address, &mut state.lock().unwrap());
        if writer.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn answer(name: &str, address: SocketAddr, state: &mut State) -> String {
    *state.asked.entry(name.to_owned()).or_default() += 1;
    match name {
        "GET" | "SET" if state.is_down => "-CLUSTERDOWN The cluster is down\r\n".into(),
        "GET" => "$-1\r\n".into(),
        "PING" => "+PONG\r\n".into(),
        "ROLE" => {
            let replica = format!("*3\r\n{}{}{}", bulk("127.0.0.1"), bulk("1"), bulk("0"));
            format!("*3\r\n{}:0\r\n*{}\r\n{}", bulk("master"), state.replicas, replica.repeat(state.replicas))
        }
        // All slots, and who has them.
        "CLUSTER" => {
            let master = format!("*2\r\n{}:{}\r\n", bulk(&address.ip().to_string()), address.port());
            format!("*1\r\n*3\r\n:0\r\n:16383\r\n{master}")
        }
        _ => "+OK\r\n".into(),
    }
}
