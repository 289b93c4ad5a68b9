//! The admin plane: a listener of its own, on a thread of its own. `/metrics` and `/healthz` need no login; everything under `/admin/v1` does,
//! and is in one table (`routes`). No key of the data plane opens anything here.

mod admins;
mod ask;
mod explain;
mod keys;
mod labels;
mod login;
mod members;
mod openapi;
mod passwords;
mod problem;
mod release;
mod reliability;
mod reports;
mod resource;
mod reviews;
mod roles;
mod routes;
mod rules;
mod serve;
mod spend;
pub(crate) mod state;
pub mod switches;
#[cfg(test)]
pub(crate) mod tests;
mod who;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use openapi::document;
pub(crate) use reports::Verified;
pub use switches::scope as switch_scope;
pub(crate) use who::TOKEN_FILE;
pub use who::{Prepared, prepare};

use crate::control::Control;
use crate::telemetry::Telemetry;

/// Connections that the admin plane serves at one time.
const CONNECTIONS_MAX: usize = 256;
/// How long a request's head may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long changes under way may take at the end.
const LAST_CHANGES: Duration = Duration::from_secs(5);

/// The admin plane, running.
pub struct Admin {
    /// Where it listens.
    pub address: SocketAddr,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Whose connection a request came over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl Admin {
    /// Starts its thread. Without a control there is no API, only the metrics and its own health.
    ///
    /// # Errors
    /// When the thread or its runtime cannot be made.
    pub fn start(listener: TcpListener, telemetry: Arc<Telemetry>, control: Option<Arc<Control>>) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("admin".into()).spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                    return;
                };
                let changes = TaskTracker::new();
                let router = routes::router(telemetry, control, &changes);
                stopped.run_until_cancelled(accept(&listener, &router)).await;
                changes.close();
                let _ = tokio::time::timeout(LAST_CHANGES, changes.wait()).await;
            });
        })?;
        Ok(Self {
            address,
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: &tokio::net::TcpListener, router: &Router) {
    let connections = TaskTracker::new();
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if connections.len() >= CONNECTIONS_MAX {
            continue;
        }
        let routed = TowerToHyperService::new(router.clone());
        connections.spawn(async move {
            let service = service_fn(move |mut request| {
                request.extensions_mut().insert(Peer(peer));
                routed.call(request)
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            let _ = served.await;
        });
    }
}
