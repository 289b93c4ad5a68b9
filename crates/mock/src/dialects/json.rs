//! Small helpers to read and write JSON, shared by the dialects. No format is known here.

use bytes::{BufMut, BytesMut};
use serde_json::Value;

use crate::answer::{Frame, FramePart};

/// A member that is there and not null.
pub(super) fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get(name).filter(|value| !value.is_null())
}

/// A member that is a string.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// The elements of a member that is an array; none when it is not.
pub(super) fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The word that vendors use for a value's type.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "decimal",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Every member anywhere inside a value that satisfies the test.
pub(super) fn count_members(value: &Value, test: &dyn Fn(&str, &Value) -> bool) -> usize {
    match value {
        Value::Array(items) => items.iter().map(|item| count_members(item, test)).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| usize::from(test(name, value)) + count_members(value, test))
            .sum(),
        _ => 0,
    }
}

/// Appends a JSON string.
pub(super) fn push_string(out: &mut BytesMut, text: &str) {
    // Writing to a growing buffer cannot fail.
    let _ = serde_json::to_writer(out.writer(), text);
}

/// Writes events one after the other into one buffer, and cuts it into frames without copying.
#[derive(Debug)]
pub(super) struct FrameWriter {
    /// Where the next event is written.
    pub(super) out: BytesMut,
    frames: Vec<Frame>,
}

impl FrameWriter {
    /// A writer for about so many events of about so many bytes.
    pub(super) fn new(events: u64, event_bytes: usize) -> Self {
        let events = usize::try_from(events).unwrap_or(0);
        let bytes = events.saturating_mul(event_bytes).min(64 * 1024 * 1024);
        Self {
            out: BytesMut::with_capacity(bytes),
            frames: Vec::with_capacity(events),
        }
    }

    /// Ends an event: what was written since the last one is a frame.
    pub(super) fn end(&mut self, part: FramePart, tokens: u64, content_bytes: u64) {
        self.frames.push(Frame {
            bytes: self.out.split().freeze(),
            part,
            tokens,
            content_bytes,
        });
    }

    /// The frames.
    pub(super) fn into_frames(self) -> Vec<Frame> {
        self.frames
    }
}
