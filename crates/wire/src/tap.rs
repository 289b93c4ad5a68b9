//! The lossless path of a streamed answer: the caller gets the provider's own bytes, and we look at them on the way.
//! Only whole, readable events are let through, so that a caller never sees half an event or what follows the end.

use bytes::Bytes;

use crate::dialects::{Decoder, Dialect, Operation};
use crate::event::Event;
use crate::fault::Malformed;
use crate::frame::sse::Splitter;

/// A stream that passes through as it is, and is read beside.
pub struct Tap {
    splitter: Splitter,
    decoder: Box<dyn Decoder>,
    hide_usage: bool,
    over: bool,
}

impl Tap {
    /// A tap on a stream of that dialect. `hide_usage`: the caller did not ask for the usage event that we asked for, so
    /// it is taken out again.
    #[must_use]
    pub fn new(dialect: &dyn Dialect, op: Operation, hide_usage: bool) -> Self {
        Self {
            splitter: Splitter::default(),
            decoder: dialect.decoder(op, true),
            hide_usage,
            over: false,
        }
    }

    /// Takes a chunk; appends what may go on to the caller (without copying, where events lie whole in the chunk) and
    /// what happened.
    ///
    /// # Errors
    /// When an event is not of the dialect; the events before it are already in `out`.
    pub fn push(&mut self, chunk: &Bytes, out: &mut Vec<Bytes>, events: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.over {
            return Ok(());
        }
        let mut kept = Kept::new(self.splitter.held_bytes() > 0);
        let Self {
            splitter,
            decoder,
            hide_usage,
            over,
        } = self;
        let result = splitter.push(chunk, |event| {
            if *over {
                return Ok(());
            }
            let seen = events.len();
            let result = decoder.event(event, events);
            let news = events.get(seen..).unwrap_or_default();
            *over = news.iter().any(|news| matches!(news, Event::End | Event::Fault(_)));
            kept.event(event, result.is_ok() && !(*hide_usage && only_usage(news)));
            result
        });
        kept.emit(chunk, out);
        result
    }

    /// The provider closed the stream: reads a last event that lacks its blank line.
    ///
    /// # Errors
    /// When it is not of the dialect.
    pub fn end(&mut self, out: &mut Vec<Bytes>, events: &mut Vec<Event>) -> Result<(), Malformed> {
        let mut rest = self.splitter.take_rest();
        if self.over {
            return Ok(());
        }
        let seen = events.len();
        if !rest.is_empty() {
            self.decoder.push(&rest, events)?;
        }
        self.decoder.end(events)?;
        let news = events.get(seen..).unwrap_or_default();
        let hidden = news.is_empty() || (self.hide_usage && only_usage(news));
        if !rest.is_empty() && !hidden {
            // Completed here, so that what we append (an error event) stands on its own.
            rest.extend_from_slice(b"\n\n");
            out.push(Bytes::from(rest));
        }
        Ok(())
    }
}

/// True for an event that carries nothing but token counts (and fields of its dialect's own beside them).
fn only_usage(news: &[Event]) -> bool {
    news.iter().any(|event| matches!(event, Event::Usage(_)))
        && news.iter().all(|event| matches!(event, Event::Usage(_) | Event::Foreign { .. }))
}

/// Which bytes go on: spans of the chunk where nothing was held back before it, copies otherwise.
struct Kept {
    copied: Option<Vec<u8>>,
    spans: Vec<(usize, usize)>,
    at: usize,
}

impl Kept {
    fn new(held: bool) -> Self {
        Self {
            copied: held.then(Vec::new),
            spans: Vec::new(),
            at: 0,
        }
    }

    fn event(&mut self, event: &[u8], keep: bool) {
        let start = self.at;
        self.at += event.len();
        if !keep {
            return;
        }
        if let Some(copied) = &mut self.copied {
            copied.extend_from_slice(event);
        } else if let Some(last) = self.spans.last_mut().filter(|(_, end)| *end == start) {
            last.1 = self.at;
        } else {
            self.spans.push((start, self.at));
        }
    }

    fn emit(self, chunk: &Bytes, out: &mut Vec<Bytes>) {
        match self.copied {
            Some(copied) if !copied.is_empty() => out.push(Bytes::from(copied)),
            Some(_) => {}
            None => out.extend(self.spans.into_iter().map(|(start, end)| chunk.slice(start..end))),
        }
    }
}

#[cfg(test)]
mod tests;
