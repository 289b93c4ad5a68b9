//! Reads and checks the messages of a chat completion request: roles, content parts, tool calls and their results.
//! Not checked: whether URLs can be fetched and files exist.

use serde_json::Value;

use super::request::{missing, wrong_type};
use crate::{
    dialects::{
        Refusal,
        json::{items, member, text},
    },
    question::{Media, Question, Source, ToolResult},
    text::input_token_count,
};

const ROLES: &str = "'system', 'assistant', 'user', 'function', 'tool', and 'developer'";
/// Tokens that an image counts for.
const IMAGE_TOKENS: u64 = 85;
/// Tokens that a message costs beside its content.
const MESSAGE_TOKENS: u64 = 3;

pub(super) fn read(body: &Value, question: &mut Question) -> Result<(), Refusal> {
    let messages = match member(body, "messages") {
        None => return Err(missing("messages")),
        Some(Value::Array(messages)) if messages.is_empty() => {
            let message = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.";
            return Err(Refusal::bad(message).at("messages").code("empty_array"));
        }
        Some(Value::Array(messages)) => messages,
        Some(other) => return Err(wrong_type("messages", "array", other)),
    };
    let mut open_calls: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let Some(role) = text(message, "role") else {
            return Err(missing(&format!("messages[{at}].role")));
        };
        if role == "tool" {
            answer_call(message, at, &mut open_calls)?;
        } else {
            all_answered(&open_calls, at)?;
            open_calls.clear();
        }
        question.input_tokens += MESSAGE_TOKENS;
        let said = content(message, role, at, question)?;
        question.input_tokens += input_token_count(&said);
        match role {
            "user" => {
                question.last_user_text = said;
                question.tool_results.clear();
            }
            "tool" | "function" => question.tool_results.push(ToolResult {
                text: said,
                is_error: false,
            }),
            "assistant" => {
                question.tool_results.clear();
                open_calls = calls(message, at, question)?;
            }
            "system" | "developer" => {}
            other => {
                let message = format!("Invalid value: '{other}'. Supported values are: {ROLES}.");
                return Err(Refusal::bad(message).at(format!("messages[{at}].role")).code("invalid_value"));
            }
        }
    }
    all_answered(&open_calls, messages.len())
}

fn all_answered(open_calls: &[&str], at: usize) -> Result<(), Refusal> {
    if open_calls.is_empty() {
        return Ok(());
    }
    let message = format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        open_calls.join(", ")
    );
    Err(Refusal::bad(message).at(format!("messages.[{at}].role")))
}

fn answer_call(message: &Value, at: usize, open_calls: &mut Vec<&str>) -> Result<(), Refusal> {
    let Some(id) = text(message, "tool_call_id") else {
        return Err(missing(&format!("messages[{at}].tool_call_id")));
    };
    let Some(found) = open_calls.iter().position(|open| *open == id) else {
        let message = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
        return Err(Refusal::bad(message).at(format!("messages.[{at}].role")));
    };
    open_calls.remove(found);
    Ok(())
}

/// Reads the tool calls of an assistant message: the ids that must be answered.
fn calls<'a>(message: &'a Value, at: usize, question: &mut Question) -> Result<Vec<&'a str>, Refusal> {
    if let Some(Value::Array(calls)) = member(message, "tool_calls")
        && calls.is_empty()
    {
        let path = format!("messages[{at}].tool_calls");
        let message = format!("Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead.");
        return Err(Refusal::bad(message).at(path).code("empty_array"));
    }
    let mut ids = Vec::new();
    for (n, call) in items(message, "tool_calls").iter().enumerate() {
        let path = format!("messages[{at}].tool_calls[{n}]");
        let Some(id) = text(call, "id") else {
            return Err(missing(&format!("{path}.id")));
        };
        let kind = text(call, "type").ok_or_else(|| missing(&format!("{path}.type")))?;
        let function = call.get(kind).ok_or_else(|| missing(&format!("{path}.{kind}")))?;
        let name = text(function, "name").ok_or_else(|| missing(&format!("{path}.{kind}.name")))?;
        check_name(name, &format!("{path}.{kind}.name"))?;
        let field = if kind == "custom" { "input" } else { "arguments" };
        match function.get(field) {
            Some(Value::String(arguments)) => question.input_tokens += input_token_count(arguments),
            Some(other) => return Err(wrong_type(&format!("{path}.{kind}.{field}"), "string", other)),
            None => return Err(missing(&format!("{path}.{kind}.{field}"))),
        }
        ids.push(id);
    }
    Ok(ids)
}

/// The text of a message; media go to the question.
fn content(message: &Value, role: &str, at: usize, question: &mut Question) -> Result<String, Refusal> {
    let path = format!("messages[{at}].content");
    match member(message, "content") {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) if parts.is_empty() => {
            let message =
                format!("Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead.");
            Err(Refusal::bad(message).at(path).code("empty_array"))
        }
        Some(Value::Array(parts)) => {
            let mut said = String::new();
            for (n, part) in parts.iter().enumerate() {
                said.push_str(&read_part(part, role, &format!("{path}[{n}]"), question)?);
            }
            Ok(said)
        }
        Some(other) => Err(wrong_type(&path, "string", other)),
        None => {
            let silent = ["tool_calls", "function_call", "refusal", "audio"];
            if role == "assistant" && silent.iter().any(|name| member(message, name).is_some()) {
                return Ok(String::new());
            }
            let message = "Invalid value for 'content': expected a string, got null.";
            Err(Refusal::bad(message).at(format!("messages.[{at}].content")))
        }
    }
}

fn read_part(part: &Value, role: &str, path: &str, question: &mut Question) -> Result<String, Refusal> {
    let Some(kind) = text(part, "type") else {
        return Err(missing(&format!("{path}.type")));
    };
    let allowed: &[&str] = match role {
        "user" => &["text", "image_url", "input_audio", "file"],
        "assistant" => &["text", "refusal"],
        _ => &["text"],
    };
    if !allowed.contains(&kind) {
        let supported: Vec<String> = allowed.iter().map(|kind| format!("'{kind}'")).collect();
        let message = format!("Invalid value: '{kind}'. Supported values are: {}.", supported.join(", "));
        return Err(Refusal::bad(message).at(format!("{path}.type")).code("invalid_value"));
    }
    let inner = |name: &str| part.get(kind).and_then(|inner| text(inner, name));
    let medium = match kind {
        "text" | "refusal" => {
            return text(part, kind)
                .map(str::to_owned)
                .ok_or_else(|| missing(&format!("{path}.{kind}")));
        }
        "image_url" => {
            let url = inner("url").ok_or_else(|| missing(&format!("{path}.image_url.url")))?;
            let source = Source::from_url(url);
            check_image(&source, path)?;
            Media { kind: "image", source }
        }
        "input_audio" => {
            let data = inner("data").ok_or_else(|| missing(&format!("{path}.input_audio.data")))?;
            let format = inner("format").ok_or_else(|| missing(&format!("{path}.input_audio.format")))?;
            Media {
                kind: "audio",
                source: Source::from_base64(&format!("audio/{format}"), data),
            }
        }
        _ => {
            let data = inner("file_data").or_else(|| inner("file_id"));
            let data = data.ok_or_else(|| missing(&format!("{path}.file.file_data")))?;
            Media {
                kind: "document",
                source: Source::from_url(data),
            }
        }
    };
    question.input_tokens += IMAGE_TOKENS;
    question.media.push(medium);
    Ok(String::new())
}

fn check_image(source: &Source, path: &str) -> Result<(), Refusal> {
    let right = match source {
        Source::Inline { media_type, .. } => ["image/png", "image/jpeg", "image/gif", "image/webp"].contains(&media_type.as_str()),
        Source::Reference(url) => url.starts_with("http://") || url.starts_with("https://"),
    };
    if right {
        return Ok(());
    }
    let message = "You uploaded an unsupported image. Please make sure your image is valid and has one of the following formats: ['png', 'jpeg', 'gif', 'webp'].";
    Err(Refusal::bad(message)
        .at(format!("{path}.image_url.url"))
        .code("invalid_image_format"))
}

/// Names of tools and schemas.
pub(super) fn check_name(name: &str, path: &str) -> Result<(), Refusal> {
    if 64 < name.len() {
        let message = format!(
            "Invalid '{path}': string too long. Expected a string with maximum length 64, but got a string with length {} instead.",
            name.len()
        );
        return Err(Refusal::bad(message).at(path).code("string_above_max_length"));
    }
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
        let message =
            format!("Invalid '{path}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.");
        return Err(Refusal::bad(message).at(path).code("invalid_value"));
    }
    Ok(())
}
