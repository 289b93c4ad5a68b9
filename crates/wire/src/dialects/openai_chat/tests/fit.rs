//! What a vendor or a model refuses, alike on the fast path and in what we write; and that it is told as a loss.

use serde_json::Value;

use super::super::OpenAiChat;
use super::writing::write;
use crate::dialects::{Dialect, Operation};
use crate::loss::Loss;
use crate::target::Target;

type Row = (&'static str, fn(&mut Target), &'static str, &'static str);

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn fast(body: &str, target: &Target) -> (String, String) {
    let mut loss = Loss::default();
    let envelope = OpenAiChat.scan(Operation::Chat, body.as_bytes()).unwrap();
    let patch = OpenAiChat.patch(Operation::Chat, &envelope, body.as_bytes(), target, &mut loss);
    (String::from_utf8(patch.apply(body.as_bytes())).unwrap(), loss.to_string())
}

fn groq(target: &mut Target) {
    target.quirks.message_drop = names(&["name", "reasoning_content"]);
    target.quirks.n_max = Some(1);
    target.quirks.drop = names(&["logit_bias"]);
}

fn texts_only(target: &mut Target) {
    target.quirks.content_as_string = true;
}

fn choosy(target: &mut Target) {
    target.quirks.tool_choices = names(&["auto", "none"]);
}

fn objects_only(target: &mut Target) {
    target.quirks.response_formats = names(&["text", "json_object"]);
}

fn schemas_only(target: &mut Target) {
    target.quirks.response_formats = names(&["text", "json_schema"]);
}

fn texts_of_any_form(target: &mut Target) {
    target.quirks.response_formats = names(&["text"]);
}

fn one_of(target: &mut Target) {
    target.facts.one_of = names(&["temperature", "top_p", "seed"]);
}

const TOOLS: &str = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;

/// The caller's fields, the target, the fields that the vendor gets, the losses. `model` and, where none are given, messages
/// are added.
const ROWS: &[Row] = &[
    // Refused at the top, and in messages.
    (r#""logit_bias":{"1":2},"n":2"#, groq, r#""n":1"#, "logit_bias, n"),
    (r#""n":1"#, groq, r#""n":1"#, ""),
    (
        r#""messages":[{"role":"user","name":"Ann","content":"the name"},{"role":"assistant","content":"x"}]"#,
        groq,
        r#""messages":[{"role":"user","content":"the name"},{"role":"assistant","content":"x"}]"#,
        "messages.name",
    ),
    // One form of content.
    (
        r#""messages":[{"role":"user","content":[{"type":"text","text":"one \"1\""},{"type":"text","text":"two"}]}]"#,
        texts_only,
        r#""messages":[{"role":"user","content":"one \"1\"\n\ntwo"}]"#,
        "",
    ),
    (
        r#""messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y"}},{"type":"text","text":"what?"}]}]"#,
        texts_only,
        r#""messages":[{"role":"user","content":"what?"}]"#,
        "messages.content.image_url",
    ),
    (
        r#""messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"r"}]"#,
        texts_only,
        r#""messages":[{"role":"user","content":"q"},{"role":"assistant","content":"","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"r"}]"#,
        "",
    ),
    // Tools that cannot be forced.
    (
        r#"TOOLS,"tool_choice":"required""#,
        choosy,
        r#"TOOLS,"tool_choice":"auto""#,
        "tool_choice",
    ),
    (
        r#"TOOLS,"tool_choice":{"type":"function","function":{"name":"f"}}"#,
        choosy,
        r#"TOOLS,"tool_choice":"auto""#,
        "tool_choice",
    ),
    (r#"TOOLS,"tool_choice":"none""#, choosy, r#"TOOLS,"tool_choice":"none""#, ""),
    // Forms of the answer.
    (
        r#""response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","x":"\""}}},"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"q"}]"#,
        objects_only,
        r#""response_format":{"type":"json_object"},"messages":[{"role":"system","content":"Be brief.\n\nAnswer with one JSON object and nothing else. It must follow this JSON Schema: {\"type\":\"object\",\"x\":\"\\\"\"}"},{"role":"user","content":"q"}]"#,
        "response_format.json_schema",
    ),
    (
        r#""response_format":{"type":"json_object"}"#,
        schemas_only,
        r#""response_format":{"type":"json_schema","json_schema":{"name":"response","schema":{"type":"object"}}}"#,
        "",
    ),
    (
        r#""response_format":{"type":"json_object"},"messages":[{"role":"user","content":"q"}]"#,
        texts_of_any_form,
        r#""messages":[{"role":"system","content":"Answer with one JSON object and nothing else."},{"role":"user","content":"q"}]"#,
        "response_format.json_object",
    ),
    (
        r#""response_format":{"type":"json_object"}"#,
        objects_only,
        r#""response_format":{"type":"json_object"}"#,
        "",
    ),
    (
        r#""response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}},"messages":[{"role":"user","content":"q"}]"#,
        |target| target.facts.json_schema = false,
        r#""response_format":{"type":"json_object"},"messages":[{"role":"system","content":"Answer with one JSON object and nothing else. It must follow this JSON Schema: {}"},{"role":"user","content":"q"}]"#,
        "response_format.json_schema",
    ),
    // Fields that exclude each other.
    (
        r#""top_p":0.5,"temperature":0.25,"seed":7"#,
        one_of,
        r#""temperature":0.25"#,
        "top_p, seed",
    ),
    (r#""top_p":0.5,"temperature":null"#, one_of, r#""top_p":0.5,"temperature":null"#, ""),
];

fn whole(fields: &str) -> String {
    let messages = if fields.contains(r#""messages""#) {
        ""
    } else {
        r#","messages":[{"role":"user","content":"q"}]"#
    };
    format!(r#"{{"model":"m",{}{messages}}}"#, fields.replace("TOOLS", TOOLS))
}

#[test]
fn what_a_vendor_refuses_is_left_out_and_told() {
    for (fields, with, expected, losses) in ROWS {
        let mut target = Target {
            model: "m".to_owned(),
            ..Target::default()
        };
        let (body, expected) = (whole(fields), whole(expected));
        assert_eq!(fast(&body, &target), (body.clone(), String::new()), "no quirk, no edit");
        with(&mut target);
        assert_eq!(
            fast(&body, &target),
            (expected.clone(), (*losses).to_owned()),
            "fast path of {body}"
        );

        let request = OpenAiChat.read_request(Operation::Chat, body.as_bytes()).unwrap();
        let (written, told) = write(&request, &target);
        let mut expected: Value = serde_json::from_str(&expected).unwrap();
        expected.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        assert_eq!((written, told), (expected, (*losses).to_owned()), "written for {body}");
    }
}

/// A key that is spelled with escapes is the same key.
#[test]
fn no_spelling_of_a_key_gets_through() {
    let mut target = Target::default();
    groq(&mut target);
    let body = r#"{"model":"","messages":[ {"role":"user", "n\u0061me":"A" ,"content":"q"} ],"l\u006fgit_bias":{}}"#;
    let body = body.replace(r#""model":"""#, r#""model":"m""#);
    target.model = "m".to_owned();
    let expected = r#"{"model":"m","messages":[ {"role":"user", "content":"q"} ]}"#;
    assert_eq!(fast(&body, &target), (expected.to_owned(), "logit_bias, messages.name".to_owned()));
}
