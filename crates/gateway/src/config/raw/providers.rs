//! Providers and the models that they have, as they are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Auth, BaseUrl, Clearance, Price, SecretRef, Share, Status};

/// One vendor or endpoint that answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(
    extend("x-not-yet" = ["region"]),
    example = serde_json::json!({"credentials": ["env:OPENAI_API_KEY"]})
)]
pub struct Provider {
    /// The provider's keys: one, or a pool that calls are spread over.
    pub credentials: Vec<SecretRef>,
    /// What the official SDK of the dialect calls base URL: OpenAI with `/v1`, Anthropic the bare origin. A path prefix is kept.
    /// Replaces the catalog's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<BaseUrl>,
    /// The wire format that the endpoint speaks. Needed for a name that is not in the catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
    /// How a credential is sent: `bearer`, `header:NAME` or `none`. The catalog knows it; otherwise the dialect's own way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// What it bills for a call that is broken off because its caller left; the catalog knows it for some vendors, else `partial`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_on_cancel: Option<BillingOnCancel>,
    /// Lets its models be called although nobody knows what they cost; they then count as free.
    pub allow_unpriced: bool,
    /// What the vendor takes off its prices for us, up to 100%.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount: Option<Share>,
    /// What is put on top of the vendor's prices, behind the discount, up to 100%.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<Share>,
    /// What data may be sent there: a level, or a map that says where it stands and who works there. `confidential` when absent, and then
    /// nothing that is kept to compartments, regions or processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clearance: Option<Clearance>,
}

/// What a vendor bills for a call whose caller left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BillingOnCancel {
    /// All of it: a stream is then read to its end, for a minute at most, so that what is posted is what is billed.
    Full,
    /// The input, and what was generated until then.
    Partial,
    /// Nothing, as long as nothing of the answer has come.
    None,
}

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-not-yet" = ["openai_responses", "gemini", "bedrock", "cohere"]))]
pub enum Dialect {
    /// OpenAI Chat Completions, spoken by most vendors and local servers.
    OpenaiChat,
    /// Anthropic Messages.
    Anthropic,
}

/// A model of ours: a short name for one model at one provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    example = serde_json::json!({"provider": "openai", "upstream_model": "gpt-4o"})
)]
pub struct Model {
    /// A name under `providers`.
    #[schemars(example = &"openai")]
    pub provider: String,
    /// What the provider calls the model; our own name for it when absent.
    #[schemars(length(min = 1), example = &"gpt-4o")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_model: Option<String>,
    /// The team that answers for the model; shown, not enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it costs, in USD per million tokens; the catalog's price when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Lets the model be called although nobody knows what it costs; it then counts as free.
    #[serde(default)]
    pub allow_unpriced: bool,
    /// What data may be sent to it, by whichever name it is asked for. Each part that is named stands in place of the provider's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clearance: Option<Clearance>,
    /// How far it is approved. `deprecated` is told with each answer, `retired` is not called; routes of high risk take `approved` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}
