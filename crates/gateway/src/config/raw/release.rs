//! What may be typed about models on their way into use: stages of targets, shadows, risk and approval; and about loops.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Money, Period, Share};

/// How far a target is released.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// For everybody.
    #[default]
    Stable,
    /// For its weight's share of the calls; `rollback_if` switches it off by itself.
    Canary,
    /// For the callers that the route's `reviewers` name: they get it before all others.
    Reviewers,
    /// Nobody gets its answers: it is asked in the background, as an entry of `shadow` is.
    Shadow,
}

/// How far a model is approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Somebody wants it. Routes of high risk refuse it.
    Proposed,
    /// It may be used for everything.
    Approved,
    /// It will be taken away: answers say so, and routes of high risk refuse it.
    Deprecated,
    /// It is not called any more.
    Retired,
}

/// How much depends on an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Little.
    Low,
    /// Something.
    Medium,
    /// Much: models whose `status` is another than `approved` are refused as targets, fallbacks and shadows.
    High,
}

/// Who reviews a new model before others get it. Both lists together; a user is the key's or the token's, not one that a header names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"teams": ["quality"], "users": ["ada"]}))]
pub struct Reviewers {
    /// Teams, by name.
    #[schemars(example = serde_json::json!(["quality"]))]
    pub teams: Vec<String>,
    /// Users, by name.
    #[schemars(example = serde_json::json!(["ada"]))]
    pub users: Vec<String>,
}

/// A model that is asked what the route is asked, in the background, when the caller has its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"model": "openai/gpt-4.1", "sample": "2%"}))]
pub struct Shadow {
    /// A name under `models`, or `provider/upstream-model`.
    #[schemars(example = &"openai/gpt-4.1")]
    pub model: String,
    /// Of how many of the route's answered calls it gets a copy. Above 0%, up to 100%.
    #[serde(default = "sample")]
    pub sample: Share,
    /// What is compared: `length`, `json`, `tools`, `similarity`, `cost`, `latency`; everything when absent.
    #[serde(default = "Compare::all")]
    pub compare: Vec<Compare>,
    /// What it may cost in a day (of `time_zone`). It is spent by nobody's limits and budgets: the ledger has it under the key `shadow:MODEL`.
    #[serde(default = "budget")]
    pub budget: Money,
}

/// How two answers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// How long they are.
    Length,
    /// Whether they are JSON.
    Json,
    /// Whether they call the same tools with the same arguments.
    Tools,
    /// How many words they share.
    Similarity,
    /// What they cost.
    Cost,
    /// How long they took.
    Latency,
}

impl Compare {
    /// Everything.
    #[must_use]
    pub fn all() -> Vec<Self> {
        vec![Self::Length, Self::Json, Self::Tools, Self::Similarity, Self::Cost, Self::Latency]
    }
}

/// The sample of a shadow that names none.
fn sample() -> Share {
    Share::percent(1)
}

/// The budget of a shadow that names none.
pub(in crate::config) fn budget() -> Money {
    Money::usd(1)
}

/// What happens when a key asks nearly the same again and again: a session, where the caller names one in `x-tollgate-session`; else a user, else
/// the key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"repeats": 20, "within": "60s", "action": "reject"}))]
pub struct OnLoop {
    /// So many calls that ask nearly the same are let pass; of a caller's last 128.
    #[schemars(range(min = 2, max = 100))]
    pub repeats: u32,
    /// Within this time. From 1s to 1h.
    pub within: Period,
    /// What happens to the next one.
    pub action: LoopAction,
}

impl Default for OnLoop {
    fn default() -> Self {
        Self {
            repeats: 20,
            within: Period::seconds(60),
            action: LoopAction::Alert,
        }
    }
}

/// What happens to a call that is one too many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoopAction {
    /// It passes; `alerts.webhook` is told, once in `within`.
    #[default]
    Alert,
    /// It is refused with 429 `loop_detected`; `alerts.webhook` is told as well.
    Reject,
}
