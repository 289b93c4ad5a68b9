//! What may be typed about the last resorts of a route.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::units::Period;

/// One step, or a list that is tried in its order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LastResorts {
    /// A list.
    Many(Vec<LastResort>),
    /// One step.
    One(LastResort),
}

impl LastResorts {
    /// The steps in their order.
    #[must_use]
    pub fn steps(&self) -> &[LastResort] {
        match self {
            Self::Many(steps) => steps,
            Self::One(step) => std::slice::from_ref(step),
        }
    }
}

impl JsonSchema for LastResorts {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LastResorts".into()
    }

    // Not `anyOf`: what is wrong is then said of the form that was written.
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (one, many) = (
            generator.subschema_for::<LastResort>(),
            generator.subschema_for::<Vec<LastResort>>(),
        );
        schemars::json_schema!({
            "description": "One step such as { message: \"…\" }, or a list of steps that is tried in its order.",
            "if": { "type": "array" }, "then": many, "else": one
        })
    }
}

/// What is done when every attempt has failed. One of its keys.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"message": "The assistant is unavailable; please try again soon."}))]
pub struct LastResort {
    /// Once more through the plan, for a smaller answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reduce: Option<Reduce>,
    /// Waits for a model to recover, teams in turn, and tries again. From 1ms to 30s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Period>,
    /// Another route answers, with a plan of its own. Who may call this route needs no permission for that one.
    #[schemars(example = &"best-cheap-chat")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// A person decides: the caller gets 202 with the address of the review, which no SDK understands by itself. At that address it gets
    /// the answer once a person has approved the request (it is then sent once more) or written the answer. Until its time is over the
    /// request is in the database, as it was sent and not encrypted; none of a label above `confidential` is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// A text that is given as the answer: a normal end, no tokens, no cost, and `tollgate/last-resort` as the model.
    #[schemars(length(min = 1), example = &"The assistant is unavailable; please try again soon.")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A person's decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"expires": "24h"}))]
pub struct Review {
    /// How long there is for it. From 1m to 30d.
    pub expires: Period,
}

impl Default for Review {
    fn default() -> Self {
        Self {
            expires: Period::seconds(86_400),
        }
    }
}

/// A smaller answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"max_tokens": 256}))]
pub struct Reduce {
    /// The most output tokens of it. Where the caller asked for no more than that, nothing is tried again.
    #[schemars(range(min = 1, max = 1_000_000), example = 256)]
    pub max_tokens: u32,
}
