//! Writes whole chat completions. The order of members is that of recorded answers.

use bytes::{BufMut, BytesMut};
use serde_json::{Value, json};

use super::FINGERPRINT;
use crate::{
    dialects::{Stamp, json::push_string},
    question::Question,
    reply::{Finish, Hollow, Part, Reply, Usage},
    text,
};

pub(super) fn write(reply: &Reply, question: &Question, stamp: &Stamp) -> Vec<u8> {
    let mut out = BytesMut::with_capacity(1024);
    out.put_slice(b"{\"id\":");
    push_string(&mut out, &completion_id(stamp));
    out.put_slice(b",\"object\":\"chat.completion\",\"created\":");
    out.put_slice(stamp.now_s().to_string().as_bytes());
    out.put_slice(b",\"model\":");
    push_string(&mut out, &question.model);
    out.put_slice(b",\"choices\":[");
    if reply.hollow != Some(Hollow::NoChoices) {
        for index in 0..question.choices.max(1) {
            if 0 < index {
                out.put_u8(b',');
            }
            choice(&mut out, reply, question, stamp, index);
        }
    }
    out.put_u8(b']');
    if let Some(usage) = &reply.stated {
        out.put_slice(b",\"usage\":");
        out.put_slice(usage_value(usage).as_bytes());
    }
    out.put_slice(b",\"service_tier\":\"default\",\"system_fingerprint\":\"");
    out.put_slice(FINGERPRINT.as_bytes());
    out.put_slice(b"\"}");
    out.into()
}

fn choice(out: &mut BytesMut, reply: &Reply, question: &Question, stamp: &Stamp, index: u64) {
    let content: String = reply.parts.iter().filter_map(as_text).collect();
    let said = reply.parts.iter().any(|part| matches!(part, Part::Text(_)));
    out.put_slice(b"{\"index\":");
    out.put_slice(index.to_string().as_bytes());
    out.put_slice(b",\"message\":{\"role\":\"assistant\",\"content\":");
    if said && reply.hollow.is_none() {
        push_string(out, &content);
    } else {
        out.put_slice(b"null");
    }
    for part in &reply.parts {
        if let Part::Thinking(thought) = part {
            out.put_slice(b",\"reasoning_content\":");
            push_string(out, thought);
        }
    }
    let calls: Vec<Value> = call_values(reply, stamp, index);
    if !calls.is_empty() {
        out.put_slice(b",\"tool_calls\":");
        out.put_slice(Value::Array(calls).to_string().as_bytes());
    }
    out.put_slice(b",\"refusal\":");
    match reply.parts.iter().find_map(as_refusal) {
        Some(refusal) => push_string(out, refusal),
        None => out.put_slice(b"null"),
    }
    out.put_slice(b",\"annotations\":[]},\"logprobs\":");
    match question.logprobs {
        Some(top) => out.put_slice(logprobs(text::tokens(&content), top).to_string().as_bytes()),
        None => out.put_slice(b"null"),
    }
    out.put_slice(b",\"finish_reason\":\"");
    out.put_slice(finish_reason(&reply.finish).as_bytes());
    out.put_slice(b"\"}");
}

fn as_text(part: &Part) -> Option<&str> {
    if let Part::Text(text) = part { Some(text) } else { None }
}

fn as_refusal(part: &Part) -> Option<&str> {
    if let Part::Refusal(text) = part { Some(text) } else { None }
}

fn call_values(reply: &Reply, stamp: &Stamp, index: u64) -> Vec<Value> {
    let calls = reply.parts.iter().filter_map(|part| match part {
        Part::Call { name, arguments } => Some((name, arguments)),
        _ => None,
    });
    calls
        .enumerate()
        .map(|(n, (name, arguments))| {
            json!({
                "id": call_id(stamp, index, n),
                "type": "function",
                "function": { "name": name, "arguments": arguments },
            })
        })
        .collect()
}

pub(super) fn completion_id(stamp: &Stamp) -> String {
    text::identifier("chatcmpl-", 29, stamp.seed)
}

pub(super) fn call_id(stamp: &Stamp, choice: u64, n: usize) -> String {
    text::identifier("call_", 24, text::mix(stamp.seed ^ (choice << 32) ^ (n as u64)))
}

/// Log probabilities: every token is likely, its alternatives less and less so.
pub(super) fn logprobs<'a>(tokens: impl Iterator<Item = &'a str>, top: u64) -> Value {
    let entry = |token: &str, logprob: f64| json!({ "token": token, "logprob": logprob, "bytes": token.as_bytes() });
    let content: Vec<Value> = tokens
        .map(|token| {
            let mut said = entry(token, -0.0125);
            let alternatives: Vec<Value> = (0..u32::try_from(top).unwrap_or(0))
                .map(|n| {
                    if n == 0 {
                        entry(token, -0.0125)
                    } else {
                        entry(&format!(" alt{n}"), -4.0 - f64::from(n))
                    }
                })
                .collect();
            if let Some(members) = said.as_object_mut() {
                members.insert("top_logprobs".to_owned(), Value::Array(alternatives));
            }
            said
        })
        .collect();
    json!({ "content": content, "refusal": null })
}

pub(super) fn finish_reason(finish: &Finish) -> &'static str {
    match finish {
        // A tool forced by name ends with `stop`: recorded so (WIRE T10).
        Finish::Natural | Finish::StopSequence(_) | Finish::Refusal | Finish::ToolCalls(true) => "stop",
        Finish::Length => "length",
        Finish::ToolCalls(false) => "tool_calls",
        Finish::ContentFilter => "content_filter",
    }
}

pub(super) fn usage_value(usage: &Usage) -> String {
    let Usage {
        input,
        cached,
        output,
        reasoning,
    } = usage;
    let total = input.saturating_add(*output);
    format!(
        "{{\"prompt_tokens\":{input},\"completion_tokens\":{output},\"total_tokens\":{total},\
         \"prompt_tokens_details\":{{\"cached_tokens\":{cached},\"audio_tokens\":0}},\
         \"completion_tokens_details\":{{\"reasoning_tokens\":{reasoning},\"audio_tokens\":0,\
         \"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}}}"
    )
}
