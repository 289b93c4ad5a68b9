//! A streamed answer on its way: the provider's body, the channel, and what was seen of it. Knows when the answer is complete, and
//! that an end without the dialect's terminator is none. Does not know the caller's HTTP side (`tail.rs`).

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use tokio::time::{Sleep, sleep};
use tollgate_guard::mask;
use tollgate_upstream::attempt;
use tollgate_upstream::client::AnswerBody;
use tollgate_wire::event::Event;
use tollgate_wire::fault::{Fault, FaultKind};

use crate::channel::Channel;

/// A streamed answer.
pub struct Stream {
    upstream: AnswerBody,
    channel: Channel,
    progress: Progress,
    terminator_optional: bool,
    ready: VecDeque<Bytes>,
    pieces: Vec<Bytes>,
    kept: Option<Step>,
    /// Given back to its pool only when the provider's last byte was read.
    settling: Option<Pin<Box<Sleep>>>,
    settled: bool,
}

/// How long the provider may take to close an answer that it has declared complete.
const SETTLE_MAX: Duration = Duration::from_millis(100);

/// What was seen of the answer so far.
#[derive(Debug, Default)]
struct Progress {
    terminated: bool,
    choices: Vec<Choice>,
}

#[derive(Debug)]
struct Choice {
    index: u32,
    finished: bool,
}

/// What a look at the provider gave.
pub enum Step {
    /// Something came; there may be bytes to take.
    More,
    /// The answer is complete.
    Complete,
    /// The answer broke off. `told`: the provider's own error event is among the bytes.
    Broken {
        /// Why.
        fault: Box<Fault>,
        /// The caller's dialect has already been told.
        told: bool,
    },
}

impl Stream {
    /// A stream from that body, over that channel.
    #[must_use]
    pub fn new(upstream: AnswerBody, channel: Channel, terminator_optional: bool) -> Self {
        Self {
            upstream,
            channel,
            progress: Progress::default(),
            terminator_optional,
            ready: VecDeque::new(),
            pieces: Vec::new(),
            kept: None,
            settling: None,
            settled: false,
        }
    }

    /// Bytes that wait for the caller.
    #[must_use]
    pub fn ready_bytes(&self) -> usize {
        self.ready.iter().map(Bytes::len).sum()
    }

    /// Reads the end of a complete answer, so that its connection can be used again; what stands there is of no interest.
    pub fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.settled {
            match Pin::new(&mut self.upstream).poll_frame(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(None | Some(Err(_))) => self.settled = true,
                Poll::Pending => {
                    let patience = self.settling.get_or_insert_with(|| Box::pin(sleep(SETTLE_MAX)));
                    ready!(patience.as_mut().poll(cx));
                    self.settled = true;
                }
            }
        }
        Poll::Ready(())
    }

    /// Puts back a step that was looked at, to be given again.
    pub fn keep(&mut self, step: Step) {
        if !matches!(step, Step::More) {
            self.kept = Some(step);
        }
    }

    /// Bytes for the caller that are ready.
    pub fn take(&mut self) -> Option<Bytes> {
        self.ready.pop_front()
    }

    /// The way the bytes take.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Looks for the next chunk; what happened is appended to `events`.
    pub fn poll_step(&mut self, cx: &mut Context<'_>, events: &mut Vec<Event>) -> Poll<Step> {
        if let Some(step) = self.kept.take() {
            return Poll::Ready(step);
        }
        let seen = events.len();
        let frame = ready!(Pin::new(&mut self.upstream).poll_frame(cx));
        let step = match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(chunk) => self.chunk(&chunk, events),
                Err(_trailers) => Step::More,
            },
            Some(Err(fault)) => broken(attempt::transport_fault(&fault)),
            None => {
                self.settled = true;
                self.end(events)
            }
        };
        let news = events.get(seen..).unwrap_or_default();
        self.progress.observe(news);
        Poll::Ready(self.judge(step, news))
    }

    fn chunk(&mut self, chunk: &Bytes, events: &mut Vec<Event>) -> Step {
        let result = self.channel.push(chunk, &mut self.pieces, events);
        self.ready.extend(self.pieces.drain(..));
        match result {
            Ok(()) => Step::More,
            Err(malformed) => broken(bad_stream(&malformed.to_string())),
        }
    }

    fn end(&mut self, events: &mut Vec<Event>) -> Step {
        let result = self.channel.end(&mut self.pieces, events);
        self.ready.extend(self.pieces.drain(..));
        match result {
            Ok(()) => Step::Complete,
            Err(malformed) => broken(bad_stream(&malformed.to_string())),
        }
    }

    /// What a step means, with the events that it brought.
    fn judge(&mut self, step: Step, news: &[Event]) -> Step {
        let reported = news.iter().find_map(|event| match event {
            Event::Fault(fault) => Some(fault.clone()),
            _ => None,
        });
        if let Some(fault) = reported {
            let told = self.channel.is_tap();
            if let Some(last) = self.ready.back_mut().filter(|_| told) {
                mask_last_event(last);
            }
            return Step::Broken { fault, told };
        }
        let over = matches!(step, Step::Complete);
        if self.progress.terminated || (over && self.may_end_here()) {
            self.channel.finish(&mut self.pieces);
            self.ready.extend(self.pieces.drain(..));
            return Step::Complete;
        }
        if over {
            return broken(truncated());
        }
        step
    }

    fn may_end_here(&self) -> bool {
        self.terminator_optional && !self.progress.choices.is_empty() && self.progress.choices.iter().all(|choice| choice.finished)
    }
}

impl Progress {
    fn observe(&mut self, news: &[Event]) {
        for event in news {
            match event {
                Event::End => self.terminated = true,
                Event::Open { choice, .. } | Event::Delta { choice, .. } => {
                    self.choice(*choice);
                }
                Event::Finish { choice, .. } => {
                    let index = self.choice(*choice);
                    if let Some(choice) = self.choices.get_mut(index) {
                        choice.finished = true;
                    }
                }
                _ => {}
            }
        }
    }

    fn choice(&mut self, index: u32) -> usize {
        if let Some(at) = self.choices.iter().position(|choice| choice.index == index) {
            return at;
        }
        self.choices.push(Choice { index, finished: false });
        self.choices.len() - 1
    }
}

/// Takes credentials out of the last event of a piece: the provider's own error, which ends a stream that passes through. What the
/// model said before it stays as it is.
fn mask_last_event(piece: &mut Bytes) {
    let blank = |ends: &[u8]| matches!(ends, b"\n\n" | b"\r\r" | b"\n\r");
    let start = piece.trim_ascii_end().windows(2).rposition(blank).unwrap_or_default();
    let (before, event) = piece.split_at(start);
    // What is not UTF-8 was refused before it came here.
    let Ok(event) = std::str::from_utf8(event) else { return };
    let masked = mask::credentials(event);
    if masked != event {
        *piece = Bytes::from([before, masked.as_bytes()].concat());
    }
}

fn broken(fault: Fault) -> Step {
    Step::Broken {
        fault: Box::new(fault),
        told: false,
    }
}

/// The provider's stream is not of its dialect.
fn bad_stream(cause: &str) -> Fault {
    Fault::provider(
        FaultKind::BadUpstream,
        "the provider's stream could not be read; the answer ends here",
    )
    .with_code("bad_upstream_response")
    .with_cause(cause)
}

/// The provider closed its stream without saying that it is complete.
fn truncated() -> Fault {
    Fault::provider(
        FaultKind::Truncated,
        "the provider's stream ended before its end; the answer is not complete",
    )
    .with_code("upstream_truncated")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_providers_error_event_shows_no_credential_and_the_model_may_say_what_it_likes() {
        let said = "data: {\"x\":\"sk-abcdefghijklmnop\"}";
        let rows = [
            (
                format!("{said}\n\nevent: error\ndata: {{\"error\":\"bad key sk-abcdefghijklmnop\"}}\n\n"),
                format!("{said}\n\nevent: error\ndata: {{\"error\":\"bad key sk-abcd***\"}}\n\n"),
            ),
            (
                format!("{said}\r\n\r\ndata: {{\"error\":\"bad key sk-abcdefghijklmnop\"}}\r\n\r\n"),
                format!("{said}\r\n\r\ndata: {{\"error\":\"bad key sk-abcd***\"}}\r\n\r\n"),
            ),
            (
                format!("{said}\r\rdata: {{\"error\":\"é\"}}\r\r"),
                format!("{said}\r\rdata: {{\"error\":\"é\"}}\r\r"),
            ),
            (
                "data: {\"error\":\"Bearer abcdefghijkl\"}".to_owned(),
                "data: {\"error\":\"Bearer abcd***\"}".to_owned(),
            ),
            (String::new(), String::new()),
        ];
        for (before, after) in rows {
            let mut piece = Bytes::from(before.clone());
            mask_last_event(&mut piece);
            assert_eq!(piece, after, "{before}");
        }
    }
}
