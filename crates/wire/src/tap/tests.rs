//! The lossless path of streams: whole events pass through as they are, however the bytes were cut; what is broken, hidden or behind
//! the end does not. Rows for every dialect of the registry here, the recorded streams in `recorded`.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::DIALECTS;
use crate::event::{AnswerContext, Block, Delta, Finish, Start};
use crate::fault::{Fault, FaultKind};
use crate::frame::sse::{self, EVENT_BYTES_MAX};
use crate::usage::Usage;

mod recorded;

const CHAT: Operation = Operation::Chat;

/// What a tap gave.
struct Seen {
    out: Vec<u8>,
    events: Vec<Event>,
    complaint: Option<Malformed>,
}

impl Seen {
    fn ended(&self) -> bool {
        matches!(self.events.last(), Some(Event::End))
    }
}

/// Lets a stream pass in pieces; `ends` are the places where its events end. Nothing of an event may be given before it is whole,
/// and what lies whole in a piece is given without a copy.
fn pass(dialect: &dyn Dialect, hide_usage: bool, stream: &Bytes, cuts: &[usize], ends: &[usize]) -> Seen {
    let mut tap = Tap::new(dialect, CHAT, hide_usage);
    let (mut out, mut events, mut complaint) = (Vec::new(), Vec::new(), None);
    let mut at = 0;
    for next in cuts.iter().copied().chain([stream.len()]) {
        let piece = stream.slice(at..next);
        let held = tap.splitter.held_bytes() > 0;
        let mut given = Vec::new();
        complaint = tap.push(&piece, &mut given, &mut events).err();
        for bytes in &given {
            let range = piece.as_ptr_range();
            let inside = range.start <= bytes.as_ptr() && bytes.as_ptr_range().end <= range.end;
            assert!(held || inside, "copied although nothing was held back");
            out.extend_from_slice(bytes);
        }
        let whole = ends[..ends.partition_point(|end| *end <= next)].last().copied().unwrap_or(0);
        assert!(out.len() <= whole, "half an event was given: {} of {whole} whole bytes", out.len());
        at = next;
        if complaint.is_some() {
            return Seen { out, events, complaint };
        }
    }
    let mut given = Vec::new();
    if let Err(malformed) = tap.end(&mut given, &mut events) {
        complaint = Some(malformed);
    }
    given.iter().for_each(|bytes| out.extend_from_slice(bytes));
    Seen { out, events, complaint }
}

/// Where the events of a stream end.
fn ends(stream: &[u8]) -> Vec<usize> {
    let (mut found, mut at) = (Vec::new(), 0);
    let mut splitter = Splitter::default();
    // A stream that is too long to be an event ends without one.
    let _ = splitter.push(stream, |event| {
        at += event.len();
        found.push(at);
        Ok(())
    });
    found
}

/// A stream of the dialect, as its events: a head, a text, an ending, usage, a terminator.
fn stream(dialect: &dyn Dialect) -> Vec<Vec<u8>> {
    let context = AnswerContext {
        id: "id".to_owned(),
        model: "m".to_owned(),
        created: 1,
        stream: true,
        include_usage: true,
        renamed_tools: Vec::new(),
    };
    let text = |text: &str| Event::Delta {
        choice: 0,
        block: 0,
        delta: Delta::Text(text.to_owned()),
    };
    let events = [
        Event::Start(Start::default()),
        Event::Open {
            choice: 0,
            block: 0,
            kind: Block::Text,
        },
        text("one"),
        text("two 😀"),
        Event::Close { choice: 0, block: 0 },
        Event::Finish {
            choice: 0,
            reason: Finish::Stop,
        },
        Event::Usage(Usage {
            input: 3,
            output: 4,
            ..Usage::default()
        }),
        Event::End,
    ];
    let mut encoder = dialect.encoder(CHAT, context);
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.push(event, &mut out));
    encoder.end(&mut out);
    split(&out)
}

fn split(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut at = 0;
    let mut cut = |end: usize| stream[std::mem::replace(&mut at, end)..end].to_vec();
    ends(stream).into_iter().map(&mut cut).collect()
}

/// Whether callers of a dialect ask for usage in a stream at all.
fn has_usage_flag(dialect: &dyn Dialect) -> bool {
    let body = br#"{"model":"m","messages":[],"stream":true}"#;
    !dialect.scan(CHAT, body).unwrap().include_usage
}

/// Lets the bytes pass in one piece, byte by byte, and cut at every place; the outcome is the same.
fn pass_however_cut(dialect: &dyn Dialect, hide_usage: bool, stream: &[u8]) -> Seen {
    let (bytes, ends) = (Bytes::copy_from_slice(stream), ends(stream));
    let whole = pass(dialect, hide_usage, &bytes, &[], &ends);
    let told = |seen: &Seen| (seen.out.clone(), format!("{:?}", seen.events), seen.complaint.clone());
    let single: Vec<usize> = (1..stream.len()).collect();
    assert_eq!(
        told(&pass(dialect, hide_usage, &bytes, &single, &ends)),
        told(&whole),
        "byte by byte"
    );
    for cut in 1..stream.len() {
        assert_eq!(
            told(&pass(dialect, hide_usage, &bytes, &[cut], &ends)),
            told(&whole),
            "cut at {cut}"
        );
    }
    whole
}

#[test]
fn a_stream_passes_as_it_is() {
    for dialect in DIALECTS {
        let stream = stream(*dialect).concat();
        let seen = pass_however_cut(*dialect, false, &stream);
        assert_eq!(seen.out, stream);
        assert!(seen.ended() && seen.complaint.is_none());
    }
}

#[test]
fn usage_that_was_not_asked_for_is_taken_out() {
    for dialect in DIALECTS.iter().filter(|dialect| has_usage_flag(**dialect)) {
        let events = stream(*dialect);
        let seen = pass_however_cut(*dialect, true, &events.concat());
        // It stands between the ending and the terminator.
        let usage = events.len() - 2;
        let rest: Vec<_> = events
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != usage)
            .map(|(_, event)| event.clone())
            .collect();
        assert_eq!(seen.out, rest.concat());
        assert!(
            seen.events
                .iter()
                .any(|event| matches!(event, Event::Usage(usage) if usage.output == 4))
        );
        assert!(seen.ended());
    }
}

#[test]
fn f20_what_follows_the_end_is_dropped() {
    for dialect in DIALECTS {
        let stream = stream(*dialect).concat();
        let terminator = split(&stream).pop().unwrap();
        for after in [&b"\n\n"[..], b"data: {}\n\n", b"garbage", b"\xff\n\n", &terminator] {
            let seen = pass_however_cut(*dialect, false, &[stream.as_slice(), after].concat());
            assert_eq!(seen.out, stream, "{}", String::from_utf8_lossy(after));
            assert!(seen.ended() && seen.complaint.is_none());
        }
    }
}

#[test]
fn f12_f13_f18_a_broken_event_is_not_passed_on_and_ends_the_stream() {
    let broken: &[&[u8]] = &[
        b"data: {oops\n\n",
        b"data: {\"a\":\n\n",
        b"event: x\ndata: [1,\n\n",
        b"data: \xff\xfe\n\n",
        b"data: {\"a\":\"\xf0\x9f\"}\n\n",
        b"<html>oops</html>\n\n",
        b"{\"error\":\"glued in\"}\n\n",
    ];
    for dialect in DIALECTS {
        let events = stream(*dialect);
        let before = events[..events.len() - 2].concat();
        for event in broken {
            let faulty = [before.as_slice(), event, &events[events.len() - 1]].concat();
            let seen = pass_however_cut(*dialect, false, &faulty);
            let shown = format!("{}: {}", dialect.name(), String::from_utf8_lossy(event));
            assert!(seen.complaint.is_some(), "no complaint: {shown}");
            assert_eq!(
                String::from_utf8(seen.out).unwrap(),
                String::from_utf8(before.clone()).unwrap(),
                "{shown}"
            );
            assert!(!seen.events.iter().any(|event| matches!(event, Event::End)), "ended: {shown}");
        }
    }
}

#[test]
fn f17_an_event_without_end_is_cut_and_nothing_of_it_passed_on() {
    for dialect in DIALECTS {
        let events = stream(*dialect);
        let endless = [events[0].as_slice(), b"data: ", &vec![b'x'; EVENT_BYTES_MAX + 70_000]].concat();
        let cuts: Vec<usize> = (1..endless.len() / 65_536).map(|at| at * 65_536).collect();
        for cuts in [&[][..], &cuts] {
            let seen = pass(*dialect, false, &Bytes::from(endless.clone()), cuts, &ends(&endless));
            assert!(seen.complaint.unwrap().message.contains("longer than 1 MiB"));
            assert_eq!(seen.out, events[0]);
        }
    }
}

#[test]
fn a_providers_error_event_passes_and_is_the_last() {
    for dialect in DIALECTS {
        let events = stream(*dialect);
        let fault = Fault::provider(FaultKind::Overloaded, "no capacity");
        let error = dialect.write_stream_fault(&fault, "req_1");
        let upto = [events[0].as_slice(), &events[1], &error].concat();
        let seen = pass_however_cut(*dialect, false, &[upto.as_slice(), &events[2], &events[events.len() - 1]].concat());
        assert_eq!(String::from_utf8(seen.out).unwrap(), String::from_utf8(upto).unwrap());
        assert!(matches!(seen.events.last(), Some(Event::Fault(_))), "{}", dialect.name());
        assert!(seen.complaint.is_none());
    }
}

#[test]
fn a_last_event_without_its_blank_line_is_completed() {
    for dialect in DIALECTS {
        let stream = stream(*dialect).concat();
        for missing in 1..=2 {
            let cut = &stream[..stream.len() - missing];
            let seen = pass_however_cut(*dialect, false, cut);
            assert!(seen.ended() && seen.complaint.is_none(), "{} less {missing}", dialect.name());
            assert_eq!(seen.out, [cut, b"\n\n"].concat());
        }
    }
}

#[test]
fn f19_a_stream_that_stops_early_has_no_end_and_no_half_event() {
    for dialect in DIALECTS {
        let stream = stream(*dialect).concat();
        let ends = ends(&stream);
        let terminator = ends[ends.len() - 2];
        for stop in 0..=terminator {
            let bytes = Bytes::copy_from_slice(&stream[..stop]);
            let seen = pass(*dialect, false, &bytes, &[], &ends);
            assert!(!seen.ended(), "{} stopped at {stop}", dialect.name());
            // A last event may lack its blank line, not a byte of its own.
            let whole = split(&[&seen.out[..], b""].concat()).concat();
            assert_eq!(whole, seen.out, "{} stopped at {stop}: half an event", dialect.name());
            for event in split(&seen.out) {
                let read = sse::read(&event).unwrap();
                assert!(read.is_none_or(|read| stream.windows(read.data.len()).any(|data| data == read.data.as_bytes())));
            }
        }
    }
}
