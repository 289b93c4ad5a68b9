//! Every row of requests through every pair. What crosses is read back and holds what was said, or the loss names it.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

use super::answer_rows::block;
use super::request_rows::ROWS;
use super::said::Said;
use super::*;
use crate::envelope;
use crate::event::{AnswerContext, Block};

/// The row in the caller's dialect, where it can be said there without loss.
fn spoken(from: &dyn Dialect, build: fn(&'static str) -> crate::request::Request) -> Result<Vec<u8>, Loss> {
    let mut loss = Loss::default();
    let body = from.write_request(CHAT, &build(from.name()), &target("model-1"), &mut loss);
    if loss.is_empty() { Ok(body) } else { Err(loss) }
}

fn target(model: &str) -> Target {
    Target {
        model: model.to_owned(),
        ..Target::default()
    }
}

#[test]
fn every_request_crosses_every_pair() {
    let (mut crossed, mut unsaid) = (0, 0);
    for (from, to) in pairs() {
        let mut shown = String::new();
        for (name, build) in ROWS {
            shown.push_str(&format!("== {name}\n"));
            let body = match spoken(from, *build) {
                Ok(body) => body,
                Err(loss) => {
                    shown.push_str(&format!("cannot be said: {loss}\n\n"));
                    unsaid += 1;
                    continue;
                }
            };
            let (written, loss) = request(from, to, CHAT, &body, &target("model-1")).unwrap();
            shown.push_str(&format!("{}loss: {}\n\n", by_field(&written), told(&loss)));
            keeps(from, to, name, (&body, &written), &loss);
            crossed += 1;
        }
        snapshot("requests", (from, to), &shown);
    }
    println!("matrix: {crossed} requests crossed, {unsaid} cannot be said by their caller's dialect");
    assert!(crossed > pairs().count() * ROWS.len() * 3 / 4, "only {crossed} requests crossed");
}

/// One field a line; the bytes as they are.
fn by_field(body: &[u8]) -> String {
    let (fields, _) = envelope::scan(body).unwrap();
    fields
        .iter()
        .map(|field| format!("{}: {}\n", field.name, field.text(body)))
        .collect()
}

fn keeps(from: &dyn Dialect, to: &dyn Dialect, name: &str, (body, written): (&[u8], &[u8]), loss: &Loss) {
    let shown = format!(
        "{} to {}, {name}: {}\nloss: {loss}",
        from.name(),
        to.name(),
        String::from_utf8_lossy(written)
    );
    let again = request(from, to, CHAT, body, &target("model-1")).unwrap();
    assert_eq!((again.0.as_slice(), &again.1), (written, loss), "not the same twice: {shown}");
    if crate::dialects::same(from, to) {
        assert_eq!(String::from_utf8_lossy(written), String::from_utf8_lossy(body), "not what was read");
        assert!(loss.is_empty(), "{shown}");
    }
    to.scan(CHAT, written).unwrap_or_else(|error| panic!("{error}: {shown}"));
    let read = to.read_request(CHAT, written).unwrap_or_else(|error| panic!("{error}: {shown}"));
    let (before, after) = (Said::of(&from.read_request(CHAT, body).unwrap()), Said::of(&read));
    content_is_kept(&before, &after, loss, &shown);
    let lost = |word: &str| loss.features().iter().any(|feature| feature.contains(word));
    for (wish, value) in &before.wishes {
        let kept = after.wishes.iter().any(|(other, after)| other == wish && after == value);
        assert!(kept || lost(wish), "{wish} lost in silence: {shown}");
    }
    assert!(before.tools == after.tools || lost("tool"), "tools lost in silence: {shown}");
}

fn content_is_kept(before: &Said, after: &Said, loss: &Loss, shown: &str) {
    let lost = |words: &[&str]| {
        loss.features()
            .iter()
            .any(|feature| words.iter().any(|word| feature.contains(word)))
    };
    let texts = after.texts.join("\n");
    for text in &before.texts {
        assert!(texts.contains(text.as_str()), "the text {text:?} was lost: {shown}");
    }
    assert_eq!(before.calls, after.calls, "{shown}");
    assert_eq!(before.results.len(), after.results.len(), "{shown}");
    for (before, after) in before.results.iter().zip(&after.results) {
        assert_eq!(before.0, after.0, "{shown}");
        assert!(after.1.contains(&before.1), "the result {before:?} became {after:?}: {shown}");
        assert!(
            before.2 == after.2 || lost(&["is_error"]),
            "a failed result passes as a success, in silence: {shown}"
        );
    }
    for medium in &before.media {
        let kept = after.media.contains(medium) || texts.contains(medium.as_str());
        assert!(
            kept || lost(&["image", "file", "document", "audio"]),
            "a medium was lost in silence: {shown}"
        );
    }
    assert!(
        before.reasoning == after.reasoning || lost(&["reasoning"]),
        "reasoning was lost in silence: {shown}"
    );
}

/// A tool whose name does not fit is called by another one, and the caller hears its own (T12).
#[test]
fn the_caller_hears_its_own_name_of_a_tool() {
    let long = format!("mcp__{}", "x".repeat(150));
    for (dialect, stream) in DIALECTS.iter().flat_map(|dialect| [(*dialect, true), (*dialect, false)]) {
        let body = serde_json::json!({"model": "m", "messages": [{"role": "user", "content": "q"}],
            "tools": [{"type": "function", "function": {"name": &long}}]});
        let body = serde_json::to_vec(&body).unwrap();
        let (from, target) = (&crate::dialects::openai_chat::OpenAiChat, Target::default());
        let request = from.read_request(CHAT, &body).unwrap();
        let mut loss = Loss::default();
        let written = dialect.write_request(CHAT, &request, &target, &mut loss);
        let names = request.renamed_tools(dialect);
        let [(theirs, ours)] = names.as_slice() else { panic!("{names:?}") };
        assert_eq!((ours, loss.to_string().as_str()), (&long, "tools.name"));
        assert!(theirs.len() <= 128 && String::from_utf8(written).unwrap().contains(&format!("\"{theirs}\"")));

        let context = AnswerContext {
            stream,
            renamed_tools: names.clone(),
            ..AnswerContext::default()
        };
        let mut encoder = dialect.encoder(CHAT, context);
        let mut out = Vec::new();
        let call = Block::ToolCall {
            id: "c".to_owned(),
            name: theirs.clone(),
        };
        for event in block(0, 0, call, Vec::new()) {
            encoder.push(&event, &mut out);
        }
        encoder.end(&mut out);
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains(&format!("\"{long}\"")), "{}: {out}", dialect.name());
        assert!(!out.contains(theirs.as_str()), "{}: {out}", dialect.name());
    }
}
