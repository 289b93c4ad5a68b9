//! Errors through every pair: what a provider says went wrong, the caller is told in its own dialect; in mid-stream too.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::answer_rows::text;
use super::answers::{Content, decode};
use super::*;
use crate::event::{AnswerContext, Start};
use crate::fault::{Fault, FaultKind as Kind, Origin};

/// The kinds that a provider may be at fault for.
const KINDS: &[Kind] = &[
    Kind::Malformed,
    Kind::TooLarge,
    Kind::Unauthorized,
    Kind::Forbidden,
    Kind::NotFound,
    Kind::RateLimited,
    Kind::QuotaExceeded,
    Kind::ContextLength,
    Kind::ContentPolicy,
    Kind::Overloaded,
    Kind::Unavailable,
    Kind::Timeout,
    Kind::Upstream,
];

/// What was told is understood: every kind of fault, whoever is to blame, as an answer and in mid-stream.
#[test]
fn a_fault_that_is_read_back_is_the_same() {
    for dialect in DIALECTS {
        for kind in Kind::ALL {
            for origin in [Origin::Provider, Origin::Gateway, Origin::Client] {
                let sent = Fault::new(kind, origin, "words without a meaning");
                let (status, body) = dialect.write_fault(&sent, "req_1");
                let whole = dialect.read_fault(status, &body);
                let stream = dialect.write_stream_fault(&sent, "req_1");
                let events = decode(*dialect, true, &stream);
                let Some(Event::Fault(streamed)) = events.last() else {
                    panic!("{}: no fault: {events:?}", dialect.name())
                };
                // The other side's own mistake is a provider's failure to us.
                let expected = if kind == Kind::Internal { Kind::Upstream } else { kind };
                assert_eq!(whole.kind, expected, "{} {origin:?} as {status}: {}", dialect.name(), shown(&body));
                assert_eq!(streamed.kind, expected, "{} {origin:?}: {}", dialect.name(), shown(&stream));
            }
        }
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_fault_crosses_every_pair() {
    for (from, to) in pairs() {
        let mut shown = String::new();
        for kind in KINDS {
            let sent = Fault::provider(*kind, "the provider's words");
            let (status, body) = from.write_fault(&sent, "req_1");
            let read = from.read_fault(status, &body);
            let (told, told_body) = to.write_fault(&read, "req_2");
            let again = to.read_fault(told, &told_body);
            let text = String::from_utf8(told_body).unwrap();
            shown.push_str(&format!(
                "{kind:?} as {status} is {:?}, told as {told} {text} is {:?}\n",
                read.kind, again.kind
            ));
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
            assert!(text.contains("the provider's words"), "the words were lost: {text}");
            assert_eq!(status / 100, told / 100, "{kind:?}: {status} became {told}");
            // A code may say more than the status it came with; the blame and the advice stay with the class.
            assert_eq!(read.origin, again.origin, "{} to {}: {text}", from.name(), to.name());
        }
        snapshot("faults", (from, to), &shown);
    }
}

#[test]
fn a_fault_in_mid_stream_is_the_end_of_it() {
    for (from, to) in pairs() {
        for kind in KINDS {
            let context = AnswerContext {
                stream: true,
                ..AnswerContext::default()
            };
            let mut events = vec![Event::Start(Start::default())];
            events.extend(text(0, 0, &["one ", "two"]));
            let mut encoder = from.encoder(CHAT, context.clone());
            let mut bytes = Vec::new();
            events.iter().for_each(|event| encoder.push(event, &mut bytes));
            bytes.extend(from.write_stream_fault(&Fault::provider(*kind, "the provider's words"), "req_1"));

            let mut pipe = Pipe::new(from, true, to, CHAT, context);
            let (mut out, mut seen) = (Vec::new(), Vec::new());
            pipe.push(&bytes, &mut out, &mut seen).unwrap();
            pipe.end(&mut out, &mut seen).unwrap();
            let Some(Event::Fault(fault)) = seen.last() else {
                panic!("{}: no fault: {seen:?}", from.name())
            };
            out.extend(to.write_stream_fault(fault, "req_2"));
            let came = decode(to, true, &out);
            let Some(Event::Fault(told)) = came.last() else {
                panic!("{}: no fault: {came:?}", to.name())
            };
            assert!(told.message.contains("the provider's words"), "{told:?}");
            assert!(
                !came.iter().any(|event| matches!(event, Event::End | Event::Finish { .. })),
                "a success: {came:?}"
            );
            let said = format!("{:?}", Content::of(&came));
            assert!(said.contains("one two"), "{said}");
        }
    }
}
