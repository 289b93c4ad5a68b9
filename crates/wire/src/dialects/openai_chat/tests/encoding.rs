//! Events, to what a caller of this dialect reads.

use serde_json::Value;

use super::decoding::short;
use super::view;
use super::{ANSWER, STREAM};
use crate::event::{AnswerContext, Block, Delta, Event, Finish, Start};
use crate::fault::{Fault, FaultKind};
use crate::json;
use crate::request::{Foreign, Opaque};
use crate::usage::Usage;

fn start() -> Event {
    Event::Start(Start {
        id: Some("a".to_owned()),
        model: Some("m".to_owned()),
        created: Some(5),
    })
}

fn open(block: u32, kind: Block) -> Event {
    Event::Open { choice: 0, block, kind }
}

fn grow(block: u32, delta: Delta) -> Event {
    Event::Delta { choice: 0, block, delta }
}

fn text(block: u32, text: &str) -> Event {
    grow(block, Delta::Text(text.to_owned()))
}

fn close(block: u32) -> Event {
    Event::Close { choice: 0, block }
}

fn finish(reason: Finish) -> Event {
    Event::Finish { choice: 0, reason }
}

fn seal(data: &str) -> Opaque {
    Opaque {
        dialect: "anthropic",
        data: data.to_owned(),
    }
}

fn call(id: &str) -> Block {
    Block::ToolCall {
        id: id.to_owned(),
        name: "f".to_owned(),
    }
}

/// What another dialect gives: reasoning with its seal in pieces, text, calls one of which has neither id nor arguments.
fn answer() -> Vec<Event> {
    vec![
        start(),
        open(0, Block::Reasoning),
        text(0, "h"),
        text(0, "m"),
        grow(0, Delta::Signature(seal("S"))),
        grow(0, Delta::Signature(seal("T"))),
        close(0),
        open(1, Block::Redacted(seal("E"))),
        close(1),
        open(2, Block::Text),
        text(2, "ok"),
        close(2),
        open(3, call("c1")),
        grow(3, Delta::Arguments("{\"x\":".to_owned())),
        grow(3, Delta::Arguments("1.0}".to_owned())),
        close(3),
        open(4, call("")),
        close(4),
        Event::Usage(Usage {
            input: 10,
            output: 7,
            cache_read: 3,
            cache_write_5m: 1,
            cache_write_1h: 1,
            reasoning: 2,
            ..Usage::default()
        }),
        finish(Finish::ToolCalls),
        Event::End,
    ]
}

fn context(stream: bool, include_usage: bool) -> AnswerContext {
    AnswerContext {
        id: "chatcmpl-1".to_owned(),
        model: "mine".to_owned(),
        created: 7,
        stream,
        include_usage,
        renamed_tools: Vec::new(),
    }
}

#[test]
fn a_stream_chunk_by_chunk() {
    let (bytes, loss) = view::encode_with(context(true, true), &answer());
    let chunk = |delta: &str, reason: &str| {
        format!(
            r#"data: {{"id":"a","object":"chat.completion.chunk","created":5,"model":"m","choices":[{{"index":0,"delta":{{{delta}}},"finish_reason":{reason}}}],"usage":null}}"#
        )
    };
    let expected = [
        chunk(r#""role":"assistant","content":"","refusal":null"#, "null"),
        chunk(r#""reasoning_content":"h""#, "null"),
        chunk(r#""reasoning_content":"m""#, "null"),
        chunk(r#""reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"ST","format":"anthropic-claude-v1","index":0}]"#, "null"),
        chunk(r#""reasoning_details":[{"type":"reasoning.encrypted","data":"E","format":"anthropic-claude-v1","index":1}]"#, "null"),
        chunk(r#""content":"ok""#, "null"),
        chunk(r#""tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]"#, "null"),
        chunk(r#""tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}]"#, "null"),
        chunk(r#""tool_calls":[{"index":0,"function":{"arguments":"1.0}"}}]"#, "null"),
        chunk(r#""tool_calls":[{"index":1,"id":"call_a_0_1","type":"function","function":{"name":"f","arguments":""}}]"#, "null"),
        chunk(r#""tool_calls":[{"index":1,"function":{"arguments":"{}"}}]"#, "null"),
        chunk("", r#""tool_calls""#),
        r#"data: {"id":"a","object":"chat.completion.chunk","created":5,"model":"m","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":7,"total_tokens":17,"prompt_tokens_details":{"cached_tokens":3,"cache_write_tokens":2},"completion_tokens_details":{"reasoning_tokens":2}}}"#.to_owned(),
        "data: [DONE]\n\n".to_owned(),
    ];
    assert_eq!(String::from_utf8(bytes).unwrap(), expected.join("\n\n"));
    assert_eq!(loss, "");
    let (events, _) = view::decode(true, [view::encode(true, &answer()).as_slice()]);
    assert_eq!(
        short(&events),
        r#"start(a,m) open(0.0 reasoning) 0.0:"h" 0.0:"m" 0.0:seal anthropic:ST close(0.0) open(0.1 redacted anthropic:E) close(0.1) open(0.2 text) 0.2:"ok" close(0.2) open(0.3 call c1/f) 0.3:args {"x": 0.3:args 1.0} open(0.4 call call_a_0_1/f) 0.4:args {} close(0.3) close(0.4) finish(0 ToolCalls) usage(10r3w2/7t2) end"#
    );
}

#[test]
fn usage_only_for_those_who_asked() {
    let (bytes, _) = view::encode_with(context(true, false), &answer());
    assert!(!String::from_utf8(bytes).unwrap().contains("usage"));
}

#[test]
fn a_whole_answer() {
    let (bytes, loss) = view::encode_with(context(false, false), &answer());
    let expected = r#"{"id":"a","object":"chat.completion","created":5,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ok","refusal":null,"reasoning_content":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"ST","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"E","format":"anthropic-claude-v1","index":1}],"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\":1.0}"}},{"id":"call_a_0_1","type":"function","function":{"name":"f","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":7,"total_tokens":17,"prompt_tokens_details":{"cached_tokens":3,"cache_write_tokens":2},"completion_tokens_details":{"reasoning_tokens":2}}}"#;
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    assert_eq!(loss, "");
}

#[test]
fn the_fixtures_are_written_as_they_were() {
    let (events, _) = view::decode(false, [ANSWER.as_bytes()]);
    let again: Value = serde_json::from_slice(&view::encode(false, &events)).unwrap();
    assert_eq!(again, serde_json::from_str::<Value>(ANSWER).unwrap());
    let (streamed, _) = view::decode(true, [STREAM.as_bytes()]);
    let whole: Value = serde_json::from_slice(&view::encode(false, &streamed)).unwrap();
    assert_eq!(whole, again, "the stream, collected");
    let (events, _) = view::decode(true, [view::encode(true, &streamed).as_slice()]);
    assert_eq!(short(&events), short(&streamed), "the stream, written again");
}

#[test]
fn finish_reasons_and_what_they_lose() {
    let rows = [
        (Finish::Stop, "stop", ""),
        (Finish::StopSequence(Some("END".to_owned())), "stop", "stop_sequence"),
        (Finish::StopSequence(None), "stop", ""),
        (Finish::Length, "length", ""),
        (Finish::ToolCalls, "tool_calls", ""),
        (Finish::ContentFilter, "content_filter", ""),
        (Finish::Pause, "stop", "finish_reason.pause"),
        (Finish::Other("compaction".to_owned()), "stop", "finish_reason.compaction"),
    ];
    for (reason, word, lost) in rows {
        for stream in [true, false] {
            let (bytes, loss) = view::encode_with(context(stream, false), &[start(), finish(reason.clone())]);
            assert!(
                String::from_utf8(bytes).unwrap().contains(&format!(r#""finish_reason":"{word}""#)),
                "{reason:?}"
            );
            assert_eq!(loss, lost);
        }
    }
}

/// Empty answers, refusals, calls alone: what `content` is (M5).
#[test]
fn content_is_null_only_where_something_else_is_said() {
    let rows = [
        (vec![], r#""content":"","refusal":null"#),
        (
            vec![open(0, Block::Refusal), text(0, "No"), close(0)],
            r#""content":null,"refusal":"No""#,
        ),
        (vec![open(0, call("c")), close(0)], r#""content":null,"refusal":null"#),
        (vec![open(0, Block::Reasoning), close(0)], r#""content":"","refusal":null"#),
    ];
    for (mut events, expected) in rows {
        events.push(finish(Finish::Stop));
        let whole = String::from_utf8(view::encode(false, &events)).unwrap();
        assert!(whole.contains(expected), "{whole}");
    }
}

#[test]
fn what_only_this_dialect_knows_stands_in_its_place() {
    let foreign = |choice, name: &str, raw: &str| Event::Foreign {
        dialect: "openai_chat",
        choice,
        name: name.to_owned(),
        raw: json::raw(raw).unwrap(),
    };
    let events = vec![
        start(),
        foreign(None, "system_fingerprint", "\"fp\""),
        foreign(Some(0), "logprobs", "{\n\"content\":[1]}"),
        open(0, Block::Text),
        text(0, "x"),
        foreign(Some(0), "logprobs", r#"{"content":[2],"refusal":null}"#),
        text(0, "y"),
        foreign(Some(0), "message.annotations", "[1]"),
        foreign(Some(0), "message.annotations", "[2]"),
        close(0),
        finish(Finish::Stop),
        Event::End,
    ];
    let stream = String::from_utf8(view::encode(true, &events)).unwrap();
    let deltas: Vec<&str> = stream
        .split("\n\n")
        .filter_map(|event| event.split_once(r#""model":"m","#))
        .map(|(_, rest)| rest)
        .collect();
    assert_eq!(
        deltas,
        [
            r#""system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}],"usage":null}"#,
            r#""choices":[{"index":0,"delta":{"content":"x"},"logprobs":{ "content":[1]},"finish_reason":null}],"usage":null}"#,
            r#""choices":[{"index":0,"delta":{"content":"y"},"logprobs":{"content":[2],"refusal":null},"finish_reason":null}],"usage":null}"#,
            r#""choices":[{"index":0,"delta":{"annotations":[1]},"finish_reason":null}],"usage":null}"#,
            r#""choices":[{"index":0,"delta":{"annotations":[2]},"finish_reason":"stop"}],"usage":null}"#,
        ]
    );
    let whole: Value = serde_json::from_slice(&view::encode(false, &events)).unwrap();
    assert_eq!(
        whole["choices"][0]["logprobs"],
        serde_json::json!({"content": [1, 2], "refusal": null})
    );
    assert_eq!(whole["choices"][0]["message"]["annotations"], serde_json::json!([1, 2]));
    assert_eq!(whole["system_fingerprint"], "fp");
}

#[test]
fn what_only_another_dialect_knows_is_lost_by_name() {
    let block = Block::Foreign(Foreign {
        dialect: "elsewhere",
        kind: "web_search".to_owned(),
        raw: json::raw("{}").unwrap(),
    });
    let events = [
        start(),
        Event::Foreign {
            dialect: "elsewhere",
            choice: None,
            name: "container".to_owned(),
            raw: json::raw("{}").unwrap(),
        },
        open(0, block),
        close(0),
    ];
    for stream in [true, false] {
        assert_eq!(
            view::encode_with(context(stream, false), &events).1,
            "container, content.web_search"
        );
    }
}

#[test]
fn every_answer_has_a_choice_and_every_choice_a_reason() {
    let rows = [
        (vec![start()], r#""finish_reason":"stop""#),
        (
            vec![start(), open(0, Block::Text), text(0, "x"), close(0)],
            r#""finish_reason":"stop""#,
        ),
        (vec![start(), open(0, call("c")), close(0)], r#""finish_reason":"tool_calls""#),
    ];
    for (events, reason) in rows {
        for stream in [true, false] {
            let written = String::from_utf8(view::encode(stream, &events)).unwrap();
            assert_eq!(written.matches(reason).count(), 1, "{written}");
            assert!(written.contains(r#""index":0"#), "{written}");
        }
    }
}

#[test]
fn a_fault_leaves_no_terminator() {
    let fault = Event::Fault(Box::new(Fault::provider(FaultKind::Overloaded, "busy")));
    let (bytes, _) = view::encode_with(context(true, true), &[start(), open(0, Block::Text), text(0, "x"), fault.clone()]);
    let stream = String::from_utf8(bytes).unwrap();
    assert!(stream.contains(r#""content":"x""#) && !stream.contains("[DONE]"), "{stream}");
    assert!(view::encode(false, &[start(), fault]).is_empty());
}

#[test]
fn what_the_provider_leaves_out_is_ours() {
    let (bytes, _) = view::encode_with(context(true, false), &[open(0, Block::Text), text(0, "x"), finish(Finish::Stop)]);
    let stream = String::from_utf8(bytes).unwrap();
    assert_eq!(
        stream
            .matches(r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,"model":"mine","#)
            .count(),
        3,
        "{stream}"
    );
}

/// Line ends in what a model says never end an event (FAULTS R-D6).
#[test]
fn r_d6_text_cannot_forge_events() {
    let evil = "x\n\ndata: [DONE]\n\n\r\u{2028}";
    let events = [
        start(),
        open(0, Block::Text),
        text(0, evil),
        close(0),
        finish(Finish::Stop),
        Event::End,
    ];
    let (again, result) = view::decode(true, [view::encode(true, &events).as_slice()]);
    assert!(result.is_ok());
    assert_eq!(view::View::of(&again).choices.first().unwrap().text(), evil);
}
