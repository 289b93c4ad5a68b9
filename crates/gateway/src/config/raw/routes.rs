//! Routes, as they are written: what applications ask for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Breaker, FallbackOn, Hedge, Label, LastResorts, Money, OnExceed, OnLoop, Retry, Reviewers, Risk, Rule, Shadow, Share, Stage, Sticky,
    Tiers, Timeouts,
};

/// What applications ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    extend("x-not-yet" = [
        "guardrails", "cache"
    ]),
    example = serde_json::json!({"strategy": "pinned", "targets": [{"model": "openai/gpt-4o"}]})
)]
pub struct Route {
    /// What the route is for, in a few words. A route without one gets a warning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The team that answers for the route. A route without one gets a warning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The most sensitive data that the route may carry: every target and fallback must be cleared for it, and a call above it is refused.
    /// When absent, any that one of its models is cleared for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// How a target is chosen.
    #[serde(default)]
    pub strategy: Strategy,
    /// What keeps calls at one target, with `strategy: weighted`; a call that does not say is drawn by dice. Each target still gets its share,
    /// and one that comes or goes moves no others' calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
    /// The rules of `strategy: rules`, in the place of targets: the first that holds says which models are tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), example = serde_json::json!([{"when": "input_tokens < 400", "use": ["openai/gpt-4o-mini"]}, {"use": ["openai/gpt-4o"]}]))]
    pub rules: Vec<Rule>,
    /// The models that serve the route: one for `pinned`, none for `rules` and for `complexity`, whose models are in `tiers`, any number for the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), example = serde_json::json!([{"model": "openai/gpt-4o"}]))]
    pub targets: Vec<Target>,
    /// Models by the strength that a request needs, for `complexity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiers: Option<Tiers>,
    /// Models to try in this order when the chosen target fails.
    #[serde(default)]
    #[schemars(example = serde_json::json!(["anthropic/claude-sonnet-4-5"]))]
    pub fallbacks: Vec<String>,
    /// Which failures move on to the next model.
    #[serde(default = "fallback_on")]
    pub fallback_on: Vec<FallbackOn>,
    /// How often a call is tried.
    #[serde(default)]
    pub retry: Retry,
    /// How long each phase of a call may take.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// When a model that fails, or answers too slowly, is given a rest.
    #[serde(default)]
    pub breaker: Breaker,
    /// Asks the next model as well when an answer does not begin in time; whichever begins first answers, and the other is given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hedge: Option<Hedge>,
    /// The most that one call may cost, by what is held for it: a model that may cost more is not asked. With `over_cost` among
    /// `fallback_on` the next model is, otherwise the call is refused.
    #[schemars(example = &"0.05 USD")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<Money>,
    /// What happens when a model's wire format cannot carry something that the caller sent.
    #[serde(default)]
    pub on_loss: OnLoss,
    /// What a limit's refusal means for calls of this route, where the limit itself says no more than `reject`: `reject`, `queue: 10s`, or
    /// `downgrade` to other models. What the limit says comes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_limit: Option<OnExceed>,
    /// What is done when every attempt has failed and nothing has reached the caller: one step, or a list that is tried in its order. The
    /// answer says in `x-tollgate-fallback` that it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_resort: Option<LastResorts>,
    /// How much depends on its answers: `low`, `medium` or `high`. A caller may raise it with `x-tollgate-risk`, and not lower it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// Who gets the targets of the stage `reviewers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewers: Option<Reviewers>,
    /// Models that are tried on copies of its calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = serde_json::json!([{"model": "openai/gpt-4.1", "sample": "2%"}]))]
    pub shadow: Vec<Shadow>,
    /// What happens when a caller asks nearly the same again and again; nobody looks when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_loop: Option<OnLoop>,
}

/// The failures that a fallback can help with whatever the caller sent.
fn fallback_on() -> Vec<FallbackOn> {
    vec![FallbackOn::Unavailable, FallbackOn::Timeout, FallbackOn::RateLimited]
}

/// How a target is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Always the one target.
    #[default]
    Pinned,
    /// By dice, in proportion to the weights; or by what `sticky` names.
    Weighted,
    /// The one at which this call is expected to cost least, by its size and by how long answers on this route are.
    Cheapest,
    /// The quicker of two that dice choose, by how long their answers took to begin of late. Failures count as slow answers, and who was slow is
    /// tried again as time passes.
    Fastest,
    /// The one with the fewest open calls.
    LeastBusy,
    /// Those that the first rule under `rules` names whose condition holds.
    Rules,
    /// By how hard the request is, as a small classifier sees it: see `tiers`.
    Complexity,
}

/// One model that serves a route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    example = serde_json::json!({"model": "openai/gpt-4o", "weight": 95})
)]
pub struct Target {
    /// A name under `models`, or `provider/upstream-model`.
    #[schemars(example = &"openai/gpt-4o")]
    pub model: String,
    /// The target's share against the other targets' weights. A whole number; 0 switches the target off.
    #[serde(default = "weight")]
    #[schemars(range(max = 1_000_000))]
    pub weight: u32,
    /// The route's `sticky`, written at the target that needs it, such as a canary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
    /// How far it is released.
    #[serde(default)]
    pub stage: Stage,
    /// Switches a canary off by itself: a condition on its last ten minutes, over `error_rate`, `block_rate`, `feedback` (shares from 0 to 1),
    /// `p95_ms`, `requests`, and the same of the stable targets with `stable_` in front. It is asked from 20 requests on.
    #[schemars(length(min = 1), example = &"error_rate > 0.05 || p95_ms > 8000")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback_if: Option<String>,
    /// Of the stage `shadow` alone: of how many calls it gets a copy; 1% when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
}

/// The weight of a target that names none.
fn weight() -> u32 {
    1
}

/// What happens when a model's wire format cannot carry something that the caller sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnLoss {
    /// Send it without, and say so in `x-tollgate-loss`.
    #[default]
    Warn,
    /// Refuse the call.
    Reject,
    /// Choose another model of the route that carries it.
    Avoid,
}
