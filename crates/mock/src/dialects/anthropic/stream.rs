//! Writes messages as named events: message_start, blocks with their deltas, ping, message_delta, message_stop (WIRE 10).
//! Nothing here decides; the order is the vendor's.

use bytes::BufMut;
use serde_json::{Value, json};

use super::response::{block, message_id, stop_members, tool_use_id, usage_value};
use crate::{
    answer::{Frame, FramePart},
    dialects::{
        Stamp,
        json::{FrameWriter, push_string},
    },
    question::Question,
    reply::{Hollow, Part, Reply, Usage, part_tokens},
    text,
};

const EVENT_BYTES: usize = 160;

pub(super) fn write(reply: &Reply, question: &Question, stamp: &Stamp) -> Vec<Frame> {
    let tokens: u64 = reply.parts.iter().map(part_tokens).sum();
    let mut events = Events {
        writer: FrameWriter::new(tokens + 8, EVENT_BYTES),
        index: 0,
    };
    events.start(reply, question, stamp);
    match reply.hollow {
        Some(Hollow::NoChoices) => {}
        Some(Hollow::NullContent) => {
            events.block_start(&json!({ "type": "text", "text": "" }));
            events.block_stop();
        }
        None => {
            for (at, part) in reply.parts.iter().enumerate() {
                events.part(part, at, stamp);
            }
        }
    }
    events.finish(reply)
}

struct Events {
    writer: FrameWriter,
    index: u64,
}

impl Events {
    fn event(&mut self, name: &str, data: &Value, part: FramePart) {
        let out = &mut self.writer.out;
        out.put_slice(b"event: ");
        out.put_slice(name.as_bytes());
        out.put_slice(b"\ndata: ");
        // Writing to a growing buffer cannot fail.
        let _ = serde_json::to_writer(out.writer(), data);
        out.put_slice(b"\n\n");
        self.writer.end(part, 0, 0);
    }

    fn start(&mut self, reply: &Reply, question: &Question, stamp: &Stamp) {
        let mut message = json!({
            "model": question.model,
            "id": message_id(stamp),
            "type": "message",
            "role": "assistant",
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
        });
        if let (Some(stated), Some(members)) = (reply.stated, message.as_object_mut()) {
            // The output count of the start is a placeholder (WIRE V1).
            let begun = Usage {
                output: stated.output.min(1),
                ..stated
            };
            members.insert("usage".to_owned(), usage_value(&begun));
        }
        self.event(
            "message_start",
            &json!({ "type": "message_start", "message": message }),
            FramePart::Structure,
        );
    }

    fn block_start(&mut self, block: &Value) {
        let data = json!({ "type": "content_block_start", "index": self.index, "content_block": block });
        self.event("content_block_start", &data, FramePart::Structure);
        if self.index == 0 {
            // With the space that the vendor writes here and nowhere else.
            self.writer.out.put_slice(b"event: ping\ndata: {\"type\": \"ping\"}\n\n");
            self.writer.end(FramePart::Structure, 0, 0);
        }
    }

    fn block_stop(&mut self) {
        let data = json!({ "type": "content_block_stop", "index": self.index });
        self.event("content_block_stop", &data, FramePart::Structure);
        self.index += 1;
    }

    /// Written by hand: it is the event that comes by the thousand.
    fn delta(&mut self, kind: &str, field: &str, said: &str, tokens: u64) {
        let out = &mut self.writer.out;
        out.put_slice(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
        out.put_slice(self.index.to_string().as_bytes());
        out.put_slice(b",\"delta\":{\"type\":\"");
        out.put_slice(kind.as_bytes());
        out.put_slice(b"\",\"");
        out.put_slice(field.as_bytes());
        out.put_slice(b"\":");
        push_string(out, said);
        out.put_slice(b"}}\n\n");
        let part = if 0 < tokens { FramePart::Content } else { FramePart::Structure };
        self.writer.end(part, tokens, if 0 < tokens { said.len() as u64 } else { 0 });
    }

    fn part(&mut self, part: &Part, at: usize, stamp: &Stamp) {
        match part {
            Part::Text(said) if said.is_empty() => return,
            Part::Refusal(_) => return,
            Part::Text(said) => {
                self.block_start(&json!({ "type": "text", "text": "" }));
                text::tokens(said).for_each(|token| self.delta("text_delta", "text", token, 1));
            }
            Part::Thinking(thought) => {
                self.block_start(&json!({ "type": "thinking", "thinking": "", "signature": "" }));
                text::tokens(thought).for_each(|token| self.delta("thinking_delta", "thinking", token, 1));
                self.delta("signature_delta", "signature", &text::signature(thought), 0);
            }
            Part::Redacted(_) => {
                // It comes whole in its start.
                self.block_start(&block(part, at, stamp).unwrap_or_default());
            }
            Part::Call { name, arguments } => {
                let id = tool_use_id(stamp, at);
                self.block_start(&json!({ "type": "tool_use", "id": id, "name": name, "input": {} }));
                self.delta("input_json_delta", "partial_json", "", 0);
                if arguments != "{}" {
                    text::tokens(arguments).for_each(|piece| self.delta("input_json_delta", "partial_json", piece, 1));
                }
            }
        }
        self.block_stop();
    }

    fn finish(mut self, reply: &Reply) -> Vec<Frame> {
        let mut data = json!({ "type": "message_delta", "delta": stop_members(reply) });
        if let (Some(usage), Some(members)) = (reply.stated, data.as_object_mut()) {
            let stated = json!({
                "input_tokens": usage.input - usage.cached,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": usage.cached,
                "output_tokens": usage.output,
                "output_tokens_details": { "thinking_tokens": usage.reasoning },
            });
            members.insert("usage".to_owned(), stated);
        }
        self.event("message_delta", &data, FramePart::Finish);
        self.event("message_stop", &json!({ "type": "message_stop" }), FramePart::Terminator);
        self.writer.into_frames()
    }
}
