//! Requests for a provider: schemas, media, seals, and what only another dialect knows.

use serde_json::json;

use super::writing::{asks, base64, conversation, message, says};
use super::*;
use crate::request::{Body, Extra, Foreign, Function, Media, MediaSource, Opaque, OutputFormat, Part, Role, Thought, Tool, ToolChoice};

#[test]
fn schemas_are_objects() {
    for (schema, expected) in [
        (None, json!({"type": "object", "properties": {}})),
        (Some("{}"), json!({"type": "object", "properties": {}})),
        (Some("true"), json!({"type": "object", "properties": {}})),
        (
            Some(r#"{ "properties": {"a": {}}}"#),
            json!({"type": "object", "properties": {"a": {}}}),
        ),
        (Some(r#"{"type": "object", "x": 1}"#), json!({"type": "object", "x": 1})),
    ] {
        let mut request = asks(vec![says(Role::User, "x")]);
        let schema = schema.map(|schema| crate::json::raw(schema).unwrap());
        request.tools = vec![Tool::Function(Function {
            name: "t".to_owned(),
            description: None,
            schema,
            strict: None,
            cache: None,
            extra: Extra::default(),
        })];
        assert_eq!(write(&request, &Target::default()).0["tools"][0]["input_schema"], expected);
    }
}

#[test]
fn media_are_written_or_lost() {
    let document = |media: Media| Part::new(Body::Document(media));
    let elsewhere = Opaque {
        dialect: "other",
        data: "file-1".to_owned(),
    };
    let text = json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "foo"}});
    let pdf = json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"}});
    for (part, expected, loss) in [
        (document(base64("application/pdf", "JVBERi0x")), pdf.clone(), ""),
        (document(base64("application/octet-stream", "JVBERi0x")), pdf, ""),
        (document(base64("text/plain", "Zm9v")), text, ""),
        (
            document(base64("application/zip", "UEsDBA==")),
            Value::Null,
            "messages.content.file",
        ),
        (
            document(Media {
                source: MediaSource::File(elsewhere.clone()),
                name: None,
            }),
            Value::Null,
            "messages.content.file",
        ),
        (
            Part::new(Body::Image(Media {
                source: MediaSource::File(elsewhere),
                name: None,
            })),
            Value::Null,
            "messages.content.image",
        ),
        (
            Part::new(Body::Audio(base64("audio/wav", "AA=="))),
            Value::Null,
            "messages.content.input_audio",
        ),
        (
            document(Media {
                source: MediaSource::Url("https://example.org/a.pdf".to_owned()),
                name: Some("a.pdf".to_owned()),
            }),
            json!({"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}, "title": "a.pdf"}),
            "",
        ),
    ] {
        let (_, messages, lost) = conversation(vec![message(Role::User, vec![Part::text("see"), part])], &Target::default());
        assert_eq!(
            (messages[0]["content"].get(1).cloned().unwrap_or_default(), lost.as_str()),
            (expected, loss)
        );
    }
}

#[test]
fn only_our_own_seals_are_sent_back() {
    let thought = |signature: Option<&'static str>, redacted: Option<&'static str>| {
        let seal = |dialect: Option<&'static str>| {
            dialect.map(|dialect| Opaque {
                dialect,
                data: "s/+=".to_owned(),
            })
        };
        Part::new(Body::Reasoning(Thought {
            text: String::new(),
            signature: seal(signature),
            redacted: seal(redacted),
        }))
    };
    let kept = json!({"type": "thinking", "thinking": "", "signature": "s/+="});
    for (part, expected, loss) in [
        (thought(Some("anthropic"), None), kept, ""),
        (
            thought(None, Some("anthropic")),
            json!({"type": "redacted_thinking", "data": "s/+="}),
            "",
        ),
        (thought(None, None), Value::Null, "reasoning"),
        (thought(Some("other"), None), Value::Null, "reasoning"),
        (thought(None, Some("other")), Value::Null, "reasoning"),
    ] {
        let (_, messages, lost) = conversation(
            vec![
                says(Role::User, "x"),
                message(Role::Assistant, vec![part, Part::text("y"), Part::text("z")]),
                says(Role::User, "w"),
            ],
            &Target::default(),
        );
        let first = &messages[1]["content"][0];
        assert_eq!(
            (if first["type"] == "text" { &Value::Null } else { first }, lost.as_str()),
            (&expected, loss)
        );
    }
}

#[test]
fn what_only_another_dialect_knows_is_named() {
    let raw = |text: &str| crate::json::raw(text).unwrap();
    let extra = |name: &str| Extra {
        dialect: "other",
        fields: vec![(name.to_owned(), raw("1"))],
    };
    let foreign = |kind: &str| Foreign {
        dialect: "other",
        kind: kind.to_owned(),
        raw: raw("{}"),
    };
    let mut request = asks(vec![says(Role::User, "x")]);
    request.messages[0].name = Some("Ada".to_owned());
    request.messages[0].extra = extra("weight");
    request.messages[0].parts[0].extra = extra("detail");
    request.messages[0].parts.push(Part::new(Body::Foreign(foreign("video"))));
    request.tools = vec![Tool::Foreign(foreign("shell"))];
    request.tool_choice = Some(ToolChoice::Foreign(foreign("allowed_tools")));
    request.extra = extra("seed");
    request.n = Some(2);
    request.service_tier = Some("flex".to_owned());
    request.user = Some("u".repeat(600));
    request.output = OutputFormat::Json;
    let (body, loss) = write(&request, &Target::default());
    assert_eq!(
        loss,
        "messages.name, messages.content.video, response_format, messages.content.detail, messages.weight, tools.shell, tool_choice, n, user, service_tier, seed"
    );
    let mut names: Vec<&String> = body.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["max_tokens", "messages", "model", "system"]);
}
