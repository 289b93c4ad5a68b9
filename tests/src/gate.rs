//! A provider of OpenAI's dialect that reads requests and answers none of them until its gate is opened; then all, and at once from then on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::provider::{is_whole, json_reply, small_answer};

/// The provider. Its answers are of one token in and one out.
pub struct Gate {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<AtomicUsize>,
    open: watch::Sender<bool>,
    _serving: JoinSet<()>,
}

impl Gate {
    /// Starts it, closed.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(AtomicUsize::new(0));
        let (open, opened) = watch::channel(false);
        let count = Arc::clone(&seen);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut callers = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                callers.spawn(serve(stream, Arc::clone(&count), opened.clone()));
            }
        });
        Self {
            address,
            seen,
            open,
            _serving: serving,
        }
    }

    /// Answers all who wait, and everybody from now on.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Lets everybody wait again.
    pub fn close(&self) {
        self.open.send_replace(false);
    }

    /// Requests that were read whole.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, count: Arc<AtomicUsize>, mut opened: watch::Receiver<bool>) {
    let reply = json_reply("200 OK", &small_answer());
    let mut request = Vec::new();
    let mut buffer = vec![0; 16 << 10];
    while !is_whole(&request) {
        let Ok(read @ 1..) = stream.read(&mut buffer).await else { return };
        request.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
    count.fetch_add(1, Ordering::SeqCst);
    if opened.wait_for(|open| *open).await.is_ok() {
        let _ = stream.write_all(&reply).await;
        let _ = stream.shutdown().await;
    }
}
