//! The short ways say what the long way says: a chunk that comes again, and a look at a whole answer.

use super::super::OpenAiChat;
use super::super::answer::Answer;
use super::super::glance;
use super::super::repeat::Repeat;
use super::corpus;
use crate::dialects::{Dialect, Operation};
use crate::event::Event;
use crate::frame::sse;

/// What a record keeps: the last usage, how each choice ended, the fault, and whether the answer is complete.
fn kept(events: &[Event]) -> String {
    let usage = events.iter().rfind(|event| matches!(event, Event::Usage(_)));
    let ends = events
        .iter()
        .filter(|event| matches!(event, Event::Finish { .. } | Event::Fault(_) | Event::End));
    format!("{usage:?} {:?}", ends.collect::<Vec<_>>())
}

/// How the answer is seen by a look and by the decoder, and whether the short way was enough.
fn looks(body: &[u8]) -> (String, String, bool) {
    let (mut short, mut long) = (Vec::new(), Vec::new());
    let looked = OpenAiChat.look(Operation::Chat, body, &mut short);
    let mut decoder = OpenAiChat.decoder(Operation::Chat, false);
    let read = decoder.push(body, &mut long).and_then(|()| decoder.end(&mut long));
    let plain = glance::look(body, &mut Vec::new());
    (format!("{looked:?} {}", kept(&short)), format!("{read:?} {}", kept(&long)), plain)
}

#[test]
fn a_look_at_an_answer_finds_what_its_decoder_finds() {
    let rows: [(&str, bool); 31] = [
        (
            r#"{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
            true,
        ),
        (
            r#"{"choices":[{"message":{"content":"a\u00e9\ud83d\ude00"},"finish_reason":"length"}]}"#,
            true,
        ),
        (
            r#"{"choices":[{"index":0,"message":{"content":null},"finish_reason":""}],"usage":null}"#,
            true,
        ),
        (r#"{"choices":[{"index":0,"finish_reason":"stop","stop_reason":"END"}]}"#, true),
        (
            r#"{"choices":[{"index":7,"message":{"tool_calls":[]},"finish_reason":"odd"}],"error":null}"#,
            true,
        ),
        // The tier that was served decides what it costs.
        (
            r#"{"service_tier":"priority","choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
            true,
        ),
        (
            r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2},"service_tier":"default"}"#,
            true,
        ),
        (
            r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2},"service_tier":"auto"}"#,
            true,
        ),
        (
            r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2},"service_tier":null}"#,
            true,
        ),
        (
            r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2},"service_tier":"pri\u006frity"}"#,
            false,
        ),
        (
            r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2},"service_tier":"flex","service_tier":"priority"}"#,
            false,
        ),
        // However a name is spelt, it is found.
        (
            r#" {"choices":[{"index":0,"message":{"content":"a"},"finish\u005freason":"length"}],"\u0075sage":{"prompt_tokens":1}} "#,
            false,
        ),
        (r#"{"choices":[{"message":"a","finish_reason":"stop"}]}"#, false),
        (r#"{"choices":[{"message":null,"finish_reason":"st\u006fp"}]}"#, false),
        (
            r#"{"choices":[{"message":{},"finish_reason":"stop"}],"choices":[{"message":{},"finish_reason":"length"}]}"#,
            false,
        ),
        (
            r#"{"choices":[{"index":0,"message":{"content":"half \ud83d"},"finish_reason":"stop"}]}"#,
            false,
        ),
        (
            r#"{"choices":[{"message":{"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}]}"#,
            false,
        ),
        (
            r#"{"choices":[{"message":{"function_call":{"name":"f","arguments":""}},"finish_reason":"stop"}]}"#,
            false,
        ),
        (
            r#"{"choices":[{"message":{},"finish_reason":"stop"},{"index":1,"message":{},"finish_reason":"length"}]}"#,
            false,
        ),
        (r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}"#, false),
        (r#"{"choices":[{"error":{"message":"boom"},"finish_reason":"error"}]}"#, false),
        (r#"{"choices":[{"message":{"content":"a"}}],"error":{"message":"boom"}}"#, false),
        (
            r#"{"choices":[{"message":{"content":"a"}}],"\u0065rror":{"message":"boom"}}"#,
            false,
        ),
        (
            r#"{"choices":[{"message":{"content":"a"}}],"x_groq":{"usage":{"prompt_tokens":3}}}"#,
            false,
        ),
        (r#"{"error":{"message":"boom","code":429}}"#, false),
        (r#"{"choices":[]}"#, false),
        (r#"{"choices":[{"message":{"content":"a"}}]} x"#, false),
        (r#"{"choices":[{"message":{"content":"a"}}"#, false),
        ("<html>", false),
        ("", false),
        ("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n", false),
    ];
    for (body, plain) in rows {
        let (short, long, was_plain) = looks(body.as_bytes());
        assert_eq!(short, long, "{body}");
        assert_eq!(was_plain, plain, "{body}");
    }
    assert!(!looks(b"{\"choices\":[{\"message\":{\"content\":\"\xff\"}}]}").2);
}

#[test]
fn a_look_at_every_recorded_answer_finds_what_its_decoder_finds() {
    let Some(exchanges) = corpus::exchanges() else { return };
    let mut plain = 0;
    for exchange in &exchanges {
        let (short, long, was_plain) = looks(&exchange.answer);
        assert_eq!(short, long, "{}", exchange.id);
        plain += usize::from(was_plain);
    }
    assert!(plain > 100, "{plain} took the short way");
}

/// The events of chunks, as an answer reads them one after the other, and how often one was the last one again.
fn read(chunks: &[&str]) -> (String, usize) {
    let (mut answer, mut parsed) = (Answer::new(false), Answer::new(false));
    let (mut events, mut expected) = (Vec::new(), Vec::new());
    let mut again = 0;
    for chunk in chunks {
        again += usize::from(answer.repeats(chunk));
        let result = format!("{:?}", answer.take(chunk, &mut events));
        parsed.forget();
        assert_eq!(result, format!("{:?}", parsed.take(chunk, &mut expected)), "{chunk}");
        assert_eq!(format!("{events:?}"), format!("{expected:?}"), "{chunk}");
    }
    (format!("{events:?}"), again)
}

fn chunk(text: &str) -> String {
    format!(
        r#"{{"id":"1","model":"m","choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}],"obfuscation":"x{text}"}}"#
    )
}

#[test]
fn only_a_chunk_that_is_the_last_one_but_for_its_text_is_not_parsed() {
    let (a, b) = (chunk("a"), chunk("b"));
    let with = |old: &str, new: &str| {
        assert!(b.contains(old));
        b.replace(old, new)
    };
    let rows = [
        (b.clone(), true),
        (chunk("é, 漢"), true),
        (chunk(""), true),
        (chunk("0123456789012345678901234567890123456789"), true),
        (with("\"b\"}", "\"b\\n\"}"), false),
        (with("\"b\"}", "\"b\\\"}"), false),
        (with("\"b\"}", "\"b\n\"}"), false),
        (with("\"b\"}", "\"b\",\"refusal\":\"no\"}"), false),
        (with("\"b\"}", "null}"), false),
        (with("\"index\":0", "\"index\":1"), false),
        (with("null", "\"stop\""), false),
        (with("\"xb\"", "\"xb\",\"usage\":{\"prompt_tokens\":1}"), false),
        (with("\"xb\"", "\"xb\",\"error\":{\"message\":\"boom\"}"), false),
        (with("\"xb\"}", "\"xb\""), false),
        (with("\"xb\"}", "\"xb\"} "), false),
        (with("\"xb\"}", "\"xb"), false),
        (with("\"m\"", "\"n\""), false),
    ];
    for (next, short) in rows {
        let (_, again) = read(&[&a, &a, &next]);
        // The first begins the answer and is parsed for that, the second is remembered.
        assert_eq!(again > 0, short, "{next}");
    }
}

#[test]
fn a_chunk_that_counts_something_is_never_remembered() {
    let silent = r#"{"choices":[{"index":0,"delta":{"content":"a","tool_calls":[{"index":0}]}}]}"#;
    let beside = r#"{"choices":[{"index":0,"delta":{"content":"a"},"message":{"content":"a"}}]}"#;
    let thinks = r#"{"choices":[{"index":0,"delta":{"content":"a","reasoning_content":"b"}}]}"#;
    let unknown = r#"{"choices":[{"index":0,"delta":{"content":"a","new":1}}]}"#;
    for row in [silent, thinks, unknown] {
        assert_eq!(read(&[row, row, row, row]).1, 0, "{row}");
    }
    assert_eq!(read(&[beside, beside, beside]).1, 0);
}

#[test]
fn recorded_streams_are_read_as_if_every_chunk_was_parsed() {
    let Some(exchanges) = corpus::exchanges() else { return };
    let (mut again, mut chunks) = (0, 0);
    for exchange in exchanges.iter().filter(|exchange| exchange.stream) {
        let text = String::from_utf8_lossy(&exchange.answer);
        let data: Vec<String> = text
            .split("\n\n")
            .filter_map(|event| Some(sse::read(event.as_bytes()).ok()??.data.into_owned()))
            .filter(|data| data.starts_with('{'))
            .collect();
        let data: Vec<&str> = data.iter().map(String::as_str).collect();
        again += read(&data).1;
        chunks += data.len();
    }
    assert!(again * 4 > chunks, "{again} of {chunks}");
}

#[test]
fn a_memory_without_a_chunk_fits_nothing() {
    assert!(Repeat::default().again("", &mut Vec::new()).is_none());
}
