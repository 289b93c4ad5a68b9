//! The door: the one place from which a request leaves for a provider.
//!
//! A [`Client`] belongs to one thread of the data plane and keeps its connections there. It pools, times out and reports
//! what broke; it follows no redirect, decompresses nothing, retries nothing that a server may have seen (with one
//! exception, told at [`Client::send`]) and knows nothing of credentials or formats.

mod body;
mod dial;
mod fault;
mod http1;
mod http2;
mod origin;
mod pace;
mod pool;
mod reach;
mod relay;
mod resolve;
mod stream;
mod timeouts;
mod watch;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use body::{AnswerBody, collect};
pub use fault::{TransportFault, TransportFaultKind};
pub use origin::{HttpVersion, Origin, OriginError, Scheme};
pub use reach::Reach;
pub use resolve::{Found, Names, SystemNames};
pub use timeouts::{MinRate, Timeouts};

use pool::{Connection, OriginPool};

use crate::tls::Tls;

/// Most headers in a response head (F27).
const HEADERS_MAX: usize = 100;
/// How often a request that left no trace is sent again.
const REPEATS_MAX: u32 = 2;
/// Most bytes in a response head (F27).
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How a client keeps its connections. Per client, hence per thread.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Whom to believe; shared by all clients of the process.
    pub tls: Arc<Tls>,
    /// Idle HTTP/1.1 connections kept per origin.
    pub idle_per_origin_max: usize,
    /// Connections per origin, idle or busy; with HTTP/1.1 also the exchanges at one time.
    pub connections_per_origin_max: usize,
    /// An idle connection is closed after this long.
    pub idle_timeout: Duration,
    /// Who knows what names stand for.
    pub names: Arc<dyn Names>,
}

impl ClientSettings {
    /// 128 idle and at most 8,192 connections per origin, closed after 55 s of idleness: a little before the 60 s at
    /// which most load balancers close theirs.
    pub fn new(tls: Arc<Tls>) -> ClientSettings {
        ClientSettings {
            tls,
            idle_per_origin_max: 128,
            connections_per_origin_max: 8_192,
            idle_timeout: Duration::from_secs(55),
            names: Arc::new(SystemNames),
        }
    }
}

/// Sends requests to providers over pooled connections. Cheap to clone; clones share the pool.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    settings: ClientSettings,
    pools: Mutex<HashMap<Origin, Arc<OriginPool>>>,
    tasks: Tasks,
    sweeping: AtomicBool,
}

/// Everything that a client has running, to be waited for or stopped.
#[derive(Clone)]
struct Tasks {
    tracker: TaskTracker,
    /// Ends the sweeper.
    closing: CancellationToken,
    /// Ends HTTP/2 connections, whatever runs over them.
    hard_stop: CancellationToken,
}

/// When an exchange's head is due, and what it means if it does not come.
#[derive(Clone, Copy)]
struct Expiry {
    at: Instant,
    kind: TransportFaultKind,
    waited: Duration,
}

/// An exchange that ended without an answer.
struct Failed {
    fault: TransportFault,
    trace: Trace,
}

/// Whether a failed request can have left a trace at the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trace {
    /// It was not sent, or the server said that it did nothing with it.
    Never,
    /// The connection died and not one byte of an answer came.
    Unknown,
    /// It must not be sent again.
    Possible,
}

impl Client {
    /// A client without connections; it costs nothing until it sends.
    pub fn new(settings: ClientSettings) -> Client {
        let tasks = Tasks {
            tracker: TaskTracker::new(),
            closing: CancellationToken::new(),
            hard_stop: CancellationToken::new(),
        };
        Client(Arc::new(Shared {
            settings,
            pools: Mutex::default(),
            tasks,
            sweeping: AtomicBool::new(false),
        }))
    }

    /// Sends `request` to `origin` and awaits the head of the answer, until `deadline` at the latest. Only path and
    /// query of the request's URI are used, and its `host`, `connection`, framing and `accept-encoding` headers are set
    /// here. Redirects are answers like any other.
    ///
    /// When a *kept* connection turns out to be dead and not one byte of an answer came, the request is sent once more
    /// over another connection. Servers close idle connections when they like, and a request can always cross with that
    /// on its way. If hyper had not begun to write it, repeating is safe. If it was written, the server may in theory
    /// have read it, begun to work and then died without a word, so that a completion is made (and billed) twice; we
    /// accept that, because in practice it means that the connection was closed before the request arrived, and the
    /// alternative is a failure seen by a caller whenever a provider's keep-alive is shorter than ours. Over HTTP/2 no
    /// such trade is needed: the server says which streams it never touched, and those are sent again (at most twice).
    ///
    /// Dropping the future, or the answer's body before its end, cancels the exchange at the provider.
    ///
    /// # Errors
    /// [`TransportFault`] when no well-formed response head arrived in time.
    pub async fn send(
        &self,
        origin: &Origin,
        request: Request<Bytes>,
        timeouts: &Timeouts,
        deadline: std::time::Instant,
    ) -> Result<Response<AnswerBody>, TransportFault> {
        let now = Instant::now();
        let deadline = Instant::from_std(deadline);
        if deadline <= now {
            let detail = "the exchange's time was up before the request was sent";
            return Err(TransportFault::new(TransportFaultKind::TotalTimeout, detail));
        }
        let pool = self.pool(origin);
        let mut request = prepare(origin, request);
        let exchange = Exchange {
            origin,
            timeouts,
            deadline,
        };
        let mut connection = pool.take(now);
        let mut repeats_left = REPEATS_MAX;
        loop {
            let was_kept = connection.is_some();
            let (with, since) = match connection {
                Some(kept) => (kept, now),
                // Boxed: it is large and rare, and the way over a kept connection should not carry it.
                None => (Box::pin(self.open(&pool, &exchange)).await?, Instant::now()),
            };
            let may_repeat = repeats_left > 0 && (was_kept || matches!(with, Connection::Http2(_)));
            let spare = may_repeat.then(|| request.clone());
            match (exchange.run(with, request, since).await, spare) {
                (Ok(answer), _) => return Ok(answer),
                (Err(Failed { trace: Trace::Never, .. }), Some(spare)) => {
                    request = spare;
                    connection = pool.take(Instant::now());
                }
                // The other kept connections are no younger than this one was: they would likely be dead as well.
                (Err(Failed { trace: Trace::Unknown, .. }), Some(spare)) if was_kept => {
                    request = spare;
                    connection = None;
                    repeats_left = 0;
                    continue;
                }
                (Err(failed), _) => return Err(failed.fault),
            }
            repeats_left -= 1;
        }
    }

    async fn open(&self, pool: &Arc<OriginPool>, exchange: &Exchange<'_>) -> Result<Connection, TransportFault> {
        self.sweep_while_open();
        let connect_until = Instant::now() + exchange.timeouts.connect;
        let opened = pool.open(connect_until.min(exchange.deadline)).await;
        opened.map_err(|mut fault| {
            if exchange.deadline <= connect_until && exchange.deadline <= Instant::now() {
                fault.kind = TransportFaultKind::TotalTimeout;
            }
            fault
        })
    }

    /// Closes idle connections and keeps none from now on; then waits for what is still running, at most `grace` long,
    /// and ends it. Exchanges in progress over HTTP/1.1 are their callers' to end and are not waited for.
    pub async fn close(&self, grace: Duration) {
        let tasks = &self.0.tasks;
        tasks.closing.cancel();
        tasks.tracker.close();
        for pool in self.0.pools().values() {
            pool.close();
        }
        if timeout(grace, tasks.tracker.wait()).await.is_err() {
            tasks.hard_stop.cancel();
            tasks.tracker.wait().await;
        }
    }

    fn pool(&self, origin: &Origin) -> Arc<OriginPool> {
        let mut pools = self.0.pools();
        if let Some(pool) = pools.get(origin) {
            return Arc::clone(pool);
        }
        let pool = Arc::new(OriginPool::new(origin.clone(), self.0.settings.clone(), self.0.tasks.clone()));
        if self.0.tasks.closing.is_cancelled() {
            pool.close();
        }
        pools.insert(origin.clone(), Arc::clone(&pool));
        pool
    }

    /// One task per client closes what was idle too long. It runs while any connection is open.
    fn sweep_while_open(&self) {
        if self.0.sweeping.swap(true, Ordering::SeqCst) {
            return;
        }
        let shared = Arc::downgrade(&self.0);
        let closing = self.0.tasks.closing.clone();
        let pause = (self.0.settings.idle_timeout / 2).max(Duration::from_millis(10));
        self.0.tasks.tracker.spawn(async move {
            while closing.run_until_cancelled(sleep(pause)).await.is_some() {
                let Some(shared) = shared.upgrade() else { return };
                if !shared.sweep() {
                    return;
                }
            }
        });
    }
}

impl Shared {
    /// Whether there is anything left to sweep later.
    fn sweep(&self) -> bool {
        // Lowered first: a connection opened from here on starts the next sweeper itself.
        self.sweeping.store(false, Ordering::SeqCst);
        let now = Instant::now();
        let mut open = false;
        self.pools().retain(|_, pool| {
            let has_connections = pool.sweep(now);
            open |= has_connections;
            has_connections || Arc::strong_count(pool) > 1 || pool.resolver().is_worth_keeping(now)
        });
        open && !self.sweeping.swap(true, Ordering::SeqCst)
    }

    fn pools(&self) -> MutexGuard<'_, HashMap<Origin, Arc<OriginPool>>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What stays the same over the connections that one exchange tries.
struct Exchange<'a> {
    origin: &'a Origin,
    timeouts: &'a Timeouts,
    deadline: Instant,
}

impl Exchange<'_> {
    async fn run(&self, connection: Connection, request: Request<Full<Bytes>>, now: Instant) -> Result<Response<AnswerBody>, Failed> {
        let deadline = self.deadline;
        let expiry = Expiry::of(now, self.timeouts.first_byte, deadline);
        match connection {
            Connection::Http1(http1) => {
                let (response, http1) = http1.exchange(request, expiry).await?;
                let (head, incoming) = checked(response)?.into_parts();
                Ok(Response::from_parts(
                    head,
                    AnswerBody::http1(incoming, http1, self.timeouts, deadline),
                ))
            }
            Connection::Http2(stream) => {
                let (response, answer) = stream.exchange(self.origin, request, expiry).await?;
                let (head, incoming) = checked(response)?.into_parts();
                Ok(Response::from_parts(
                    head,
                    AnswerBody::http2(incoming, answer, self.timeouts, deadline),
                ))
            }
        }
    }
}

impl Expiry {
    fn of(now: Instant, first_byte: Duration, deadline: Instant) -> Expiry {
        if now + first_byte < deadline {
            Expiry {
                at: now + first_byte,
                kind: TransportFaultKind::FirstByteTimeout,
                waited: first_byte,
            }
        } else {
            Expiry {
                at: deadline,
                kind: TransportFaultKind::TotalTimeout,
                waited: deadline.duration_since(now),
            }
        }
    }

    fn fault(&self) -> TransportFault {
        TransportFault::new(self.kind, format!("no response head after {:?}", self.waited))
    }
}

/// The request as it leaves: addressed to its origin, in framing and encoding as this client wants them.
fn prepare(origin: &Origin, request: Request<Bytes>) -> Request<Full<Bytes>> {
    let (mut head, body) = request.into_parts();
    if head.uri.authority().is_some() {
        head.uri = head.uri.into_parts().path_and_query.map_or_else(Uri::default, Uri::from);
    }
    head.version = Version::HTTP_11;
    for name in [
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::CONTENT_LENGTH,
        header::UPGRADE,
        header::TE,
    ] {
        head.headers.remove(name);
    }
    head.headers.insert(header::HOST, origin.host_header().clone());
    // Answers are read and translated on the way: an encoding would have to be undone, bombs and all (F26, R-E3).
    head.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Request::from_parts(head, Full::new(body))
}

/// Refuses heads that were not asked for.
fn checked(response: Response<Incoming>) -> Result<Response<Incoming>, Failed> {
    let complaint = if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        Some("the server switched to a protocol that was not asked for")
    } else if HEADERS_MAX < response.headers().len() {
        Some("the response head has too many headers")
    } else if is_encoded(response.headers()) {
        Some("the response is in a content-encoding that was not asked for")
    } else {
        None
    };
    match complaint {
        None => Ok(response),
        Some(detail) => Err(Failed {
            fault: TransportFault::new(TransportFaultKind::BadResponse, detail).received(true),
            trace: Trace::Possible,
        }),
    }
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}
