//! Where an answer begins and ends, what is none, and the bounds of all of it.

use super::super::OpenAiChat;
use super::decoding::{short, stream};
use super::view::{self, View};
use super::{ANSWER, STREAM};
use crate::dialects::{Dialect, Operation};
use crate::event::Event;

#[test]
fn what_is_no_answer_is_malformed() {
    let whole = [
        "",
        "null",
        "[]",
        "<html>",
        "{\"choices\":",
        r#"{"choices":[]}"#,
        r#"{"id":"a"}"#,
        "{} {}",
        "\u{0}",
    ];
    for body in whole {
        assert!(view::decode(false, [body.as_bytes()]).1.is_err(), "{body:?}");
    }
    assert!(view::decode(false, [&b"{\"a\":\"\xff\"}"[..]]).1.is_err());
    let streams: [&[u8]; 8] = [
        b"data: [DONE]\n\n",
        b"data: {\"id\":\"a\",\"choices\":[]}\n\ndata: [DONE]\n\n",
        b"data: {\"choices\":[{\n\n",
        b"data: {\"id\":\"a\",\"choices\":7}\n\n",
        b"data: nonsense\n\n",
        b"data: {\"id\":\"\xff\"}\n\n",
        b"data: {\"choices\":[]}data: {\"choices\":[]}\n\n",
        b"<html>\n\n",
    ];
    for body in streams {
        assert!(view::decode(true, [body]).1.is_err(), "{body:?}");
    }
}

#[test]
fn the_end_is_only_where_the_terminator_is() {
    let text = "data: {\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n";
    let ends = |body: String| {
        let (events, result) = view::decode(true, [body.as_bytes()]);
        assert!(result.is_ok(), "{body} {result:?}");
        events.iter().filter(|event| matches!(event, Event::End)).count()
    };
    assert_eq!(ends(text.to_owned()), 0);
    assert_eq!(ends(format!("{text}data: [DO")), 0, "cut");
    assert_eq!(ends(format!("{text}data: {{\"id\":\"a\",\"cho")), 0, "cut");
    assert_eq!(ends(format!("{text}data: [DONE]")), 1, "without its blank line");
    assert_eq!(ends(format!("{text}data:[DONE]\r\n\r\n")), 1);
    assert_eq!(
        ends(format!("{text}data: [DONE]\n\ndata: [DONE]\n\ngarbage\n\n{text}")),
        1,
        "what follows is ignored"
    );
    assert_eq!(ends(format!("\n\n{text}")), 0);
    assert_eq!(ends(String::new()), 0);
}

#[test]
fn framing_does_not_matter() {
    let expected = short(&view::decode(true, [STREAM.as_bytes()]).0);
    assert!(expected.ends_with(" end"), "{expected}");
    let crlf = STREAM.replace('\n', "\r\n");
    let cr = STREAM.replace('\n', "\r");
    let tight = STREAM.replace("data: ", "data:");
    let chatty = STREAM.replace("data: ", "id: 7\n: OPENROUTER PROCESSING\nevent: message\ndata: ");
    for (name, body) in [
        ("crlf", crlf),
        ("cr", cr),
        ("tight", tight),
        ("chatty", chatty),
        ("as it is", STREAM.to_owned()),
    ] {
        for size in [1, 2, 3, 64, body.len()] {
            let (events, result) = view::decode(true, body.as_bytes().chunks(size));
            assert!(result.is_ok(), "{name}");
            assert_eq!(short(&events), expected, "{name} in pieces of {size}");
        }
    }
}

#[test]
fn a_stream_says_what_the_whole_answer_says() {
    let stream = View::of(&view::decode(true, [STREAM.as_bytes()]).0);
    let whole = View::of(&view::decode(false, [ANSWER.as_bytes()]).0);
    assert_eq!(stream.choices, whole.choices);
    assert_eq!((stream.usage, stream.id, stream.model), (whole.usage, whole.id, whole.model));
}

#[test]
fn what_has_no_bound_gets_one() {
    let chunk = |index: u64| format!(r#"{{"id":"a","choices":[{{"index":{index},"delta":{{"content":"x"}}}}]}}"#);
    let many: Vec<String> = (0..200).map(chunk).collect();
    let bytes = stream(&many.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(view::decode(true, [bytes.as_slice()]).1.is_err(), "choices");
    let calls = (0..1100)
        .map(|at| format!(r#"{{"index":{at},"id":"c{at}","function":{{"name":"f"}}}}"#))
        .collect::<Vec<_>>()
        .join(",");
    let body = format!(r#"{{"choices":[{{"index":0,"message":{{"tool_calls":[{calls}]}}}}]}}"#);
    assert!(view::decode(false, [body.as_bytes()]).1.is_err(), "calls");
    let mut decoder = OpenAiChat.decoder(Operation::Chat, true);
    assert!(
        decoder.push(&vec![b'x'; (1 << 20) + 2], &mut Vec::new()).is_err(),
        "a line without end"
    );
}
