//! How a request asks for reasoning: `reasoning_effort`, and the extensions `reasoning` (OpenRouter) and `thinking`
//! (DeepSeek, Z.ai …); and how a request writes it. The reasoning itself is in `reasoning.rs`.

use serde_json::value::RawValue;

use super::request::Kept;
use crate::fault::Malformed;
use crate::json::{self, Fields, Kind};
use crate::loss::Loss;
use crate::request::{Effort, Reasoning, ReasoningMode};
use crate::target::{ModelFacts, Thinking};

/// The top-level fields that ask for reasoning.
pub(super) const ASKING: [&str; 3] = ["reasoning_effort", "reasoning", "thinking"];
/// The effort word for no reasoning.
const NONE: &str = "none";

/// Takes the fields that ask for reasoning. What they say beyond the language is kept whole.
pub(super) fn read(fields: &mut Fields<'_>, kept: &mut Kept) -> Result<Option<Reasoning>, Malformed> {
    let mut found = None;
    for name in ASKING {
        let Some(raw) = fields.take(name) else { continue };
        let (said, all) = match json::kind(raw) {
            Kind::String => effort(raw, name)?,
            Kind::Object => object(raw, name)?,
            _ => return Err(Malformed::at(name, "expected a string or an object")),
        };
        found = found.or(said);
        if !all {
            kept.push((name.to_owned(), raw.to_owned()));
        }
    }
    Ok(found)
}

type Said = (Option<Reasoning>, bool);

fn effort(raw: &RawValue, name: &str) -> Result<Said, Malformed> {
    let word: String = serde_json::from_str(raw.get()).map_err(|_| Malformed::at(name, "expected a string"))?;
    let said = level(&word);
    Ok((said, said.is_some()))
}

fn level(word: &str) -> Option<Reasoning> {
    if word == NONE {
        return Some(Reasoning {
            mode: ReasoningMode::Off,
            effort: None,
        });
    }
    let effort = Effort::from_name(word)?;
    Some(Reasoning {
        mode: ReasoningMode::Unsaid,
        effort: Some(effort),
    })
}

/// `{effort, max_tokens, enabled}` or `{type, budget_tokens}`.
fn object(raw: &RawValue, name: &'static str) -> Result<Said, Malformed> {
    let mut fields = Fields::parse(raw.get(), name)?;
    let word = fields.take_string("effort")?;
    let said = word.as_deref().and_then(level);
    let mut all = word.is_none() || said.is_some();
    let mut reasoning = said.unwrap_or(Reasoning {
        mode: ReasoningMode::Unsaid,
        effort: None,
    });
    let budget = fields.take_u64("max_tokens")?.or(fields.take_u64("budget_tokens")?);
    let kind = fields.take_string("type")?;
    let enabled = match (fields.take_bool("enabled")?, kind.as_deref()) {
        (Some(enabled), _) => Some(enabled),
        (None, Some("enabled" | "adaptive" | "auto")) => Some(true),
        (None, Some("disabled")) => Some(false),
        (None, Some(_)) => {
            all = false;
            None
        }
        (None, None) => None,
    };
    match (enabled, budget) {
        (Some(false), _) => {
            reasoning = Reasoning {
                mode: ReasoningMode::Off,
                effort: None,
            }
        }
        (_, Some(budget)) => reasoning.mode = ReasoningMode::Budget(budget),
        (Some(true), None) if reasoning.effort.is_none() => reasoning.mode = ReasoningMode::Adaptive,
        _ => {}
    }
    all &= fields.remaining().all(|(_, raw)| raw.get() == "null");
    let nothing = reasoning
        == Reasoning {
            mode: ReasoningMode::Unsaid,
            effort: None,
        };
    Ok(((!nothing).then_some(reasoning), all))
}

/// The `reasoning_effort` to write, and what is lost by it. An adaptive wish is what a model does unasked.
pub(super) fn write(reasoning: Reasoning, facts: &ModelFacts, loss: &mut Loss) -> Option<String> {
    if facts.thinking == Thinking::None {
        if reasoning.mode != ReasoningMode::Off {
            loss.add("reasoning");
        }
        return None;
    }
    let effort = match (reasoning.mode, reasoning.effort) {
        (ReasoningMode::Off, _) => return off(facts, loss),
        (ReasoningMode::Budget(tokens), None) => {
            // An effort is a hint where a budget was a bound.
            loss.add("reasoning.budget");
            by_budget(tokens)
        }
        (_, Some(effort)) => effort,
        (_, None) => return None,
    };
    if facts.efforts.is_empty() {
        if facts.thinking == Thinking::Unknown {
            return Some(effort.name().to_owned());
        }
        loss.add("reasoning.effort");
        return None;
    }
    let known: Vec<Effort> = facts.efforts.iter().filter_map(|name| Effort::from_name(name)).collect();
    let nearest = known
        .iter()
        .filter(|level| **level <= effort)
        .max()
        .or_else(|| known.iter().min())
        .copied();
    if nearest != Some(effort) {
        loss.add("reasoning.effort");
    }
    nearest.map(|level| level.name().to_owned())
}

/// No reasoning: `none` where the model knows the word, else the least that it knows. An unknown model is not told
/// anything: one that cannot reason would refuse the field.
fn off(facts: &ModelFacts, loss: &mut Loss) -> Option<String> {
    if facts.efforts.iter().any(|name| name == NONE) {
        return Some(NONE.to_owned());
    }
    loss.add("reasoning.off");
    facts
        .efforts
        .iter()
        .filter_map(|name| Effort::from_name(name))
        .min()
        .map(|level| level.name().to_owned())
}

fn by_budget(tokens: u64) -> Effort {
    match tokens {
        0..2048 => Effort::Low,
        2048..8192 => Effort::Medium,
        _ => Effort::High,
    }
}
