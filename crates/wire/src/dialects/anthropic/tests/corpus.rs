//! Every recorded Messages exchange: requests survive, answers read as the official client reads them, and again after
//! having been encoded; streams read the same however they are cut.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "numbers of exchanges tried and passed are to be seen"
)]

use std::path::PathBuf;

use serde_json::json;

use super::fuzz::Dice;
use super::*;

struct Exchange {
    id: String,
    request: Option<Value>,
    status: u16,
    answer: String,
    stream: bool,
    view: Option<Value>,
}

fn corpus() -> Option<PathBuf> {
    let found = match std::env::var_os("TOLLGATE_CORPUS") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
    };
    found.join("exchanges").is_dir().then_some(found)
}

/// All recorded exchanges of the dialect; none, with a word said, where the corpus is absent.
fn exchanges() -> Option<Vec<Exchange>> {
    let Some(corpus) = corpus() else {
        eprintln!("skipped: corpus absent");
        return None;
    };
    let lines = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    let mut views = std::collections::HashMap::new();
    for line in lines(corpus.join("expect/exchanges.jsonl")).lines() {
        let mut record: Value = serde_json::from_str(line).unwrap();
        if record["api"] == "messages" {
            views.insert(record["id"].as_str().unwrap().to_owned(), record["view"].take());
        }
    }
    let mut all = Vec::new();
    for file in std::fs::read_dir(corpus.join("exchanges")).unwrap() {
        for line in lines(file.unwrap().path())
            .lines()
            .filter(|line| line.contains(r#""api": "messages""#))
        {
            let record: Value = serde_json::from_str(line).unwrap();
            let id = record["id"].as_str().unwrap().to_owned();
            all.push(Exchange {
                request: record["request_body"].is_object().then(|| record["request_body"].clone()),
                status: u16::try_from(record["status"].as_u64().unwrap()).unwrap(),
                answer: record["response_body"].as_str().unwrap().to_owned(),
                stream: record["stream"] == true && record["status"] == 200,
                view: views.remove(&id).filter(|view| !view.is_null()),
                id,
            });
        }
    }
    Some(all)
}

/// Exchanges whose recording is not one answer: several streams glued together, or one spliced into another. The official
/// client reads the pieces as one; we end at the first terminator, and keep spliced blocks apart (D9, F20).
const GLUED: &[&str] = &[
    "anthropic-b90de65b467b",
    "anthropic-d542faf28a2d",
    "anthropic-d721d205bc59",
    "anthropic-e77f99c47ea8",
];

/// One of the forms of a request that mean the same: strings as blocks, no nulls, the present place of the answer's form.
fn canonical(mut body: Value) -> Value {
    drop_nulls(&mut body);
    let body = body.as_object_mut().unwrap();
    if let Some(format) = body.remove("output_format") {
        body.entry("output_config").or_insert(json!({}))["format"] = format;
    }
    if let Some(system) = body.get_mut("system") {
        as_blocks(system);
    }
    for tool in body.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
        if tool["type"] == "custom" {
            tool.as_object_mut().unwrap().remove("type");
        }
    }
    if body.get("stream") == Some(&json!(false)) {
        body.remove("stream");
    }
    for name in ["stop_sequences", "system", "tools"] {
        if body.get(name).is_some_and(|list| list == &json!([])) {
            body.remove(name);
        }
    }
    let mut turns: Vec<Value> = Vec::new();
    for mut turn in body["messages"].as_array().unwrap().iter().cloned() {
        as_blocks(&mut turn["content"]);
        for block in turn["content"].as_array_mut().unwrap() {
            if block["type"] == "tool_result" {
                canonical_result(block);
            }
        }
        match turns.last_mut() {
            Some(last) if last["role"] == turn["role"] => {
                let more = turn["content"].as_array().unwrap().clone();
                last["content"].as_array_mut().unwrap().extend(more);
            }
            _ => turns.push(turn),
        }
    }
    body["messages"] = Value::Array(turns);
    Value::Object(body.clone())
}

fn canonical_result(block: &mut Value) {
    as_blocks(&mut block["content"]);
    let block = block.as_object_mut().unwrap();
    if block["content"] == json!([]) || block["content"].is_null() {
        block.remove("content");
    }
    if block.get("is_error") == Some(&json!(false)) {
        block.remove("is_error");
    }
}

fn as_blocks(content: &mut Value) {
    if let Some(text) = content.as_str() {
        *content = if text.is_empty() {
            json!([])
        } else {
            json!([{"type": "text", "text": text}])
        };
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        // 1.0 is 1.
        Value::Number(number) => *value = number.as_f64().map_or(Value::Null, Value::from),
        _ => {}
    }
}

/// The first place where two documents differ: recordings are too long to be printed.
fn difference(left: &Value, right: &Value, path: &str) -> Option<String> {
    let keys = |value: &Value| match value {
        Value::Object(fields) => fields.keys().cloned().collect(),
        Value::Array(items) => (0..items.len()).map(|index| index.to_string()).collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    let at = |value: &'_ Value, key: &str| match value {
        Value::Array(items) => key.parse::<usize>().ok().and_then(|index| items.get(index).cloned()),
        value => value.get(key).cloned(),
    };
    if left == right {
        return None;
    }
    for key in keys(left).into_iter().chain(keys(right)) {
        let (mine, theirs) = (at(left, &key), at(right, &key));
        if mine != theirs {
            return difference(&mine.unwrap_or_default(), &theirs.unwrap_or_default(), &format!("{path}/{key}"));
        }
    }
    Some(format!("{path}: {left} is not {right}"))
}

#[test]
fn recorded_requests_survive_reading_and_writing() {
    let Some(exchanges) = exchanges() else { return };
    let (mut tried, mut outright) = (0, 0);
    for exchange in exchanges {
        let Some(recorded) = exchange.request else { continue };
        tried += 1;
        let (written, loss) = write(&read(&recorded.to_string()), &able());
        outright += usize::from(written == recorded);
        assert_eq!(difference(&canonical(written), &canonical(recorded), ""), None, "{}", exchange.id);
        assert_eq!(loss, "", "{}", exchange.id);
    }
    println!("recorded requests: {tried} tried, {tried} kept, {outright} of them equal outright");
}

#[test]
fn recorded_requests_keep_their_bytes_on_the_fast_path() {
    let Some(exchanges) = exchanges() else { return };
    let renamed = Target {
        model: "other-model".to_owned(),
        ..Target::default()
    };
    let mut tried = 0;
    for (id, recorded) in exchanges
        .iter()
        .filter_map(|exchange| Some((&exchange.id, exchange.request.as_ref()?)))
    {
        tried += 1;
        for body in [recorded.to_string(), serde_json::to_string_pretty(recorded).unwrap()] {
            let envelope = Anthropic.scan(CHAT, body.as_bytes()).unwrap();
            assert_eq!(envelope.max_tokens, recorded["max_tokens"].as_u64(), "{id}");
            assert_eq!(envelope.stream, recorded["stream"] == true, "{id}");
            let (head, tail) = (
                body.get(..envelope.model_span.start).unwrap(),
                body.get(envelope.model_span.end..).unwrap(),
            );
            let expected = format!("{head}\"other-model\"{tail}");
            let patched = Anthropic
                .patch(CHAT, &envelope, body.as_bytes(), &renamed, &mut Loss::default())
                .apply(body.as_bytes());
            assert!(patched == expected.as_bytes(), "{id}");
            assert!(
                Anthropic
                    .patch(CHAT, &envelope, body.as_bytes(), &Target::default(), &mut Loss::default())
                    .is_empty(),
                "{id}"
            );
        }
    }
    println!("recorded requests: {tried} patched, nothing but the model's name changed");
}

#[test]
fn recorded_answers_read_as_the_official_client_reads_them() {
    let Some(exchanges) = exchanges() else { return };
    let (mut tried, mut compared) = (0, 0);
    for exchange in exchanges.iter().filter(|exchange| exchange.status == 200) {
        tried += 1;
        let events = decode(exchange.answer.as_bytes(), exchange.stream).unwrap();
        let seen = view(&events);
        assert_eq!(
            matches!(events.last(), Some(Event::End)),
            !exchange.answer.contains("event: error"),
            "{}",
            exchange.id
        );
        let Some(expected) = exchange.view.as_ref().filter(|_| !GLUED.contains(&exchange.id.as_str())) else {
            continue;
        };
        compared += 1;
        assert_eq!(seen.text, expected["text"].as_str().unwrap(), "{}", exchange.id);
        assert_eq!(seen.reasoning, expected["reasoning"].as_str().unwrap(), "{}", exchange.id);
        assert_eq!(
            seen.signatures.len() as u64,
            expected["signatures"].as_u64().unwrap(),
            "{}",
            exchange.id
        );
        assert_eq!(finish_word(seen.finish.as_ref()), expected["finish"], "{}", exchange.id);
        let calls: Vec<Value> = seen
            .calls
            .iter()
            .map(|(id, name, text)| json!({"name": name, "args": arguments(text), "id": id}))
            .collect();
        assert_eq!(Value::Array(calls), expected["tool_calls"], "{}", exchange.id);
        let usage = seen.usage.unwrap();
        let counted = json!({"input": usage.input_uncached(), "output": usage.output, "cached_read": usage.cache_read, "cache_write": usage.cache_write()});
        assert_eq!(counted, expected["usage"], "{}", exchange.id);
    }
    println!("recorded answers: {tried} read, {compared} compared with the official client's view, all equal");
}

fn arguments(text: &str) -> Value {
    if text.is_empty() {
        json!({})
    } else {
        serde_json::from_str(text).unwrap()
    }
}

fn finish_word(finish: Option<&Finish>) -> Value {
    Value::from(match finish.unwrap() {
        Finish::Stop => "end_turn",
        Finish::StopSequence(_) => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter => "refusal",
        Finish::Pause => "pause_turn",
        Finish::Other(word) => word,
    })
}

#[test]
fn recorded_answers_survive_encoding_streamed_and_whole() {
    let Some(exchanges) = exchanges() else { return };
    let mut tried = 0;
    for exchange in exchanges.iter().filter(|exchange| exchange.status == 200) {
        let seen = view(&decode(exchange.answer.as_bytes(), exchange.stream).unwrap());
        if seen.fault.is_some() || GLUED.contains(&exchange.id.as_str()) {
            continue;
        }
        tried += 1;
        for stream in [exchange.stream, !exchange.stream] {
            let (bytes, loss) = encode(&decode(exchange.answer.as_bytes(), exchange.stream).unwrap(), stream);
            let again = decode(&bytes, stream).unwrap();
            assert_eq!(
                plain(view(&again), stream == exchange.stream),
                plain(view_of(exchange), stream == exchange.stream),
                "{} stream {stream}",
                exchange.id
            );
            assert_eq!(loss, "", "{}", exchange.id);
        }
    }
    println!("recorded answers: {tried} encoded as they came and the other way, all read the same");
}

fn view_of(exchange: &Exchange) -> View {
    view(&decode(exchange.answer.as_bytes(), exchange.stream).unwrap())
}

/// A view in which white space does not count. What a stream says in pieces, a whole answer says in one: blocks of our own
/// are compared only where the form is the same.
fn plain(mut view: View, same_form: bool) -> View {
    if !same_form {
        view.foreign.clear();
    }
    for foreign in &mut view.foreign {
        let at = foreign.find(['{', '[', '"']).unwrap_or_default();
        let (name, raw) = foreign.split_at(at);
        *foreign = format!("{name}{}", serde_json::from_str::<Value>(raw).unwrap_or_default());
    }
    view.foreign.sort();
    view
}

#[test]
fn recorded_streams_read_the_same_however_they_are_cut() {
    let Some(exchanges) = exchanges() else { return };
    let mut dice = Dice::new(1);
    let (mut streams, mut cuts) = (0, 0);
    for exchange in exchanges.iter().filter(|exchange| exchange.stream) {
        let body = exchange.answer.as_bytes();
        let whole = format!("{:?}", decode(body, true).unwrap());
        streams += 1;
        // Two cuts around every sampled place show any state that is lost there; single bytes throughout show the rest.
        let places: Vec<usize> = if body.len() < 1024 {
            (0..body.len()).collect()
        } else {
            (0..8).map(|_| dice.below(body.len())).collect()
        };
        for place in places {
            let (head, tail) = body.split_at(place);
            cuts += 1;
            assert_eq!(
                format!("{:?}", decode_pieces([head, tail], true).unwrap()),
                whole,
                "{} cut at {place}",
                exchange.id
            );
        }
        if body.len() < 8192 {
            cuts += body.len();
            assert_eq!(
                format!("{:?}", decode_pieces(body.chunks(1), true).unwrap()),
                whole,
                "{} by bytes",
                exchange.id
            );
        } else {
            let mut places: Vec<usize> = (0..1000).map(|_| dice.below(body.len())).collect();
            places.extend([0, body.len()]);
            places.sort_unstable();
            cuts += places.len();
            let pieces = places.windows(2).map(|pair| body.get(pair[0]..pair[1]).unwrap());
            assert_eq!(
                format!("{:?}", decode_pieces(pieces, true).unwrap()),
                whole,
                "{} at 1,000 places",
                exchange.id
            );
        }
    }
    println!("recorded streams: {streams} cut at {cuts} places, all read the same");
}

#[test]
fn recorded_errors_are_recognised() {
    let Some(exchanges) = exchanges() else { return };
    for exchange in exchanges.iter().filter(|exchange| exchange.status >= 400) {
        let fault = read_fault(exchange.status, &exchange.answer);
        let kind = format!("{:?}", fault.kind);
        assert_eq!(
            kind,
            if exchange.status == 401 { "Unauthorized" } else { "Malformed" },
            "{}",
            exchange.id
        );
        assert!(
            !fault.message.is_empty() && fault.provider_status == Some(exchange.status),
            "{}",
            exchange.id
        );
    }
}
