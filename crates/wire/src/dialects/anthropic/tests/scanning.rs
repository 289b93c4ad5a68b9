//! What is known of a body without parsing it, and what the edits of the fast path make of it.

use super::*;
use crate::target::Quirks;

#[test]
fn what_decides_is_found() {
    let body = r#" {"max_tokens": 5.0, "messages": [], "model": "a\u002db", "stream": true} "#;
    let envelope = Anthropic.scan(CHAT, body.as_bytes()).unwrap();
    assert_eq!(
        (
            envelope.model.as_str(),
            envelope.max_tokens,
            envelope.stream,
            envelope.include_usage
        ),
        ("a-b", Some(5), true, true)
    );
    assert_eq!(body.get(envelope.model_span), Some(r#""a\u002db""#));
    let plain = Anthropic
        .scan(CHAT, br#"{"model":"m","messages":[],"stream":null,"max_tokens":null}"#)
        .unwrap();
    assert_eq!((plain.max_tokens, plain.stream), (None, false));
}

#[test]
fn what_decides_must_be_there_and_of_its_type() {
    for (body, complaint) in [
        ("{}", "model: required string is missing"),
        (r#"{"model":3,"messages":[]}"#, "model: expected a string"),
        (r#"{"model":"","messages":[]}"#, "model: must not be empty; name a model"),
        (r#"{"model":"m"}"#, "messages: required array is missing"),
        (r#"{"model":"m","messages":{}}"#, "messages: expected an array"),
        (r#"{"model":"m","messages":[],"stream":1}"#, "stream: expected true or false"),
        (
            r#"{"model":"m","messages":[],"max_tokens":-1}"#,
            "max_tokens: expected a whole number of 0 or more",
        ),
        (
            r#"{"model":"m","messages":[],"max_tokens":"9"}"#,
            "max_tokens: expected a whole number of 0 or more",
        ),
        (r#"{"model":"m","messages":[],"model":"n"}"#, "model: duplicate key; send it once"),
        (
            r#"{"model":"m","messages":[],"System":"x"}"#,
            "System: ambiguous key; write it as \"system\"",
        ),
        ("[]", "the body is not a JSON object"),
    ] {
        assert_eq!(Anthropic.scan(CHAT, body.as_bytes()).unwrap_err().to_string(), complaint, "{body}");
    }
}

fn patched(body: &str, model: &str, drop: &[&str], rename: &[(&str, &str)]) -> String {
    let target = Target {
        model: model.to_owned(),
        quirks: Quirks {
            drop: drop.iter().map(ToString::to_string).collect(),
            rename: rename.iter().map(|(ours, theirs)| (ours.to_string(), theirs.to_string())).collect(),
            ..Quirks::default()
        },
        ..Target::default()
    };
    let envelope = Anthropic.scan(CHAT, body.as_bytes()).unwrap();
    String::from_utf8(
        Anthropic
            .patch(CHAT, &envelope, body.as_bytes(), &target, &mut Loss::default())
            .apply(body.as_bytes()),
    )
    .unwrap()
}

#[test]
fn only_what_must_change_is_edited() {
    let body = "{ \"model\" : \"m\",\n\t\"messages\":[ ], \"x\" : 1.50 , \"y\":2}";
    for (model, drop, rename, expected) in [
        ("m", &[][..], &[][..], body),
        ("", &[], &[], body),
        (
            "n\"",
            &[],
            &[],
            "{ \"model\" : \"n\\\"\",\n\t\"messages\":[ ], \"x\" : 1.50 , \"y\":2}",
        ),
        ("m", &["x"], &[], "{ \"model\" : \"m\",\n\t\"messages\":[ ], \"y\":2}"),
        ("m", &["y"], &[], "{ \"model\" : \"m\",\n\t\"messages\":[ ], \"x\" : 1.50}"),
        ("n", &["x", "y"], &[], "{ \"model\" : \"n\",\n\t\"messages\":[ ]}"),
        (
            "m",
            &["absent"],
            &[("x", "z")],
            "{ \"model\" : \"m\",\n\t\"messages\":[ ], \"z\" : 1.50 , \"y\":2}",
        ),
        ("m", &["x"], &[("x", "z")], "{ \"model\" : \"m\",\n\t\"messages\":[ ], \"y\":2}"),
    ] {
        assert_eq!(patched(body, model, drop, rename), expected, "{model} {drop:?} {rename:?}");
    }
    assert_eq!(
        patched(r#"{"x":1,"model":"m","messages":[]}"#, "n", &["x"], &[]),
        r#"{"model":"n","messages":[]}"#
    );
}

/// What is refused is told, alike on the fast path and in what we write; of fields that exclude each other the first stays.
#[test]
fn what_is_left_out_is_told() {
    let mut target = able();
    target.quirks.drop = vec!["service_tier".to_owned(), "x".to_owned()];
    target.facts.one_of = vec!["temperature".to_owned(), "top_p".to_owned()];
    let body = r#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"q"}],"top_p":0.5,"x":null,"temperature":0.25,"service_tier":"auto"}"#;
    let expected = r#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"q"}],"temperature":0.25}"#;
    let mut loss = Loss::default();
    let envelope = Anthropic.scan(CHAT, body.as_bytes()).unwrap();
    let patch = Anthropic.patch(CHAT, &envelope, body.as_bytes(), &target, &mut loss);
    assert_eq!(String::from_utf8(patch.apply(body.as_bytes())).unwrap(), expected);
    assert_eq!(loss.to_string(), "service_tier, top_p");
    let (written, told) = write(&read(body), &target);
    assert_eq!((written["temperature"].as_f64(), written.get("top_p")), (Some(0.25), None));
    assert_eq!(told, "service_tier, top_p");
}
