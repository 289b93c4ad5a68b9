//! A caller's request in the language.

use super::*;
use crate::request::{Body, Effort, MediaSource, OutputFormat, Part, ReasoningMode, Role, Tool, ToolChoice};

const ALL: &str = include_str!("../fixtures/request.json");

/// A short word for what a part is.
fn word(part: &Part) -> String {
    let source = |source: &MediaSource| match source {
        MediaSource::Url(url) => url.clone(),
        MediaSource::Base64 { media_type, data } => format!("{media_type} {data}"),
        MediaSource::Text { media_type, text } => format!("{media_type} {text}"),
        MediaSource::File(id) => format!("{} {}", id.dialect, id.data),
    };
    let mut word = match &part.body {
        Body::Text(text) => format!("text {text}"),
        Body::Image(media) => format!("image {}", source(&media.source)),
        Body::Document(media) => format!("document {} {:?}", source(&media.source), media.name),
        Body::Audio(_) | Body::Refusal(_) => "none of this dialect".to_owned(),
        Body::ToolCall(call) => format!("call {} {} {}", call.id, call.name, call.arguments),
        Body::ToolResult(result) => {
            format!(
                "result {} {:?} {}",
                result.id,
                result.content.iter().map(word).collect::<Vec<_>>(),
                result.is_error
            )
        }
        Body::Reasoning(thought) => format!(
            "thought {:?} {:?} {:?}",
            thought.text,
            thought.signature.as_ref().map(|seal| &seal.data),
            thought.redacted.as_ref().map(|seal| &seal.data)
        ),
        Body::Foreign(foreign) => format!("foreign {} {}", foreign.dialect, foreign.kind),
    };
    if part.cache.is_some() {
        word.push_str(" +cache");
    }
    for (name, raw) in &part.extra.fields {
        word.push_str(&format!(" +{name}={}", raw.get()));
    }
    word
}

#[test]
fn every_block_has_its_place() {
    let request = read(ALL);
    let turns: Vec<(Role, Vec<String>)> = request
        .messages
        .iter()
        .map(|turn| (turn.role, turn.parts.iter().map(word).collect()))
        .collect();
    let expected: &[(Role, &[&str])] = &[
        (Role::System, &["text You keep the harbour log.", "text Be brief. +cache"]),
        (
            Role::User,
            &[
                "image image/png iVBORw0KGgo=",
                "image https://example.org/quay.jpg",
                r#"document application/pdf JVBERi0xLjc= Some("tides.pdf") +citations={"enabled": true}"#,
                r#"document text/plain High water at six. None +context="almanac""#,
                "document anthropic file_011 None",
                "foreign anthropic document",
                "foreign anthropic container_upload",
                "text Which ships may leave? +cache",
            ],
        ),
        (
            Role::Assistant,
            &[
                r#"thought "Two tools are needed." Some("c2VhbA==") None"#,
                r#"thought "" None Some("aGlkZGVu")"#,
                "text Let me look.",
                r#"call toolu_a draught {"ship": "Möwe", "unit": "m", "n": 1.50}"#,
                r#"call toolu_b tide {} +caller={"type": "code_execution_20260120", "tool_id": "srvtoolu_1"}"#,
                "foreign anthropic server_tool_use",
            ],
        ),
        (
            Role::Tool,
            &[
                r#"result toolu_a ["text 4.2 m"] false"#,
                r#"result toolu_b ["text gauge is frozen", "image https://example.org/gauge.jpg"] true"#,
            ],
        ),
        (Role::User, &["text And now?"]),
        (Role::System, &["text The pilot has gone home."]),
        (Role::Assistant, &["text None may leave."]),
        (Role::User, &["text Why?"]),
    ];
    assert_eq!(turns.len(), expected.len());
    for ((role, parts), (wanted_role, wanted)) in turns.iter().zip(expected) {
        assert_eq!(
            (role, parts.iter().map(String::as_str).collect::<Vec<_>>()),
            (wanted_role, wanted.to_vec())
        );
    }
}

#[test]
fn every_parameter_has_its_place() {
    let request = read(ALL);
    assert_eq!(request.model, "claude-test");
    assert_eq!(
        (request.max_tokens, request.stream, request.include_usage),
        (Some(2048), true, true)
    );
    assert_eq!(request.stop, ["ENDE"]);
    assert_eq!(
        (request.user.as_deref(), request.service_tier.as_deref()),
        (Some("u-17"), Some("standard_only"))
    );
    assert!(matches!(request.tool_choice, Some(ToolChoice::Auto)));
    assert_eq!(request.parallel_tool_calls, Some(false));
    let reasoning = request.reasoning.unwrap();
    assert_eq!((reasoning.mode, reasoning.effort), (ReasoningMode::Adaptive, Some(Effort::High)));
    assert!(matches!(&request.output, OutputFormat::Schema { schema, .. } if schema.get().contains("ships")));
    let names: Vec<&str> = request.extra.fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["thinking.display", "output_config.task_budget", "context_management", "container"]
    );
    let [Tool::Function(draught), Tool::Function(tide), Tool::Foreign(search)] = request.tools.as_slice() else {
        unreachable!("{:?}", request.tools)
    };
    assert_eq!(
        (draught.name.as_str(), draught.description.as_deref(), draught.strict),
        ("draught", Some("Reads a draught."), Some(true))
    );
    assert!(
        tide.cache.is_some()
            && tide
                .extra
                .fields
                .iter()
                .any(|(name, raw)| name == "defer_loading" && raw.get() == "true")
    );
    assert_eq!(search.kind, "web_search_20260318");
}

/// Reading of one top-level field of a request, as Rust would print it.
fn reads(field: &str, show: impl Fn(&Request) -> String) -> String {
    let body = format!(r#"{{"model":"m","messages":[],{field}}}"#);
    Anthropic
        .read_request(CHAT, body.as_bytes())
        .map_or_else(|error| error.to_string(), |request| show(&request))
}

#[test]
fn forms_of_thinking_and_choice_and_output() {
    let thinking = |request: &Request| format!("{:?} {}", request.reasoning.map(|r| (r.mode, r.effort)), request.extra.fields.len());
    for (field, expected) in [
        (
            r#""thinking":{"type":"enabled","budget_tokens":2000}"#,
            "Some((Budget(2000), None)) 0",
        ),
        (r#""thinking":{"type":"disabled"}"#, "Some((Off, None)) 0"),
        (r#""thinking":{"type":"between_tools"}"#, "None 1"),
        (
            r#""thinking":{"type":"enabled"}"#,
            "thinking.budget_tokens: required number is missing",
        ),
        (r#""thinking":{}"#, "thinking.type: required string is missing"),
        (r#""thinking":null"#, "None 0"),
        (r#""output_config":{"effort":"xhigh"}"#, "Some((Unsaid, Some(XHigh))) 0"),
        (r#""output_config":{"effort":"frantic"}"#, "None 1"),
        (
            r#""output_config":{"format":{"type":"json_schema"}}"#,
            "output_config.format.schema: required schema is missing",
        ),
        (r#""output_format":{"type":"grammar"}"#, "None 1"),
    ] {
        assert_eq!(reads(field, thinking), expected, "{field}");
    }
    let choice = |request: &Request| format!("{:?} {:?}", request.tool_choice, request.parallel_tool_calls);
    for (field, expected) in [
        (r#""tool_choice":{"type":"any"}"#, "Some(Required) None"),
        (
            r#""tool_choice":{"type":"tool","name":"t","disable_parallel_tool_use":false}"#,
            "Some(Named(\"t\")) Some(true)",
        ),
        (r#""tool_choice":{"type":"none"}"#, "Some(None) None"),
        (r#""tool_choice":{"type":"tool"}"#, "tool_choice.name: required string is missing"),
        (r#""tool_choice":"auto""#, "tool_choice: expected a JSON object (line 1, column 6)"),
    ] {
        assert_eq!(reads(field, choice), expected, "{field}");
    }
    assert!(reads(r#""tool_choice":{"type":"guess"}"#, choice).starts_with("Some(Foreign"));
}

#[test]
fn wrong_types_are_named_by_their_path() {
    for (messages, complaint) in [
        (r#"[{"content":"x"}]"#, "messages[0].role: required string is missing"),
        (
            r#"[{"role":"tool","content":"x"}]"#,
            "messages[0].role: expected user, assistant or system",
        ),
        (r#"[{"role":"user"}]"#, "messages[0].content: required content is missing"),
        (
            r#"[{"role":"user","content":7}]"#,
            "messages[0].content: expected a string or an array of content blocks",
        ),
        (
            r#"[{"role":"user","content":[{"text":"x"}]}]"#,
            "messages[0].content[0].type: required string is missing",
        ),
        (
            r#"[{"role":"user","content":[{"type":"text"}]}]"#,
            "messages[0].content[0].text: required string is missing",
        ),
        (
            r#"[{"role":"user","content":[{"type":"image"}]}]"#,
            "messages[0].content[0].source: required object is missing",
        ),
        (
            r#"[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":1}]}]}]"#,
            "messages[0].content[0].content[0].text: expected a string",
        ),
    ] {
        let body = format!(r#"{{"model":"m","messages":{messages}}}"#);
        assert_eq!(
            Anthropic.read_request(CHAT, body.as_bytes()).unwrap_err().to_string(),
            complaint,
            "{messages}"
        );
    }
}

#[test]
fn seals_are_tagged_and_empty_ones_are_none() {
    let request = read(
        r#"{"model":"m","messages":[{"role":"assistant","content":[
            {"type":"thinking","thinking":"","signature":"A\u002fB=="},{"type":"thinking","thinking":"x","signature":""},{"type":"thinking","thinking":"y"}]}]}"#,
    );
    let words: Vec<String> = request.messages[0].parts.iter().map(word).collect();
    assert_eq!(
        words,
        [
            r#"thought "" Some("A/B==") None"#,
            r#"thought "x" None None"#,
            r#"thought "y" None None"#
        ]
    );
}

#[test]
fn what_says_nothing_is_not_kept() {
    let request = read(
        r#"{"model":"m","system":[],"tools":null,"messages":[{"role":"assistant","content":[
            {"type":"tool_use","id":"a","name":"t","input":{},"caller":{"type":"direct"},"cache_control":null},{"type":"text","text":"x","citations":null}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":""}]}]}"#,
    );
    let words: Vec<String> = request.messages.iter().flat_map(|message| message.parts.iter().map(word)).collect();
    assert_eq!(words, ["call a t {}", "text x", "result a [] false"]);
    assert_eq!(request.messages.len(), 2);
}
