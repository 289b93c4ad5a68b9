//! The scanner against rows, and against serde_json on random and mutated documents.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::*;

fn names(body: &str) -> Result<Vec<String>, String> {
    scan(body.as_bytes())
        .map(|(fields, _)| fields.into_iter().map(|f| f.name).collect())
        .map_err(|error| error.to_string())
}

#[test]
fn finds_the_top_level_fields_only() {
    let rows: &[(&str, &[&str])] = &[
        ("{}", &[]),
        (" { } ", &[]),
        (r#"{"model":"x"}"#, &["model"]),
        (r#"{"a":{"model":1,"b":[{"model":2}]},"model":"x"}"#, &["a", "model"]),
        (r#"{"a":"}\"{","b":[]}"#, &["a", "b"]),
        (r#"{"m\u006fdel":"x"}"#, &["model"]),
        ("{\"a\":[[],{},[{}],\"\\u00e9\\ud83d\\ude00\"],\n\t\"b\" : -1.5e+3 }", &["a", "b"]),
        (r#"{"":null,"a":true,"b":false}"#, &["", "a", "b"]),
    ];
    for (body, expected) in rows {
        assert_eq!(names(body).unwrap(), *expected, "{body}");
    }
}

#[test]
fn refuses_what_is_not_one_json_object() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(128), "]".repeat(128));
    let rows: &[(&str, &str)] = &[
        ("", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("{", "expected a string"),
        (r#"{"a":1,}"#, "expected a string"),
        (r#"{"a":1}x"#, "bytes after the end"),
        (r#"{"a":01}"#, "expected a comma"),
        (r#"{"a":1.}"#, "invalid number"),
        (r#"{"a":-}"#, "invalid number"),
        (r#"{"a":tru}"#, "expected a JSON value"),
        (r#"{"a":"x}"#, "a string does not end"),
        ("{\"a\":\"\n\"}", "raw control character"),
        (r#"{"a":"\x"}"#, "invalid escape"),
        (r#"{"a":"\ud800"}"#, "lone surrogate"),
        (r#"{"a":[1}"#, "end of the array"),
        (r#"{"a" 1}"#, "expected a colon"),
        (&deep, "deeper than 128"),
    ];
    for (body, expected) in rows {
        let error = names(body).unwrap_err();
        assert!(error.contains(expected), "{body}: {error}");
    }
    assert!(scan(b"{\"a\":\"\xff\"}").unwrap_err().message.contains("UTF-8"));
}

#[test]
fn r_b7_deciding_keys_stand_once_and_in_their_own_case() {
    for key in DECIDING {
        let twice = format!(r#"{{"{key}":1,"x":{{}},"{key}":1}}"#);
        assert_eq!(scan(twice.as_bytes()).unwrap_err().param.as_deref(), Some(*key));
        let cased = format!(r#"{{"{}":1}}"#, key.to_uppercase());
        assert!(scan(cased.as_bytes()).unwrap_err().message.contains("ambiguous"));
    }
    let escaped = r#"{"model":"a","m\u006fdel":"b"}"#;
    assert!(scan(escaped.as_bytes()).is_err());
    assert_eq!(names(r#"{"x":1,"x":2}"#).unwrap(), ["x", "x"]);
    assert_eq!(names(r#"{"messages":[{"model":1,"model":2}]}"#).unwrap(), ["messages"]);
}

#[test]
fn thirty_two_mebibytes_of_brackets_are_refused_at_once() {
    let body = [b"{\"a\":".as_slice(), &vec![b'['; 32 << 20]].concat();
    assert!(scan(&body).unwrap_err().message.contains("deeper than 128"));
}

/// What serde_json accepts as a value we accept, and what we accept it can skip; the fields found are the same.
fn agree(body: &[u8]) {
    let ours = {
        let text = std::str::from_utf8(body);
        text.map(|text| document(&mut Scanner::new(text.as_bytes())))
    };
    let parsed = serde_json::from_slice::<Map<String, Value>>(body);
    match ours {
        Ok(Ok((fields, _))) => {
            assert!(
                serde_json::from_slice::<IgnoredAny>(body).is_ok(),
                "we accept what serde_json cannot skip"
            );
            let Ok(parsed) = parsed else { return };
            for (name, value) in parsed {
                let field = fields.iter().rfind(|field| field.name == name).unwrap();
                assert_eq!(serde_json::from_str::<Value>(field.text(body)).unwrap(), value);
            }
        }
        Ok(Err(error)) => {
            let known = error.message.contains("deeper than") || error.message.contains("more than 512");
            assert!(known || parsed.is_err(), "we refuse what serde_json accepts: {error}");
        }
        Err(_) => assert!(parsed.is_err()),
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\\\\\"/a\u{0}-\u{1f}é😀]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

const MUTATIONS: &[u8] = b"{}[]\":,\\u0123-+.eEtfn \n\xff\x00";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn agrees_with_serde_json_on_documents(value in json(), pretty in any::<bool>()) {
        let object = serde_json::json!({ "a": value, "model": "m" });
        let text = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) };
        agree(text.unwrap().as_bytes());
    }

    #[test]
    fn agrees_with_serde_json_on_mutations(value in json(), edits in prop::collection::vec((any::<usize>(), any::<u8>(), 0..3_u8), 1..4)) {
        let object = serde_json::json!({ "a": value, "model": "m" });
        let mut text = serde_json::to_vec(&object).unwrap();
        for (at, byte, how) in edits {
            let at = at % text.len();
            let byte = MUTATIONS[usize::from(byte) % MUTATIONS.len()];
            match how {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                _ => { text.remove(at); }
            }
            if text.is_empty() { text.push(b'{'); }
        }
        agree(&text);
    }
}
