//! A provider's answers as events, whole and streamed.

use super::*;

const WHOLE: &str = include_str!("../fixtures/answer.json");
const STREAM: &str = include_str!("../fixtures/answer.sse");

/// One event in one line.
fn line(event: &Event) -> String {
    match event {
        Event::Start(start) => format!(
            "start {} {}",
            start.id.as_deref().unwrap_or("-"),
            start.model.as_deref().unwrap_or("-")
        ),
        Event::Open { block, kind, .. } => match kind {
            Block::ToolCall { id, name } => format!("open {block} call {id} {name}"),
            Block::Redacted(seal) => format!("open {block} redacted {}", seal.data),
            Block::Foreign(foreign) => format!("open {block} foreign {}", foreign.kind),
            kind => format!("open {block} {kind:?}"),
        },
        Event::Delta { block, delta, .. } => match delta {
            Delta::Text(text) => format!("{block} {text}"),
            Delta::Arguments(text) => format!("{block} arguments {text}"),
            Delta::Signature(seal) => format!("{block} {} {}", seal.dialect, seal.data),
        },
        Event::Close { block, .. } => format!("close {block}"),
        Event::Finish { reason, .. } => format!("finish {reason:?}"),
        Event::Usage(u) => format!(
            "usage {} {} {} {} {} {}",
            u.input, u.output, u.cache_read, u.cache_write_5m, u.cache_write_1h, u.reasoning
        ),
        Event::End => "end".to_owned(),
        Event::Fault(fault) => format!("fault {:?} {}", fault.kind, fault.message),
        Event::Foreign { choice, name, raw, .. } => format!("foreign {choice:?} {name} {}", raw.get()),
    }
}

fn lines(body: &str, streamed: bool) -> Vec<String> {
    decode(body.as_bytes(), streamed).unwrap().iter().map(line).collect()
}

#[test]
fn a_whole_answer_is_its_events_at_once() {
    let expected = [
        "start msg_017 claude-test-20261001",
        "open 0 Reasoning",
        "0 Weigh it.",
        "0 anthropic c2VhbA==",
        "close 0",
        "open 1 redacted aGlkZGVu",
        "close 1",
        "open 2 Text",
        "2 High water ",
        "close 2",
        "open 3 Text",
        "3 at six.",
        r#"foreign Some(0) citations {"type":"citations_delta","citation":{"type": "char_location", "cited_text": "High water at six.", "document_index": 0, "start_char_index": 0, "end_char_index": 18}}"#,
        "close 3",
        "open 4 foreign server_tool_use",
        "close 4",
        "open 5 foreign web_search_tool_result",
        "close 5",
        "open 6 call toolu_a draught",
        r#"6 arguments {"unit": "m", "ship": "Möwe", "n": 1.50}"#,
        "close 6",
        "open 7 call toolu_b tide",
        "close 7",
        r#"foreign None container {"id": "container_011", "expires_at": "2026-11-20T12:00:00Z"}"#,
        "finish ToolCalls",
        r#"foreign None usage.server_tool_use {"web_search_requests": 1}"#,
        "usage 240 50 200 10 20 7",
        "end",
    ];
    assert_eq!(lines(WHOLE, false), expected);
}

#[test]
fn a_streamed_answer_is_its_events_in_time() {
    let expected = [
        "start msg_017 claude-test-20261001",
        "usage 240 1 200 10 20 0",
        "open 0 Reasoning",
        "0 Weigh ",
        "0 it.",
        "0 anthropic c2VhbA==",
        "close 0",
        "open 1 redacted aGlkZGVu",
        "close 1",
        "open 2 Text",
        "2 High water at six, Möwe 🚢.",
        r#"foreign Some(0) citations {"type": "citations_delta", "citation": {"type": "char_location", "cited_text": "High water at six.", "document_index": 0, "start_char_index": 0, "end_char_index": 18}}"#,
        "close 2",
        "open 3 foreign server_tool_use",
        r#"foreign Some(0) server_tool_use {"type": "input_json_delta", "partial_json": "{\"query\":"}"#,
        r#"foreign Some(0) server_tool_use {"type": "input_json_delta", "partial_json": "\"tide\"}"}"#,
        "close 3",
        "open 4 foreign web_search_tool_result",
        "close 4",
        "open 5 call toolu_a draught",
        r#"5 arguments {"unit": "m", "#,
        r#"5 arguments "n": 1.50}"#,
        "close 5",
        "open 6 call toolu_b tide",
        "close 6",
        "finish ToolCalls",
        r#"foreign None container {"id": "container_011"}"#,
        r#"foreign None context_management {"applied_edits": []}"#,
        "usage 241 50 200 10 20 7",
        "end",
    ];
    assert_eq!(lines(STREAM, true), expected);
}

#[test]
fn a_stream_reads_the_same_however_it_is_cut() {
    for stream in [
        STREAM.to_owned(),
        STREAM.replace('\n', "\r\n"),
        STREAM.replace("data: ", "data:"),
        STREAM.replace("event: ping", ": note\n\nevent: ping"),
    ] {
        let whole: Vec<String> = lines(&stream, true);
        assert_eq!(whole.len(), 30);
        for place in 0..stream.len() {
            let (head, tail) = stream.as_bytes().split_at(place);
            let seen: Vec<String> = decode_pieces([head, tail], true).unwrap().iter().map(line).collect();
            assert_eq!(seen, whole, "cut at {place}");
        }
        let bytes: Vec<String> = decode_pieces(stream.as_bytes().chunks(1), true).unwrap().iter().map(line).collect();
        assert_eq!(bytes, whole);
    }
}

/// A stream of the given data lines, framed with the name that each names itself.
fn stream(data: &[&str]) -> String {
    data.iter()
        .map(|data| {
            let kind: Value = serde_json::from_str(data).unwrap();
            format!("event: {}\ndata: {data}\n\n", kind["type"].as_str().unwrap())
        })
        .collect()
}

const START: &str =
    r#"{"type":"message_start","message":{"id":"a","model":"m","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}"#;
const TEXT: &str = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;

#[test]
fn oddities_of_streams_are_taken_as_they_are_meant() {
    let tool = r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{"a":1}}}"#;
    let piece = r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"b\":2}"}}"#;
    let stop = r#"{"type":"content_block_stop","index":0}"#;
    let ended = |reason: &str| format!(r#"{{"type":"message_delta","delta":{{"stop_reason":{reason}}},"usage":{{"output_tokens":9}}}}"#);
    for (data, expected) in [
        // T16: arguments in the head count only when none follow.
        (
            vec![START, tool, stop],
            vec![
                "start a m",
                "usage 3 1 0 0 0 0",
                "open 0 call t f",
                r#"0 arguments {"a":1}"#,
                "close 0",
            ],
        ),
        (
            vec![START, tool, piece, stop],
            vec![
                "start a m",
                "usage 3 1 0 0 0 0",
                "open 0 call t f",
                r#"0 arguments {"b":2}"#,
                "close 0",
            ],
        ),
        // D9: a second head changes nothing; a second block of the same index closes the first.
        (
            vec![START, TEXT, START, TEXT],
            vec!["start a m", "usage 3 1 0 0 0 0", "open 0 Text", "close 0", "open 1 Text"],
        ),
        // D10: no head at all.
        (vec![TEXT], vec!["start - -", "open 0 Text"]),
        // Text in the head; a block left open.
        (
            vec![
                r#"{"type":"content_block_start","index":4,"content_block":{"type":"text","text":"hi"}}"#,
                r#"{"type":"message_stop"}"#,
            ],
            vec!["start - -", "open 0 Text", "0 hi", "close 0", "end"],
        ),
        // Unknown deltas, events and blocks go on raw; nothing follows the end.
        (
            vec![
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"compaction","content":null}}"#,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"compaction_delta","content":"c"}}"#,
                r#"{"type":"heartbeat","n":1}"#,
                r#"{"type":"silence"}"#,
                r#"{"type":"message_stop"}"#,
                r#"{"type":"message_stop"}"#,
            ],
            vec![
                "start - -",
                "open 0 foreign compaction",
                r#"foreign Some(0) compaction {"type":"compaction_delta","content":"c"}"#,
                r#"foreign None heartbeat {"type":"heartbeat","n":1}"#,
                "close 0",
                "end",
            ],
        ),
        // A delta that its block does not take goes on raw too.
        (
            vec![
                TEXT,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"x"}}"#,
            ],
            vec![
                "start - -",
                "open 0 Text",
                r#"foreign Some(0) thinking {"type":"thinking_delta","thinking":"x"}"#,
            ],
        ),
        // D6: an error ends the stream, whatever comes after.
        (
            vec![
                START,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                TEXT,
            ],
            vec!["start a m", "usage 3 1 0 0 0 0", "fault Overloaded Overloaded"],
        ),
        // V1: later counts win, missing ones stay; the first reason counts.
        (
            vec![START, &ended("null"), &ended("\"refusal\""), &ended("\"end_turn\"")],
            vec![
                "start a m",
                "usage 3 1 0 0 0 0",
                "usage 3 9 0 0 0 0",
                "finish ContentFilter",
                "usage 3 9 0 0 0 0",
                "usage 3 9 0 0 0 0",
            ],
        ),
    ] {
        assert_eq!(lines(&stream(&data), true), expected, "{data:?}");
    }
    let unnamed = stream(&[START, TEXT])
        .replace("event: message_start\n", "")
        .replace("event: content_block_start\n", "");
    assert_eq!(lines(&unnamed, true).len(), 3);
    let untyped = stream(&[START, TEXT]).replace(r#""type":"message_start","#, "");
    assert_eq!(lines(&untyped, true).len(), 3);
}

#[test]
fn a_stream_that_breaks_off_has_no_end_and_a_broken_one_is_refused() {
    let good = stream(&[START, TEXT]);
    for rest in [
        "",
        "\n",
        "event: content_block_delta\ndata: {\"type\":\"content_b",
        "even",
        "data: {\"type\":\"message_st",
        ": keep",
    ] {
        let seen = lines(&format!("{good}{rest}"), true);
        assert_eq!(seen.last().map(String::as_str), Some("open 0 Text"), "{rest:?}");
    }
    assert_eq!(
        lines(&format!("{good}event: message_stop\ndata: {{\"type\":\"message_stop\"}}"), true)
            .last()
            .map(String::as_str),
        Some("end")
    );
    for broken in [
        "data: {\"type\":\n\n",
        "data: nonsense\n\n",
        "<html>\n\n",
        "data: {\"type\":\"content_block_stop\"}\n\n",
        "data: {\"type\":\"message_start\"}\n\n",
    ] {
        assert!(decode(format!("{good}{broken}").as_bytes(), true).is_err(), "{broken}");
    }
    assert!(decode(b"event: ping\ndata: \xff\n\n", true).is_err());
    assert!(
        decode(br#"{"type":"message","content":[]}"#, true).is_err(),
        "a whole answer is no stream"
    );
}

#[test]
fn whole_answers_that_are_none_are_refused() {
    for body in [
        "",
        "<html></html>",
        "[]",
        "{}",
        r#"{"id":"x","content":null}"#,
        r#"{"content":"text"}"#,
        r#"{"content":[{"text":"x"}]}"#,
    ] {
        assert!(decode(body.as_bytes(), false).is_err(), "{body}");
    }
    assert!(decode(b"{\"content\":[],\"id\":\"\xff\"}", false).is_err());
    let error = r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#;
    assert_eq!(lines(error, false), ["fault RateLimited slow down"]);
    let refusal = r#"{"id":"a","model":"m","content":[],"stop_reason":"refusal","stop_details":{"category":"cyber"}}"#;
    assert_eq!(
        lines(refusal, false),
        [
            "start a m",
            r#"foreign None stop_details {"category":"cyber"}"#,
            "finish ContentFilter",
            "end"
        ]
    );
}

#[test]
fn reasons_and_counts_are_read() {
    for (reason, finish) in [
        ("end_turn", "Stop"),
        ("stop_sequence", "StopSequence(Some(\"X\"))"),
        ("max_tokens", "Length"),
        ("model_context_window_exceeded", "Length"),
        ("tool_use", "ToolCalls"),
        ("pause_turn", "Pause"),
        ("compaction", "Other(\"compaction\")"),
    ] {
        let body = format!(r#"{{"content":[],"stop_reason":"{reason}","stop_sequence":"X"}}"#);
        assert_eq!(lines(&body, false).get(1), Some(&format!("finish {finish}")));
    }
    for (usage, expected) in [
        (r#"{"input_tokens":5,"output_tokens":2}"#, "usage 5 2 0 0 0 0"),
        (
            r#"{"input_tokens":5,"cache_read_input_tokens":null,"cache_creation_input_tokens":4}"#,
            "usage 9 0 0 4 0 0",
        ),
        (
            r#"{"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":2}}"#,
            "usage 3 0 0 1 2 0",
        ),
        (
            r#"{"input_tokens":-5,"output_tokens":"x","cache_read_input_tokens":18446744073709551615}"#,
            "usage 18446744073709551615 0 18446744073709551615 0 0 0",
        ),
    ] {
        let seen = lines(&format!(r#"{{"content":[],"usage":{usage}}}"#), false);
        assert_eq!(seen.get(1).map(String::as_str), Some(expected), "{usage}");
    }
}
