//! What an explanation says: one document for the data plane, the admin API and the command line, of what would happen and of what did.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What would become of a request, or what became of one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// What it is about.
    pub kind: Kind,
    /// The request id: of the request that it tells of, or whose dice were rolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub request_id: Option<String>,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The revision of the config.
    pub config: String,
    /// The caller's dialect.
    pub dialect: String,
    /// What is asked for, such as `chat`.
    pub operation: String,
    /// The model or route as it was asked for.
    pub asked: String,
    /// Who asks.
    pub caller: Who,
    /// The route; none: a model was asked for by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub route: Option<String>,
    /// What comes of it.
    pub verdict: Verdict,
    /// Everything that could answer: first what is tried, in its order, then what is left out.
    pub candidates: Vec<Candidate>,
    /// Why they stand in this order.
    pub order: Order,
    /// How often each would be tried first, where dice decide and none were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub shares: Vec<Share>,
    /// Which model was planned before a rule put another in its place, and why: `from=…; reason=…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub downgraded: Option<String>,
    /// What the route does when everything that it tries has failed, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub last_resorts: Vec<String>,
    /// What is held for the call before anything is sent, at the dearest attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub holds: Option<Holds>,
    /// The limits that count it, with what is left of them.
    pub limits: Vec<Standing>,
    /// The budgets that it is paid from, with what is left of them.
    pub budgets: Vec<Standing>,
    /// The caches that are asked before a provider is.
    pub cache: Vec<String>,
    /// The guardrails that look at it, in their order.
    pub guardrails: Vec<String>,
    /// What conditions see of it. What is empty, zero or false is not listed.
    pub facts: BTreeMap<String, Value>,
    /// What happened: the record of the exchange, as it stands in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub record: Option<Value>,
    /// What the reader has to know to trust it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub notes: Vec<String>,
}

/// What an explanation is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What would happen now. Nothing was counted, held or sent.
    #[default]
    Forecast,
    /// What was decided for a request, as it was then.
    Record,
}

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Who {
    /// The team; empty: nobody in particular, who may do everything.
    pub team: String,
    /// The user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub user: Option<String>,
    /// The key's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub key: Option<String>,
    /// The feature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub feature: Option<String>,
}

/// What comes of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// How it ends.
    pub outcome: Outcome,
    /// The code of the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub code: Option<String>,
    /// The refusal in the words that its caller is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub message: Option<String>,
    /// How long it waits for room before it is refused, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub waits_s: Option<u64>,
}

/// How a request ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is sent.
    #[default]
    Sent,
    /// It waits for room, and is sent when there is some.
    Waits,
    /// It is refused.
    Refused,
}

/// Something that could answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Candidate {
    /// `provider/upstream-model`.
    pub model: String,
    /// What it is to the route.
    pub role: Role,
    /// Its place among the attempts, from 1; none: it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub place: Option<u32>,
    /// Why it is there, or why it is left out.
    pub why: String,
    /// Its weight among the targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub weight: Option<u32>,
    /// What the call would cost there; none: nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub price: Option<PriceRange>,
    /// What of the request its dialect cannot carry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub loss: Vec<String>,
}

/// What a candidate is to the route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// One of its targets.
    #[default]
    Target,
    /// It stands in for them.
    Fallback,
    /// A rule put it in the place of what was asked for.
    Substitute,
}

/// What a call costs, in dollars as decimals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PriceRange {
    /// The input alone, estimated from above.
    pub floor_usd: String,
    /// With all the output that it may give.
    pub ceiling_usd: String,
}

/// Why candidates stand in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Order {
    /// The strategy's reason.
    pub reason: String,
    /// Why the strategy's first choice is not tried first, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub passed_over: Option<String>,
    /// Dice had a part in it.
    pub by_dice: bool,
}

/// How often a model would be tried first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Share {
    /// `provider/upstream-model`.
    pub model: String,
    /// In percent.
    pub percent: f64,
}

/// What is held for a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Holds {
    /// Input tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Money, in dollars as a decimal.
    pub usd: String,
    /// The output that the request is limited to, where it says none or a budget affords no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub max_tokens: Option<u64>,
}

/// How a limit or budget stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// What it counts: `requests`, `concurrent`, `tokens`, `input_tokens`, `output_tokens` or `usd`.
    pub unit: String,
    /// Whose account: `team=support`; empty: everybody's together.
    pub scope: String,
    /// The condition under which it counts this call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub when: Option<String>,
    /// How much it lets pass; none: it is not this caller's to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub limit: Option<String>,
    /// How much is left, less what open calls hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub left: Option<String>,
    /// When it begins anew, in milliseconds since 1970; none: it slides, or never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub resets_at_ms: Option<u64>,
}
