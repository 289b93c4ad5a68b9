//! The lossless fast path of requests: only the patched spans change, and they change as the target says. Shown on every recorded
//! request, on unusual spellings of them, and on requests made up field by field.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::envelope::{self, Field};
use crate::loss::Loss;
use crate::target::{StreamUsage, Target};
use crate::tests::corpus;
use crate::tests::dice::Dice;
use crate::tests::spelling::spell;
use crate::{DIALECTS, Dialect, Operation};

const CHAT: Operation = Operation::Chat;
/// The field that asks for usage in a stream, and its member.
const USAGE: (&str, &str) = ("stream_options", "include_usage");
/// A name that must be escaped in JSON.
const OTHER_MODEL: &str = "other/\"model\"\n\u{e9}";

#[test]
fn edits_are_made_by_span_in_any_order() {
    type Edits = &'static [(usize, usize, &'static str)];
    let rows: &[(&str, Edits, &str)] = &[
        ("abc", &[], "abc"),
        ("abc", &[(0, 1, "X")], "Xbc"),
        ("abc", &[(2, 3, "Z"), (0, 1, "X")], "XbZ"),
        ("abc", &[(1, 1, "-")], "a-bc"),
        ("abc", &[(3, 3, "!")], "abc!"),
        ("abc", &[(0, 3, "")], ""),
        ("abc", &[(0, 2, "X"), (1, 3, "Y")], "Xc"),
        ("abc", &[(1, 9, "X")], "abc"),
        ("abc", &[(7, 9, "X"), (1, 2, "")], "ac"),
    ];
    for (body, edits, expected) in rows {
        let mut patch = Patch::default();
        for (start, end, text) in *edits {
            patch.replace(*start..*end, *text);
        }
        assert_eq!(
            String::from_utf8(patch.apply(body.as_bytes())).unwrap(),
            *expected,
            "{body} {edits:?}"
        );
    }
}

/// The body with the patched spans cut out, and the edited body with what was put there cut out. Panics where edits overlap.
fn around(patch: &Patch, body: &[u8], edited: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut edits = patch.edits.clone();
    edits.sort_by_key(|(span, _)| span.start);
    let (mut at, mut edited_at) = (0, 0);
    let (mut left, mut edited_left) = (Vec::new(), Vec::new());
    for (span, bytes) in &edits {
        assert!(
            at <= span.start && span.end <= body.len(),
            "edits overlap or lie outside: {edits:?}"
        );
        let kept = span.start - at;
        left.extend_from_slice(&body[at..span.start]);
        edited_left.extend_from_slice(&edited[edited_at..edited_at + kept]);
        assert_eq!(&edited[edited_at + kept..edited_at + kept + bytes.len()], bytes.as_slice());
        (at, edited_at) = (span.end, edited_at + kept + bytes.len());
    }
    left.extend_from_slice(&body[at..]);
    edited_left.extend_from_slice(&edited[edited_at..]);
    (left, edited_left)
}

/// Top-level names and raw values.
fn entries(body: &[u8]) -> Vec<(String, String)> {
    let (fields, _) = envelope::scan(body).unwrap();
    let entry = |field: &Field| (field.name.clone(), field.text(body).to_owned());
    fields.iter().map(entry).collect()
}

/// Whether callers of a dialect ask for usage in a stream at all.
fn has_usage_flag(dialect: &dyn Dialect) -> bool {
    let body = br#"{"model":"m","messages":[],"stream":true}"#;
    !dialect.scan(CHAT, body).unwrap().include_usage
}

/// What the fields of a body should become, without the one that asks for usage.
fn expected(fields: &[(String, String)], target: &Target) -> Vec<(String, String)> {
    let quirks = &target.quirks;
    let theirs = |name: &str| quirks.rename.iter().find(|(ours, _)| ours == name).map(|(_, theirs)| theirs);
    let mut found = Vec::new();
    for (name, value) in fields.iter().filter(|(name, _)| name != USAGE.0 && !quirks.drop.contains(name)) {
        match theirs(name) {
            // The caller wrote it in the vendor's own word too: that one counts.
            Some(theirs) if fields.iter().any(|(other, _)| other == theirs) => {}
            Some(theirs) => found.push((theirs.clone(), value.clone())),
            None if name == "model" => found.push((name.clone(), serde_json::to_string(&target.model).unwrap())),
            None => found.push((name.clone(), value.clone())),
        }
    }
    found
}

/// Checks one body against one target.
fn check(dialect: &dyn Dialect, body: &[u8], target: &Target) {
    let shown = || format!("{}: {}", dialect.name(), String::from_utf8_lossy(&body[..body.len().min(1_000)]));
    let envelope = dialect.scan(CHAT, body).unwrap_or_else(|error| panic!("{error}: {}", shown()));
    let patch = dialect.patch(CHAT, &envelope, body, target, &mut Loss::default());
    let edited = patch.clone().apply(body);
    let (left, edited_left) = around(&patch, body, &edited);
    assert!(left == edited_left, "more than the patched spans changed: {}", shown());
    let before = entries(body);
    let after = entries(&edited);
    let others: Vec<_> = after.iter().filter(|(name, _)| name != USAGE.0).cloned().collect();
    assert_eq!(others, expected(&before, target), "{}", shown());
    usage_flag(dialect, (&before, &after), (envelope.stream, target), &shown());
    serde_json::from_slice::<serde::de::IgnoredAny>(&edited).unwrap();
}

type Entries = [(String, String)];

/// The flag is set where the stream needs it and the vendor takes it, gone where the vendor refuses it, else as it was; what stands
/// beside it stays.
fn usage_flag(dialect: &dyn Dialect, (before, after): (&Entries, &Entries), (stream, target): (bool, &Target), shown: &str) {
    let of = |entries: &Entries| -> Option<Value> {
        let (_, value) = entries.iter().rfind(|(name, _)| name == USAGE.0)?;
        Some(serde_json::from_str(value).unwrap())
    };
    let (before, after) = (of(before), of(after));
    if !has_usage_flag(dialect) {
        let dropped = target.quirks.drop.iter().any(|name| name == USAGE.0);
        assert_eq!(after, before.filter(|_| !dropped), "{shown}");
        return;
    }
    if target.quirks.stream_usage != StreamUsage::Ask {
        assert_eq!(after, None, "{shown}");
    } else if stream {
        let mut wanted = before.filter(Value::is_object).unwrap_or_else(|| json!({}));
        wanted[USAGE.1] = json!(true);
        assert_eq!(after, Some(wanted), "{shown}");
    } else {
        assert_eq!(after, before, "{shown}");
    }
}

/// With nothing to change, nothing changes.
fn check_identity(dialect: &dyn Dialect, body: &[u8]) {
    let envelope = dialect.scan(CHAT, body).unwrap();
    let mut target = Target {
        model: envelope.model.clone(),
        ..Target::default()
    };
    if envelope.stream && !envelope.include_usage {
        // The one edit that would be needed: a vendor that sends usage unasked does without.
        target.quirks.stream_usage = StreamUsage::Always;
        if envelope.field(USAGE.0).is_some() {
            return;
        }
    }
    let patch = dialect.patch(CHAT, &envelope, body, &target, &mut Loss::default());
    assert_eq!(patch.apply(body), body, "{}: edited without need", dialect.name());
}

fn target(drop: &[&str], rename: &[(&str, &str)], stream_usage: StreamUsage) -> Target {
    let mut target = Target {
        model: OTHER_MODEL.to_owned(),
        ..Target::default()
    };
    target.quirks.drop = drop.iter().map(ToString::to_string).collect();
    target.quirks.rename = rename.iter().map(|(ours, theirs)| (ours.to_string(), theirs.to_string())).collect();
    target.quirks.stream_usage = stream_usage;
    target
}

/// Targets for a body: another model, usage asked for or refused, each field dropped or renamed.
fn check_targets(dialect: &dyn Dialect, body: &[u8], dice: &mut Dice) {
    check_identity(dialect, body);
    check(dialect, body, &target(&[], &[], StreamUsage::Ask));
    let names: Vec<String> = entries(body).into_iter().map(|(name, _)| name).collect();
    let free = |name: &&String| !["model", "messages", "stream", USAGE.0].contains(&name.as_str());
    let free: Vec<&String> = names.iter().filter(free).collect();
    if free.is_empty() {
        return check(dialect, body, &target(&[], &[], StreamUsage::Always));
    }
    let (one, other) = (dice.pick(&free).as_str(), dice.pick(&free).as_str());
    check(dialect, body, &target(&[one, other], &[], StreamUsage::Always));
    check(dialect, body, &target(&[one], &[(other, "their_name")], StreamUsage::Ask));
}

#[test]
fn every_recorded_request_passes_byte_for_byte() {
    let Some(exchanges) = corpus::exchanges() else { return };
    let mut dice = Dice::new(1);
    let (mut tried, mut bytes) = (0_usize, 0_usize);
    for exchange in &exchanges {
        let Some(request) = &exchange.request else { continue };
        let compact = serde_json::to_string(request).unwrap();
        // A refusal (a recorded 400 without messages, say) is a request that never passes.
        if exchange.dialect.scan(CHAT, compact.as_bytes()).is_err() {
            println!("refused: {}", exchange.id);
            continue;
        }
        let spellings = [compact, serde_json::to_string_pretty(request).unwrap(), spell(request, &mut dice)];
        for body in &spellings {
            bytes += body.len();
            check_targets(exchange.dialect, body.as_bytes(), &mut dice);
        }
        tried += 1;
    }
    println!("fast path: {tried} recorded requests in 3 spellings each, {bytes} bytes");
    assert!(tried > 1_000, "only {tried} requests tried");
}

/// A made-up body: needed fields and others, in any order.
fn body_of(order: &[usize], dice: &mut Dice) -> String {
    let mut fields = vec![
        (r#""model""#, r#""m\u0061\/\"x""#),
        (r#""messages""#, r#"[{"role":"user","content":"a, \"model\": {"}]"#),
        (r#""x""#, r#"[1.0, {"x":[]}]"#),
        (r#""\u0078""#, "1e5"),
        (r#""y\"""#, r#""}""#),
        (r#""z""#, "null"),
    ];
    match dice.below(3) {
        0 => fields.push((r#""stream""#, "true")),
        1 => fields.extend([(r#""stream""#, "true"), (r#""stream_options""#, *dice.pick(USAGES))]),
        _ => {}
    }
    let mut left: Vec<_> = fields.into_iter().collect();
    let mut out = String::from("{");
    let mut first = true;
    for at in order {
        if left.is_empty() {
            break;
        }
        let (name, value) = left.remove(at % left.len());
        if *at % 5 == 0 && !matches!(name, r#""model""# | r#""messages""#) {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        let mut gap = || *dice.pick(&["", " ", "\n\t", "\r\n "]);
        let parts = [gap(), name, gap(), ":", gap(), value, gap()];
        out.extend(parts);
    }
    out + "}"
}

const USAGES: &[&str] = &[
    "null",
    "{}",
    "{ }",
    r#"{"include_usage":true}"#,
    r#"{ "include_usage" : false , "x" : 1 }"#,
    r#"{"x":{"include_usage":true}}"#,
    r#"{"include_usage":null}"#,
    r#"{"include_obfuscation":false}"#,
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn made_up_requests_pass_byte_for_byte(order in prop::collection::vec(0..97_usize, 12), seed in any::<u64>(), quirk in 0..5_usize) {
        let body = body_of(&order, &mut Dice::new(seed));
        let quirks: (&[&str], &[(&str, &str)]) = [
            (&["x"][..], &[][..]),
            (&["x", "z"], &[("y\"", "y")]),
            (&[], &[("x", "w"), ("z", "max")]),
            (&["y\"", "z", "x"], &[]),
            (&[], &[("x", "z")]),
        ][quirk];
        for dialect in DIALECTS {
            check_identity(*dialect, body.as_bytes());
            for usage in [StreamUsage::Ask, StreamUsage::Always, StreamUsage::Never] {
                check(*dialect, body.as_bytes(), &target(quirks.0, quirks.1, usage));
            }
        }
    }
}
