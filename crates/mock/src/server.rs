//! The listener: accepts, serves HTTP/1.1 and HTTP/2 without TLS, stops when its owner says so or is dropped.
//! It does not read requests; that is `service.rs`.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};

use crate::{
    answer::Ending,
    io::{Shared, break_off},
    script::Script,
    service::App,
};

/// Connections served at a time; further ones wait in the backlog.
const CONNECTIONS_MAX: usize = 16_384;
/// Pause after a failed accept (out of descriptors), so that it does not spin.
const ACCEPT_RETRY_AFTER: Duration = Duration::from_millis(50);

/// How a simulator is set up. The default listens on a free port of 127.0.0.1 and plays no script.
#[derive(Debug, Clone)]
pub struct MockSettings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Rules that ask for faults beside the model name.
    pub script: Script,
    /// What happens to new connections.
    pub on_accept: OnAccept,
    /// Bytes of a request body, at most; more is a 413.
    pub body_bytes_max: usize,
}

impl Default for MockSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            script: Script::default(),
            on_accept: OnAccept::Serve,
            body_bytes_max: 64 * 1024 * 1024,
        }
    }
}

/// What happens to new connections: faults below HTTP (F01, F03).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnAccept {
    /// They are served.
    #[default]
    Serve,
    /// They are closed at once.
    Close,
    /// They are reset at once.
    Reset,
    /// They are held without a byte, as a stalled TLS handshake would be.
    Stall,
}

/// A running simulator. Dropping it stops it at once.
#[derive(Debug)]
pub struct Mock {
    addr: SocketAddr,
    app: Arc<App>,
    stop: watch::Sender<bool>,
    /// The one task that accepts; it owns the connections. Dropping the set aborts it, and with it them.
    accepting: JoinSet<()>,
}

impl Mock {
    /// Binds and starts serving.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(settings: MockSettings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.listen).await?;
        let addr = listener.local_addr()?;
        let on_accept = settings.on_accept;
        let app = Arc::new(App::new(settings));
        let (stop, stopped) = watch::channel(false);
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, Arc::clone(&app), on_accept, stopped));
        Ok(Self {
            addr,
            app,
            stop,
            accepting,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What `GET /bill` answers; with `summary` what `GET /bill?summary=1` answers.
    #[must_use]
    pub fn bill_json(&self, summary: bool) -> String {
        self.app.bill.json(summary)
    }

    /// What `GET /requests/last?n=…` answers.
    #[must_use]
    pub fn requests_json(&self, n: usize) -> String {
        self.app.recorder.json(n)
    }

    /// Stops listening, cuts every connection, and waits until they are gone.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.wait().await;
    }

    /// Waits for as long as it runs: for ever, unless the listener is lost.
    pub async fn wait(mut self) {
        // An error says that the task panicked: it is gone either way.
        while self.accepting.join_next().await.is_some() {}
    }
}

/// Serves until the future is dropped. A process that wants to print the address uses [`Mock::start`] and [`Mock::wait`].
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(settings: MockSettings) -> io::Result<()> {
    Mock::start(settings).await?.wait().await;
    Ok(())
}

/// An address of 127.0.0.1 that refuses connections (F01): it was bound a moment ago and is free again.
///
/// # Errors
/// When no port is free.
pub async fn refusing_address() -> io::Result<SocketAddr> {
    TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?.local_addr()
}

async fn accept(listener: TcpListener, app: Arc<App>, on_accept: OnAccept, mut stopped: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = async {
            // A place first: what cannot be served stays in the backlog.
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accepted => accepted,
            _ = stopped.changed() => return connections.shutdown().await,
        };
        let Ok((socket, _)) = accepted else {
            tokio::time::sleep(ACCEPT_RETRY_AFTER).await;
            continue;
        };
        let app = Arc::clone(&app);
        connections.spawn(async move {
            match on_accept {
                OnAccept::Serve => serve_connection(socket, app).await,
                OnAccept::Close => drop(socket),
                OnAccept::Reset => drop((break_off(&socket, Ending::Reset), socket)),
                OnAccept::Stall => std::future::pending::<()>().await,
            }
            drop(place);
        });
    }
}

async fn serve_connection(socket: TcpStream, app: Arc<App>) {
    // Without it small events wait for the peer's delayed acknowledgement: 40 ms.
    let _ = socket.set_nodelay(true);
    let socket = Arc::new(socket);
    let service = {
        let socket = Arc::clone(&socket);
        hyper::service::service_fn(move |request| Arc::clone(&app).handle(request, Arc::clone(&socket)))
    };
    // No header timeout: idle keep-alive connections of a test must not vanish; their number is bounded instead.
    // An error is a peer that left or a fault that was asked for; the bill has it.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(Shared(socket)), service)
        .await;
}
