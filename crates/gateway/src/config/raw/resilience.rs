//! What may be typed about a route's failures: tries, times, breakers, hedges.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::units::{HedgeAfter, Period, Rate, Share};

/// A failure that moves on to the next model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FallbackOn {
    /// The provider cannot be reached, or answers that it is broken or overloaded.
    Unavailable,
    /// The provider took longer than `timeouts` allows.
    Timeout,
    /// The provider refused because of its own rate limit or quota.
    RateLimited,
    /// The prompt is longer than the model takes.
    ContextLength,
    /// The provider refused the content, or filtered its answer before the first word.
    ContentPolicy,
    /// The call asked for JSON and the answer is none, or lacks what the schema requires at its top. Only answers that are not streamed are
    /// looked at; when no model is left, the call fails with 502 `invalid_output`.
    InvalidOutput,
    /// The model may cost more than `max_cost`, or than budgets leave.
    OverCost,
}

/// How often a call is tried. Beside that, a provider is asked again for no more than a tenth of its calls and three times a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"attempts": 3}))]
pub struct Retry {
    /// Tries in all, the first one, fallbacks and a hedge included.
    #[schemars(range(min = 1, max = 10))]
    pub attempts: u8,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 3 }
    }
}

/// How long each phase of a call may take. Each from 1ms to 24h.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"connect": "5s", "first_byte": "30s", "idle": "30s", "total": "5m"}))]
pub struct Timeouts {
    /// Until the connection stands, TLS included; of one attempt.
    pub connect: Period,
    /// From the request sent until the answer's first byte; of one attempt.
    pub first_byte: Period,
    /// Between two chunks of a stream.
    pub idle: Period,
    /// From the caller's request until the answer's end, all attempts together.
    pub total: Period,
    /// The fewest bytes of an answer, behind its first, in each window of time: `500/10s`. An answer that trickles more slowly is broken
    /// off. Not looked at when absent; a model that thinks in the middle of its answer may send nothing for a while.
    #[schemars(example = &"500/10s")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_rate: Option<Rate>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Period::seconds(5),
            first_byte: Period::seconds(30),
            idle: Period::seconds(30),
            total: Period::seconds(300),
            min_rate: None,
        }
    }
}

/// When a model that fails, or answers too slowly, is given a rest. The breaker is the model's: whichever route sees it fail, all routes
/// let it rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"consecutive_failures": 5, "p95_above": "20s", "open_for": "60s"}))]
pub struct Breaker {
    /// After so many failures in a row.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub consecutive_failures: u32,
    /// When less than this share of the last half minute's calls went well, of 20 calls or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_below: Option<Share>,
    /// When more than one in twenty of the last half minute's calls took longer to begin its answer (the first content of a stream, all of
    /// another answer), of 20 calls or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_above: Option<Period>,
    /// How long it rests before one call tries it again; twice as long after each such call that fails, up to 60s or this, whichever is
    /// longer. From 1ms to 24h.
    pub open_for: Period,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            success_below: None,
            p95_above: None,
            open_for: Period::seconds(1),
        }
    }
}

/// Asks the next model as well when an answer does not begin in time. Both are paid for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"after": "p95", "extra_cost": "5%"}))]
pub struct Hedge {
    /// When: a time, or a percentile of the time in which the model's answers lately began (p50 to p99), once 20 are known.
    pub after: HedgeAfter,
    /// What hedges may cost, as a share of what the route's calls of the last ten minutes may have cost; of their number where they cost
    /// nothing. Up to 100%.
    #[serde(default = "extra_cost")]
    pub extra_cost: Share,
}

/// A twentieth: as many as are slower than p95.
fn extra_cost() -> Share {
    Share::percent(5)
}
