//! Writes turns and content blocks. What may be written was decided by `turns`.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::turns::{Turn, admit, is_pdf};
use super::{NAME, tools};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::loss::Loss;
use crate::request::{Body, Media, MediaSource, Part, Role, Thought, ToolCall, ToolResult};

/// Where parts of a message stand in loss entries.
const CONTENT: &str = "messages.content";

/// Writes the top-level `system`, if there is one.
pub(super) fn write_system(parts: &[Cow<'_, Part>], o: &mut ObjectWriter<'_>, loss: &mut Loss) {
    if !parts.is_empty() {
        write_parts("system", parts, o, loss);
    }
}

/// Writes `messages`.
pub(super) fn write_turns(turns: &[Turn<'_>], o: &mut ObjectWriter<'_>, loss: &mut Loss) {
    o.array("messages", |a| {
        for turn in turns {
            a.object(|o| {
                o.string("role", role_name(turn.role));
                write_parts("content", &turn.parts, o, loss);
                for extra in &turn.extras {
                    o.extra(extra, NAME, "messages", loss);
                }
            });
        }
    });
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Assistant => "assistant",
        Role::System | Role::Developer => "system",
        Role::User | Role::Tool => "user",
    }
}

/// Writes parts as a string where that says the same, else as blocks.
fn write_parts(name: &str, parts: &[Cow<'_, Part>], o: &mut ObjectWriter<'_>, loss: &mut Loss) {
    if let [only] = parts
        && let Body::Text(text) = &only.body
        && only.cache.is_none()
        && only.extra.fields.is_empty()
    {
        o.string(name, text);
        return;
    }
    o.array(name, |a| parts.iter().for_each(|part| write_part(part, a, loss)));
}

fn write_part(part: &Part, a: &mut ArrayWriter<'_>, loss: &mut Loss) {
    if let Body::Foreign(foreign) = &part.body {
        a.raw(foreign.raw.get());
        return;
    }
    a.object(|o| {
        match &part.body {
            Body::Text(text) | Body::Refusal(text) => {
                o.string("type", "text");
                o.string("text", text);
            }
            Body::Image(media) => write_media("image", media, o),
            Body::Document(media) => {
                write_media("document", media, o);
                o.string_if("title", media.name.as_deref().filter(|name| !name.is_empty()));
            }
            Body::ToolCall(call) => write_call(call, o, loss),
            Body::ToolResult(result) => write_result(result, o, loss),
            Body::Reasoning(thought) => write_thought(thought, o),
            // Never admitted: it became a loss.
            Body::Audio(_) | Body::Foreign(_) => {}
        }
        if let Some(cache) = &part.cache {
            o.raw("cache_control", cache.get());
        }
        o.extra(&part.extra, NAME, CONTENT, loss);
    });
}

fn write_media(kind: &str, media: &Media, o: &mut ObjectWriter<'_>) {
    o.string("type", kind);
    o.object("source", |o| match &media.source {
        MediaSource::Url(url) => {
            o.string("type", "url");
            o.string("url", url);
        }
        MediaSource::Base64 { media_type, data } => {
            let pdf = kind == "document" && is_pdf(media_type, data);
            o.string("type", "base64");
            o.string("media_type", if pdf { "application/pdf" } else { media_type });
            o.string("data", data);
        }
        MediaSource::Text { text, .. } => {
            o.string("type", "text");
            o.string("media_type", "text/plain"); // the only one there is
            o.string("data", text);
        }
        MediaSource::File(id) => {
            o.string("type", "file");
            o.string("file_id", &id.data);
        }
    });
}

fn write_call(call: &ToolCall, o: &mut ObjectWriter<'_>, loss: &mut Loss) {
    let name = tools::tool_name(&call.name);
    if name != call.name {
        loss.add("tools.name");
    }
    o.string("type", "tool_use");
    o.string("id", &tools::call_id(&call.id));
    o.string("name", &name);
    write_input(&call.arguments, o, loss);
}

/// Writes arguments as the object that the dialect demands, byte for byte where they are one. What is not (a call that was cut
/// short) is kept as text within an object (T1).
pub(super) fn write_input(arguments: &str, o: &mut ObjectWriter<'_>, loss: &mut Loss) {
    let text = arguments.trim();
    if text.is_empty() || text == "null" {
        o.raw("input", "{}");
    } else if text.starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok() {
        o.raw("input", text);
    } else {
        loss.add("tool_calls.arguments");
        o.object("input", |o| o.string("arguments", arguments));
    }
}

fn write_result(result: &ToolResult, o: &mut ObjectWriter<'_>, loss: &mut Loss) {
    o.string("type", "tool_result");
    o.string("tool_use_id", &tools::call_id(&result.id));
    let content: Vec<_> = result.content.iter().filter_map(|part| admit_in_result(part, loss)).collect();
    // An empty list is refused (M4); no content at all is not.
    if !content.is_empty() {
        write_parts("content", &content, o, loss);
    }
    if result.is_error {
        o.bool("is_error", true);
    }
}

fn admit_in_result<'r>(part: &'r Part, loss: &mut Loss) -> Option<Cow<'r, Part>> {
    let part = admit(part, loss)?;
    if matches!(part.body, Body::ToolCall(_) | Body::ToolResult(_) | Body::Reasoning(_)) {
        loss.add(CONTENT);
        return None;
    }
    Some(part)
}

/// Seals byte for byte, also where the text is empty (R6).
fn write_thought(thought: &Thought, o: &mut ObjectWriter<'_>) {
    if let Some(redacted) = &thought.redacted {
        o.string("type", "redacted_thinking");
        o.string("data", &redacted.data);
    } else {
        o.string("type", "thinking");
        o.string("thinking", &thought.text);
        o.string("signature", thought.signature.as_ref().map_or("", |seal| &seal.data));
    }
}

/// Appends an answer's tool call: a whole `tool_use` block.
pub(super) fn write_answer_call(id: &str, name: &str, arguments: &str, o: &mut ObjectWriter<'_>, loss: &mut Loss) {
    o.string("type", "tool_use");
    o.string("id", id);
    o.string("name", name);
    write_input(arguments, o, loss);
}
