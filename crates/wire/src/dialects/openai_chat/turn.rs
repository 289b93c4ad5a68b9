//! Writes the messages of a request, in the order that this dialect demands: results of tools stand directly behind the
//! turn that called them, in the order of the calls (T3), and what they cannot hold follows in a user message (T8).

use serde_json::value::RawValue;

use super::{NAME, part, reasoning, tool};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::loss::Loss;
use crate::request::{Body, Extra, Message, Part, Role, Thought, ToolResult};
use crate::target::Quirks;

/// What a tool message says whose content had to move.
const MOVED: &str = "(the content follows in the next message)";

/// Writes the elements of `messages`.
pub(super) fn write_all(out: &mut ArrayWriter<'_>, messages: &[Message], quirks: &Quirks, loss: &mut Loss) {
    let mut rest = messages;
    while let Some((message, behind)) = rest.split_first() {
        rest = behind;
        match message.role {
            Role::System => plain(out, "system", message, loss),
            Role::Developer => plain(out, if quirks.developer_as_system { "system" } else { "developer" }, message, loss),
            Role::User => plain(out, "user", message, loss),
            Role::Tool => results(out, &[message], &[], loss),
            Role::Assistant => {
                assistant(out, message, quirks, loss);
                // Its results stand somewhere before the next assistant turn; what stands between comes after them.
                let turn = behind.iter().position(|next| next.role == Role::Assistant).unwrap_or(behind.len());
                let (between, later) = behind.split_at(turn);
                if between.iter().any(|next| next.role == Role::Tool) {
                    let tools: Vec<&Message> = between.iter().filter(|next| next.role == Role::Tool).collect();
                    results(out, &tools, &calls(message), loss);
                    for other in between.iter().filter(|next| next.role != Role::Tool) {
                        write_all(out, std::slice::from_ref(other), quirks, loss);
                    }
                    rest = later;
                }
            }
        }
    }
}

/// The ids of a turn's calls, in order.
fn calls(message: &Message) -> Vec<&str> {
    fn id(part: &Part) -> Option<&str> {
        match &part.body {
            Body::ToolCall(call) => Some(call.id.as_str()),
            _ => None,
        }
    }
    message.parts.iter().filter_map(id).collect()
}

fn plain(out: &mut ArrayWriter<'_>, role: &str, message: &Message, loss: &mut Loss) {
    let instructs = message.role != Role::User;
    let mut parts: Vec<&Part> = message.parts.iter().filter(|part| !is_empty(part)).collect();
    if instructs && parts.iter().any(|part| !matches!(part.body, Body::Text(_))) {
        // Instructions are text and nothing else.
        loss.add("messages.content.in_system");
        parts.retain(|part| matches!(part.body, Body::Text(_)));
    }
    out.object(|object| {
        object.string("role", role);
        content(object, &parts, loss);
        tail(object, message, loss);
    });
}

fn tail(object: &mut ObjectWriter<'_>, message: &Message, loss: &mut Loss) {
    object.string_if("name", message.name.as_deref());
    object.extra(&message.extra, NAME, "messages", loss);
}

fn is_empty(part: &Part) -> bool {
    matches!(&part.body, Body::Text(text) if text.is_empty())
}

/// A string where there is but one text, else an array of parts.
fn content(object: &mut ObjectWriter<'_>, parts: &[&Part], loss: &mut Loss) {
    match parts {
        [] => object.string("content", ""),
        [only] if only.extra.fields.is_empty() && matches!(only.body, Body::Text(_)) => {
            if only.cache.is_some() {
                loss.add("cache_control");
            }
            if let Body::Text(text) = &only.body {
                object.string("content", text);
            }
        }
        parts => object.array("content", |array| parts.iter().for_each(|part| part::write(array, part, loss))),
    }
}

fn assistant(out: &mut ArrayWriter<'_>, message: &Message, quirks: &Quirks, loss: &mut Loss) {
    let mut said: Vec<&Part> = Vec::new();
    let mut called: Vec<&Part> = Vec::new();
    let mut thoughts: Vec<&Thought> = Vec::new();
    let mut refusal: Option<&str> = None;
    for part in &message.parts {
        match &part.body {
            Body::Reasoning(thought) => thoughts.push(thought),
            Body::ToolCall(_) => called.push(part),
            Body::Foreign(foreign) if foreign.dialect == NAME && foreign.kind == "custom" => called.push(part),
            Body::Refusal(text) if refusal.is_none() => refusal = Some(text),
            _ if is_empty(part) => {}
            _ => said.push(part),
        }
    }
    out.object(|object| {
        object.string("role", "assistant");
        if said.is_empty() && (!called.is_empty() || refusal.is_some()) {
            object.null("content");
        } else {
            content(object, &said, loss);
        }
        object.string_if("refusal", refusal);
        write_thoughts(object, message, &thoughts, quirks, loss);
        if !called.is_empty() {
            object.array("tool_calls", |array| called.iter().for_each(|part| call(array, part, loss)));
        }
        let extra = Extra {
            dialect: message.extra.dialect,
            fields: message
                .extra
                .fields
                .iter()
                .filter(|(name, _)| name != reasoning::DETAILS || message.extra.dialect != NAME)
                .cloned()
                .collect(),
        };
        object.string_if("name", message.name.as_deref());
        object.extra(&extra, NAME, "messages", loss);
    });
}

fn call(out: &mut ArrayWriter<'_>, part: &Part, loss: &mut Loss) {
    if part.cache.is_some() {
        loss.add("cache_control");
    }
    match &part.body {
        Body::ToolCall(call) => out.object(|object| {
            object.string("id", &call.id);
            object.string("type", "function");
            object.object("function", |function| {
                function.string("name", &tool::name(&call.name));
                function.string("arguments", if call.arguments.is_empty() { "{}" } else { &call.arguments });
            });
            object.extra(&part.extra, NAME, "messages.tool_calls", loss);
        }),
        Body::Foreign(foreign) => out.raw(foreign.raw.get()),
        _ => {}
    }
}

/// Reasoning goes back only to vendors that want it, in the field that they want.
fn write_thoughts(object: &mut ObjectWriter<'_>, message: &Message, thoughts: &[&Thought], quirks: &Quirks, loss: &mut Loss) {
    let kept = message
        .extra
        .fields
        .iter()
        .find(|(name, _)| name == reasoning::DETAILS && message.extra.dialect == NAME);
    let field = quirks.reasoning_field.as_deref();
    if field == Some(reasoning::DETAILS) {
        let raws: Vec<&RawValue> = kept.and_then(|(_, raw)| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        if thoughts.is_empty() && raws.is_empty() {
            return;
        }
        object.array(reasoning::DETAILS, |array| {
            for (index, thought) in (0..).zip(thoughts) {
                match &thought.redacted {
                    Some(redacted) => reasoning::write_redacted(array, redacted, index),
                    None => reasoning::write_text(array, &thought.text, thought.signature.as_ref(), index),
                }
            }
            raws.iter().for_each(|raw| array.raw(raw.get()));
        });
        return;
    }
    let text: String = thoughts.iter().map(|thought| thought.text.as_str()).collect();
    let sealed = thoughts
        .iter()
        .any(|thought| thought.signature.is_some() || thought.redacted.is_some());
    match field {
        Some(field) if !text.is_empty() => object.string(field, &text),
        _ if !text.is_empty() => loss.add("reasoning"),
        _ => {}
    }
    if sealed || kept.is_some() {
        loss.add("reasoning.signature");
    }
}

/// Tool messages: those of known calls first, in the order of the calls.
fn results(out: &mut ArrayWriter<'_>, messages: &[&Message], calls: &[&str], loss: &mut Loss) {
    let mut found: Vec<(usize, &Message, &ToolResult)> = Vec::new();
    for message in messages {
        for part in &message.parts {
            let Body::ToolResult(result) = &part.body else {
                loss.add("messages.content.in_tool_turn");
                continue;
            };
            if part.cache.is_some() {
                loss.add("cache_control");
            }
            let at = calls.iter().position(|id| *id == result.id).unwrap_or(calls.len());
            found.push((at, message, result));
        }
    }
    found.sort_by_key(|(at, ..)| *at);
    let mut moved: Vec<&Part> = Vec::new();
    for (_, message, one) in &found {
        result(out, message, one, &mut moved, loss);
    }
    if !moved.is_empty() {
        out.object(|object| {
            object.string("role", "user");
            object.array("content", |array| moved.iter().for_each(|part| part::write(array, part, loss)));
        });
    }
}

fn result<'r>(out: &mut ArrayWriter<'_>, message: &Message, result: &'r ToolResult, moved: &mut Vec<&'r Part>, loss: &mut Loss) {
    if result.is_error {
        // There is no field for it: the text tells (T7).
        loss.add("tool_result.is_error");
    }
    let mut texts: Vec<&Part> = Vec::new();
    let before = moved.len();
    for part in result.content.iter().filter(|part| !is_empty(part)) {
        match &part.body {
            Body::Text(_) => texts.push(part),
            Body::Image(_) | Body::Document(_) | Body::Audio(_) => moved.push(part),
            Body::Foreign(foreign) => loss.add(&format!("tool_result.{}", foreign.kind)),
            _ => loss.add("tool_result.content"),
        }
    }
    out.object(|object| {
        object.string("role", "tool");
        object.string("tool_call_id", &result.id);
        if texts.is_empty() && moved.len() > before {
            object.string("content", MOVED);
        } else {
            content(object, &texts, loss);
        }
        tail(object, message, loss);
    });
}
