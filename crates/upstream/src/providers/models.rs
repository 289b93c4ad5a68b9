//! The rows of `catalog/models.toml`: what a translator must know about a model before it writes a request for it.
//! The head of that file is the reference of every key. Deliberately no prices and no list of models: patterns only.

use std::collections::BTreeMap;

use serde::Deserialize;
use tollgate_policy::patterns::covers;

use super::catalog::CatalogError;

const FILE: &str = "catalog/models.toml";
const TEXT: &str = include_str!("../../../../catalog/models.toml");

/// Parses the models' file that was built in, in order: the first row that applies wins.
///
/// # Errors
/// When it is not TOML or has a key that no row knows.
pub fn models() -> Result<Vec<ModelFacts>, CatalogError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        model: Vec<ModelFacts>,
    }
    let file: File = toml::from_str(TEXT).map_err(|error| CatalogError::new(FILE, &error))?;
    Ok(file.model)
}

/// What is known about the models of one row. An absent fact is not known: then the caller's word stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelFacts {
    /// Patterns on the upstream model name, lower case; `*` stands for any text.
    pub models: Vec<String>,
    /// The providers it is about; empty: whoever serves the model.
    pub providers: Vec<String>,
    /// Largest answer in tokens: what to ask for where the dialect needs a number and the caller gave none.
    pub output_tokens_max: Option<u64>,
    /// Top-level request fields to rename.
    pub rename: BTreeMap<String, String>,
    /// Top-level request fields that are answered with an error.
    pub refuses: Vec<String>,
    /// The same, but only while the model reasons.
    pub refuses_reasoning: Vec<String>,
    /// At most one of these fields may be present; the first present one is to be kept.
    pub one_of: Vec<String>,
    /// Whether it reasons when the request does not say.
    pub reasoning_default: Option<bool>,
    /// The form of Anthropic's `thinking` to write.
    pub thinking: Option<Thinking>,
    /// Whether it takes a thinking budget besides the adaptive form.
    pub thinking_budget: bool,
    /// The `thinking.type` that turns thinking off; `None`: it cannot be turned off.
    pub thinking_off: Option<String>,
    /// Effort levels it takes, the weakest first; empty: none.
    pub efforts: Vec<String>,
    /// Whether a tool may be forced.
    pub forced_tool_choice: Option<ForcedToolChoice>,
    /// Whether it has native structured output.
    pub json_schema: bool,
    /// Whether the last message may be the assistant's.
    pub prefill: bool,
    /// Whether system messages may stand between the others.
    pub system_anywhere: bool,
}

impl ModelFacts {
    /// Whether this row is about `model`, in lower case, when served by `provider`.
    pub(super) fn applies(&self, provider: &str, model: &str) -> bool {
        let served = self.providers.is_empty() || self.providers.iter().any(|name| name == provider);
        served && self.models.iter().any(|pattern| covers(pattern, model))
    }
}

/// How a Claude model is asked to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thinking {
    /// `{"type":"adaptive"}`, its depth by effort.
    Adaptive,
    /// `{"type":"enabled","budget_tokens":…}`.
    Budget,
    /// Not at all: `thinking` must not be sent.
    None,
}

/// Whether a tool call may be forced (`any` and `tool`, or `required` and a named function).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForcedToolChoice {
    /// Whenever asked.
    Always,
    /// Only while the model does not think.
    ThinkingOff,
    /// Never: the fallback is `auto` with the tools filtered.
    Never,
}

#[cfg(test)]
mod tests;
