//! One HTTP/2 connection, shared by as many exchanges as its peer allows.
//!
//! Unlike an HTTP/1.1 connection it needs a task of its own, since no single exchange may be relied on to drive it; the
//! task belongs to the client's tracker. Flow control is per stream, so a slow reader slows only its own answer.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::uri::{PathAndQuery, Scheme as UriScheme};
use http::{Request, Response, Uri};
use http_body::{Body, Frame};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::Instant;

use super::fault::{TransportFault, is_untouched_stream};
use super::http1::Trouble;
use super::origin::{Origin, Scheme};
use super::pool::{OriginPool, Slot};
use super::stream::Stream;
use super::watch::Watch;
use super::{Expiry, Failed, HEAD_BYTES_MAX, Tasks, Trace};

/// Bytes of one answer that may wait for a slow reader.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
/// Bytes of all answers of one connection that may wait for their readers.
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// How often a silent connection with open streams is asked whether it lives, and how long the answer may take.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Exchanges on one connection, whatever its peer allows: they share the losses of one TCP stream.
const STREAMS_MAX: usize = 256;

/// A connection in the pool.
pub(super) struct Http2 {
    sender: SendRequest<Full<Bytes>>,
    /// Also held by the task that drives it. Here it tells how many streams the peer allows, which may change any time
    /// and is not known before the peer's first frame; until then hyper reckons with 100.
    driver: Shared,
    streams: Arc<AtomicUsize>,
    used: Instant,
}

/// `None` once it has ended.
type Shared = Arc<Mutex<Option<Connection<TokioIo<Stream>, Full<Bytes>, OwnedTasks>>>>;

/// Drives the connection; however it ends, everyone who waits on the connection is told.
struct Driver {
    shared: Shared,
    _slot: Slot,
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // How it ended is told to each of its streams.
        lock(&self.shared)
            .as_mut()
            .map_or(Poll::Ready(()), |connection| Pin::new(connection).poll(cx).map(drop))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let ended = lock(&self.shared).take();
        drop(ended);
    }
}

/// A place for one exchange on a connection.
pub(super) struct Http2Stream {
    sender: SendRequest<Full<Bytes>>,
    place: StreamPlace,
}

/// Gives its place back when dropped.
pub(super) struct StreamPlace(Arc<AtomicUsize>);

/// Spawns hyper's tasks where the client waits for them, and can end them.
#[derive(Clone)]
struct OwnedTasks(Tasks);

impl<F> hyper::rt::Executor<F> for OwnedTasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        let hard_stop = self.0.hard_stop.clone();
        self.0.tracker.spawn(async move {
            let _ = hard_stop.run_until_cancelled(task).await;
        });
    }
}

impl Http2 {
    pub(super) async fn start(pool: &OriginPool, stream: Stream, slot: Slot) -> Result<Http2, TransportFault> {
        let tasks = pool.tasks();
        let (sender, connection) = Builder::new(OwnedTasks(tasks.clone()))
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_header_list_size(HEAD_BYTES_MAX as u32)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_TIMEOUT)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| TransportFault::of_head(&error))?;
        let driver: Shared = Arc::new(Mutex::new(Some(connection)));
        let driven = Driver {
            shared: Arc::clone(&driver),
            _slot: slot,
        };
        hyper::rt::Executor::execute(&OwnedTasks(tasks.clone()), driven);
        Ok(Http2 {
            sender,
            driver,
            streams: Arc::default(),
            used: Instant::now(),
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Whether no exchange has used it since `before` and none is using it.
    pub(super) fn is_idle_since(&self, before: Instant) -> bool {
        self.used < before && self.streams.load(Ordering::Relaxed) == 0
    }

    /// A place for one more exchange, unless all are taken. (The caller holds the pool's lock: nobody races it.)
    pub(super) fn take_place(&mut self, now: Instant) -> Option<Http2Stream> {
        let streams_max = lock(&self.driver).as_ref()?.current_max_send_streams().min(STREAMS_MAX);
        if streams_max <= self.streams.load(Ordering::Relaxed) {
            return None;
        }
        self.streams.fetch_add(1, Ordering::Relaxed);
        self.used = now;
        Some(Http2Stream {
            sender: self.sender.clone(),
            place: StreamPlace(Arc::clone(&self.streams)),
        })
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Http2Stream {
    /// Sends the request and awaits the response head. Dropping the future resets the stream.
    pub(super) async fn exchange(
        mut self,
        origin: &Origin,
        mut request: Request<Full<Bytes>>,
        expiry: Expiry,
    ) -> Result<(Response<Incoming>, Http2Answer), Failed> {
        address(origin, &mut request);
        let mut watch = Watch::new(expiry.at);
        let mut answer = pin!(self.sender.send_request(request));
        let outcome = poll_fn(|cx| {
            if let Poll::Ready(answered) = answer.as_mut().poll(cx) {
                return Poll::Ready(Some(answered));
            }
            if watch.poll_passed(expiry.at, cx) {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        })
        .await;
        match outcome {
            Some(Ok(response)) => Ok((response, Http2Answer { watch, _place: self.place })),
            Some(Err(error)) => {
                let untouched = error.is_canceled() || is_untouched_stream(&error);
                let trace = if untouched { Trace::Never } else { Trace::Possible };
                Err(Failed {
                    fault: TransportFault::of_head(&error),
                    trace,
                })
            }
            None => Err(Failed {
                fault: expiry.fault(),
                trace: Trace::Possible,
            }),
        }
    }
}

/// HTTP/2 names the origin in the URI, where HTTP/1.1 has a `host` header.
fn address(origin: &Origin, request: &mut Request<Full<Bytes>>) {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(match origin.scheme() {
        Scheme::Http => UriScheme::HTTP,
        Scheme::Https => UriScheme::HTTPS,
    });
    parts.authority = Some(origin.authority().clone());
    parts.path_and_query.get_or_insert_with(|| PathAndQuery::from_static("/"));
    // With scheme, authority and path all there it cannot fail; the default would be refused by hyper.
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    request.headers_mut().remove(http::header::HOST);
}

/// What an answer that is still being read holds.
pub(super) struct Http2Answer {
    watch: Watch,
    _place: StreamPlace,
}

impl Http2Answer {
    pub(super) fn poll_body(
        &mut self,
        incoming: &mut Incoming,
        expires: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Trouble>>> {
        if let Poll::Ready(frame) = Pin::new(incoming).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Trouble::Broken)));
        }
        if self.watch.poll_passed(expires, cx) {
            Poll::Ready(Some(Err(Trouble::Late)))
        } else {
            Poll::Pending
        }
    }
}
