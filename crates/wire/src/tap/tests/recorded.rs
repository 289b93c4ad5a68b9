//! Every recorded stream through the tap, cut at every byte where it is short, at seeded places where it is long.
#![expect(clippy::print_stdout, reason = "the numbers tried are part of the proof")]

use serde_json::Value;

use super::*;
use crate::tests::corpus;
use crate::tests::dice::Dice;

/// Streams below this many bytes are cut at every byte.
const SHORT_BYTES: usize = 8 << 10;
/// Ways in which a longer one is cut.
const LONG_CUTS: usize = 4;

/// Cuts that together are at every byte: each way cuts every event at the same distance from its beginning.
fn every_cut(ends: &[usize], length: usize) -> Vec<Vec<usize>> {
    let starts: Vec<usize> = [0].into_iter().chain(ends.iter().copied()).collect();
    let spans = || starts.iter().zip(starts.iter().skip(1).copied().chain([length]));
    let longest = spans().map(|(start, end)| end - start).max().unwrap_or(0);
    let at = |distance: usize| {
        let inside = spans().map(move |(start, end)| (start + distance, end));
        inside.filter(|(cut, end)| cut < end && *cut > 0).map(|(cut, _)| cut).collect()
    };
    (0..longest).map(at).collect()
}

fn some_cuts(length: usize, dice: &mut Dice) -> Vec<Vec<usize>> {
    let way = |dice: &mut Dice, longest: usize| {
        let mut cuts = Vec::new();
        let mut at = 1 + dice.below(longest);
        while at < length {
            cuts.push(at);
            at += 1 + dice.below(longest);
        }
        cuts
    };
    (0..LONG_CUTS).map(|round| way(dice, [3, 40, 1_500, 16_384][round % 4])).collect()
}

/// What the caller should get, told without the tap: up to the terminator or the provider's error, and without events that hold
/// nothing but usage.
fn expected(dialect: &dyn Dialect, stream: &[u8], hide_usage: bool) -> Vec<u8> {
    let terminator = super::stream(dialect).pop().unwrap();
    let (mut found, mut finished) = (Vec::new(), false);
    for (at, event) in split(stream).into_iter().enumerate() {
        // The first event is the head of the answer, whatever else it holds.
        if !(hide_usage && at > 0 && holds_only_usage(&event, &mut finished)) {
            found.extend_from_slice(&event);
        }
        if data(&event) == data(&terminator) || tells_error(&event) {
            return found;
        }
    }
    let rest = ends(stream).last().map_or(stream, |end| &stream[*end..]);
    found.extend_from_slice(rest);
    if !rest.is_empty() {
        found.extend_from_slice(b"\n\n");
    }
    found
}

/// The data of an event as JSON; a bare word as a string. One recording begins with a space.
fn data(event: &[u8]) -> Option<Value> {
    let data = sse::read(event.trim_ascii_start()).unwrap()?.data.into_owned();
    Some(serde_json::from_str(&data).unwrap_or(Value::String(data)))
}

fn tells_error(event: &[u8]) -> bool {
    data(event).is_some_and(|data| data["error"].is_object())
}

/// Usage, and choices that say nothing, or only once more that they are finished.
fn holds_only_usage(event: &[u8], finished: &mut bool) -> bool {
    let Some(data) = data(event) else { return false };
    let ends = |choice: &Value| choice["finish_reason"].as_str().is_some_and(|reason| !reason.is_empty());
    let silent = |choice: &Value| {
        let says =
            |(name, value): (&String, &Value)| name != "role" && !value.is_null() && value != "" && value != &Value::Array(Vec::new());
        let spoken = choice["delta"].as_object().is_some_and(|delta| delta.iter().any(says));
        !spoken && (*finished || !ends(choice))
    };
    let Some(choices) = data["choices"].as_array() else { return false };
    let only_usage = data["usage"].is_object() && !tells_error(event) && choices.iter().all(silent);
    *finished |= choices.iter().any(ends);
    only_usage
}

#[test]
fn every_recorded_stream_passes_byte_for_byte() {
    let Some(exchanges) = corpus::exchanges() else { return };
    let mut dice = Dice::new(5);
    let (mut streams, mut short, mut passes, mut hidden, mut bytes) = (0, 0, 0_usize, 0, 0_usize);
    for exchange in &exchanges {
        let Some(text) = exchange.stream.as_ref().filter(|text| !text.trim_start().starts_with('{')) else {
            continue;
        };
        let stream = Bytes::copy_from_slice(text.as_bytes());
        let ends = ends(&stream);
        let ways = if stream.len() < SHORT_BYTES {
            short += 1;
            every_cut(&ends, stream.len())
        } else {
            some_cuts(stream.len(), &mut dice)
        };
        streams += 1;
        let single: Vec<usize> = (1..stream.len()).collect();
        let expected_out = expected(exchange.dialect, &stream, false);
        let mut first: Option<String> = None;
        for (way, cuts) in [Vec::new(), single].iter().chain(&ways).enumerate() {
            let seen = pass(exchange.dialect, false, &stream, cuts, &ends);
            assert!(seen.complaint.is_none(), "{}: {:?}", exchange.id, seen.complaint);
            assert!(seen.out == expected_out, "{}: not the same bytes, cut at {cuts:?}", exchange.id);
            // Telling events in words costs more than reading them.
            if way % 32 < 3 {
                let events = format!("{:?}", seen.events);
                let first = first.get_or_insert_with(|| events.clone());
                assert_eq!(*first, events, "{}: other events", exchange.id);
            }
            passes += 1;
            bytes += stream.len();
        }
        if has_usage_flag(exchange.dialect) {
            let expected_out = expected(exchange.dialect, &stream, true);
            hidden += usize::from(expected_out.len() < stream.len());
            for cuts in [&[][..], ways.last().map_or(&[][..], Vec::as_slice)] {
                let seen = pass(exchange.dialect, true, &stream, cuts, &ends);
                assert_eq!(
                    String::from_utf8_lossy(&seen.out),
                    String::from_utf8_lossy(&expected_out),
                    "{}",
                    exchange.id
                );
            }
        }
    }
    println!(
        "tap: {streams} recorded streams, {short} of them cut at every byte, {passes} passes, {bytes} bytes; usage hidden in {hidden}"
    );
    assert!(
        streams > 300 && hidden > 50,
        "only {streams} streams tried, usage hidden in {hidden}"
    );
}
