//! Reads and checks the messages of a Messages request: roles, blocks, tool uses and their results, thinking.
//! Consecutive messages of one role are one turn, as the vendor has it. Not checked: whether URLs can be fetched.

use serde_json::Value;

use crate::{
    dialects::{
        Refusal,
        json::{items, member, text},
    },
    question::{Media, Question, Source, ToolResult},
    text::{input_token_count, redacted_data_is_ours, signature},
};

/// Tokens that an image or a document counts for.
const MEDIUM_TOKENS: u64 = 85;
/// Tokens that a message costs beside its content.
const MESSAGE_TOKENS: u64 = 4;
const IMAGE_TYPES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// A message with the blocks of its turn.
struct Turn<'a> {
    at: usize,
    role: &'a str,
    blocks: Vec<&'a Value>,
}

pub(super) fn read(body: &Value, strict: bool, question: &mut Question) -> Result<(), Refusal> {
    let messages = match member(body, "messages") {
        None => return Err(Refusal::bad("messages: Field required")),
        Some(Value::Array(messages)) => messages,
        Some(_) => return Err(Refusal::bad("messages: Input should be a valid list")),
    };
    if messages.is_empty() {
        return Err(Refusal::bad("messages: at least one message is required"));
    }
    let mut turns: Vec<Turn<'_>> = Vec::with_capacity(messages.len());
    for (at, message) in messages.iter().enumerate() {
        let role = check_message(message, at, at + 1 == messages.len())?;
        let blocks = match message.get("content") {
            Some(Value::Array(blocks)) => blocks.iter().collect(),
            Some(content) => vec![content],
            None => Vec::new(),
        };
        for (n, block) in blocks.iter().enumerate() {
            read_block(block, role, &format!("messages.{at}.content.{n}"), strict, question)?;
        }
        question.input_tokens += MESSAGE_TOKENS;
        match turns.last_mut() {
            Some(turn) if turn.role == role => turn.blocks.extend(blocks),
            _ => turns.push(Turn { at, role, blocks }),
        }
    }
    if turns.first().is_some_and(|turn| turn.role == "assistant") {
        return Err(Refusal::bad("messages: first message must use the \"user\" role"));
    }
    check_results(&turns)?;
    if let Some(turn) = turns.iter().rev().find(|turn| turn.role == "user") {
        question.last_user_text = turn.blocks.iter().filter_map(|block| text_of(block)).collect();
    }
    if let Some(turn) = turns.last() {
        question.tool_results = turn
            .blocks
            .iter()
            .filter(|block| is(block, "tool_result"))
            .map(|block| result(block))
            .collect();
    }
    Ok(())
}

fn is(block: &Value, kind: &str) -> bool {
    text(block, "type") == Some(kind)
}

/// The text of a text block, or of content given as a string.
fn text_of(block: &Value) -> Option<&str> {
    block
        .as_str()
        .or_else(|| if is(block, "text") { text(block, "text") } else { None })
}

fn check_message(message: &Value, at: usize, last: bool) -> Result<&str, Refusal> {
    let Some(role) = text(message, "role") else {
        return Err(Refusal::bad(format!("messages.{at}.role: Field required")));
    };
    // A system message in the middle is part of the API by now (WIRE 0.4); at the front it belongs into `system`.
    if !["user", "assistant"].contains(&role) && (role != "system" || at == 0) {
        let message = format!(
            "messages: Unexpected role \"{role}\". The Messages API accepts a top-level `system` parameter, not \"system\" as an input message role."
        );
        return Err(Refusal::bad(message));
    }
    let Some(content) = member(message, "content") else {
        return Err(Refusal::bad(format!("messages.{at}.content: Field required")));
    };
    let empty = match content {
        Value::String(text) => text.is_empty(),
        Value::Array(blocks) => blocks.is_empty(),
        _ => {
            return Err(Refusal::bad(format!(
                "messages.{at}.content: Input should be a valid string or list"
            )));
        }
    };
    if empty && !(last && role == "assistant") {
        let message = format!("messages.{at}: all messages must have non-empty content except for the optional final assistant message");
        return Err(Refusal::bad(message));
    }
    let end = content
        .as_str()
        .or_else(|| content.as_array().and_then(|blocks| text_of(blocks.last()?)));
    if last && role == "assistant" && end.is_some_and(|text| text.trim_end() != text) {
        return Err(Refusal::bad(
            "messages: final assistant content cannot end with trailing whitespace",
        ));
    }
    Ok(role)
}

/// Every tool use must be answered at the start of the next turn, and only tool uses may be.
fn check_results(turns: &[Turn<'_>]) -> Result<(), Refusal> {
    let mut open: Vec<&str> = Vec::new();
    let mut asked_at = 0;
    for turn in turns {
        let results = turn.blocks.iter().take_while(|block| is(block, "tool_result")).count();
        let answered: Vec<&str> = turn
            .blocks
            .iter()
            .take(results)
            .filter_map(|block| text(block, "tool_use_id"))
            .collect();
        if let Some(id) = answered.iter().find(|id| !open.contains(id)) {
            return Err(unexpected_result(turn.at, id));
        }
        open.retain(|id| !answered.contains(id));
        unanswered(&open, asked_at)?;
        if let Some(late) = turn.blocks.iter().skip(results).find(|block| is(block, "tool_result")) {
            return Err(unexpected_result(turn.at, text(late, "tool_use_id").unwrap_or_default()));
        }
        open = turn
            .blocks
            .iter()
            .filter(|block| is(block, "tool_use"))
            .filter_map(|block| text(block, "id"))
            .collect();
        asked_at = turn.at;
    }
    unanswered(&open, asked_at)
}

fn unexpected_result(at: usize, id: &str) -> Refusal {
    Refusal::bad(format!(
        "messages.{at}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
    ))
}

fn unanswered(open: &[&str], at: usize) -> Result<(), Refusal> {
    if open.is_empty() {
        return Ok(());
    }
    let ids = open.join(", ");
    Err(Refusal::bad(format!(
        "messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {ids}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )))
}

fn result(block: &Value) -> ToolResult {
    let said = match block.get("content") {
        Some(Value::String(text)) => text.clone(),
        _ => items(block, "content").iter().filter_map(text_of).collect(),
    };
    ToolResult {
        text: said,
        is_error: block.get("is_error").and_then(Value::as_bool).unwrap_or(false),
    }
}

fn read_block(block: &Value, role: &str, path: &str, strict: bool, question: &mut Question) -> Result<(), Refusal> {
    if let Some(said) = text_of(block) {
        if said.is_empty() && !block.is_string() {
            return Err(Refusal::bad("messages: text content blocks must be non-empty"));
        }
        if strict && role == "user" && member(block, "citations").is_some() {
            return Err(Refusal::bad(format!("{path}.text.citations: Extra inputs are not permitted")));
        }
        question.input_tokens += input_token_count(said);
        return Ok(());
    }
    let required = |name: &str| {
        text(block, name).ok_or_else(|| {
            let kind = text(block, "type").unwrap_or("text");
            Refusal::bad(format!("{path}.{kind}.{name}: Field required"))
        })
    };
    match (text(block, "type"), role) {
        (Some("image"), "user") => medium(block, "image", path, question),
        (Some("document"), role) if role == "user" || !strict => medium(block, "document", path, question),
        (Some("tool_use"), "assistant") => {
            check_pattern(required("id")?, usize::MAX, &format!("{path}.tool_use.id"), "^[a-zA-Z0-9_-]+$")?;
            check_pattern(required("name")?, 200, &format!("{path}.tool_use.name"), "^[a-zA-Z0-9_-]{1,200}$")?;
            let Some(input) = block.get("input").filter(|input| input.is_object()) else {
                return Err(Refusal::bad(format!("{path}.tool_use.input: Input should be a valid dictionary")));
            };
            question.input_tokens += input_token_count(&input.to_string());
            Ok(())
        }
        (Some("tool_result"), "user") => {
            required("tool_use_id")?;
            question.input_tokens += input_token_count(&result(block).text);
            for (n, inner) in items(block, "content").iter().enumerate() {
                read_block(inner, role, &format!("{path}.tool_result.content.{n}"), strict, question)?;
            }
            Ok(())
        }
        (Some("thinking"), "assistant") => {
            let right = text(block, "signature") == Some(signature(required("thinking")?).as_str());
            if right {
                Ok(())
            } else {
                Err(Refusal::bad(format!("{path}: Invalid `signature` in `thinking` block")))
            }
        }
        (Some("redacted_thinking"), "assistant") => {
            let right = redacted_data_is_ours(required("data")?);
            if right {
                Ok(())
            } else {
                Err(Refusal::bad(format!("{path}: Invalid `data` in `redacted_thinking` block")))
            }
        }
        // Blocks of server tools, search results, containers: the vendor checks them, this simulator does not.
        (Some(kind), _)
            if !["image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking"].contains(&kind) && is_known(kind) =>
        {
            Ok(())
        }
        (Some(kind), _) => Err(Refusal::bad(format!(
            "{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags for a message of role '{role}'"
        ))),
        (None, _) => Err(Refusal::bad(format!("{path}.type: Field required"))),
    }
}

fn is_known(kind: &str) -> bool {
    [
        "search_result",
        "server_tool_use",
        "container_upload",
        "compaction",
        "tool_addition",
        "tool_removal",
        "tool_reference",
    ]
    .contains(&kind)
        || kind.ends_with("_tool_result")
        || kind.starts_with("mcp_")
}

fn medium(block: &Value, kind: &'static str, path: &str, question: &mut Question) -> Result<(), Refusal> {
    let Some(source) = block.get("source") else {
        return Err(Refusal::bad(format!("{path}.{kind}.source: Field required")));
    };
    let field = |name: &str| {
        let how = text(source, "type").unwrap_or_default();
        text(source, name).ok_or_else(|| Refusal::bad(format!("{path}.{kind}.source.{how}.{name}: Field required")))
    };
    let source = match text(source, "type") {
        Some("base64") => {
            let media_type = field("media_type")?;
            let right = if kind == "image" {
                IMAGE_TYPES.contains(&media_type)
            } else {
                media_type == "application/pdf"
            };
            if !right {
                let expected = if kind == "image" {
                    IMAGE_TYPES.join("', '")
                } else {
                    "application/pdf".to_owned()
                };
                let message = format!("{path}.{kind}.source.base64.media_type: Input should be '{expected}'");
                return Err(Refusal::bad(message));
            }
            Source::from_base64(media_type, field("data")?)
        }
        Some("text") => Source::Inline {
            media_type: field("media_type")?.to_owned(),
            bytes: field("data")?.len(),
        },
        Some("url") => Source::Reference(field("url")?.to_owned()),
        Some("file") => Source::Reference(field("file_id")?.to_owned()),
        Some("content") => Source::Reference("content".to_owned()),
        _ => return Err(Refusal::bad(format!("{path}.{kind}.source.type: Field required"))),
    };
    question.input_tokens += MEDIUM_TOKENS;
    question.media.push(Media { kind, source });
    Ok(())
}

/// Names and ids: letters, digits, `_` and `-`.
pub(super) fn check_pattern(name: &str, length_max: usize, path: &str, pattern: &str) -> Result<(), Refusal> {
    let right = !name.is_empty()
        && name.len() <= length_max
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if right {
        Ok(())
    } else {
        Err(Refusal::bad(format!("{path}: String should match pattern '{pattern}'")))
    }
}
