//! The process's sockets: one thread accepts, and each worker thread serves its own connections from start to end, with its own
//! connections to the providers: a request never changes threads. Here is no HTTP route; those are `ingress` and `admin`.

mod accept;
mod connection;
mod overdue;
mod patience;
mod worker;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::exchange::Shared;

pub use accept::listen;

/// How the data plane is served.
pub struct ServerSettings {
    /// The listening socket.
    pub listener: TcpListener,
    /// Worker threads.
    pub workers: usize,
    /// How long connections are still taken once the process is told to stop, for load balancers to notice that it is not ready.
    pub drain_delay: Duration,
    /// How long open exchanges may go on after that.
    pub drain: Duration,
    /// Trusted roots for connections to the providers.
    pub tls: Arc<tollgate_upstream::tls::Tls>,
}

/// The data plane, running.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

/// What all threads of the data plane share.
struct State {
    shared: Arc<Shared>,
    /// The process was told to stop.
    told: CancellationToken,
    /// No more connections, and no more requests on those that are open.
    stop: CancellationToken,
    /// Ends every wait for others.
    cut: CancellationToken,
    /// As `told`, for every request to look at: a token has a lock.
    draining: AtomicBool,
    drain_delay: Duration,
    drain: Duration,
}

impl State {
    /// The process was told to stop.
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl Server {
    /// Starts the data plane's threads.
    ///
    /// # Errors
    /// When a thread or a runtime cannot be made.
    pub fn start(shared: Arc<Shared>, settings: ServerSettings) -> std::io::Result<Self> {
        let address = settings.listener.local_addr()?;
        let state = Arc::new(State {
            shared,
            told: CancellationToken::new(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
            draining: AtomicBool::new(false),
            drain_delay: settings.drain_delay,
            drain: settings.drain,
        });
        let mut threads = Vec::new();
        let mut workers = Vec::new();
        for number in 0..settings.workers.max(1) {
            let (worker, thread) = worker::start(number, Arc::clone(&state), Arc::clone(&settings.tls))?;
            workers.push(worker);
            threads.push(thread);
        }
        threads.push(accept::start(settings.listener, workers, Arc::clone(&state))?);
        Ok(Self { address, state, threads })
    }

    /// Ends the wait of [`Server::stop`], and with it whatever is still going on.
    #[must_use]
    pub fn cut(&self) -> CancellationToken {
        self.state.cut.clone()
    }

    /// Says that it is not ready, stops accepting after the delay, and waits for what is going on, for the drain time at most.
    pub fn stop(self) {
        self.state.draining.store(true, Ordering::Relaxed);
        self.state.told.cancel();
        for thread in self.threads {
            // A worker that panicked has nothing left to wait for.
            let _ = thread.join();
        }
    }
}
