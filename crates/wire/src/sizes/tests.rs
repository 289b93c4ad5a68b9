//! Bodies and what they weigh. The payloads are rows of `A`, so that a length is easily seen.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn weigh(body: &serde_json::Value) -> (Sizes, u64) {
    let text = body.to_string();
    (scan(text.as_bytes()), u64::try_from(text.len()).unwrap())
}

fn said(content: &serde_json::Value) -> serde_json::Value {
    json!({"model": "m", "messages": [{"role": "user", "content": content}]})
}

#[test]
fn payload_in_base64_is_no_text() {
    let picture = "A".repeat(4000);
    let pdf = format!("JVBERi{}", "A".repeat(3994));
    // What is said; payload bytes; images, documents, documents unseen, audio bytes, document bytes.
    let rows = [
        (
            json!([{"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{picture}")}}]),
            4007, // with `base64,`
            [1, 0, 0, 0, 0],
        ),
        (
            json!([{"type": "image_url", "image_url": format!("data:image/png;base64,{picture}")}]),
            4007,
            [1, 0, 0, 0, 0],
        ),
        (
            json!([{"type": "image_url", "image_url": {"url": "https://pictures.test/a.png"}}]),
            0,
            [1, 0, 0, 0, 0],
        ),
        (
            json!([{"type": "input_audio", "input_audio": {"data": picture, "format": "wav"}}]),
            4000,
            [0, 0, 0, 3003, 0],
        ),
        (
            json!([{"type": "file", "file": {"file_data": format!("data:application/pdf;base64,{pdf}")}}]),
            4028,
            [0, 1, 0, 0, 3024],
        ),
        (json!([{"type": "file", "file": {"file_id": "file-1"}}]), 0, [0, 1, 1, 0, 0]),
        (
            json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": picture}}]),
            4000,
            [1, 0, 0, 0, 0],
        ),
        (
            json!([{"type": "document", "source": {"data": pdf, "type": "base64"}}]),
            4000,
            [0, 1, 0, 0, 3003],
        ),
        // The type after the source: a PDF is known by its first bytes.
        (
            json!([{"source": {"type": "base64", "data": pdf}, "type": "document"}]),
            4000,
            [0, 1, 0, 0, 3003],
        ),
        (
            json!([{"type": "image", "source": {"type": "url", "url": "https://pictures.test/a.png"}}]),
            0,
            [1, 0, 0, 0, 0],
        ),
        (
            json!([{"type": "document", "source": {"type": "file", "file_id": "f"}}]),
            0,
            [0, 1, 1, 0, 0],
        ),
        // Plain text in a document is text.
        (
            json!([{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": picture}}]),
            0,
            [0; 5],
        ),
        // And so is what only looks like a payload.
        (
            json!([{"type": "text", "text": format!("data:image/png;base64,{picture}")}]),
            0,
            [0; 5],
        ),
        (
            json!([{"type": "tool_use", "input": {"data": picture, "url": format!("data:image/png;base64,{picture}")}}]),
            0,
            [0; 5],
        ),
        // A picture within a tool's result.
        (
            json!([{"type": "tool_result", "content": [{"type": "image", "source": {"type": "base64", "data": picture}}]}]),
            4000,
            [1, 0, 0, 0, 0],
        ),
    ];
    for (content, payload, [images, documents, unseen, audio, document]) in rows {
        let (sizes, total) = weigh(&said(&content));
        let expected = Sizes {
            text_bytes: total - payload,
            messages: 1,
            images,
            audio_bytes: audio,
            document_bytes: document,
            documents,
            documents_unseen: unseen,
            cache_1h: false,
        };
        assert_eq!(sizes, expected, "{}", &content.to_string()[..80.min(content.to_string().len())]);
    }
}

#[test]
fn messages_and_the_long_cache_class_are_seen() {
    let block = |ttl: serde_json::Value| json!([{"type": "text", "text": "a \"quoted\" {brace}, [x]", "cache_control": ttl}]);
    let rows = [
        (json!({"messages": [{"content": "a"}, {"content": [{"a": [{}]}]}, {}]}), 3, false),
        (json!({"messages": [{"content": block(json!({"type": "ephemeral"}))}]}), 1, false),
        (
            json!({"messages": [{"content": block(json!({"type": "ephemeral", "ttl": "5m"}))}]}),
            1,
            false,
        ),
        (
            json!({"messages": [], "system": block(json!({"ttl": "1h", "type": "ephemeral"}))}),
            0,
            true,
        ),
        (json!({"metadata": {"messages": [{}, {}]}}), 0, false),
    ];
    for (body, messages, long) in rows {
        let (sizes, total) = weigh(&body);
        assert_eq!(
            (sizes.messages, sizes.cache_1h, sizes.text_bytes),
            (messages, long, total),
            "{body}"
        );
    }
    assert!(scan(br#"{"cache_control":{"ttl":"\u0031h"}}"#).cache_1h, "an escape hides nothing");
}

#[test]
fn deep_nesting_neither_grows_nor_confuses() {
    let deep = format!(r#"{{"a":{}{},"messages":[{{}},{{}}]}}"#, "[".repeat(1000), "]".repeat(1000));
    assert_eq!(scan(deep.as_bytes()).messages, 2);
}

proptest! {
    /// Whatever comes, nothing panics and no more is called payload than there is.
    #[test]
    fn any_bytes_weigh_at_most_themselves(body in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(scan(&body).text_bytes <= u64::try_from(body.len()).unwrap());
    }

    /// Text alone weighs what it is long, whatever stands in it.
    #[test]
    fn text_is_counted_whole(text in "\\PC{0,200}") {
        let (sizes, total) = weigh(&said(&json!(text)));
        prop_assert_eq!(sizes.text_bytes, total);
        prop_assert_eq!(sizes.images + sizes.documents + sizes.audio_bytes, 0);
    }
}
