//! What must hold for any bytes at all: one function for each fuzz target, each a panic when it does not hold. Also called by
//! `smoke.rs` with seeded input, so that they run without a fuzzer. No dialect is named: the registry says which there are.
#![cfg_attr(test, expect(clippy::unwrap_used, clippy::panic, reason = "tests"))]
#![cfg_attr(test, expect(unreachable_pub, reason = "`fuzz/` reaches them"))]

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tollgate_wire::envelope::{self, DECIDING, Field};
use tollgate_wire::event::{AnswerContext, Event};
use tollgate_wire::fault::Malformed;
use tollgate_wire::frame::sse::{self, Splitter};
use tollgate_wire::loss::Loss;
use tollgate_wire::request::Request;
use tollgate_wire::target::{ModelFacts, StreamUsage, Target, Thinking};
use tollgate_wire::{DIALECTS, Dialect, Operation};

const CHAT: Operation = Operation::Chat;

/// A target that gets arbitrary bytes.
pub type Check = fn(&[u8]);

/// Every target by its name; the last one must fail.
pub const CHECKS: &[(&str, Check)] = &[
    ("scan", scan),
    ("sse", sse),
    ("request", request),
    ("answer", answer),
    ("patch", patch),
    ("canary", canary),
];

/// Cuts bytes into pieces of 1 to 16 bytes; where, the seed says.
pub fn pieces(bytes: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut state = seed | 1;
    let mut found = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let take = 1 + usize::try_from(state >> 60).unwrap();
        let (piece, after) = rest.split_at(take.min(rest.len()));
        found.push(piece);
        rest = after;
    }
    found
}

/// The first eight bytes as a seed, and the others.
fn seeded(data: &[u8]) -> (u64, &[u8]) {
    let (head, rest) = data.split_at(data.len().min(8));
    (head.iter().fold(0, |seed, byte| (seed << 8) | u64::from(*byte)), rest)
}

/// The scanner against `serde_json`: the same documents accepted, the same fields found with the same values, and a refusal
/// exactly where a deciding key is repeated or miscased.
pub fn scan(body: &[u8]) {
    let parsed = serde_json::from_slice::<Map<String, Value>>(body);
    let skipped = serde_json::from_slice::<IgnoredAny>(body).is_ok();
    match envelope::scan(body) {
        Ok((fields, head)) => {
            assert!(skipped, "accepted what serde_json cannot even skip");
            assert!(
                !ambiguous(fields.iter().map(|field| field.name.as_str())),
                "accepted an ambiguous key"
            );
            let before = body.get(..head).unwrap().trim_ascii_start();
            assert_eq!(before, b"{", "the head is not just behind the opening brace");
            spans_are_ordered(&fields, head, body.len());
            let Ok(parsed) = parsed else { return };
            let distinct = fields
                .iter()
                .enumerate()
                .filter(|(at, field)| !fields.iter().skip(at + 1).any(|later| later.name == field.name));
            assert_eq!(distinct.count(), parsed.len(), "not the same fields");
            for (name, value) in parsed {
                let field = fields.iter().rfind(|field| field.name == name).unwrap();
                assert_eq!(serde_json::from_str::<Value>(field.text(body)).unwrap(), value);
                let key: String = serde_json::from_slice(body.get(field.key.clone()).unwrap()).unwrap();
                assert_eq!(key, name);
                let string = envelope::string_of(field, body).ok();
                assert_eq!(string.as_deref(), value.as_str());
            }
        }
        Err(error) => {
            let known = error.message.contains("deeper than") || error.message.contains("more than 512");
            let names = keys(body);
            let fair = known || parsed.is_err() || names.is_some_and(|names| ambiguous(names.iter().map(AsRef::as_ref)));
            assert!(fair, "refused what serde_json accepts: {error}");
        }
    }
}

fn spans_are_ordered(fields: &[Field], head: usize, end: usize) {
    let mut at = head;
    for field in fields {
        assert!(
            at <= field.key.start && field.key.end < field.value.start && field.value.end < end,
            "spans overlap"
        );
        at = field.value.end;
    }
}

/// Whether a deciding key is repeated or miscased, by a second way of telling.
fn ambiguous<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let names: Vec<&str> = names.collect();
    DECIDING.iter().any(|deciding| {
        let alike = names.iter().filter(|name| name.to_ascii_lowercase() == *deciding);
        alike.clone().count() > 1 || alike.into_iter().any(|name| name != deciding)
    })
}

/// The keys of an object in order, repeated ones too.
fn keys(body: &[u8]) -> Option<Vec<String>> {
    struct Keys(Vec<String>);
    impl<'de> Deserialize<'de> for Keys {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Keys;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                    let mut keys = Vec::new();
                    while let Some((key, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                        keys.push(key);
                    }
                    Ok(Keys(keys))
                }
            }
            deserializer.deserialize_map(Visitor)
        }
    }
    serde_json::from_slice::<Keys>(body).ok().map(|keys| keys.0)
}

/// Frames: cut anywhere, the same events in the same bytes.
pub fn sse(data: &[u8]) {
    let (seed, stream) = seeded(data);
    let whole = frames([stream]);
    assert_eq!(frames(pieces(stream, seed)), whole, "other events when cut");
    assert_eq!(frames(stream.chunks(1)), whole, "other events byte by byte");
    assert_eq!(
        whole.iter().flatten().copied().collect::<Vec<u8>>(),
        stream,
        "bytes were lost or invented"
    );
    for frame in &whole {
        let Ok(Some(event)) = sse::read(frame) else { continue };
        // What is read can be written, and is then read as the same; lines within the data are told apart by their own fields.
        if event.data.contains('\n') {
            continue;
        }
        let mut written = Vec::new();
        sse::write(&mut written, event.name, |out| out.extend_from_slice(event.data.as_bytes()));
        assert_eq!(sse::read(&written).unwrap().unwrap(), event);
    }
}

fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut splitter = Splitter::default();
    let mut found = Vec::new();
    for piece in pieces {
        splitter
            .push(piece, |event| {
                found.push(event.to_vec());
                Ok(())
            })
            .unwrap();
    }
    let rest = splitter.take_rest();
    if !rest.is_empty() {
        found.push(rest);
    }
    found
}

/// Requests: whatever is read in one dialect is written in every dialect as JSON that this dialect reads, twice the same.
pub fn request(data: &[u8]) {
    for from in DIALECTS {
        // The gateway scans first, so that what is ambiguous is never read.
        let (scanned, read) = (from.scan(CHAT, data), from.read_request(CHAT, data));
        let (Ok(envelope), Ok(request)) = (scanned, read) else { continue };
        assert_eq!(envelope.model, request.model, "{}: two models", from.name());
        assert_eq!(envelope.stream, request.stream, "{}: two wishes for a stream", from.name());
        assert_eq!(envelope.max_tokens, request.max_tokens, "{}: two limits", from.name());
        for to in DIALECTS {
            for target in targets() {
                crosses(&request, *from, *to, &target);
            }
        }
    }
}

fn crosses(request: &Request, from: &dyn Dialect, to: &dyn Dialect, target: &Target) {
    let write = || {
        let mut loss = Loss::default();
        (to.write_request(CHAT, request, target, &mut loss), loss)
    };
    let (written, loss) = write();
    let pair = format!("{} to {}", from.name(), to.name());
    let text = String::from_utf8_lossy(&written);
    assert_eq!((&written, &loss), (&write().0, &write().1), "{pair}: not the same twice");
    if let Err(error) = serde_json::from_slice::<&RawValue>(&written) {
        panic!("{pair}: not JSON: {error}: {text}");
    }
    let names = keys(&written).unwrap();
    let twice = names
        .iter()
        .enumerate()
        .filter(|(at, name)| names.iter().skip(at + 1).any(|later| later == *name));
    for (_, name) in twice {
        // What no dialect knows goes back as often as it came.
        let own = from.name() == to.name() && request.extra.fields.iter().filter(|(known, _)| known == name).count() > 1;
        assert!(own, "{pair}: \"{name}\" twice: {text}");
    }
    if let Err(error) = to.read_request(CHAT, &written) {
        panic!("{pair}: not readable by its own dialect: {error}: {text}");
    }
    if let Err(error) = to.scan(CHAT, &written) {
        panic!("{pair}: refused by its own dialect's scanner: {error}: {text}");
    }
}

/// Targets that want requests written differently.
pub fn targets() -> Vec<Target> {
    let named = |facts: ModelFacts| Target {
        model: "provider-model".to_owned(),
        facts,
        ..Target::default()
    };
    let mut plain = named(ModelFacts::default());
    plain.quirks.developer_as_system = true;
    plain.quirks.reasoning_field = Some("reasoning_content".to_owned());
    let poor = named(ModelFacts {
        output_tokens_max: Some(2_000),
        sampling: false,
        thinking: Thinking::None,
        forced_tool_choice: false,
        json_schema: false,
        prefill: false,
        stop: false,
        ..ModelFacts::default()
    });
    let rich = named(ModelFacts {
        output_tokens_max: Some(64_000),
        thinking: Thinking::Adaptive,
        efforts: ["low", "high"].map(ToOwned::to_owned).to_vec(),
        system_midway: true,
        ..ModelFacts::default()
    });
    let budget = named(ModelFacts {
        thinking: Thinking::Budget,
        ..ModelFacts::default()
    });
    vec![plain, poor, rich, budget]
}

/// Answers: cut anywhere, the same events; and what they become in every dialect is read there as an answer.
pub fn answer(data: &[u8]) {
    let (seed, bytes) = seeded(data);
    for from in DIALECTS {
        for streamed in [false, true] {
            let (events, complaint) = decode(*from, streamed, [bytes]);
            let cut = decode(*from, streamed, pieces(bytes, seed));
            let told = |events: &[Event]| format!("{events:?}");
            let name = from.name();
            assert_eq!(told(&cut.0), told(&events), "{name}, streamed {streamed}: other events when cut");
            assert_eq!(
                cut.1.is_some(),
                complaint.is_some(),
                "{name}, streamed {streamed}: another complaint when cut"
            );
            // What has no end is a fault of the gateway's to tell.
            let finished = events.iter().any(|event| matches!(event, Event::Finish { .. }));
            if complaint.is_some() || !finished || !matches!(events.last(), Some(Event::End)) {
                continue;
            }
            for to in DIALECTS {
                for stream in [false, true] {
                    encoded_is_readable(&events, *to, stream, name);
                }
            }
        }
    }
}

fn decode<'a>(dialect: &dyn Dialect, streamed: bool, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Option<Malformed>) {
    let mut decoder = dialect.decoder(CHAT, streamed);
    let mut events = Vec::new();
    for piece in pieces {
        if let Err(complaint) = decoder.push(piece, &mut events) {
            return (events, Some(complaint));
        }
    }
    let complaint = decoder.end(&mut events).err();
    (events, complaint)
}

fn encoded_is_readable(events: &[Event], to: &dyn Dialect, stream: bool, from: &str) {
    let context = AnswerContext {
        id: "id".to_owned(),
        model: "m".to_owned(),
        created: 1,
        stream,
        include_usage: true,
        renamed_tools: Vec::new(),
    };
    let mut encoder = to.encoder(CHAT, context);
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.push(event, &mut out));
    assert!(stream || out.is_empty(), "a whole answer before its end");
    encoder.end(&mut out);
    let (read, complaint) = decode(to, stream, [out.as_slice()]);
    let pair = || format!("{from} to {}, stream {stream}: {}", to.name(), String::from_utf8_lossy(&out));
    assert!(complaint.is_none(), "{complaint:?}: {}", pair());
    assert!(
        !read.iter().any(|event| matches!(event, Event::Fault(_))),
        "a fault out of nothing: {}",
        pair()
    );
    assert!(matches!(read.last(), Some(Event::End)), "no end: {}", pair());
}

/// Patches: what is not edited stays, byte for byte, and what is edited is edited as the target says.
pub fn patch(data: &[u8]) {
    for dialect in DIALECTS {
        let Ok(envelope) = dialect.scan(CHAT, data) else { continue };
        let same = Target {
            model: envelope.model.clone(),
            ..Target::default()
        };
        let edited = dialect.patch(CHAT, &envelope, data, &same, &mut Loss::default()).apply(data);
        if !envelope.stream || envelope.include_usage {
            assert_eq!(edited, data, "{}: edited without need", dialect.name());
        }
        for (target, usage) in edits() {
            let edited = dialect.patch(CHAT, &envelope, data, &target, &mut Loss::default()).apply(data);
            fields_follow(*dialect, data, &edited, &target, usage);
        }
    }
}

/// Targets whose vendors differ, and whether they can be asked for usage.
fn edits() -> Vec<(Target, bool)> {
    let mut found = Vec::new();
    for (stream_usage, asks) in [(StreamUsage::Ask, true), (StreamUsage::Always, false), (StreamUsage::Never, false)] {
        let mut target = Target {
            model: "other \"model\"\n".to_owned(),
            ..Target::default()
        };
        target.quirks.stream_usage = stream_usage;
        found.push((target.clone(), asks));
        target.quirks.drop = vec!["seed".to_owned(), "x".to_owned()];
        target.quirks.rename = vec![("max_tokens".to_owned(), "limit".to_owned()), ("y".to_owned(), "z".to_owned())];
        found.push((target, asks));
    }
    found
}

/// The field by which a caller asks for usage in a stream, in dialects that have one.
pub const USAGE_FIELD: &str = "stream_options";

/// Compares the fields of a body before and after.
fn fields_follow(dialect: &dyn Dialect, before: &[u8], after: &[u8], target: &Target, asks: bool) {
    let context = || {
        format!(
            "{}: {} became {}",
            dialect.name(),
            String::from_utf8_lossy(before),
            String::from_utf8_lossy(after)
        )
    };
    let envelope = dialect.scan(CHAT, after).unwrap_or_else(|error| panic!("{error}: {}", context()));
    assert_eq!(envelope.model, target.model, "{}", context());
    if envelope.stream && asks {
        assert!(envelope.include_usage, "usage was not asked for: {}", context());
    }
    let (fields, _) = envelope::scan(before).unwrap();
    let expected = fields.iter().filter_map(|field| {
        let quirks = &target.quirks;
        let known = fields.iter().any(|other| {
            quirks
                .rename
                .iter()
                .any(|(ours, theirs)| *ours == field.name && *theirs == other.name)
        });
        if quirks.drop.contains(&field.name) || known || field.name == USAGE_FIELD {
            return None;
        }
        let renamed = quirks.rename.iter().find(|(ours, _)| *ours == field.name);
        let name = renamed.map_or(field.name.as_str(), |(_, theirs)| theirs);
        let value = if field.name == "model" {
            Cow::Owned(serde_json::to_string(&target.model).unwrap())
        } else {
            Cow::Borrowed(field.text(before))
        };
        Some((name.to_owned(), value))
    });
    let found = envelope.fields.iter().filter(|field| field.name != USAGE_FIELD);
    let found: Vec<_> = found.map(|field| (field.name.clone(), Cow::Borrowed(field.text(after)))).collect();
    assert_eq!(found, expected.collect::<Vec<_>>(), "{}", context());
}

/// A planted bug that a fuzzer must find within seconds: a scanner that forgets escapes sees another end of a string.
pub fn canary(data: &[u8]) {
    let Ok((fields, _)) = envelope::scan(data) else { return };
    for field in &fields {
        let key = data.get(field.key.clone()).unwrap();
        let naive = key.iter().skip(1).position(|byte| *byte == b'"').map(|at| at + 2);
        assert_eq!(naive, Some(key.len()), "the planted bug was found");
    }
}
