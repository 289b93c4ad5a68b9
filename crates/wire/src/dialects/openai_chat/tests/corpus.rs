//! Every recorded exchange of the dialect: requests are read and written, answers say what the official client read.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;

use super::super::OpenAiChat;
use super::measure::{compare, normal_answer};
use super::view::{self, View};
use crate::dialects::{Dialect, Operation};
use crate::event::Finish;
use crate::fault::FaultKind;
use crate::loss::Loss;
use crate::target::{Quirks, Target};

/// Failures that are shown before a test gives up.
const SHOWN_MAX: usize = 12;

pub(super) struct Exchange {
    pub(super) id: String,
    status: u16,
    pub(super) stream: bool,
    request: Option<Vec<u8>>,
    pub(super) answer: Vec<u8>,
}

fn corpus() -> Option<PathBuf> {
    let named = std::env::var_os("TOLLGATE_CORPUS").map(PathBuf::from);
    let beside = || {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .map(|root| root.join("../shared/corpus"))
    };
    let found = named.or_else(beside).filter(|path| path.join("exchanges").is_dir());
    if found.is_none() {
        eprintln!("skipped: corpus absent");
    }
    found
}

pub(super) fn exchanges() -> Option<Vec<Exchange>> {
    let mut found = Vec::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(corpus()?.join("exchanges"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        // Most lines are of other dialects: only ours are parsed.
        for line in std::fs::read_to_string(file)
            .unwrap()
            .lines()
            .filter(|line| line.contains(r#""api": "chat""#) || line.contains(r#""api":"chat""#))
        {
            let record: Value = serde_json::from_str(line).unwrap();
            if record["api"] != "chat" {
                continue;
            }
            found.push(Exchange {
                id: record["id"].as_str().unwrap().to_owned(),
                status: u16::try_from(record["status"].as_u64().unwrap()).unwrap(),
                stream: record["stream"].as_bool().unwrap(),
                request: record["request_body"]
                    .is_object()
                    .then(|| serde_json::to_vec(&record["request_body"]).unwrap()),
                answer: record["response_body"].as_str().unwrap().as_bytes().to_vec(),
            });
        }
    }
    assert!(found.len() > 500, "the corpus holds chat exchanges");
    Some(found)
}

/// Collects failures, prints the figures, fails at the end.
fn each(name: &str, exchanges: &[Exchange], check: impl Fn(&Exchange) -> Result<bool, String>) {
    let (mut tried, mut failed, mut shown) = (0, 0, String::new());
    for exchange in exchanges {
        match check(exchange) {
            Ok(counted) => tried += usize::from(counted),
            Err(why) => {
                tried += 1;
                failed += 1;
                if failed <= SHOWN_MAX {
                    writeln!(shown, "{}: {why}", exchange.id).unwrap();
                }
            }
        }
    }
    eprintln!("corpus {name}: {} of {tried} passed", tried - failed);
    assert!(failed == 0, "{failed} of {tried} failed\n{shown}");
}

#[test]
fn recorded_requests_are_read_and_written_back_the_same() {
    let Some(exchanges) = exchanges() else { return };
    let target = Target {
        model: "m".to_owned(),
        quirks: Quirks {
            reasoning_field: Some("reasoning_details".to_owned()),
            ..Quirks::default()
        },
        ..Target::default()
    };
    each("requests", &exchanges, |exchange| {
        let Some(body) = &exchange.request else { return Ok(false) };
        let dialect = OpenAiChat;
        let first = match dialect.read_request(Operation::Chat, body) {
            Ok(request) => request,
            Err(_) if exchange.status == 400 => return Ok(true),
            Err(malformed) => return Err(malformed.to_string()),
        };
        dialect
            .scan(Operation::Chat, body)
            .map_err(|malformed| format!("scan: {malformed}"))?;
        let mut loss = Loss::default();
        let written = dialect.write_request(Operation::Chat, &first, &target, &mut loss);
        let second = dialect
            .read_request(Operation::Chat, &written)
            .map_err(|malformed| format!("again: {malformed}"))?;
        let mut more = Loss::default();
        let again = dialect.write_request(Operation::Chat, &second, &target, &mut more);
        if again != written && loss.is_empty() {
            return Err(format!(
                "not stable:\n{}\n{}",
                String::from_utf8_lossy(&written),
                String::from_utf8_lossy(&again)
            ));
        }
        let (before, after) = (format!("{:#?}", first.messages), format!("{:#?}", second.messages));
        if loss.is_empty() && normal(&before) != normal(&after) {
            return Err(format!("other messages ({loss}):\n{before}\n{after}"));
        }
        let (before, after) = (
            format!("{:?}{:?}{:?}", first.tools, first.tool_choice, first.output),
            format!("{:?}{:?}{:?}", second.tools, second.tool_choice, second.output),
        );
        if loss.is_empty() && !first.tools.is_empty() && normal(&before) != normal(&after) {
            return Err(format!("other tools:\n{before}\n{after}"));
        }
        Ok(true)
    });
}

/// Differences that writing canonically makes: a tag without fields, a default schema name, empty arguments.
fn normal(text: &str) -> String {
    text.replace(r#"dialect: "openai_chat""#, r#"dialect: """#)
        .replace(r#"name: Some("response")"#, "name: None")
        .replace(r#"arguments: "{}""#, r#"arguments: """#)
}

#[test]
fn recorded_requests_keep_their_bytes_on_the_fast_path() {
    let Some(exchanges) = exchanges() else { return };
    each("fast path", &exchanges, |exchange| {
        let Some(body) = &exchange.request else { return Ok(false) };
        let Ok(envelope) = OpenAiChat.scan(Operation::Chat, body) else {
            return Ok(exchange.status == 400);
        };
        let mut target = Target {
            model: envelope.model.clone(),
            ..Target::default()
        };
        let asks = envelope.stream && !envelope.include_usage;
        if !asks
            && OpenAiChat
                .patch(Operation::Chat, &envelope, body, &target, &mut Loss::default())
                .apply(body)
                != *body
        {
            return Err("bytes changed".to_owned());
        }
        target.model = "other/model".to_owned();
        let patched = OpenAiChat
            .patch(Operation::Chat, &envelope, body, &target, &mut Loss::default())
            .apply(body);
        let mut expected: Value = serde_json::from_slice(body).unwrap();
        let patched: Value = serde_json::from_slice(&patched).map_err(|error| error.to_string())?;
        expected["model"] = "other/model".into();
        if asks {
            expected["stream_options"]["include_usage"] = true.into();
        }
        if patched == expected {
            Ok(true)
        } else {
            Err("other JSON".to_owned())
        }
    });
}

#[test]
fn recorded_answers_say_what_the_official_client_read() {
    let Some(exchanges) = exchanges() else { return };
    let path = corpus().unwrap().join("expect/exchanges.jsonl");
    let expected: HashMap<String, Value> = std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|record| (record["id"].as_str().unwrap().to_owned(), record))
        .collect();
    each("answers", &exchanges, |exchange| {
        let (Some(record), true) = (expected.get(&exchange.id), exchange.status < 400) else {
            return Ok(false);
        };
        let (events, result) = view::decode(exchange.stream, [exchange.answer.as_slice()]);
        let view = View::of(&events);
        if record["ok"] != true {
            // The client raised: an error in the answer, or Azure's choice without a message.
            let filtered = view
                .choices
                .first()
                .is_some_and(|choice| choice.reason == Some(Finish::ContentFilter));
            return if view.fault.is_some() || filtered {
                Ok(true)
            } else {
                Err(format!("no fault: {view:?}"))
            };
        }
        result.map_err(|malformed| malformed.to_string())?;
        compare(&view, &record["view"]).map(|()| true)
    });
}

#[test]
fn recorded_answers_survive_being_encoded_again() {
    let Some(exchanges) = exchanges() else { return };
    each("encoded again", &exchanges, |exchange| {
        if exchange.status >= 400 {
            return Ok(false);
        }
        let (events, result) = view::decode(exchange.stream, [exchange.answer.as_slice()]);
        let before = View::of(&events);
        if result.is_err() || before.fault.is_some() {
            return Ok(false);
        }
        for stream in [true, false] {
            let bytes = view::encode(stream, &events);
            let (again, result) = view::decode(stream, [bytes.as_slice()]);
            result.map_err(|malformed| malformed.to_string())?;
            let after = View::of(&again);
            let (before, after) = (normal_answer(&before, stream), normal_answer(&after, stream));
            if before != after {
                return Err(format!("stream {stream}: {before}\n became {after}"));
            }
        }
        Ok(true)
    });
}

#[test]
fn recorded_streams_give_the_same_events_however_they_are_cut() {
    let Some(exchanges) = exchanges() else { return };
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % u64::try_from(below).unwrap()).unwrap()
    };
    let (mut streams, mut cuts) = (0, 0);
    for exchange in exchanges.iter().filter(|exchange| exchange.stream && exchange.status < 400) {
        let bytes = exchange.answer.as_slice();
        let small = bytes.len() < 8 << 10;
        let runs: Vec<Vec<usize>> = if small {
            // Every place is a cut in one of the runs; one run is byte by byte.
            (1..8)
                .map(|first| (first..bytes.len()).step_by(7).collect())
                .chain([(1..bytes.len()).collect()])
                .collect()
        } else {
            (0..2).map(|_| (0..500).map(|_| random(bytes.len())).collect()).collect()
        };
        streams += 1;
        let whole = format!("{:?}", view::decode(true, [bytes]));
        for mut run in runs {
            run.sort_unstable();
            cuts += run.len();
            let starts = std::iter::once(0).chain(run.iter().copied());
            let ends = run.iter().copied().chain([bytes.len()]);
            let events = format!(
                "{:?}",
                view::decode(true, starts.zip(ends).map(|(start, end)| bytes.get(start..end).unwrap()))
            );
            assert!(whole == events, "{} cut", exchange.id);
        }
    }
    eprintln!("corpus cuts: {streams} streams, {cuts} cuts, all the same");
}

#[test]
fn recorded_errors_are_understood() {
    let Some(exchanges) = exchanges() else { return };
    each("errors", &exchanges, |exchange| {
        if exchange.status < 400 {
            return Ok(false);
        }
        let fault = OpenAiChat.read_fault(exchange.status, &exchange.answer);
        let text = String::from_utf8_lossy(&exchange.answer).to_lowercase();
        let kind = match exchange.status {
            400 if text.contains("context length") || text.contains("too long") => FaultKind::ContextLength,
            400 => FaultKind::Malformed,
            401 => FaultKind::Unauthorized,
            404 => FaultKind::NotFound,
            429 => FaultKind::RateLimited,
            other => return Err(format!("a status without a row: {other}")),
        };
        let (status, body) = OpenAiChat.write_fault(&fault, "req_1");
        let body: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        if fault.kind != kind
            || status != exchange.status
            || body["error"]["message"] != fault.message.as_str()
            || fault.message.contains("no readable")
        {
            return Err(format!("{fault:?} {status} {body}"));
        }
        Ok(true)
    });
}
