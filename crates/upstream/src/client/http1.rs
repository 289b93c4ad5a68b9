//! One HTTP/1.1 connection, driven by the task that awaits its answer.
//!
//! There is no background task per connection: an answer costs no task switch, a reader who is slow slows the provider
//! down, and whoever drops the exchange closes the socket with it, which is how the provider learns that nobody listens
//! any more. What that takes away is noticing at once that the server closed an idle connection; it is looked at when
//! the connection is taken out of the pool.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::coop::unconstrained;
use tokio::time::Instant;

use super::fault::{TransportFault, TransportFaultKind};
use super::pool::{OriginPool, Slot};
use super::relay::Relay;
use super::stream::{ReadCount, Stream};
use super::watch::Watch;
use super::{Expiry, Failed, HEAD_BYTES_MAX, HEADERS_MAX, Trace};

/// hyper's read buffer, which starts at 8 KiB and grows with what arrives at once. What a slow caller has not taken yet is slices of
/// it, which keep a whole block alive beside the one that is being filled: twice this and more per stream (R-D5).
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// A connection that serves one exchange at a time.
pub(super) struct Http1 {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once it has ended.
    connection: Option<Connection<TokioIo<Stream>, Full<Bytes>>>,
    bytes_read: ReadCount,
    watch: Watch,
    relay: Arc<Relay>,
    waker: Waker,
    home: Weak<OriginPool>,
    /// When it last went back to the pool.
    pub(super) idle_since: Instant,
    _slot: Slot,
}

impl Http1 {
    pub(super) async fn start(stream: Stream, home: Weak<OriginPool>, slot: Slot, expires: Instant) -> Result<Box<Http1>, TransportFault> {
        let bytes_read = stream.bytes_read();
        let (sender, connection) = Builder::new()
            .max_headers(HEADERS_MAX)
            .max_header_size(HEAD_BYTES_MAX)
            .max_buf_size(BUFFER_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| TransportFault::of_head(&error))?;
        let relay = Arc::new(Relay::default());
        Ok(Box::new(Http1 {
            sender,
            connection: Some(connection),
            bytes_read,
            watch: Watch::new(expires),
            waker: Waker::from(Arc::clone(&relay)),
            relay,
            home,
            idle_since: Instant::now(),
            _slot: slot,
        }))
    }

    /// Whether an idle connection can still be used, as far as this side knows.
    pub(super) fn is_alive(&mut self) -> bool {
        self.drive().is_pending() && self.sender.is_ready()
    }

    /// Sends the request and awaits the response head. Dropping the future closes the connection.
    pub(super) async fn exchange(
        mut self: Box<Self>,
        request: Request<Full<Bytes>>,
        expiry: Expiry,
    ) -> Result<(Response<Incoming>, Box<Http1>), Failed> {
        let read_before = self.bytes_read.get();
        // Only `drive` can complete it, so it is polled with a waker that wakes nobody; and outside of tokio's budget,
        // which would otherwise answer "not now" to exactly that waker.
        let mut answer = pin!(unconstrained(self.sender.send_request(request)));
        let outcome = poll_fn(|cx| {
            let mut quiet = Context::from_waker(Waker::noop());
            self.relay.attend(cx.waker());
            let ended = self.drive().is_ready();
            if let Poll::Ready(answered) = answer.as_mut().poll(&mut quiet) {
                self.relay.leave();
                return Poll::Ready(answered.map_err(|error| TransportFault::of_head(&error)));
            }
            if ended {
                let fault = TransportFault::new(TransportFaultKind::Reset, "connection closed before the answer");
                return Poll::Ready(Err(fault));
            }
            if self.watch.poll_passed(expiry.at, &mut Context::from_waker(&self.waker)) {
                return Poll::Ready(Err(expiry.fault()));
            }
            self.relay.rest();
            Poll::Pending
        })
        .await;
        match outcome {
            Ok(response) => Ok((response, self)),
            Err(fault) => {
                let nothing_came = self.bytes_read.get() == read_before;
                // What follows from it is told at `Client::send`.
                let died_silently = fault.kind == TransportFaultKind::Reset && nothing_came;
                let trace = if died_silently { Trace::Unknown } else { Trace::Possible };
                Err(Failed {
                    fault: fault.received(!nothing_came),
                    trace,
                })
            }
        }
    }

    /// The next piece of the body that `incoming` receives from this connection.
    pub(super) fn poll_body(
        &mut self,
        incoming: &mut Incoming,
        expires: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Trouble>>> {
        let mut quiet = Context::from_waker(Waker::noop());
        self.relay.attend(cx.waker());
        let mut polled = Pin::new(&mut *incoming).poll_frame(&mut quiet);
        if polled.is_pending() {
            self.relay.look();
            let _ = self.drive();
            polled = Pin::new(incoming).poll_frame(&mut quiet);
        }
        if let Poll::Ready(frame) = polled {
            self.relay.leave();
            return Poll::Ready(frame.map(|frame| frame.map_err(Trouble::Broken)));
        }
        if self.watch.poll_passed(expires, &mut Context::from_waker(&self.waker)) {
            return Poll::Ready(Some(Err(Trouble::Late)));
        }
        self.relay.rest();
        Poll::Pending
    }

    /// The answer was read to its end: the connection goes back to its pool, if it may be used again.
    pub(super) fn finish(mut self: Box<Self>) {
        if self.is_alive()
            && let Some(home) = self.home.upgrade()
        {
            self.relay.forget();
            self.idle_since = Instant::now();
            home.put(self);
        }
    }

    /// Moves bytes either way as far as the socket allows; ready when the connection has ended.
    fn drive(&mut self) -> Poll<()> {
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(());
        };
        match Pin::new(connection).poll(&mut Context::from_waker(&self.waker)) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(_) => {
                // Why it ended is told by the answer or its body; dropping the connection makes sure that it is told.
                self.connection = None;
                Poll::Ready(())
            }
        }
    }
}

/// Why a body gave no further piece.
pub(super) enum Trouble {
    /// The connection or its framing failed.
    Broken(hyper::Error),
    /// The deadline passed.
    Late,
}
