//! The fast path: what is known of a body, and which bytes are edited.

use super::super::OpenAiChat;
use super::REQUEST;
use crate::dialects::{Dialect, Operation};
use crate::loss::Loss;
use crate::target::{Quirks, StreamUsage, Target};

fn patched(body: &str, model: &str, quirks: Quirks) -> String {
    let envelope = OpenAiChat.scan(Operation::Chat, body.as_bytes()).unwrap();
    let target = Target {
        model: model.to_owned(),
        quirks,
        ..Target::default()
    };
    String::from_utf8(
        OpenAiChat
            .patch(Operation::Chat, &envelope, body.as_bytes(), &target, &mut Loss::default())
            .apply(body.as_bytes()),
    )
    .unwrap()
}

#[test]
fn what_is_known_of_a_body() {
    let envelope = OpenAiChat.scan(Operation::Chat, REQUEST.as_bytes()).unwrap();
    assert_eq!(
        (
            envelope.model.as_str(),
            envelope.stream,
            envelope.include_usage,
            envelope.max_tokens
        ),
        ("small", true, true, Some(64))
    );
    assert_eq!(REQUEST.get(envelope.model_span), Some("\"small\""));
    let rows = [
        (r#"{"model":"m","messages":[]}"#, false, false, None),
        (
            r#"{"model":"m","messages":[],"stream":null,"stream_options":null,"max_tokens":null}"#,
            false,
            false,
            None,
        ),
        (
            r#"{"model":"m","messages":[],"stream":true,"stream_options":{},"max_tokens":5}"#,
            true,
            false,
            Some(5),
        ),
        (
            r#"{"model":"m","messages":[],"max_tokens":5,"max_completion_tokens":6}"#,
            false,
            false,
            Some(6),
        ),
        (
            r#"{"model":"m","messages":[],"max_tokens":1e3,"max_completion_tokens":null}"#,
            false,
            false,
            Some(1000),
        ),
    ];
    for (body, stream, usage, tokens) in rows {
        let envelope = OpenAiChat.scan(Operation::Chat, body.as_bytes()).unwrap();
        assert_eq!(
            (envelope.stream, envelope.include_usage, envelope.max_tokens),
            (stream, usage, tokens),
            "{body}"
        );
    }
}

#[test]
fn what_is_refused_at_once_and_where() {
    let rows = [
        ("", None),
        ("[]", None),
        (r#"{"messages":[]}"#, Some("model")),
        (r#"{"model":"","messages":[]}"#, Some("model")),
        (r#"{"model":7,"messages":[]}"#, Some("model")),
        (r#"{"model":null,"messages":[]}"#, Some("model")),
        (r#"{"model":"m"}"#, Some("messages")),
        (r#"{"model":"m","messages":"hi"}"#, Some("messages")),
        (r#"{"model":"m","messages":[],"stream":"yes"}"#, Some("stream")),
        (r#"{"model":"m","messages":[],"stream_options":7}"#, Some("stream_options")),
        (
            r#"{"model":"m","messages":[],"stream_options":{"include_usage":1}}"#,
            Some("stream_options.include_usage"),
        ),
        (r#"{"model":"m","messages":[],"max_tokens":-1}"#, Some("max_tokens")),
        (
            r#"{"model":"m","messages":[],"max_completion_tokens":"9"}"#,
            Some("max_completion_tokens"),
        ),
        (r#"{"model":"m","messages":[],"model":"n"}"#, Some("model")),
        (r#"{"model":"m","messages":[],"Tools":[]}"#, Some("Tools")),
    ];
    for (body, param) in rows {
        let malformed = OpenAiChat.scan(Operation::Chat, body.as_bytes()).unwrap_err();
        assert_eq!(malformed.param.as_deref(), param, "{body}: {malformed}");
    }
}

#[test]
fn nothing_to_edit_is_no_edit() {
    for body in [REQUEST, r#" { "model" : "small" , "messages":[ ] , "temperature":1.50 } "#] {
        assert_eq!(patched(body, "small", Quirks::default()), body);
    }
}

#[test]
fn only_what_must_be_is_edited() {
    let refuse = |names: &[&str]| Quirks {
        drop: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Quirks::default()
    };
    let quiet = |stream_usage| Quirks {
        stream_usage,
        ..Quirks::default()
    };
    let rename = || Quirks {
        rename: vec![("max_completion_tokens".to_owned(), "max_tokens".to_owned())],
        ..Quirks::default()
    };
    let system = || Quirks {
        developer_as_system: true,
        ..Quirks::default()
    };
    let rows: Vec<(&str, Quirks, &str)> = vec![
        // The model, and usage.
        (
            r#"{"model":"a","messages":[]}"#,
            Quirks::default(),
            r#"{"model":"b/\"c","messages":[]}"#,
        ),
        (
            r#"{"model":"a","messages":[],"stream":true}"#,
            Quirks::default(),
            r#"{"stream_options":{"include_usage":true},"model":"b/\"c","messages":[],"stream":true}"#,
        ),
        (
            r#"{ "stream":true,"model":"a","messages":[],"stream_options": null}"#,
            Quirks::default(),
            r#"{ "stream":true,"model":"b/\"c","messages":[],"stream_options": {"include_usage":true}}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{ },"model":"a","messages":[]}"#,
            Quirks::default(),
            r#"{"stream":true,"stream_options":{"include_usage":true},"model":"b/\"c","messages":[]}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{ "x":1},"model":"a","messages":[]}"#,
            Quirks::default(),
            r#"{"stream":true,"stream_options":{"include_usage":true, "x":1},"model":"b/\"c","messages":[]}"#,
        ),
        (
            r#"{"stream":true,"stream_options":{"include_usage": false },"model":"a","messages":[]}"#,
            Quirks::default(),
            r#"{"stream":true,"stream_options":{"include_usage": true },"model":"b/\"c","messages":[]}"#,
        ),
        (
            r#"{"stream_options":{"include_usage":true},"stream":true,"model":"a","messages":[]}"#,
            quiet(StreamUsage::Always),
            r#"{"stream":true,"model":"b/\"c","messages":[]}"#,
        ),
        (
            r#"{"model":"a","messages":[],"stream":true}"#,
            quiet(StreamUsage::Never),
            r#"{"model":"b/\"c","messages":[],"stream":true}"#,
        ),
        // Fields that are refused, with their commas: first, middle, last, in runs.
        (
            r#"{"user":"u", "model":"a","messages":[]}"#,
            refuse(&["user"]),
            r#"{"model":"b/\"c","messages":[]}"#,
        ),
        (
            r#"{"user":"u","model":"a","messages":[],"stream":true}"#,
            refuse(&["user"]),
            r#"{"stream_options":{"include_usage":true},"model":"b/\"c","messages":[],"stream":true}"#,
        ),
        (
            r#"{"model":"a" , "user":"u" ,"seed":1, "messages":[]}"#,
            refuse(&["user", "seed"]),
            r#"{"model":"b/\"c" , "messages":[]}"#,
        ),
        (
            r#"{"model":"a","messages":[] , "seed":1,"user":{"a":[1,2]} }"#,
            refuse(&["user", "seed"]),
            r#"{"model":"b/\"c","messages":[] }"#,
        ),
        (
            r#"{"seed":1,"model":"a","user":"u","messages":[],"n":1}"#,
            refuse(&["user", "seed", "n"]),
            r#"{"model":"b/\"c","messages":[]}"#,
        ),
        (
            r#"{"model":"a","messages":[],"stream":true}"#,
            refuse(&["stream_options"]),
            r#"{"model":"b/\"c","messages":[],"stream":true}"#,
        ),
        // Fields by another name.
        (
            r#"{"model":"a","max_completion_tokens":5,"messages":[]}"#,
            rename(),
            r#"{"model":"b/\"c","max_tokens":5,"messages":[]}"#,
        ),
        (
            r#"{"model":"a","max_completion_tokens":5,"messages":[],"max_tokens":6}"#,
            rename(),
            r#"{"model":"b/\"c","messages":[],"max_tokens":6}"#,
        ),
        // The developer's role, and only it.
        (
            r#"{"model":"a","messages":[{"role":"developer","content":"developer"}, {"content":"x","role":"devel\u006fper"},{"role":"user","content":{"role":"developer"}}]}"#,
            system(),
            r#"{"model":"b/\"c","messages":[{"role":"system","content":"developer"}, {"content":"x","role":"system"},{"role":"user","content":{"role":"developer"}}]}"#,
        ),
    ];
    for (body, quirks, expected) in rows {
        assert_eq!(patched(body, "b/\"c", quirks), expected);
    }
}
