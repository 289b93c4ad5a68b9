//! Requests for a provider: turns and blocks from the language. Models that can do less are in `fitting`.

use serde_json::json;

use super::*;
use crate::request::{Body, Media, MediaSource, Message, Part, Role, ToolCall, ToolChoice, ToolResult};

pub(super) fn message(role: Role, parts: Vec<Part>) -> Message {
    Message {
        role,
        parts,
        name: None,
        extra: Extra::default(),
    }
}

pub(super) fn says(role: Role, text: &str) -> Message {
    message(role, vec![Part::text(text)])
}

fn call(id: &str, arguments: &str) -> Part {
    Part::new(Body::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "tide".to_owned(),
        arguments: arguments.to_owned(),
    }))
}

fn result(id: &str, content: Vec<Part>, is_error: bool) -> Message {
    message(
        Role::Tool,
        vec![Part::new(Body::ToolResult(ToolResult {
            id: id.to_owned(),
            content,
            is_error,
        }))],
    )
}

pub(super) fn base64(media_type: &str, data: &str) -> Media {
    Media {
        source: MediaSource::Base64 {
            media_type: media_type.to_owned(),
            data: data.to_owned(),
        },
        name: None,
    }
}

/// A request from another dialect.
pub(super) fn asks(messages: Vec<Message>) -> Request {
    Request {
        model: "m".to_owned(),
        messages,
        ..Request::default()
    }
}

/// The conversation as written (system, messages), and the losses.
pub(super) fn conversation(messages: Vec<Message>, target: &Target) -> (Value, Value, String) {
    let (mut body, loss) = write(&asks(messages), target);
    (body["system"].take(), body["messages"].take(), loss)
}

#[test]
fn all_that_the_dialect_has_is_written_as_it_was_read() {
    let recorded = include_str!("../fixtures/request.json");
    let (written, loss) = write(&read(recorded), &able());
    assert_eq!(written, serde_json::from_str::<Value>(recorded).unwrap());
    assert_eq!(loss, "");
}

#[test]
fn leading_instructions_are_hoisted_and_later_ones_stay_in_place() {
    let user = || says(Role::User, "hi");
    let later = || {
        vec![
            says(Role::System, "a"),
            says(Role::Developer, "b"),
            user(),
            says(Role::System, "c"),
            says(Role::Assistant, "d"),
            user(),
        ]
    };
    let (system, messages, loss) = conversation(later(), &Target::default());
    assert_eq!(system, json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]));
    assert_eq!(
        messages[0],
        json!({"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": "c"}]})
    );
    assert_eq!(loss, "messages.role");
    let (_, messages, loss) = conversation(later(), &able());
    assert_eq!(messages[1], json!({"role": "system", "content": "c"}));
    assert_eq!(loss, "");
    let (system, _, _) = conversation(vec![says(Role::System, "a"), user()], &Target::default());
    assert_eq!(system, json!("a"));
    let (system, messages, loss) = conversation(vec![says(Role::System, "write a haiku")], &Target::default());
    assert_eq!(
        (system, messages, loss.as_str()),
        (Value::Null, json!([{"role": "user", "content": "write a haiku"}]), "messages.role")
    );
}

#[test]
fn turns_are_merged_trimmed_and_begun_by_the_user() {
    for (messages, expected, loss) in [
        (
            vec![says(Role::User, "a"), says(Role::User, "b")],
            json!([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]),
            "",
        ),
        (
            vec![says(Role::User, "a"), says(Role::Assistant, " \n"), says(Role::User, "")],
            json!([{"role": "user", "content": "a"}]),
            "",
        ),
        (
            vec![says(Role::User, "a"), says(Role::Assistant, "b \n")],
            json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]),
            "",
        ),
        (
            vec![says(Role::Assistant, "b "), says(Role::User, "c")],
            json!([{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "b "}, {"role": "user", "content": "c"}]),
            "messages.role",
        ),
        (vec![], json!([{"role": "user", "content": "Hello."}]), "messages.role"),
        (
            vec![message(Role::User, vec![Part::new(Body::Refusal("no".to_owned()))])],
            json!([{"role": "user", "content": "no"}]),
            "",
        ),
    ] {
        assert_eq!(conversation(messages, &Target::default()), (Value::Null, expected, loss.to_owned()));
    }
    let no_prefill = Target {
        facts: ModelFacts {
            prefill: false,
            ..ModelFacts::default()
        },
        ..Target::default()
    };
    assert_eq!(
        conversation(vec![says(Role::User, "a"), says(Role::Assistant, "b")], &no_prefill).2,
        "prefill"
    );
}

#[test]
fn results_follow_their_calls_in_order_and_before_text() {
    let conversation = |target: &Target| {
        conversation(
            vec![
                says(Role::User, "go"),
                message(Role::Assistant, vec![Part::text("look"), call("a", "{\"x\": 1.0}"), call("b", "")]),
                says(Role::System, "hurry"),
                result("b", vec![], false),
                says(Role::User, "well?"),
                result(
                    "a",
                    vec![Part::text("4 m"), Part::new(Body::Image(base64("image/png", "AA==")))],
                    true,
                ),
            ],
            target,
        )
        .1
    };
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}});
    let results = [
        json!({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "4 m"}, image], "is_error": true}),
        json!({"type": "tool_result", "tool_use_id": "b"}),
    ];
    let merged = conversation(&Target::default());
    assert_eq!(
        merged[1]["content"][1],
        json!({"type": "tool_use", "id": "a", "name": "tide", "input": {"x": 1.0}})
    );
    assert_eq!(merged[1]["content"][2]["input"], json!({}));
    assert_eq!(
        merged[2]["content"],
        json!([results[0], results[1], {"type": "text", "text": "hurry"}, {"type": "text", "text": "well?"}])
    );
    let apart = conversation(&able());
    let roles: Vec<&str> = apart
        .as_array()
        .unwrap()
        .iter()
        .map(|turn| turn["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["user", "assistant", "user", "system", "user"]);
    assert_eq!(apart[2]["content"], json!([results[0], results[1]]));
}

#[test]
fn arguments_become_an_object() {
    for (arguments, input, loss) in [
        ("", json!({}), ""),
        (" null ", json!({}), ""),
        ("{\"b\":1,\"a\":2}", json!({"b": 1, "a": 2}), ""),
        ("{\"a\": tru", json!({"arguments": "{\"a\": tru"}), "tool_calls.arguments"),
        ("[1]", json!({"arguments": "[1]"}), "tool_calls.arguments"),
    ] {
        let (_, messages, lost) = conversation(
            vec![says(Role::User, "x"), message(Role::Assistant, vec![call("a", arguments)])],
            &Target::default(),
        );
        assert_eq!((&messages[1]["content"][0]["input"], lost.as_str()), (&input, loss), "{arguments}");
    }
    let (raw, _) = {
        let mut loss = Loss::default();
        let request = asks(vec![
            says(Role::User, "x"),
            message(Role::Assistant, vec![call("a", r#"{"n": 1.50, "é": "\u00e9"}"#)]),
        ]);
        (Anthropic.write_request(CHAT, &request, &Target::default(), &mut loss), loss)
    };
    assert!(String::from_utf8(raw).unwrap().contains(r#""input":{"n": 1.50, "é": "\u00e9"}"#));
}

#[test]
fn ids_and_names_fit_the_alphabet_everywhere_alike() {
    let mut request = asks(vec![
        says(Role::User, "x"),
        message(Role::Assistant, vec![call("a.b", "{}"), call("a:b", "{}")]),
        result("a:b", vec![Part::text("2")], false),
        result("a.b", vec![Part::text("1")], false),
    ]);
    request.tools = vec![function("harbour.tide"), function(&"x".repeat(200)), function("ok-1_A")];
    request.tool_choice = Some(ToolChoice::Named("harbour.tide".to_owned()));
    let (body, loss) = write(&request, &Target::default());
    assert_eq!(loss, "tools.name");
    let fits = |text: &Value, most: usize| {
        let text = text.as_str().unwrap();
        !text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    let calls = body["messages"][1]["content"].as_array().unwrap();
    let results = body["messages"][2]["content"].as_array().unwrap();
    assert!(calls.iter().all(|call| fits(&call["id"], usize::MAX)));
    assert_ne!(calls[0]["id"], calls[1]["id"]);
    assert_eq!(
        (&calls[0]["id"], &calls[1]["id"]),
        (&results[0]["tool_use_id"], &results[1]["tool_use_id"])
    );
    assert_eq!(results[0]["content"], "1");
    assert!(body["tools"].as_array().unwrap().iter().all(|tool| fits(&tool["name"], 128)));
    assert_eq!(body["tools"][0]["name"], body["tool_choice"]["name"]);
    assert_eq!(body["tools"][2]["name"], "ok-1_A");
}
