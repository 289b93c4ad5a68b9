//! The second half of an attempt: what a provider's answer becomes. A whole answer is read to its end, a stream to its first content:
//! until then another deployment may answer instead.

use std::future::poll_fn;

use bytes::Bytes;
use tollgate_policy::retry::Trigger;
use tollgate_upstream::attempt::{self, Reply};
use tollgate_upstream::client::collect;
use tollgate_upstream::deployment::Door;
use tollgate_wire::event::{Event, Finish};
use tollgate_wire::fault::{Fault, FaultKind, Malformed, Retry};
use tollgate_wire::target::StreamUsage;
use tollgate_wire::translate;

use super::pen::Pen;
use super::trial::Trial;
use super::{Walk, form};
use crate::channel::Channel;
use crate::stream::{Step, Stream};

/// The largest whole answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// What a stream may send before its first content: it is held back until then.
const PREFACE_BYTES_MAX: usize = 256 << 10;

/// What was read of an answer.
pub(super) enum Begun {
    Whole(Bytes),
    Stream(Box<Stream>),
}

impl Walk<'_> {
    /// Reads an answer whose status says success, as far as it must be read before it counts as begun.
    pub(super) async fn read(&self, (door, trial): (&Door, Trial<'_>), reply: Reply, pen: Pen<'_, '_>) -> Result<Begun, Fault> {
        if reply.streamed {
            let stream = self.begin_stream((door, trial), reply, pen).await?;
            return if self.call.envelope.stream {
                Ok(Begun::Stream(Box::new(stream)))
            } else {
                self.gather(stream, trial, pen).await
            };
        }
        let body = collect(reply.body, ANSWER_BYTES_MAX)
            .await
            .map_err(|fault| attempt::transport_fault(&fault))?;
        if tollgate_wire::dialects::same(door.dialect, self.call.dialect) && !self.call.envelope.stream {
            return self.check_whole((door, trial), body, pen);
        }
        // A whole answer to a call for a stream becomes one: the same events, all at once.
        let mut pipe = translate::Pipe::new(
            door.dialect,
            false,
            self.call.dialect,
            self.call.operation,
            pen.record(|record| self.call.context(door.dialect, record)),
        );
        let (mut out, mut events) = (Vec::new(), Vec::new());
        let read = pipe
            .push(&body, &mut out, &mut events)
            .and_then(|()| pipe.end(&mut out, &mut events));
        accept(read, &events)?;
        pipe.finish(&mut out);
        pen.observe(&events);
        pen.lose(pipe.loss());
        self.take(&events, trial)?;
        Ok(Begun::Whole(Bytes::from(out)))
    }

    /// The provider's own bytes go on; they are read to see that they are an answer, and what it cost.
    fn check_whole(&self, (door, trial): (&Door, Trial<'_>), body: Bytes, pen: Pen<'_, '_>) -> Result<Begun, Fault> {
        let mut events = Vec::new();
        let read = door.dialect.look(self.call.operation, &body, &mut events);
        accept(read, &events)?;
        let told = events.iter().any(|event| matches!(event, Event::Usage(usage) if usage.output > 0));
        let wanted = self.looks_at_form() || (trial.has_next && self.goes_on(Trigger::ContentPolicy) && is_filtered(&events));
        if !told || wanted {
            // Then what it says has to be looked at, or counted.
            events.clear();
            let mut decoder = door.dialect.decoder(self.call.operation, false);
            let read = decoder.push(&body, &mut events).and_then(|()| decoder.end(&mut events));
            accept(read, &events)?;
        }
        pen.observe(&events);
        self.take(&events, trial)?;
        Ok(Begun::Whole(body))
    }

    /// An answer that is one, and yet not what was asked for, where the route wants another model to be asked then.
    fn take(&self, events: &[Event], trial: Trial<'_>) -> Result<(), Fault> {
        if trial.has_next && self.goes_on(Trigger::ContentPolicy) && is_filtered(events) && !has_content(events) {
            return Err(filtered());
        }
        if self.looks_at_form()
            && let Some(flaw) = form::flaw(&self.call.request()?.output, events)
        {
            let message = "the model's answer is not the JSON that was asked for";
            return Err(Fault::provider(FaultKind::InvalidOutput, message).with_cause(flaw));
        }
        Ok(())
    }

    fn goes_on(&self, trigger: Trigger) -> bool {
        self.route.fallback_on.contains(&trigger)
    }

    fn looks_at_form(&self) -> bool {
        !self.call.envelope.stream && self.goes_on(Trigger::InvalidOutput)
    }

    /// Reads a stream until its first content: until then another deployment may answer instead.
    async fn begin_stream(&self, (door, trial): (&Door, Trial<'_>), reply: Reply, pen: Pen<'_, '_>) -> Result<Stream, Fault> {
        let asked = door.target.quirks.stream_usage == StreamUsage::Ask;
        let channel = pen.record(|record| Channel::new(self.call, door.dialect, asked, record));
        let mut stream = Stream::new(reply.body, channel, door.target.quirks.terminator_optional);
        let mut events = Vec::new();
        loop {
            events.clear();
            let step = poll_fn(|cx| stream.poll_step(cx, &mut events)).await;
            pen.observe(&events);
            let begun = events.iter().any(Event::commits);
            let refused = begun && trial.has_next && self.goes_on(Trigger::ContentPolicy) && is_filtered(&events);
            match step {
                _ if refused && !has_content(&events) => return Err(filtered()),
                Step::More if !begun && stream.ready_bytes() <= PREFACE_BYTES_MAX => {}
                Step::More if !begun => return Err(bad_answer("a stream that does not come to its content")),
                Step::Complete if !begun => return Err(bad_answer("a stream without an answer in it")),
                Step::Broken { fault, .. } if !begun => return Err(before_content(*fault)),
                step => {
                    stream.keep(step);
                    return Ok(stream);
                }
            }
        }
    }

    /// A stream for a caller who wants a whole answer.
    async fn gather(&self, mut stream: Stream, trial: Trial<'_>, pen: Pen<'_, '_>) -> Result<Begun, Fault> {
        let (mut whole, mut events, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            let step = poll_fn(|cx| stream.poll_step(cx, &mut events)).await;
            pen.observe(&events);
            if self.looks_at_form() {
                seen.append(&mut events);
            }
            events.clear();
            while let Some(bytes) = stream.take() {
                whole.extend_from_slice(&bytes);
            }
            if whole.len() > ANSWER_BYTES_MAX {
                return Err(bad_answer("an answer that does not end"));
            }
            match step {
                Step::More => {}
                Step::Broken { fault, .. } => return Err(*fault),
                Step::Complete => {
                    if let Some(loss) = stream.channel().loss() {
                        pen.lose(loss);
                    }
                    self.take(&seen, trial)?;
                    poll_fn(|cx| stream.poll_settled(cx)).await;
                    return Ok(Begun::Whole(Bytes::from(whole)));
                }
            }
        }
    }
}

/// A stream that broke before its first content: nothing was delivered, so the same deployment may be asked once more (FAULTS F08).
fn before_content(mut fault: Fault) -> Fault {
    if fault.kind == FaultKind::Truncated {
        fault.retry = Retry::Same;
    }
    fault
}

/// An answer that was read whole must be one: no error in a success's clothes (FAULTS F15, F16).
fn accept(read: Result<(), Malformed>, events: &[Event]) -> Result<(), Fault> {
    for event in events {
        if let Event::Fault(fault) = event {
            return Err((**fault).clone());
        }
    }
    read.map_err(|malformed| bad_answer(&malformed.to_string()))
}

/// The model, or what its provider has put behind it, would not answer that.
fn is_filtered(events: &[Event]) -> bool {
    let filtered = |event: &Event| {
        matches!(
            event,
            Event::Finish {
                reason: Finish::ContentFilter,
                ..
            }
        )
    };
    events.iter().any(filtered)
}

fn has_content(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Delta { .. }))
}

fn filtered() -> Fault {
    Fault::provider(FaultKind::ContentPolicy, "the provider filtered the answer before its first word")
}

fn bad_answer(cause: &str) -> Fault {
    Fault::provider(FaultKind::BadUpstream, "the provider's answer could not be read")
        .with_code("bad_upstream_response")
        .with_cause(cause)
}
