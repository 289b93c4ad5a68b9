//! Outlines of requests in every dialect, as rows.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::envelope;

fn outline(body: &str) -> Outline {
    let (fields, _) = envelope::scan(body.as_bytes()).unwrap();
    of(body.as_bytes(), &fields)
}

#[test]
fn the_last_turn_of_the_user_is_read_whatever_the_dialect() {
    let rows = [
        (r#"{"messages":[{"role":"user","content":"one"}]}"#, "one", 1),
        (
            r#"{"messages":[{"role":"user","content":"one"},{"role":"assistant","content":"two"},{"content":"three","role":"user"}]}"#,
            "three",
            3,
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"x"}},{"type":"text","text":"b"}]}]}"#,
            "a\nb",
            1,
        ),
        // A turn of results alone says nothing.
        (
            r#"{"messages":[{"role":"user","content":"ask"},{"role":"assistant","content":null},{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"no"}]}]}]}"#,
            "ask",
            3,
        ),
        (r#"{"contents":[{"parts":[{"text":"g"}]}]}"#, "g", 1),
        (r#"{"input":"r"}"#, "r", 1),
        (
            r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"r2"}]}]}"#,
            "r2",
            1,
        ),
        (
            r#"{"messages":[{"role":"user","content":"a\n\"q\" \u00e9\ud83d\ude00 \\ \/"}]}"#,
            "a\n\"q\" é😀 \\ /",
            1,
        ),
        (r#"{"messages":"odd"}"#, "odd", 1),
        (r#"{"messages":[1,"x",null,{"role":"user","content":7}]}"#, "", 1),
        (r#"{"messages":{}}"#, "", 0),
        (r#"{}"#, "", 0),
    ];
    for (body, text, turns) in rows {
        let outline = outline(body);
        assert_eq!((outline.head.as_str(), outline.turns), (text, turns), "{body}");
        assert_eq!(outline.tail, "", "{body}");
    }
}

#[test]
fn what_stands_around_the_text_is_counted() {
    let seen = outline(
        r#"{"system":[{"type":"text","text":"12345"}],"messages":[{"role":"system","content":"12"},
        {"role":"user","content":[{"type":"image","source":{}},{"type":"text","text":"hi"}]},{"role":"tool","content":"x"}],
        "tools":[{"name":"a"},{"name":"b"}],"response_format":{"type":"json_schema"},"reasoning_effort":"high","max_tokens":50}"#,
    );
    assert_eq!(
        (seen.turns, seen.system_bytes, seen.images, seen.tool_results, seen.tools),
        (2, 7 + 4, 1, 1, 2)
    );
    assert_eq!(
        (seen.json, seen.reasoning, seen.max_tokens, seen.text_bytes),
        (true, true, Some(50), 2)
    );
    let plain = outline(r#"{"response_format":{"type":"text"},"reasoning_effort":"low","thinking":{"type":"disabled"},"max_tokens":null}"#);
    assert_eq!((plain.json, plain.reasoning, plain.max_tokens), (false, false, None));
}

#[test]
fn of_a_long_text_its_two_ends_are_read() {
    let long = format!("BEGIN é {} END é", "x\\n".repeat(40_000));
    let body = format!(r#"{{"messages":[{{"role":"user","content":"{long}"}}]}}"#);
    let seen = outline(&body);
    assert_eq!(seen.text_bytes, long.len() as u64);
    assert!(seen.head.starts_with("BEGIN é") && seen.tail.ends_with("END é"), "{seen:?}");
    assert!(seen.head.len() <= TEXT_BYTES_MAX && seen.tail.len() <= TEXT_BYTES_MAX);
}

#[test]
fn a_cut_through_a_character_or_an_escape_loses_that_one_alone() {
    for shift in 0..16 {
        let pad = "p".repeat(shift);
        let long = format!("{pad}{}", "ü\\u00fc\\ud83d\\ude00".repeat(2_000));
        let body = format!(r#"{{"messages":[{{"role":"user","content":[{{"text":"{long}"}},{{"text":"end"}}]}}]}}"#);
        let seen = outline(&body);
        assert!(seen.tail.ends_with("\nend"), "{shift}");
        assert!(seen.head.starts_with(&format!("{pad}üü😀")), "{shift}");
    }
}
