//! A worker: a thread with a runtime and connections of its own.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::task::TaskTracker;
use tollgate_upstream::client::{Client, ClientSettings};
use tollgate_upstream::tls::Tls;

use super::{State, connection};
use crate::exchange::Gateway;

/// Connections on their way to a worker.
const HANDED_CONNECTIONS_MAX: usize = 1024;
/// How long those may take to hear that their time is over who are still here then.
const LAST_WORDS: Duration = Duration::from_millis(700);
/// How long the connections to the providers may take to close.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// The accepting thread's end of a worker.
pub(super) struct Worker {
    hand: Sender<(TcpStream, SocketAddr)>,
    open: Arc<AtomicUsize>,
}

impl Worker {
    /// Connections that it serves now.
    pub(super) fn connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Gives it a connection.
    pub(super) async fn take(&self, stream: TcpStream, from: SocketAddr) {
        self.open.fetch_add(1, Ordering::Relaxed);
        if self.hand.send((stream, from)).await.is_err() {
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Starts a worker.
///
/// # Errors
/// When its thread or its runtime cannot be made.
pub(super) fn start(number: usize, state: Arc<State>, tls: Arc<Tls>) -> io::Result<(Worker, JoinHandle<()>)> {
    let (hand, handed) = mpsc::channel(HANDED_CONNECTIONS_MAX);
    let open = Arc::new(AtomicUsize::new(0));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mine = Arc::clone(&open);
    let thread = std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
        runtime.block_on(serve(handed, mine, state, tls));
        // Dropped, it would wait for name look-ups that were given up long ago.
        runtime.shutdown_background();
    })?;
    Ok((Worker { hand, open }, thread))
}

async fn serve(mut handed: Receiver<(TcpStream, SocketAddr)>, open: Arc<AtomicUsize>, state: Arc<State>, tls: Arc<Tls>) {
    let connections = TaskTracker::new();
    let gateway = Gateway::new(
        Arc::clone(&state.shared),
        Client::new(ClientSettings::new(tls)),
        connections.clone(),
    );
    let measuring = Arc::clone(gateway.valve()).measure(Arc::clone(&state.shared), state.stop.clone());
    connections.spawn(measuring);
    while let Some(Some((stream, from))) = state.stop.run_until_cancelled(handed.recv()).await {
        let Ok(stream) = tokio::net::TcpStream::from_std(stream) else {
            open.fetch_sub(1, Ordering::Relaxed);
            continue;
        };
        let (gateway, state, open) = (gateway.clone(), Arc::clone(&state), Arc::clone(&open));
        let tasks = connections.clone();
        let gauge = state.shared.telemetry.metrics.open_connections.clone();
        connections.spawn(async move {
            gauge.inc();
            connection::serve(stream, from, gateway, &state, tasks).await;
            gauge.dec();
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
    connections.close();
    let drained = tokio::time::timeout(state.drain, connections.wait());
    if !matches!(state.cut.run_until_cancelled(drained).await, Some(Ok(()))) {
        // Nobody is cut off without a word (FAULTS F39).
        state.shared.switches.close();
        let _ = tokio::time::timeout(LAST_WORDS, connections.wait()).await;
    }
    gateway.client().close(CLOSE_GRACE).await;
}
