//! What is found in a call when a condition asks.

#![expect(clippy::unwrap_used, reason = "tests")]

use http::HeaderMap;
use tollgate_wire::dialects::{self, Operation};

use super::metadata::{of_header, with_body};

fn header(value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-tollgate-metadata", value.parse().unwrap());
    headers
}

fn shown(pairs: &[(std::sync::Arc<str>, std::sync::Arc<str>)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(" ")
}

#[test]
fn metadata_of_the_header_is_an_object_of_short_texts() {
    let rows = [
        (r#"{"b":"2","a":"1"}"#.to_owned(), Ok("a=1 b=2")),
        ("{}".to_owned(), Ok("")),
        ("[1]".to_owned(), Err("x-tollgate-metadata is no JSON object")),
        ("a=b".to_owned(), Err("x-tollgate-metadata is no JSON object")),
        (
            r#"{"a":1}"#.to_owned(),
            Err("x-tollgate-metadata has \"a\", which is no short text"),
        ),
        (
            format!(r#"{{"a":"{}"}}"#, "x".repeat(513)),
            Err("x-tollgate-metadata has \"a\", which is no short text"),
        ),
        (
            format!("{{{}}}", (0..17).map(|n| format!("\"n{n}\":\"v\"")).collect::<Vec<_>>().join(",")),
            Err("x-tollgate-metadata has too many entries"),
        ),
    ];
    for (text, expected) in rows {
        match (of_header(&header(&text)), expected) {
            (Ok(pairs), Ok(expected)) => assert_eq!(shown(&pairs), expected),
            (Err(fault), Err(expected)) => assert!(fault.message.starts_with(&format!("{expected}; send ")), "{}", fault.message),
            (got, _) => assert!(got.is_err(), "{text}: {got:?}"),
        }
    }
    assert_eq!(of_header(&HeaderMap::new()).unwrap(), []);
}

#[test]
fn metadata_of_the_body_stands_below_the_headers() {
    let dialect = dialects::by_name("openai_chat").unwrap();
    let body = br#"{"model":"m","messages":[],"metadata":{"z":"body","n":5,"b":"body"}}"#;
    let envelope = dialect.scan(Operation::Chat, body).unwrap();
    let said = of_header(&header(r#"{"b":"head"}"#)).unwrap();
    assert_eq!(shown(&with_body(&said, &envelope, body)), "b=head z=body");
    assert_eq!(shown(&with_body(&[], &envelope, body)), "b=body z=body");
}
