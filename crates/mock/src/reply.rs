//! What is answered, in the words of no vendor: a behaviour drafts it, the caller's limits cut it, a dialect writes it.
//! It does not know how an answer travels; that is `answer.rs`.

use std::time::Duration;

use crate::{
    question::{Question, ToolChoice},
    text,
};

/// What a behaviour wants to say, before stop sequences and token limits.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// The parts in order.
    pub(crate) parts: Vec<Part>,
    /// Why it ends, unless a limit ends it earlier.
    pub(crate) finish: Finish,
    /// Exact usage to state instead of a count.
    pub(crate) usage: Option<Usage>,
    /// Time between two content events of a stream.
    pub(crate) pace: Duration,
}

impl Draft {
    /// A draft of one text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self {
            parts: vec![Part::Text(text.into())],
            ..Self::default()
        }
    }
}

/// A part of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    /// Thinking that may be read; its signature follows from the text.
    Thinking(String),
    /// Thinking that may not be read.
    Redacted(String),
    /// Prose.
    Text(String),
    /// A refusal, in words.
    Refusal(String),
    /// A call of a tool with its arguments as JSON text.
    Call {
        /// The tool.
        name: String,
        /// Its arguments, a JSON object.
        arguments: String,
    },
}

/// Why an answer ended.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) enum Finish {
    /// The model was done.
    #[default]
    Natural,
    /// It met this stop sequence.
    StopSequence(String),
    /// It met the token limit.
    Length,
    /// It waits for tool results; `true` when one tool was forced by name.
    ToolCalls(bool),
    /// It refused.
    Refusal,
    /// A filter cut it.
    ContentFilter,
}

/// Tokens; `input` includes `cached`, `output` includes `reasoning`.
/// Signed, because a fault states negative ones.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Of the request.
    pub(crate) input: i64,
    /// Of the request, read from the prompt cache.
    pub(crate) cached: i64,
    /// Of the answer.
    pub(crate) output: i64,
    /// Of the answer, for thinking.
    pub(crate) reasoning: i64,
}

/// A finished answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The parts in order, the same for every choice.
    pub(crate) parts: Vec<Part>,
    /// Why it ended.
    pub(crate) finish: Finish,
    /// What is charged: the truth.
    pub(crate) charged: Usage,
    /// What is said to be charged; nothing when the usage is withheld.
    pub(crate) stated: Option<Usage>,
    /// Time between two content events of a stream.
    pub(crate) pace: Duration,
    /// Write no choices at all, or choices without content (fault F16).
    pub(crate) hollow: Option<Hollow>,
}

/// Ways in which an answer can be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hollow {
    /// `choices: []`, or a message without blocks.
    NoChoices,
    /// `content: null`, or one block of empty text.
    NullContent,
}

/// Cuts a draft to the caller's limits and counts it.
pub(crate) fn finish(draft: Draft, question: &Question, obey_max_tokens: bool) -> Reply {
    let Draft {
        mut parts,
        mut finish,
        usage,
        pace,
    } = draft;
    if let Some(stop) = cut_at_stop(&mut parts, &question.stop) {
        finish = Finish::StopSequence(stop);
    }
    if let Some(tokens_max) = question.max_tokens {
        if !obey_max_tokens {
            overrun(&mut parts, tokens_max);
        } else if cut_at_length(&mut parts, tokens_max) {
            finish = Finish::Length;
        }
    }
    if let Finish::ToolCalls(forced) = &mut finish {
        *forced = matches!(question.tool_choice, ToolChoice::Named(_));
    }
    let charged = usage.unwrap_or_else(|| count(&parts, question));
    Reply {
        parts,
        finish,
        charged,
        stated: Some(charged),
        pace,
        hollow: None,
    }
}

fn count(parts: &[Part], question: &Question) -> Usage {
    let choices = question.choices.max(1);
    let output: u64 = parts.iter().map(part_tokens).sum();
    let reasoning: u64 = parts
        .iter()
        .filter(|part| matches!(part, Part::Thinking(_) | Part::Redacted(_)))
        .map(part_tokens)
        .sum();
    let signed = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
    Usage {
        input: signed(question.input_tokens),
        cached: signed(question.cached_tokens),
        output: signed(output * choices),
        reasoning: signed(reasoning * choices),
    }
}

/// The tokens of a part: each is one event of a stream.
pub(crate) fn part_tokens(part: &Part) -> u64 {
    match part {
        Part::Thinking(text) | Part::Text(text) | Part::Refusal(text) => text::token_count(text),
        Part::Redacted(_) => 16,
        // The name costs one; vendors charge a little more, in ways that they do not publish.
        Part::Call { arguments, .. } => 1 + text::token_count(arguments),
    }
}

/// Cuts the text at the earliest stop sequence, which is not part of the answer, and says which it was.
fn cut_at_stop(parts: &mut Vec<Part>, stop: &[String]) -> Option<String> {
    for at in 0..parts.len() {
        let Some(Part::Text(text)) = parts.get_mut(at) else { continue };
        let found = stop
            .iter()
            .filter_map(|stop| Some((text.find(stop.as_str())?, stop)))
            .min_by_key(|(at, _)| *at);
        if let Some((end, stop)) = found {
            text.truncate(end);
            parts.truncate(at + 1);
            return Some(stop.clone());
        }
    }
    None
}

/// Cuts the answer at its token limit; true when something was cut.
fn cut_at_length(parts: &mut Vec<Part>, tokens_max: u64) -> bool {
    let mut left = tokens_max;
    for at in 0..parts.len() {
        let Some(part) = parts.get_mut(at) else { break };
        let tokens = part_tokens(part);
        if tokens <= left {
            left -= tokens;
            continue;
        }
        match part {
            Part::Thinking(text) | Part::Text(text) | Part::Refusal(text) => {
                let kept = text::first_tokens(text, left).len();
                text.truncate(kept);
            }
            Part::Call { arguments, .. } => {
                let kept = text::first_tokens(arguments, left.saturating_sub(1)).len();
                arguments.truncate(kept);
            }
            Part::Redacted(_) => {}
        }
        // What got no token at all is not there at all.
        let keep = if left == 0 && !matches!(part, Part::Text(_)) { at } else { at + 1 };
        parts.truncate(keep);
        return true;
    }
    false
}

/// Makes the answer four times as long as allowed (fault F22).
fn overrun(parts: &mut [Part], tokens_max: u64) {
    let wanted = tokens_max.saturating_mul(4).min(crate::behaviours::TOKENS_MAX);
    let tokens: u64 = parts.iter().map(part_tokens).sum();
    if let Some(Part::Text(text)) = parts.iter_mut().rev().find(|part| matches!(part, Part::Text(_)))
        && tokens < wanted
    {
        text.push(' ');
        text.push_str(&text::lorem(wanted - tokens));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(reply: &Reply) -> String {
        reply.parts.iter().map(|part| format!("{part:?}")).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn limits_cut() {
        type Row<'a> = (&'a str, &'a [&'a str], Option<u64>, &'a str, Finish);
        let rows: [Row<'_>; 5] = [
            ("one two three", &[], None, "Text(\"one two three\")", Finish::Natural),
            (
                "one two three",
                &["three", "two"],
                None,
                "Text(\"one \")",
                Finish::StopSequence("two".into()),
            ),
            ("one two three", &[], Some(2), "Text(\"one two\")", Finish::Length),
            ("one two three", &[], Some(3), "Text(\"one two three\")", Finish::Natural),
            ("one two three", &["two"], Some(1), "Text(\"one\")", Finish::Length),
        ];
        for (said, stop, max_tokens, expected, why) in rows {
            let stop = stop.iter().map(|stop| (*stop).to_owned()).collect();
            let question = Question {
                stop,
                max_tokens,
                ..Question::default()
            };
            let reply = finish(Draft::text(said), &question, true);
            assert_eq!((texts(&reply), reply.finish), (expected.to_owned(), why), "{said} {max_tokens:?}");
        }
    }

    #[test]
    fn an_ignored_limit_is_overrun_four_times() {
        let question = Question {
            max_tokens: Some(10),
            ..Question::default()
        };
        assert_eq!(finish(Draft::text("hi"), &question, false).charged.output, 40);
    }

    #[test]
    fn choices_multiply_the_output() {
        let question = Question {
            choices: 3,
            input_tokens: 7,
            ..Question::default()
        };
        let usage = finish(Draft::text("a b"), &question, true).charged;
        assert_eq!((usage.input, usage.output), (7, 6));
    }
}
