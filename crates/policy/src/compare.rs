//! Two answers to one request, compared without a judge: how long they are, whether they are JSON, which tools they call, which words they
//! share, what they cost and how long they took. Pure, and bounded by the length of the texts.

mod report;
mod text;

use serde_json::Value;

use crate::money::NanoUsd;

pub use report::{Figure, Report};
pub use text::similarity;

/// What came of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The text of the first choice.
    pub text: String,
    /// The tools that it calls, with their arguments, in order.
    pub tools: Vec<ToolCall>,
    /// Until the last byte, in milliseconds.
    pub took_ms: u64,
    /// What it cost.
    pub cost: NanoUsd,
}

/// A call of a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// JSON, as the model wrote it.
    pub arguments: String,
}

/// What is compared beside what is counted anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of words in config")]
pub struct Wanted {
    /// How long the texts are.
    pub length: bool,
    /// Whether they are JSON.
    pub json: bool,
    /// Which tools they call.
    pub tools: bool,
    /// Which words they share.
    pub similarity: bool,
    /// What they cost.
    pub cost: bool,
    /// How long they took.
    pub latency: bool,
}

impl Wanted {
    /// Everything.
    pub const ALL: Self = Self {
        length: true,
        json: true,
        tools: true,
        similarity: true,
        cost: true,
        latency: true,
    };
}

/// How a shadow's answer stands beside the caller's. What was not wanted, or cannot be said, is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Comparison {
    /// Letters of the shadow's text for one of the caller's.
    pub length_ratio: Option<f64>,
    /// The caller's answer is JSON; the shadow's is.
    pub json: Option<(bool, bool)>,
    /// They call the same tools with the same arguments; `None` also where neither calls one.
    pub tools_equal: Option<bool>,
    /// From 0, no word in common, to 1, the same words as often.
    pub similarity: Option<f64>,
    /// What the two cost.
    pub cost: Option<(NanoUsd, NanoUsd)>,
    /// How long the two took, in milliseconds.
    pub took_ms: Option<(u64, u64)>,
}

/// Compares a caller's answer with a shadow's.
#[must_use]
pub fn compare(caller: &Answer, shadow: &Answer, wanted: Wanted) -> Comparison {
    let calls_tools = !caller.tools.is_empty() || !shadow.tools.is_empty();
    Comparison {
        length_ratio: wanted.length.then(|| ratio(&caller.text, &shadow.text)).flatten(),
        json: wanted.json.then(|| (is_json(&caller.text), is_json(&shadow.text))),
        tools_equal: (wanted.tools && calls_tools).then(|| same_tools(&caller.tools, &shadow.tools)),
        similarity: wanted.similarity.then(|| similarity(&caller.text, &shadow.text)),
        cost: wanted.cost.then_some((caller.cost, shadow.cost)),
        took_ms: wanted.latency.then_some((caller.took_ms, shadow.took_ms)),
    }
}

fn ratio(one: &str, other: &str) -> Option<f64> {
    let letters = |text: &str| u32::try_from(text.chars().count()).map_or(f64::MAX, f64::from);
    (!one.is_empty()).then(|| letters(other) / letters(one))
}

/// An object or an array: a single word or number is JSON by accident.
fn is_json(text: &str) -> bool {
    let text = text.trim();
    text.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// The same calls, in whatever order: models are asked for several at once.
fn same_tools(one: &[ToolCall], other: &[ToolCall]) -> bool {
    let mut left: Vec<&ToolCall> = other.iter().collect();
    one.len() == other.len()
        && one.iter().all(|call| {
            let found = left.iter().position(|candidate| same_call(call, candidate));
            found.map(|at| left.swap_remove(at)).is_some()
        })
}

fn same_call(one: &ToolCall, other: &ToolCall) -> bool {
    let value = |text: &str| serde_json::from_str::<Value>(if text.trim().is_empty() { "{}" } else { text });
    let same = match (value(&one.arguments), value(&other.arguments)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one.arguments == other.arguments,
    };
    one.name == other.name && same
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn said(text: &str) -> Answer {
        Answer {
            text: text.to_owned(),
            ..Answer::default()
        }
    }

    fn calls(tools: &[(&str, &str)]) -> Answer {
        let call = |(name, arguments): &(&str, &str)| ToolCall {
            name: (*name).to_owned(),
            arguments: (*arguments).to_owned(),
        };
        Answer {
            tools: tools.iter().map(call).collect(),
            ..Answer::default()
        }
    }

    #[test]
    fn tools_are_equal_by_name_and_meaning_of_the_arguments() {
        let rows = [
            (vec![], vec![], None),
            (vec![("a", "{}")], vec![("a", "")], Some(true)),
            (vec![("a", r#"{"x":1,"y":2}"#)], vec![("a", r#"{"y": 2, "x": 1}"#)], Some(true)),
            (vec![("a", r#"{"x":1}"#)], vec![("a", r#"{"x":2}"#)], Some(false)),
            (vec![("a", "{}"), ("b", "{}")], vec![("b", "{}"), ("a", "{}")], Some(true)),
            (vec![("a", "{}"), ("a", "{}")], vec![("a", "{}"), ("b", "{}")], Some(false)),
            (vec![("a", "{}")], vec![], Some(false)),
            (vec![("a", "{bad")], vec![("a", "{bad")], Some(true)),
        ];
        for (one, other, expected) in rows {
            let compared = compare(&calls(&one), &calls(&other), Wanted::ALL);
            assert_eq!(compared.tools_equal, expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn json_is_an_object_or_an_array_and_whole() {
        let rows = [
            (r#"{"a":1}"#, " [1, 2] ", (true, true)),
            (r#"{"a":1"#, "7", (false, false)),
            ("```json\n{}\n```", "{}", (false, true)),
        ];
        for (one, other, expected) in rows {
            assert_eq!(compare(&said(one), &said(other), Wanted::ALL).json, Some(expected), "{one} {other}");
        }
    }

    #[test]
    fn only_what_is_wanted_is_compared() {
        let nothing = Wanted {
            length: false,
            json: false,
            tools: false,
            similarity: false,
            cost: false,
            latency: false,
        };
        assert_eq!(compare(&said("a"), &said("b"), nothing), Comparison::default());
        let compared = compare(&said("four"), &said("eightist"), Wanted { length: true, ..nothing });
        assert!((compared.length_ratio.unwrap() - 2.0).abs() < 1e-9);
        assert_eq!(compare(&said(""), &said("b"), Wanted::ALL).length_ratio, None);
    }
}
