//! The body of an answer, as it arrives; and reading one whole.
//!
//! A body owns its connection. At its clean end the connection goes back to the pool; dropped earlier it closes the
//! connection (HTTP/1.1) or resets the stream (HTTP/2), so that the provider stops working for nobody (R-D4). It does
//! not decompress and does not look inside.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::fault::{TransportFault, TransportFaultKind};
use super::http1::{Http1, Trouble};
use super::http2::Http2Answer;
use super::pace::Pace;
use super::timeouts::Timeouts;

/// The bytes of an answer in the pieces in which they arrived. Trailers are dropped: nothing behind the door reads them.
pub struct AnswerBody {
    source: Source,
    /// Longest silence between two pieces.
    idle: Duration,
    /// When the whole exchange ends.
    deadline: Instant,
    heard: Instant,
    pace: Option<Pace>,
}

enum Source {
    Http1(Incoming, Box<Http1>),
    Http2(Incoming, Http2Answer),
    Ended,
}

impl AnswerBody {
    pub(super) fn http1(incoming: Incoming, connection: Box<Http1>, timeouts: &Timeouts, deadline: Instant) -> AnswerBody {
        AnswerBody::new(Source::Http1(incoming, connection), timeouts, deadline)
    }

    pub(super) fn http2(incoming: Incoming, answer: Http2Answer, timeouts: &Timeouts, deadline: Instant) -> AnswerBody {
        AnswerBody::new(Source::Http2(incoming, answer), timeouts, deadline)
    }

    fn new(source: Source, timeouts: &Timeouts, deadline: Instant) -> AnswerBody {
        let mut body = AnswerBody {
            source,
            idle: timeouts.idle,
            deadline,
            heard: Instant::now(),
            pace: timeouts.min_rate.map(Pace::new),
        };
        body.settle();
        body
    }

    /// Gives the connection back once the last byte was taken. Not every reader asks again after that.
    fn settle(&mut self) {
        if self.is_end_stream()
            && let Source::Http1(_, connection) = std::mem::replace(&mut self.source, Source::Ended)
        {
            connection.finish();
        }
    }

    fn fail(&mut self, fault: TransportFault) -> Poll<Option<Result<Frame<Bytes>, TransportFault>>> {
        self.source = Source::Ended;
        Poll::Ready(Some(Err(fault.received(true))))
    }

    fn late(&self, now: Instant) -> TransportFault {
        if self.deadline <= now {
            TransportFault::new(
                TransportFaultKind::TotalTimeout,
                "the exchange's time was up while its body arrived",
            )
        } else if now < self.heard + self.idle {
            TransportFault::new(TransportFaultKind::IdleTimeout, "the body came more slowly than min_rate")
        } else {
            let idle = self.idle;
            TransportFault::new(
                TransportFaultKind::IdleTimeout,
                format!("no byte for {idle:?} in the middle of a body"),
            )
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = TransportFault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, TransportFault>>> {
        let this = self.get_mut();
        loop {
            let mut expires = this.deadline.min(this.heard + this.idle);
            if let Some(pace) = &mut this.pace {
                expires = expires.min(pace.window_ends(Instant::now()));
            }
            let polled = match &mut this.source {
                Source::Http1(incoming, connection) => connection.poll_body(incoming, expires, cx),
                Source::Http2(incoming, answer) => answer.poll_body(incoming, expires, cx),
                Source::Ended => return Poll::Ready(None),
            };
            match polled {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => {
                    this.heard = Instant::now();
                    // A body that never pauses does not meet the timer.
                    if this.deadline <= this.heard {
                        let fault = this.late(this.heard);
                        return this.fail(fault);
                    }
                    let Ok(data) = frame.into_data() else { continue };
                    if let Some(pace) = &mut this.pace
                        && !pace.came(data.len(), this.heard)
                    {
                        let fault = this.late(this.heard);
                        return this.fail(fault);
                    }
                    this.settle();
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Poll::Ready(Some(Err(Trouble::Broken(error)))) => {
                    return this.fail(TransportFault::of_body(&error));
                }
                Poll::Ready(Some(Err(Trouble::Late))) => {
                    let now = Instant::now();
                    let silent = this.deadline <= now || this.heard + this.idle <= now;
                    if !silent && this.pace.as_mut().is_some_and(|pace| pace.look(now)) {
                        continue;
                    }
                    let fault = this.late(now);
                    return this.fail(fault);
                }
                Poll::Ready(None) => {
                    if let Source::Http1(_, connection) = std::mem::replace(&mut this.source, Source::Ended) {
                        connection.finish();
                    }
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Http1(incoming, _) | Source::Http2(incoming, _) => incoming.is_end_stream(),
            Source::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Http1(incoming, _) | Source::Http2(incoming, _) => incoming.size_hint(),
            Source::Ended => SizeHint::with_exact(0),
        }
    }
}

impl std::fmt::Debug for AnswerBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let source = match self.source {
            Source::Http1(..) => "http/1.1",
            Source::Http2(..) => "http/2",
            Source::Ended => "ended",
        };
        f.debug_struct("AnswerBody").field("source", &source).finish_non_exhaustive()
    }
}

/// Reads a body whole. One that arrives in a single piece is handed on without a copy.
///
/// # Errors
/// The body's own fault, or `TooLarge` when it is longer than `bytes_max`; the connection is then closed.
pub async fn collect<B>(body: B, bytes_max: usize) -> Result<Bytes, TransportFault>
where
    B: Body<Data = Bytes, Error = TransportFault>,
{
    let too_large = || {
        let detail = format!("the body is longer than {bytes_max} bytes");
        TransportFault::new(TransportFaultKind::TooLarge, detail).received(true)
    };
    if (bytes_max as u64) < body.size_hint().lower() {
        return Err(too_large());
    }
    let mut body = std::pin::pin!(body);
    let Some(first) = next(body.as_mut()).await? else {
        return Ok(Bytes::new());
    };
    if bytes_max < first.len() {
        return Err(too_large());
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let Some(second) = next(body.as_mut()).await? else {
        return Ok(first);
    };
    let rest = usize::try_from(body.size_hint().lower()).unwrap_or(bytes_max);
    let mut whole = BytesMut::with_capacity((first.len() + second.len() + rest).min(bytes_max));
    whole.extend_from_slice(&first);
    let mut piece = Some(second);
    while let Some(bytes) = piece {
        if bytes_max - whole.len() < bytes.len() {
            return Err(too_large());
        }
        whole.extend_from_slice(&bytes);
        piece = next(body.as_mut()).await?;
    }
    Ok(whole.freeze())
}

async fn next<B>(mut body: Pin<&mut B>) -> Result<Option<Bytes>, TransportFault>
where
    B: Body<Data = Bytes, Error = TransportFault>,
{
    loop {
        match std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            None => return Ok(None),
            Some(frame) => {
                if let Ok(data) = frame?.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}
