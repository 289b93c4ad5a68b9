//! The second half of an attempt: what a provider's answer becomes. A whole answer is read to its end, a stream to its first content:
//! until then another deployment may answer instead.

use std::future::poll_fn;

use bytes::Bytes;
use tollgate_upstream::attempt::{self, Reply};
use tollgate_upstream::client::collect;
use tollgate_upstream::deployment::Door;
use tollgate_wire::event::Event;
use tollgate_wire::fault::{Fault, FaultKind, Malformed, Retry};
use tollgate_wire::target::StreamUsage;
use tollgate_wire::translate;

use super::Walk;
use crate::channel::Channel;
use crate::record::Draft;
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
    pub(super) async fn read(&self, door: &Door, reply: Reply, draft: &mut Draft) -> Result<Begun, Fault> {
        if reply.streamed {
            let stream = self.begin_stream(door, reply, draft).await?;
            return if self.call.envelope.stream {
                Ok(Begun::Stream(Box::new(stream)))
            } else {
                gather(stream, draft).await
            };
        }
        let body = collect(reply.body, ANSWER_BYTES_MAX)
            .await
            .map_err(|fault| attempt::transport_fault(&fault))?;
        if tollgate_wire::dialects::same(door.dialect, self.call.dialect) && !self.call.envelope.stream {
            return self.check_whole(door, body, draft);
        }
        // A whole answer to a call for a stream becomes one: the same events, all at once.
        let mut pipe = translate::Pipe::new(
            door.dialect,
            false,
            self.call.dialect,
            self.call.operation,
            self.call.context(door.dialect, draft.record()),
        );
        let (mut out, mut events) = (Vec::new(), Vec::new());
        let read = pipe
            .push(&body, &mut out, &mut events)
            .and_then(|()| pipe.end(&mut out, &mut events));
        accept(read, &events)?;
        pipe.finish(&mut out);
        draft.observe(&events);
        draft.lose(pipe.loss());
        Ok(Begun::Whole(Bytes::from(out)))
    }

    /// The provider's own bytes go on; they are read to see that they are an answer, and what it cost.
    fn check_whole(&self, door: &Door, body: Bytes, draft: &mut Draft) -> Result<Begun, Fault> {
        let mut events = Vec::new();
        let read = door.dialect.look(self.call.operation, &body, &mut events);
        accept(read, &events)?;
        if !events.iter().any(|event| matches!(event, Event::Usage(usage) if usage.output > 0)) {
            // Then what it says has to be counted.
            events.clear();
            let mut decoder = door.dialect.decoder(self.call.operation, false);
            let read = decoder.push(&body, &mut events).and_then(|()| decoder.end(&mut events));
            accept(read, &events)?;
        }
        draft.observe(&events);
        Ok(Begun::Whole(body))
    }

    /// Reads a stream until its first content: until then another deployment may answer instead.
    async fn begin_stream(&self, door: &Door, reply: Reply, draft: &mut Draft) -> Result<Stream, Fault> {
        let asked = door.target.quirks.stream_usage == StreamUsage::Ask;
        let channel = Channel::new(self.call, door.dialect, asked, draft.record());
        let mut stream = Stream::new(reply.body, channel, door.target.quirks.terminator_optional);
        let mut events = Vec::new();
        loop {
            events.clear();
            let step = poll_fn(|cx| stream.poll_step(cx, &mut events)).await;
            draft.observe(&events);
            let begun = events.iter().any(Event::commits);
            match step {
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
}

/// A stream that broke before its first content: nothing was delivered, so the same deployment may be asked once more (FAULTS F08).
fn before_content(mut fault: Fault) -> Fault {
    if fault.kind == FaultKind::Truncated {
        fault.retry = Retry::Same;
    }
    fault
}

/// A stream for a caller who wants a whole answer.
async fn gather(mut stream: Stream, draft: &mut Draft) -> Result<Begun, Fault> {
    let mut whole = Vec::new();
    let mut events = Vec::new();
    loop {
        let step = poll_fn(|cx| stream.poll_step(cx, &mut events)).await;
        draft.observe(&events);
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
                    draft.lose(loss);
                }
                poll_fn(|cx| stream.poll_settled(cx)).await;
                return Ok(Begun::Whole(Bytes::from(whole)));
            }
        }
    }
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

fn bad_answer(cause: &str) -> Fault {
    Fault::provider(FaultKind::BadUpstream, "the provider's answer could not be read")
        .with_code("bad_upstream_response")
        .with_cause(cause)
}
