//! An answer as it travels: what happens before the head, the head, and the body as timed steps.
//! It does not know what is in the frames; faults rearrange them by what part of an answer they are.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame as BodyFrame, SizeHint};
use tokio::{net::TcpStream, time::Sleep};

use crate::{bill::Entry, io, reply::Usage};

/// Time given to the transport to bring what was written to the peer before the connection is broken.
pub(crate) const BREAK_AFTER: Duration = Duration::from_millis(10);

/// An answer, ready to be played.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// All headers but those that HTTP itself needs.
    pub(crate) headers: HeaderMap,
    /// What happens before the head is sent: only waits and breaks.
    pub(crate) before: Vec<Step>,
    /// The body.
    pub(crate) steps: Vec<Step>,
    /// Is the body's length declared? Then it is the sum of the frames as first composed.
    pub(crate) length_bytes: Option<u64>,
    /// Bytes to write on the socket instead of all of the above, after `before`; then the connection is closed.
    pub(crate) raw: Option<Bytes>,
    /// The tokens of the whole answer.
    pub(crate) usage: Usage,
    /// Is everything charged even if the caller leaves before the end?
    pub(crate) charged_in_full: bool,
}

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Bytes are sent.
    Send(Frame),
    /// The same bytes are sent so many times.
    Repeat(Bytes, u64),
    /// Nothing is sent for a while.
    Wait(Duration),
    /// What was sent so far is written out before anything more is.
    Flush,
    /// The connection ends here.
    Break(Ending),
}

/// How a connection is broken. On HTTP/2 both reset the one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// FIN: the peer reads an early end of file.
    Close,
    /// RST: the peer's next read fails.
    Reset,
}

/// Some bytes of a body, with what they mean.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frame {
    /// The bytes.
    pub(crate) bytes: Bytes,
    /// What part of an answer they are.
    pub(crate) part: FramePart,
    /// Output tokens in them.
    pub(crate) tokens: u64,
    /// Bytes of generated content in them, without framing.
    pub(crate) content_bytes: u64,
}

/// What part of an answer a frame is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum FramePart {
    /// A whole body.
    Whole,
    /// An event before, between or around content (role, block start and stop, ping).
    #[default]
    Structure,
    /// An event with generated content.
    Content,
    /// The event that says why the answer ended.
    Finish,
    /// An event with nothing but usage.
    Usage,
    /// The terminator of a stream.
    Terminator,
}

impl Answer {
    /// An answer whose body is there at once.
    pub(crate) fn whole(status: StatusCode, headers: HeaderMap, bytes: Bytes) -> Self {
        let length_bytes = Some(bytes.len() as u64);
        let frame = Frame {
            bytes,
            part: FramePart::Whole,
            ..Frame::default()
        };
        Self {
            length_bytes,
            ..Self::of(status, headers, vec![Step::Send(frame)])
        }
    }

    /// An answer that is streamed.
    pub(crate) fn streamed(headers: HeaderMap, frames: Vec<Frame>, pace: Duration) -> Self {
        let mut steps = Vec::with_capacity(frames.len() * if pace.is_zero() { 1 } else { 2 });
        let mut first = true;
        for frame in frames {
            if frame.part == FramePart::Content && !pace.is_zero() && !std::mem::take(&mut first) {
                steps.push(Step::Wait(pace));
            }
            steps.push(Step::Send(frame));
        }
        Self::of(StatusCode::OK, headers, steps)
    }

    fn of(status: StatusCode, headers: HeaderMap, steps: Vec<Step>) -> Self {
        Self {
            status,
            headers,
            before: Vec::new(),
            steps,
            length_bytes: None,
            raw: None,
            usage: Usage::default(),
            charged_in_full: false,
        }
    }

    /// Is this one body with a declared length?
    pub(crate) fn is_whole(&self) -> bool {
        self.length_bytes.is_some()
    }
}

/// The answer ended as it was asked to: by breaking the connection.
#[derive(Debug)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection was broken as asked")
    }
}

impl std::error::Error for Broken {}

/// Plays an answer up to its head, and hands over its body.
pub(crate) async fn play(
    answer: Answer,
    mut entry: Entry,
    socket: &Arc<TcpStream>,
    raw_possible: bool,
) -> Result<Response<StepBody>, Broken> {
    entry.expect(answer.status, answer.usage, answer.charged_in_full);
    for step in answer.before {
        match step {
            Step::Wait(time) => tokio::time::sleep(time).await,
            Step::Break(ending) => {
                entry.broken();
                return Err(io::break_off(socket, ending));
            }
            Step::Send(_) | Step::Repeat(..) | Step::Flush => {}
        }
    }
    if let Some(raw) = answer.raw {
        entry.broken();
        if raw_possible {
            io::write_all(socket, &raw).await;
            tokio::time::sleep(BREAK_AFTER).await;
        }
        return Err(Broken);
    }
    let mut response = Response::new(StepBody {
        steps: answer.steps.into_iter(),
        timer: None,
        repeat: None,
        left_bytes: answer.length_bytes,
        entry,
        socket: Arc::clone(socket),
    });
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}

/// A body that happens step by step.
#[derive(Debug)]
pub(crate) struct StepBody {
    steps: std::vec::IntoIter<Step>,
    timer: Option<Pin<Box<Sleep>>>,
    repeat: Option<(Bytes, u64)>,
    left_bytes: Option<u64>,
    entry: Entry,
    socket: Arc<TcpStream>,
}

impl StepBody {
    fn give(&mut self, bytes: Bytes) -> Poll<Option<Result<BodyFrame<Bytes>, Broken>>> {
        self.left_bytes = self.left_bytes.map(|left| left.saturating_sub(bytes.len() as u64));
        if self.is_end_stream() {
            self.entry.complete();
        }
        Poll::Ready(Some(Ok(BodyFrame::data(bytes))))
    }
}

impl Body for StepBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<BodyFrame<Bytes>, Broken>>> {
        loop {
            if let Some(timer) = &mut self.timer {
                ready!(timer.as_mut().poll(cx));
                self.timer = None;
            }
            if let Some((bytes, times)) = self.repeat.take() {
                if 1 < times {
                    self.repeat = Some((bytes.clone(), times - 1));
                }
                self.entry.sent(bytes.len() as u64, 0, bytes.len() as u64);
                return self.give(bytes);
            }
            match self.steps.next() {
                Some(Step::Send(frame)) => {
                    self.entry.sent(frame.content_bytes, frame.tokens, frame.bytes.len() as u64);
                    return self.give(frame.bytes);
                }
                Some(Step::Repeat(bytes, times)) => self.repeat = (0 < times).then_some((bytes, times)),
                Some(Step::Wait(time)) => self.timer = Some(Box::pin(tokio::time::sleep(time))),
                Some(Step::Flush) => {
                    // hyper writes out what it has when a body is not ready.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Break(ending)) => {
                    self.entry.broken();
                    return Poll::Ready(Some(Err(io::break_off(&self.socket, ending))));
                }
                None => {
                    self.entry.complete();
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.timer.is_none() && self.repeat.is_none() && self.steps.as_slice().is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.left_bytes.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
