//! Server-sent events over bytes, cut anywhere (WHATWG HTML, section 9.2.6 "Interpreting an event stream"). No UTF-8
//! decoding per chunk, no copy where an event lies whole in one chunk. Retry and id fields are ignored: no API uses them.

use std::borrow::Cow;

use crate::fault::Malformed;

/// The longest event accepted, in bytes; a longer one ends the stream with a complaint (FAULTS R-D5, F17).
pub const EVENT_BYTES_MAX: usize = 1 << 20;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent<'a> {
    /// The `event:` field; empty where there is none.
    pub name: &'a str,
    /// The `data:` lines, joined by newlines; empty for a bare comment.
    pub data: Cow<'a, str>,
}

/// Cuts a byte stream into whole events, each with the blank line that ends it.
#[derive(Debug, Default)]
pub struct Splitter {
    held: Vec<u8>,
    scanned: usize,
}

impl Splitter {
    /// Takes bytes and gives every event that is complete now, as raw bytes; the rest is held.
    ///
    /// # Errors
    /// When an event is longer than [`EVENT_BYTES_MAX`], or `each` complains.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8]) -> Result<(), Malformed>) -> Result<(), Malformed> {
        if self.held.is_empty() {
            let used = split(bytes, 0, &mut each)?;
            let rest = bytes.get(used.done..).unwrap_or_default();
            // One byte more than allowed is enough to be told below.
            self.held.extend_from_slice(rest.get(..=EVENT_BYTES_MAX).unwrap_or(rest));
            self.scanned = used.scanned - used.done;
        } else {
            // What is held stays where it is: an event that comes in many small pieces is not moved with each of them.
            self.held.extend_from_slice(bytes);
            let used = split(&self.held, self.scanned, &mut each).inspect_err(|_| self.held = Vec::new())?;
            self.held.drain(..used.done);
            self.scanned = used.scanned - used.done;
        }
        if self.held.len() > EVENT_BYTES_MAX {
            self.held = Vec::new();
            return Err(Malformed::new("a stream event is longer than 1 MiB"));
        }
        Ok(())
    }

    /// The bytes of the last event when the stream ended without its blank line; empty: none.
    pub fn take_rest(&mut self) -> Vec<u8> {
        self.scanned = 0;
        std::mem::take(&mut self.held)
    }

    /// Bytes held back now.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held.len()
    }
}

struct Used {
    /// Bytes of complete events.
    done: usize,
    /// Bytes in which no further event end can begin.
    scanned: usize,
}

/// Gives each complete event of `bytes`; the search for line ends starts at `from`.
fn split(bytes: &[u8], from: usize, each: &mut impl FnMut(&[u8]) -> Result<(), Malformed>) -> Result<Used, Malformed> {
    let mut done = 0;
    let mut line = from;
    while let Some((next, blank)) = line_end(bytes, line) {
        if blank && next > done {
            each(bytes.get(done..next).unwrap_or_default())?;
            done = next;
        }
        line = next;
    }
    Ok(Used { done, scanned: line })
}

/// The end of the line that starts at `start`, its terminator included, and whether the line is blank.
/// `None`: it does not end yet. A CR at the very end may be half a CRLF, so it does not end a line yet.
fn line_end(bytes: &[u8], start: usize) -> Option<(usize, bool)> {
    let rest = bytes.get(start..)?;
    let run = memchr::memchr2(b'\n', b'\r', rest)?;
    let end = match (rest.get(run), rest.get(run + 1)) {
        (Some(b'\r'), Some(b'\n')) => run + 2,
        (Some(b'\r'), None) => return None,
        _ => run + 1,
    };
    Some((start + end, run == 0))
}

/// Reads one event's raw bytes, as [`Splitter`] gives them. `None`: nothing but comments.
///
/// # Errors
/// When it is not UTF-8, or is no event stream at all: every line must be a comment or a known field (a line of the
/// specification's "otherwise, ignore" kind is a broken frame here: something else was glued in).
pub fn read(event: &[u8]) -> Result<Option<SseEvent<'_>>, Malformed> {
    let text = std::str::from_utf8(event).map_err(|_| Malformed::new("a stream event is not valid UTF-8"))?;
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut name = "";
    let mut data: Option<Cow<'_, str>> = None;
    while !rest.is_empty() {
        let end = memchr::memchr2(b'\n', b'\r', rest.as_bytes()).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" | "id" | "retry" => {}
            "event" => name = value,
            "data" => {
                data = Some(match data {
                    None => Cow::Borrowed(value),
                    Some(before) => Cow::Owned(format!("{before}\n{value}")),
                });
            }
            _ => return Err(Malformed::new("a stream event has a line that is no field")),
        }
    }
    Ok(match (name, data) {
        ("", None) => None,
        (name, data) => Some(SseEvent {
            name,
            data: data.unwrap_or_default(),
        }),
    })
}

/// Appends one event with the given name (empty: none) and one line of data. A name with a line break would end its line and
/// begin another: it is left out.
pub fn write(out: &mut Vec<u8>, name: &str, data: impl FnOnce(&mut Vec<u8>)) {
    if !name.is_empty() && !name.contains(['\n', '\r']) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    data(out);
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests;
