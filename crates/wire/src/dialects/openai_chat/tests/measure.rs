//! When an answer counts as the same: as what the official client read, or as itself before it was encoded.

use std::fmt::Write as _;

use serde_json::Value;

use super::view::{Choice, Said, View};
use crate::event::Finish;

/// Against the official client's view.
pub(super) fn compare(view: &View, expected: &Value) -> Result<(), String> {
    let empty = Choice::default();
    let choice = view.choices.first().unwrap_or(&empty);
    let same = |what: &str, is: &str, wanted: &Value| match wanted.as_str().unwrap_or_default() {
        wanted if wanted == is => Ok(()),
        wanted => Err(format!("{what}: {is:?} instead of {wanted:?}")),
    };
    same("text", &choice.text(), &expected["text"])?;
    same("refusal", &choice.refusal(), &expected["refusal"])?;
    // The client does not see reasoning in content parts or in `reasoning_details` alone.
    if expected["reasoning"] != "" {
        same("reasoning", &choice.reasoning(), &expected["reasoning"])?;
    }
    let mut wanted: Vec<(String, Value, String)> = Vec::new();
    let calls = expected["tool_calls"].as_array().cloned().unwrap_or_default();
    for call in calls.iter().chain(expected.get("function_call")) {
        // Custom tools are foreign: their input is no JSON. Snowflake's empty `function_call` is none.
        if call["args"].get("__raw__").is_none() && call["name"] != "" {
            wanted.push((
                call["name"].as_str().unwrap().to_owned(),
                call["args"].clone(),
                call["id"].as_str().unwrap_or_default().to_owned(),
            ));
        }
    }
    let parse = |text: &str| {
        if text.is_empty() {
            Value::Object(serde_json::Map::new())
        } else {
            serde_json::from_str(text).unwrap_or(Value::Null)
        }
    };
    let is: Vec<(String, Value, String)> = choice
        .calls()
        .into_iter()
        .map(|(id, name, text)| (name.to_owned(), parse(text), id.to_owned()))
        .collect();
    if is != wanted {
        return Err(format!("calls: {is:?} instead of {wanted:?}"));
    }
    let finish = expected["finish"].as_str().unwrap_or_default();
    let called = !calls.is_empty() || expected.get("function_call").is_some_and(|call| call["name"] != "");
    let reason = match finish {
        "" | "stop" | "eos" if !called => Finish::Stop,
        "" | "stop" | "tool_calls" | "function_call" => Finish::ToolCalls,
        "length" => Finish::Length,
        "content_filter" => Finish::ContentFilter,
        other => Finish::Other(other.to_owned()),
    };
    let is = match &choice.reason {
        Some(Finish::StopSequence(_)) => Some(&Finish::Stop),
        reason => reason.as_ref(),
    };
    if is != Some(&reason) {
        return Err(format!("finish: {is:?} instead of {finish:?}"));
    }
    if expected["n_choices"] != view.choices.len() {
        return Err(format!("{} choices", view.choices.len()));
    }
    usage(view, &expected["usage"])
}

fn usage(view: &View, expected: &Value) -> Result<(), String> {
    let Some(usage) = view.usage else {
        return if expected.is_null() { Ok(()) } else { Err("no usage".to_owned()) };
    };
    if expected.is_null() {
        // Groq's stands in a field that the client does not know.
        return Ok(());
    }
    let count = |name: &str| expected[name].as_u64().unwrap_or(0);
    let (output, reasoning) = (count("output"), count("reasoning"));
    // We count reasoning into the output where the vendor counts it beside (or only in the total, which the view lacks).
    let included = usage.output == output && usage.reasoning == reasoning.min(output);
    let beside = usage.output > output && usage.output == output + usage.reasoning && (reasoning == 0 || usage.reasoning == reasoning);
    let cached = usage.cache_read == count("cached_read").min(usage.input) || count("cached_read") == 0;
    if usage.input == count("input") && cached && (included || beside) {
        Ok(())
    } else {
        Err(format!("usage: {usage:?} instead of {expected}"))
    }
}

/// Differences that encoding makes: minted call ids, `{}` for no arguments, the order of blocks in a whole message, log
/// probabilities joined.
pub(super) fn normal_answer(view: &View, stream: bool) -> String {
    let mut text = String::new();
    for choice in &view.choices {
        let calls: Vec<(&str, Value)> = choice
            .calls()
            .into_iter()
            .map(|(_, name, text)| (name, serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))))
            .collect();
        let calls = format!("{calls:?}").replace(r#"String("")"#, "Object {}");
        let seals: Vec<_> = choice
            .blocks
            .iter()
            .filter(|(_, said)| matches!(said, Said::Redacted(_)) || matches!(said, Said::Reasoning(_, seal) if !seal.is_empty()))
            .map(|(_, said)| said)
            .collect();
        let reason = match &choice.reason {
            Some(Finish::StopSequence(_) | Finish::Other(_)) => Some(&Finish::Stop),
            reason => reason.as_ref(),
        };
        writeln!(
            text,
            "{} {:?} {:?} {:?} {calls} {seals:?} {reason:?}",
            choice.index,
            choice.text(),
            choice.reasoning(),
            choice.refusal()
        )
        .unwrap();
    }
    writeln!(text, "{:?}", view.usage).unwrap();
    if stream {
        // Between two chunks only the last value of a top-level field counts.
        let last = |at: usize, name: &str| {
            !view
                .foreign
                .iter()
                .skip(at + 1)
                .any(|(choice, later, _)| choice.is_none() && later == name)
        };
        let mut foreign: Vec<String> = view
            .foreign
            .iter()
            .enumerate()
            .filter(|(at, (choice, name, _))| name != "message.tool_calls" && (choice.is_some() || last(*at, name)))
            .map(|(_, (choice, name, raw))| format!("{choice:?} {name} {}", raw.replace(['\n', '\r'], " ")))
            .collect();
        foreign.sort();
        writeln!(text, "{foreign:#?}").unwrap();
    }
    text
}
