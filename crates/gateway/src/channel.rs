//! How an answer's bytes reach the caller: as they are, with a tap beside (same dialect, same form), or through a pipe that decodes
//! and encodes. Either way the same events are seen.

use bytes::Bytes;
use tollgate_wire::dialects::Dialect;
use tollgate_wire::event::Event;
use tollgate_wire::fault::Malformed;
use tollgate_wire::loss::Loss;
use tollgate_wire::tap::Tap;
use tollgate_wire::translate::Pipe;

use crate::ingress::Call;
use crate::record::Record;

/// One way for the bytes of an answer.
pub enum Channel {
    /// A stream that passes through.
    Tap(Tap),
    /// Anything that must be rewritten.
    Pipe(Pipe),
}

impl Channel {
    /// The way for a streamed answer of that dialect.
    #[must_use]
    pub fn new(call: &Call, from: &'static dyn Dialect, asked_for_usage: bool, record: &Record) -> Self {
        let same = tollgate_wire::dialects::same(from, call.dialect);
        if same && call.envelope.stream {
            let hide_usage = asked_for_usage && !call.envelope.include_usage;
            return Self::Tap(Tap::new(from, call.operation, hide_usage));
        }
        Self::Pipe(Pipe::new(from, true, call.dialect, call.operation, call.context(from, record)))
    }

    /// Takes a chunk from the provider.
    ///
    /// # Errors
    /// When it is not of the provider's dialect; what came before is already in `out`.
    pub fn push(&mut self, chunk: &Bytes, out: &mut Vec<Bytes>, events: &mut Vec<Event>) -> Result<(), Malformed> {
        match self {
            Self::Tap(tap) => tap.push(chunk, out, events),
            Self::Pipe(pipe) => with_bytes(out, |bytes| pipe.push(chunk, bytes, events)),
        }
    }

    /// The provider closed the answer.
    ///
    /// # Errors
    /// When what was left over is not of the provider's dialect.
    pub fn end(&mut self, out: &mut Vec<Bytes>, events: &mut Vec<Event>) -> Result<(), Malformed> {
        match self {
            Self::Tap(tap) => tap.end(out, events),
            Self::Pipe(pipe) => with_bytes(out, |bytes| pipe.end(bytes, events)),
        }
    }

    /// The answer is complete: what the caller's dialect wants to hear at its end.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) {
        if let Self::Pipe(pipe) = self {
            let _ = with_bytes(out, |bytes| {
                pipe.finish(bytes);
                Ok(())
            });
        }
    }

    /// True when the provider's own bytes go on, its error events included.
    #[must_use]
    pub fn is_tap(&self) -> bool {
        matches!(self, Self::Tap(_))
    }

    /// What of the answer could not be carried so far.
    #[must_use]
    pub fn loss(&self) -> Option<&Loss> {
        match self {
            Self::Tap(_) => None,
            Self::Pipe(pipe) => Some(pipe.loss()),
        }
    }
}

fn with_bytes(out: &mut Vec<Bytes>, write: impl FnOnce(&mut Vec<u8>) -> Result<(), Malformed>) -> Result<(), Malformed> {
    let mut bytes = Vec::new();
    let result = write(&mut bytes);
    if !bytes.is_empty() {
        out.push(Bytes::from(bytes));
    }
    result
}
