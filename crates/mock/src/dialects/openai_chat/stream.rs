//! Writes chat completions as chunks: role, content, tool calls, finish, usage, `[DONE]` (WIRE 10).
//! The choices of `n` come interleaved, as the vendor sends them.

use bytes::{BufMut, BytesMut};

use super::{
    FINGERPRINT,
    response::{call_id, completion_id, finish_reason, logprobs, usage_value},
};
use crate::{
    answer::{Frame, FramePart},
    dialects::{
        Stamp,
        json::{FrameWriter, push_string},
    },
    question::Question,
    reply::{Hollow, Part, Reply, part_tokens},
    text,
};

/// The vendor pads chunks so that their length does not betray the token; ours is a slice of this.
const PADDING: &str = "mT4vX9qL2wZ8rK1b";
const CHUNK_BYTES: usize = 400;

pub(super) fn write(reply: &Reply, question: &Question, stamp: &Stamp) -> Vec<Frame> {
    let tokens: u64 = reply.parts.iter().map(part_tokens).sum();
    let mut chunks = Chunks::new(question, stamp, (tokens + 4) * question.choices.max(1));
    let choices = 0..if reply.hollow == Some(Hollow::NoChoices) {
        0
    } else {
        question.choices.max(1)
    };
    for choice in choices.clone() {
        let first = if reply.parts.iter().any(|part| matches!(part, Part::Call { .. })) {
            "null"
        } else {
            "\"\""
        };
        let delta = format!("{{\"role\":\"assistant\",\"content\":{first},\"refusal\":null}}");
        chunks.chunk(choice, &delta, None, Payload::default());
    }
    if reply.hollow.is_none() {
        let mut calls = 0;
        for part in &reply.parts {
            write_part(&mut chunks, part, choices.clone(), calls, stamp);
            calls += usize::from(matches!(part, Part::Call { .. }));
        }
    }
    for choice in choices {
        let payload = Payload {
            part: FramePart::Finish,
            ..Payload::default()
        };
        chunks.chunk(choice, "{}", Some(finish_reason(&reply.finish)), payload);
    }
    if let Some(usage) = reply.stated.filter(|_| question.include_usage) {
        chunks.usage(&usage_value(&usage));
    }
    chunks.done()
}

fn write_part(chunks: &mut Chunks, part: &Part, choices: std::ops::Range<u64>, call: usize, stamp: &Stamp) {
    let (field, said) = match part {
        Part::Text(said) => ("content", said),
        Part::Thinking(said) => ("reasoning_content", said),
        Part::Refusal(said) => ("refusal", said),
        Part::Redacted(_) => return,
        Part::Call { name, arguments } => {
            for choice in choices.clone() {
                let id = call_id(stamp, choice, call);
                let delta = format!(
                    "{{\"tool_calls\":[{{\"index\":{call},\"id\":\"{id}\",\"type\":\"function\",\
                     \"function\":{{\"name\":\"{name}\",\"arguments\":\"\"}}}}]}}"
                );
                chunks.chunk(
                    choice,
                    &delta,
                    None,
                    Payload {
                        part: FramePart::Content,
                        tokens: 1,
                        ..Payload::default()
                    },
                );
            }
            for piece in text::tokens(arguments) {
                for choice in choices.clone() {
                    let mut delta = BytesMut::with_capacity(96);
                    delta.put_slice(format!("{{\"tool_calls\":[{{\"index\":{call},\"function\":{{\"arguments\":").as_bytes());
                    push_string(&mut delta, piece);
                    delta.put_slice(b"}}]}");
                    chunks.chunk(choice, &delta, None, Payload::of(piece));
                }
            }
            return;
        }
    };
    for token in text::tokens(said) {
        for choice in choices.clone() {
            let mut delta = BytesMut::with_capacity(64);
            delta.put_slice(b"{\"");
            delta.put_slice(field.as_bytes());
            delta.put_slice(b"\":");
            push_string(&mut delta, token);
            delta.put_u8(b'}');
            let payload = Payload {
                logprobs: field == "content",
                ..Payload::of(token)
            };
            chunks.chunk(choice, &delta, None, payload);
        }
    }
}

/// What a chunk carries, for the bill and for faults.
#[derive(Default, Clone, Copy)]
struct Payload<'a> {
    part: FramePart,
    text: &'a str,
    tokens: u64,
    logprobs: bool,
}

impl<'a> Payload<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            part: FramePart::Content,
            text,
            tokens: 1,
            logprobs: false,
        }
    }
}

struct Chunks {
    writer: FrameWriter,
    /// Everything before `choices`, the same in every chunk.
    head: Vec<u8>,
    include_usage: bool,
    logprobs: Option<u64>,
}

impl Chunks {
    fn new(question: &Question, stamp: &Stamp, chunks: u64) -> Self {
        let mut head = BytesMut::with_capacity(256);
        head.put_slice(b"data: {\"id\":");
        push_string(&mut head, &completion_id(stamp));
        head.put_slice(b",\"object\":\"chat.completion.chunk\",\"created\":");
        head.put_slice(stamp.now_s().to_string().as_bytes());
        head.put_slice(b",\"model\":");
        push_string(&mut head, &question.model);
        head.put_slice(b",\"service_tier\":\"default\",\"system_fingerprint\":\"");
        head.put_slice(FINGERPRINT.as_bytes());
        head.put_slice(b"\",\"choices\":[");
        Self {
            writer: FrameWriter::new(chunks, CHUNK_BYTES),
            head: head.into(),
            include_usage: question.include_usage,
            logprobs: question.logprobs,
        }
    }

    fn chunk(&mut self, choice: u64, delta: impl AsRef<[u8]>, finish: Option<&str>, payload: Payload<'_>) {
        let out = &mut self.writer.out;
        out.put_slice(&self.head);
        out.put_slice(b"{\"index\":");
        out.put_slice(choice.to_string().as_bytes());
        out.put_slice(b",\"delta\":");
        out.put_slice(delta.as_ref());
        out.put_slice(b",\"logprobs\":");
        match self.logprobs.filter(|_| payload.logprobs) {
            Some(top) => out.put_slice(logprobs(std::iter::once(payload.text), top).to_string().as_bytes()),
            None => out.put_slice(b"null"),
        }
        out.put_slice(b",\"finish_reason\":");
        match finish {
            Some(reason) => push_string(out, reason),
            None => out.put_slice(b"null"),
        }
        out.put_slice(b"}]");
        if self.include_usage {
            out.put_slice(b",\"usage\":null");
        }
        out.put_slice(b",\"obfuscation\":\"");
        out.put_slice(PADDING.as_bytes().get(payload.text.len() % PADDING.len()..).unwrap_or_default());
        out.put_slice(b"\"}\n\n");
        self.writer.end(payload.part, payload.tokens, payload.text.len() as u64);
    }

    fn usage(&mut self, usage: &str) {
        let out = &mut self.writer.out;
        out.put_slice(&self.head);
        out.put_slice(b"],\"usage\":");
        out.put_slice(usage.as_bytes());
        out.put_slice(b",\"obfuscation\":\"");
        out.put_slice(PADDING.as_bytes());
        out.put_slice(b"\"}\n\n");
        self.writer.end(FramePart::Usage, 0, 0);
    }

    fn done(mut self) -> Vec<Frame> {
        self.writer.out.put_slice(b"data: [DONE]\n\n");
        self.writer.end(FramePart::Terminator, 0, 0);
        self.writer.into_frames()
    }
}
