//! A caller's answers from events, whole and streamed.

use serde_json::json;

use super::*;
use crate::event::Start;
use crate::request::{Foreign, Opaque};

fn open(block: u32, kind: Block) -> Event {
    Event::Open { choice: 0, block, kind }
}

fn close(block: u32) -> Event {
    Event::Close { choice: 0, block }
}

fn text(block: u32, text: &str) -> Event {
    Event::Delta {
        choice: 0,
        block,
        delta: Delta::Text(text.to_owned()),
    }
}

fn arguments(block: u32, text: &str) -> Event {
    Event::Delta {
        choice: 0,
        block,
        delta: Delta::Arguments(text.to_owned()),
    }
}

fn tool(id: &str) -> Block {
    Block::ToolCall {
        id: id.to_owned(),
        name: "tide".to_owned(),
    }
}

fn finish(reason: Finish) -> Event {
    Event::Finish { choice: 0, reason }
}

fn start() -> Event {
    Event::Start(Start {
        id: Some("chat-1".to_owned()),
        model: Some("their-model".to_owned()),
        created: Some(7),
    })
}

/// The stream's data, event by event.
fn streamed(events: &[Event]) -> (Vec<Value>, String) {
    let (bytes, loss) = encode(events, true);
    let text = String::from_utf8(bytes).unwrap();
    let data = text.split_terminator("\n\n").map(|event| {
        let (name, data) = event.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(data["type"], name.strip_prefix("event: ").unwrap());
        data
    });
    (data.collect(), loss)
}

fn whole(events: &[Event]) -> (Value, String) {
    let (bytes, loss) = encode(events, false);
    (serde_json::from_slice(&bytes).unwrap(), loss)
}

#[test]
fn what_was_read_is_written_again() {
    let recorded = include_str!("../fixtures/answer.json");
    let events = decode(recorded.as_bytes(), false).unwrap();
    let mut expected: Value = serde_json::from_str(recorded).unwrap();
    // What says nothing is not kept, but what typed clients want to be there is written.
    expected["content"][6]["caller"] = json!({"type": "direct"});
    expected["usage"]["inference_geo"] = Value::Null;
    assert_eq!(whole(&events), (expected.clone(), String::new()));
    // The same over a stream in between, but that a stream names the container in its ending.
    let (bytes, loss) = encode(&events, true);
    assert_eq!(loss, "");
    assert_eq!(whole(&decode(&bytes, true).unwrap()).0, expected);
    let stream = decode(include_str!("../fixtures/answer.sse").as_bytes(), true).unwrap();
    assert_eq!(whole(&stream).0["content"][3]["input"], json!({"query": "tide"}));
    let (again, _) = encode(&stream, true);
    assert_eq!(view(&decode(&again, true).unwrap()), view(&stream));
}

#[test]
fn a_stream_has_the_dialects_order() {
    let usage = Usage {
        input: 12,
        output: 5,
        cache_read: 2,
        ..Usage::default()
    };
    let (data, loss) = streamed(&[
        start(),
        open(0, Block::Reasoning),
        text(0, "hm"),
        close(0),
        open(1, Block::Text),
        text(1, ""),
        text(1, "a\nb"),
        close(1),
        finish(Finish::Stop),
        Event::Usage(usage),
        Event::End,
    ]);
    let head = json!({"id": "chat-1", "type": "message", "role": "assistant", "model": "their-model", "content": [], "stop_reason": null, "stop_sequence": null,
        "container": null, "stop_details": null, "usage": {"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "cache_creation": null,
        "output_tokens": 0, "inference_geo": null, "server_tool_use": null, "service_tier": null}});
    let expected = [
        json!({"type": "message_start", "message": head}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "", "citations": null}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "a\nb"}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null, "container": null, "stop_details": null},
            "usage": {"input_tokens": 10, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 2, "cache_creation": null,
            "output_tokens": 5, "inference_geo": null, "server_tool_use": null, "service_tier": null}}),
        json!({"type": "message_stop"}),
    ];
    assert_eq!((data.as_slice(), loss.as_str()), (&expected[..], ""));
}

#[test]
fn calls_side_by_side_are_written_one_after_the_other() {
    let events = [
        start(),
        open(0, tool("a")),
        open(1, tool("b")),
        arguments(1, "{\"x\""),
        arguments(0, "{"),
        arguments(1, ":1}"),
        arguments(0, "}"),
        close(1),
        close(0),
        open(2, tool("")),
        finish(Finish::ToolCalls),
        Event::End,
    ];
    let (data, _) = streamed(&events);
    let shown: Vec<String> = data
        .iter()
        .filter(|data| data["index"].is_u64())
        .map(|data| {
            format!(
                "{} {}{}",
                data["index"],
                data["content_block"]["id"].as_str().unwrap_or_default(),
                data["delta"]["partial_json"].as_str().unwrap_or_default()
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "0 a",
            "0 {",
            "0 }",
            "0 ",
            "1 b",
            "1 {\"x\"",
            "1 :1}",
            "1 ",
            "2 toolu_msg_ours_2",
            "2 "
        ]
    );
    let (message, _) = whole(&events);
    let inputs: Vec<&Value> = message["content"].as_array().unwrap().iter().map(|block| &block["input"]).collect();
    assert_eq!(inputs, [&json!({}), &json!({"x": 1}), &json!({})]);
    assert_eq!(message["stop_reason"], "tool_use");
}

#[test]
fn endings_are_named_in_the_dialects_words() {
    for (events, reason, sequence, loss) in [
        (vec![finish(Finish::Stop)], "end_turn", Value::Null, ""),
        (vec![], "end_turn", Value::Null, ""),
        (vec![open(0, tool("a")), finish(Finish::Stop)], "tool_use", Value::Null, ""),
        (
            vec![open(0, Block::Refusal), text(0, "no"), finish(Finish::Stop)],
            "refusal",
            Value::Null,
            "",
        ),
        (
            vec![finish(Finish::StopSequence(Some("X".to_owned())))],
            "stop_sequence",
            json!("X"),
            "",
        ),
        (vec![finish(Finish::StopSequence(None))], "stop_sequence", Value::Null, ""),
        (vec![finish(Finish::Length)], "max_tokens", Value::Null, ""),
        (vec![finish(Finish::ContentFilter)], "refusal", Value::Null, ""),
        (vec![finish(Finish::Pause)], "pause_turn", Value::Null, ""),
        (vec![finish(Finish::Other("compaction".to_owned()))], "compaction", Value::Null, ""),
        (
            vec![finish(Finish::Other("eos".to_owned()))],
            "end_turn",
            Value::Null,
            "stop_reason",
        ),
    ] {
        let (message, lost) = whole(&events);
        assert_eq!(
            (&message["stop_reason"], &message["stop_sequence"], lost.as_str()),
            (&json!(reason), &sequence, loss)
        );
        let (data, lost) = streamed(&events);
        let delta = data.iter().rev().nth(1).unwrap();
        assert_eq!(
            (&delta["delta"]["stop_reason"], &delta["delta"]["stop_sequence"], lost.as_str()),
            (&json!(reason), &sequence, loss)
        );
    }
}

#[test]
fn what_cannot_be_carried_is_named() {
    let raw = |text: &str| crate::json::raw(text).unwrap();
    let seal = |dialect: &'static str| Opaque {
        dialect,
        data: "s".to_owned(),
    };
    let events = [
        start(),
        Event::Foreign {
            dialect: "other",
            choice: None,
            name: "system_fingerprint".to_owned(),
            raw: raw("\"fp\""),
        },
        open(
            0,
            Block::Foreign(Foreign {
                dialect: "other",
                kind: "audio".to_owned(),
                raw: raw("{}"),
            }),
        ),
        text(0, "ignored"),
        close(0),
        open(1, Block::Redacted(seal("other"))),
        close(1),
        open(2, Block::Reasoning),
        text(2, "hm"),
        Event::Delta {
            choice: 0,
            block: 2,
            delta: Delta::Signature(seal("other")),
        },
        close(2),
        Event::Open {
            choice: 1,
            block: 0,
            kind: Block::Text,
        },
        Event::Delta {
            choice: 1,
            block: 0,
            delta: Delta::Text("second answer".to_owned()),
        },
        Event::Finish {
            choice: 1,
            reason: Finish::Length,
        },
        finish(Finish::Stop),
    ];
    let lost = "content.audio, reasoning, reasoning.signature, n";
    let (message, loss) = whole(&events);
    assert_eq!(
        (&message["content"], loss.as_str()),
        (&json!([{"type": "thinking", "thinking": "hm", "signature": ""}]), lost)
    );
    assert_eq!(message["stop_reason"], "end_turn");
    assert_eq!(streamed(&events).1, lost);
}

#[test]
fn arguments_are_objects_and_empty_texts_no_blocks() {
    for (given, input, loss) in [
        ("", json!({}), ""),
        ("{\"a\":1}", json!({"a": 1}), ""),
        ("{\"a\":", json!({"arguments": "{\"a\":"}), "tool_calls.arguments"),
    ] {
        let (message, lost) = whole(&[open(0, Block::Text), close(0), open(1, tool("a")), arguments(1, given), close(1)]);
        assert_eq!(
            (&message["content"], lost.as_str()),
            (
                &json!([{"type": "tool_use", "id": "a", "name": "tide", "input": input, "caller": {"type": "direct"}}]),
                loss
            )
        );
    }
    let (data, _) = streamed(&[
        open(0, Block::Text),
        close(0),
        open(1, Block::Reasoning),
        close(1),
        open(2, tool("a")),
        close(2),
    ]);
    let kinds: Vec<&str> = data.iter().map(|data| data["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "message_start",
            "content_block_start",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
}

#[test]
fn raw_json_with_line_breaks_stays_in_one_event() {
    let pretty = "{\"content\": [{\"type\": \"web_search_tool_result\",\n  \"content\": [\r\n]}], \"container\": {\n\"id\": \"c\"}}";
    let (data, _) = streamed(&decode(pretty.as_bytes(), false).unwrap());
    assert_eq!(data[1]["content_block"], json!({"type": "web_search_tool_result", "content": []}));
    assert_eq!(data[3]["delta"]["container"], json!({"id": "c"}));
}

#[test]
fn a_fault_is_left_to_its_own_writer() {
    let mut out = Vec::new();
    let context = AnswerContext {
        stream: true,
        ..AnswerContext::default()
    };
    let mut encoder = Anthropic.encoder(CHAT, context);
    encoder.push(&start(), &mut out);
    encoder.push(
        &Event::Fault(Box::new(Fault::provider(crate::fault::FaultKind::Overloaded, "busy"))),
        &mut out,
    );
    assert_eq!(out, b"");
}
