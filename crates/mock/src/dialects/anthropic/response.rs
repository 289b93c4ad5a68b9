//! Writes whole messages. The order of members is that of recorded answers.

use bytes::{BufMut, BytesMut};
use serde_json::{Value, json};

use crate::{
    dialects::{Stamp, json::push_string},
    question::Question,
    reply::{Finish, Hollow, Part, Reply, Usage},
    text,
};

pub(super) fn write(reply: &Reply, question: &Question, stamp: &Stamp) -> Vec<u8> {
    let mut out = BytesMut::with_capacity(1024);
    out.put_slice(b"{\"model\":");
    push_string(&mut out, &question.model);
    out.put_slice(b",\"id\":");
    push_string(&mut out, &message_id(stamp));
    out.put_slice(b",\"type\":\"message\",\"role\":\"assistant\",\"content\":[");
    match reply.hollow {
        Some(Hollow::NoChoices) => {}
        Some(Hollow::NullContent) => out.put_slice(b"{\"type\":\"text\",\"text\":\"\"}"),
        None => blocks(&mut out, &reply.parts, stamp),
    }
    out.put_u8(b']');
    for (name, value) in &stop_members(reply) {
        out.put_u8(b',');
        push_string(&mut out, name);
        out.put_u8(b':');
        out.put_slice(value.to_string().as_bytes());
    }
    if let Some(usage) = &reply.stated {
        out.put_slice(b",\"usage\":");
        out.put_slice(usage_value(usage).to_string().as_bytes());
    }
    out.put_u8(b'}');
    out.into()
}

fn blocks(out: &mut BytesMut, parts: &[Part], stamp: &Stamp) {
    let mut first = true;
    for (at, part) in parts.iter().enumerate() {
        let Some(block) = block(part, at, stamp) else { continue };
        if !std::mem::take(&mut first) {
            out.put_u8(b',');
        }
        out.put_slice(block.to_string().as_bytes());
    }
}

/// A part as a whole block; nothing for a part that is no block.
pub(super) fn block(part: &Part, at: usize, stamp: &Stamp) -> Option<Value> {
    Some(match part {
        Part::Thinking(thought) => {
            json!({ "type": "thinking", "thinking": thought, "signature": text::signature(thought) })
        }
        Part::Redacted(data) => json!({ "type": "redacted_thinking", "data": data }),
        Part::Text(said) if said.is_empty() => return None,
        Part::Text(said) => json!({ "type": "text", "text": said }),
        // A refusal has no block; its words are in `stop_details`.
        Part::Refusal(_) => return None,
        Part::Call { name, arguments } => {
            // Arguments that a token limit cut are no JSON; the vendor then shows what it could read.
            let input: Value = serde_json::from_str(arguments).unwrap_or_else(|_| json!({}));
            json!({ "type": "tool_use", "id": tool_use_id(stamp, at), "name": name, "input": input })
        }
    })
}

pub(super) fn message_id(stamp: &Stamp) -> String {
    text::identifier("msg_01", 22, stamp.seed)
}

pub(super) fn tool_use_id(stamp: &Stamp, at: usize) -> String {
    text::identifier("toolu_01", 22, text::mix(stamp.seed ^ (at as u64)))
}

/// `stop_reason`, `stop_sequence`, `stop_details`.
pub(super) fn stop_members(reply: &Reply) -> serde_json::Map<String, Value> {
    let (reason, sequence) = match &reply.finish {
        Finish::Natural => ("end_turn", None),
        Finish::StopSequence(stop) => ("stop_sequence", Some(stop.as_str())),
        Finish::Length => ("max_tokens", None),
        Finish::ToolCalls(_) => ("tool_use", None),
        Finish::Refusal | Finish::ContentFilter => ("refusal", None),
    };
    let mut members = serde_json::Map::new();
    members.insert("stop_reason".to_owned(), reason.into());
    members.insert("stop_sequence".to_owned(), sequence.into());
    if reason == "refusal" {
        let explanation = reply.parts.iter().find_map(|part| match part {
            Part::Refusal(words) => Some(words.as_str()),
            _ => None,
        });
        let details = json!({ "type": "refusal", "category": null, "explanation": explanation });
        members.insert("stop_details".to_owned(), details);
    }
    members
}

/// Input is stated without what was cached (WIRE 9).
pub(super) fn usage_value(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input - usage.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached,
        "cache_creation": { "ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0 },
        "output_tokens": usage.output,
        "service_tier": "standard",
        "inference_geo": "not_available",
    })
}
