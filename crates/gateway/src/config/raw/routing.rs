//! What may be typed about how a route chooses: what keeps calls together, and rules.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What keeps calls at one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sticky {
    /// Who calls: the key's or token's user, else whom the service says that it calls for (`x-tollgate-user`, or the body's `safety_identifier`,
    /// `user` or `metadata.user_id`).
    User,
    /// What the caller names in `x-tollgate-session`.
    Session,
    /// How the prompt begins: its tools, its instructions and the conversation's first message. The turns of one conversation meet one
    /// provider's prompt cache.
    Prefix,
}

/// One rule of a route with `strategy: rules`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"when": "input_tokens < 400", "use": ["openai/gpt-4o-mini"]}))]
pub struct Rule {
    /// What the rule is called where a decision is explained; its number when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A CEL condition on the call; absent: always. It may ask for `team`, `user`, `end_user`, `key`, `feature`, `route`, `operation`, `task`,
    /// `risk`, `label`, `stream`, `has_tools`, `has_images`, `wants_json`, `input_tokens` and `max_tokens`, `hour` (UTC), `priority`, `session`,
    /// `tags.NAME`, `metadata.NAME`, `budget_used` (of the fullest budget that the call meets, in percent) and `price_micro_usd` (what the call
    /// is expected to cost with this rule's first model, in millionths of a USD; 0: nobody knows).
    #[schemars(length(min = 1), example = &"input_tokens < 400")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The models to try then, in this order: names under `models`, or `provider/upstream-model`.
    #[serde(rename = "use")]
    #[schemars(length(min = 1), example = serde_json::json!(["openai/gpt-4o-mini"]))]
    pub models: Vec<String>,
}
