//! The bench provider's answers are real answers: right length, right number of writes, right end, valid JSON.
#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::Value;

use super::*;

#[test]
fn model_names_say_size_and_pace() {
    let rows = [
        ("bench-1024", Some(Shape::Whole { bytes: 1024 })),
        (
            "stream-40-20ms",
            Some(Shape::Stream {
                chunks: 40,
                pace: Duration::from_millis(20),
            }),
        ),
        (
            "stream-400-0ms",
            Some(Shape::Stream {
                chunks: 400,
                pace: Duration::ZERO,
            }),
        ),
        ("stream-0-0ms", None),
        ("stream-40-20", None),
        ("stream-40-99999999ms", None),
        ("bench-99999999", None),
        ("gpt-4o", None),
    ];
    for (model, shape) in rows {
        assert_eq!(Shape::parse(model), shape, "{model}");
    }
}

#[test]
fn the_model_is_found_wherever_it_stands() {
    let rows: [(&[u8], Option<&str>); 5] = [
        (br#"{"model":"a","messages":[]}"#, Some("a")),
        (br#"{"messages":[], "model" : "a"}"#, None),
        (br#"{"max_tokens":1,"model": "a-b"}"#, Some("a-b")),
        (br#"{"model":5}"#, None),
        (b"{}", None),
    ];
    for (body, model) in rows {
        assert_eq!(model_in(body), model, "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn whole_answers_have_the_bytes_asked_for() {
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let answer = Answers::default().find(path, br#"{"model":"bench-1024"}"#).unwrap();
        let [body] = &*answer.chunks else {
            unreachable!("a whole answer is one chunk")
        };
        assert_eq!(body.len(), 1024, "{path}");
        let body: Value = serde_json::from_slice(body).unwrap();
        assert!(body.get("usage").is_some(), "{path}");
    }
}

#[test]
fn streams_have_the_chunks_asked_for_and_an_end() {
    let rows = [
        ("/v1/chat/completions", "data: [DONE]\n\n"),
        ("/v1/messages", "\"message_stop\"}\n\n"),
    ];
    for (path, end) in rows {
        let answer = Answers::default().find(path, br#"{"model":"stream-40-0ms"}"#).unwrap();
        assert_eq!(answer.chunks.len(), 40, "{path}");
        let text = String::from_utf8(answer.chunks.concat()).unwrap();
        assert!(text.ends_with(end), "{path}");
        for data in text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .filter(|data| *data != "[DONE]")
        {
            serde_json::from_str::<Value>(data).unwrap();
        }
    }
}

#[test]
fn the_usage_event_comes_when_it_was_asked_for() {
    let count = |body: &[u8]| {
        let answer = Answers::default().find("/v1/chat/completions", body).unwrap();
        memmem::find_iter(&answer.chunks.concat(), b"\"usage\"").count()
    };
    assert_eq!(count(br#"{"model":"stream-4-0ms"}"#), 0);
    assert_eq!(count(br#"{"model":"stream-4-0ms","stream_options":{"include_usage":true}}"#), 1);
}
