//! A provider that answers each key in a way of its own, and counts them: for pools of keys. It listens on 127.0.0.1 only.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::provider::is_whole;

/// What a key is answered: the number of its call, from 1, and the key.
type Answer = dyn Fn(usize, &str) -> Vec<u8> + Send + Sync;

/// The server.
pub struct Keyed {
    /// Where it listens.
    pub address: SocketAddr,
    calls: Arc<Mutex<BTreeMap<String, usize>>>,
    _serving: JoinSet<()>,
}

impl Keyed {
    /// Reads one request from each connection, sends what the key of its `authorization: Bearer` is answered, and closes.
    pub async fn start(answer: impl Fn(usize, &str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Arc::new(Mutex::default());
        let (counted, answer): (_, Arc<Answer>) = (Arc::clone(&calls), Arc::new(answer));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(serve(stream, Arc::clone(&counted), Arc::clone(&answer)));
            }
        });
        Self {
            address,
            calls,
            _serving: serving,
        }
    }

    /// How often a key was used.
    #[must_use]
    pub fn calls(&self, key: &str) -> usize {
        self.calls.lock().unwrap().get(key).copied().unwrap_or(0)
    }
}

async fn serve(mut stream: TcpStream, calls: Arc<Mutex<BTreeMap<String, usize>>>, answer: Arc<Answer>) {
    let (mut request, mut buffer) = (Vec::new(), vec![0; 16 << 10]);
    while !is_whole(&request) {
        let Ok(read @ 1..) = stream.read(&mut buffer).await else { return };
        request.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let key = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("authorization")
            .then(|| value.trim().trim_start_matches("Bearer ").to_owned())
    });
    let key = key.unwrap_or_default();
    let number = {
        let mut calls = calls.lock().unwrap();
        let count = calls.entry(key.clone()).or_default();
        *count += 1;
        *count
    };
    let _ = stream.write_all(&answer(number, &key)).await;
    let _ = stream.shutdown().await;
}
