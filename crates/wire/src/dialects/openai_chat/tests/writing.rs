//! Requests, read and written for a provider: what is canonical, what is lost.

use serde_json::Value;

use super::super::OpenAiChat;
use super::REQUEST;
use crate::dialects::{Dialect, Operation};
use crate::json;
use crate::loss::Loss;
use crate::request::*;
use crate::target::{Quirks, Target};

pub(super) fn write(request: &Request, target: &Target) -> (Value, String) {
    let mut loss = Loss::default();
    let bytes = OpenAiChat.write_request(Operation::Chat, request, target, &mut loss);
    (serde_json::from_slice(&bytes).unwrap(), loss.to_string())
}

fn message(role: Role, bodies: Vec<Body>) -> Message {
    Message {
        role,
        parts: bodies.into_iter().map(Part::new).collect(),
        name: None,
        extra: Extra::default(),
    }
}

fn call(id: &str) -> Body {
    Body::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "f".to_owned(),
        arguments: String::new(),
    })
}

fn result(id: &str, content: Vec<Body>, is_error: bool) -> Body {
    Body::ToolResult(ToolResult {
        id: id.to_owned(),
        content: content.into_iter().map(Part::new).collect(),
        is_error,
    })
}

fn image() -> Body {
    Body::Image(Media {
        source: MediaSource::Base64 {
            media_type: "image/png".to_owned(),
            data: "AA==".to_owned(),
        },
        name: None,
    })
}

fn document(source: MediaSource) -> Body {
    Body::Document(Media { source, name: None })
}

fn text(text: &str) -> Body {
    Body::Text(text.to_owned())
}

#[test]
fn the_fixture_is_written_as_it_was() {
    let request = OpenAiChat.read_request(Operation::Chat, REQUEST.as_bytes()).unwrap();
    let (written, loss) = write(
        &request,
        &Target {
            model: "small".to_owned(),
            ..Target::default()
        },
    );
    assert_eq!(loss, "");
    assert_eq!(written, serde_json::from_str::<Value>(REQUEST).unwrap());
}

/// Messages of the language, as this dialect has them.
#[test]
fn messages_in_the_order_that_the_dialect_demands() {
    let opaque = |data: &str| {
        Some(Opaque {
            dialect: "anthropic",
            data: data.to_owned(),
        })
    };
    let thought = |text: &str, signature, redacted| {
        Body::Reasoning(Thought {
            text: text.to_owned(),
            signature,
            redacted,
        })
    };
    let foreign = |kind: &str| {
        Body::Foreign(Foreign {
            dialect: "elsewhere",
            kind: kind.to_owned(),
            raw: json::raw("{}").unwrap(),
        })
    };
    let details = || Quirks {
        reasoning_field: Some("reasoning_details".to_owned()),
        ..Quirks::default()
    };
    let plain = || Quirks {
        reasoning_field: Some("reasoning_content".to_owned()),
        ..Quirks::default()
    };
    let rows: Vec<(&str, Vec<Message>, Quirks, &str, &str)> = vec![
        (
            "results behind their turn, in the order of the calls; what stood between, after them",
            vec![
                message(Role::Assistant, vec![call("a"), text("hm"), call("b")]),
                message(Role::User, vec![text("first")]),
                message(Role::Tool, vec![result("b", vec![text("B")], false), result("x", vec![], false)]),
                message(Role::Tool, vec![result("a", vec![text("A")], true)]),
                message(Role::Assistant, vec![text("done")]),
            ],
            Quirks::default(),
            r#"[{"role":"assistant","content":"hm","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"b","type":"function","function":{"name":"f","arguments":"{}"}}]},
                {"role":"tool","tool_call_id":"a","content":"A"},{"role":"tool","tool_call_id":"b","content":"B"},{"role":"tool","tool_call_id":"x","content":""},
                {"role":"user","content":"first"},{"role":"assistant","content":"done"}]"#,
            "tool_result.is_error",
        ),
        (
            "pictures of results follow in a user message",
            vec![
                message(Role::Assistant, vec![call("a"), call("b")]),
                message(
                    Role::Tool,
                    vec![
                        result("a", vec![text("see"), image()], false),
                        result("b", vec![image(), foreign("search")], false),
                    ],
                ),
            ],
            Quirks::default(),
            r#"[{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"b","type":"function","function":{"name":"f","arguments":"{}"}}]},
                {"role":"tool","tool_call_id":"a","content":"see"},{"role":"tool","tool_call_id":"b","content":"(the content follows in the next message)"},
                {"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}]"#,
            "tool_result.search",
        ),
        (
            "documents: inline with a name, as text, not by address or by another's id",
            vec![message(
                Role::User,
                vec![
                    document(MediaSource::Base64 {
                        media_type: "application/pdf".to_owned(),
                        data: "AA==".to_owned(),
                    }),
                    document(MediaSource::Text {
                        media_type: "text/plain".to_owned(),
                        text: "plain".to_owned(),
                    }),
                    document(MediaSource::Url("https://example.com/a.pdf".to_owned())),
                    document(MediaSource::File(Opaque {
                        dialect: "anthropic",
                        data: "file_1".to_owned(),
                    })),
                    foreign("search_result"),
                ],
            )],
            Quirks::default(),
            r#"[{"role":"user","content":[{"type":"file","file":{"filename":"document.pdf","file_data":"data:application/pdf;base64,AA=="}},{"type":"text","text":"plain"}]}]"#,
            "messages.content.document.url, messages.content.document.file, messages.content.search_result",
        ),
        (
            "reasoning is left out where nobody wants it",
            vec![message(
                Role::Assistant,
                vec![thought("hm", opaque("S"), None), thought("", None, opaque("E")), text("x")],
            )],
            Quirks::default(),
            r#"[{"role":"assistant","content":"x"}]"#,
            "reasoning, reasoning.signature",
        ),
        (
            "as text",
            vec![message(Role::Assistant, vec![thought("hm", None, None), call("a")])],
            plain(),
            r#"[{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}]"#,
            "",
        ),
        (
            "with its seals",
            vec![message(
                Role::Assistant,
                vec![thought("", opaque("S"), None), thought("", None, opaque("E")), text("x")],
            )],
            details(),
            r#"[{"role":"assistant","content":"x","reasoning_details":[{"type":"reasoning.text","text":"","signature":"S","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"E","format":"anthropic-claude-v1","index":1}]}]"#,
            "",
        ),
        (
            "refusals, empty texts, the developer",
            vec![
                message(Role::Developer, vec![text(""), text("be brief"), image()]),
                message(Role::User, vec![text("")]),
                message(Role::Assistant, vec![Body::Refusal("No.".to_owned())]),
                message(Role::Assistant, vec![]),
            ],
            Quirks {
                developer_as_system: true,
                ..Quirks::default()
            },
            r#"[{"role":"system","content":"be brief"},{"role":"user","content":""},{"role":"assistant","content":null,"refusal":"No."},{"role":"assistant","content":""}]"#,
            "messages.content.in_system",
        ),
    ];
    for (name, messages, quirks, expected, lost) in rows {
        let request = Request {
            messages,
            ..Request::default()
        };
        let (written, loss) = write(
            &request,
            &Target {
                quirks,
                ..Target::default()
            },
        );
        assert_eq!(written["messages"], serde_json::from_str::<Value>(expected).unwrap(), "{name}");
        assert_eq!(loss, lost, "{name}");
    }
}

#[test]
fn what_another_dialect_alone_knows_is_lost_by_name() {
    let fields = |name: &str| Extra {
        dialect: "elsewhere",
        fields: vec![(name.to_owned(), json::raw("1").unwrap())],
    };
    let foreign = |kind: &str| Foreign {
        dialect: "elsewhere",
        kind: kind.to_owned(),
        raw: json::raw("{}").unwrap(),
    };
    let mut part = Part::text("x");
    part.cache = json::raw(r#"{"type":"ephemeral"}"#);
    part.extra = fields("citations");
    let request = Request {
        messages: vec![Message {
            role: Role::User,
            parts: vec![part],
            name: None,
            extra: fields("phase"),
        }],
        tools: vec![Tool::Foreign(foreign("web_search"))],
        tool_choice: Some(ToolChoice::Foreign(foreign("subset"))),
        extra: fields("container"),
        ..Request::default()
    };
    let (written, loss) = write(&request, &Target::default());
    assert_eq!(
        written,
        serde_json::from_str::<Value>(r#"{"model":"","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}"#).unwrap()
    );
    assert_eq!(
        loss,
        "cache_control, messages.content.citations, messages.phase, tools.web_search, container"
    );
}
