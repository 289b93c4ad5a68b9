//! What may be typed about users and about identity providers whose tokens are taken in place of keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::units::BaseUrl;

/// A user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"team": "support"}))]
pub struct User {
    /// A name under `teams`.
    #[schemars(example = &"support")]
    pub team: String,
    /// Refuses the user's keys and tokens for now.
    #[serde(default)]
    pub disabled: bool,
}

/// An identity provider (OIDC) whose tokens are taken as `Authorization: Bearer …` in place of a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({
    "issuer": "https://login.example.com", "audiences": ["tollgate"], "jwks_url": "https://login.example.com/keys", "claims": {"team": "department"}
}))]
pub struct Issuer {
    /// What stands in a token's `iss`, to the letter.
    #[schemars(example = &"https://login.example.com")]
    pub issuer: String,
    /// What a token's `aud` must hold one of.
    #[schemars(length(min = 1), example = serde_json::json!(["tollgate"]))]
    pub audiences: Vec<String>,
    /// Where its public keys are: `jwks_uri` of its discovery document (`/.well-known/openid-configuration`).
    #[schemars(example = &"https://login.example.com/keys")]
    pub jwks_url: BaseUrl,
    /// Which claims say who calls.
    #[serde(default)]
    pub claims: Claims,
    /// The team of a token whose claims name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
}

/// Which claims of a token say who calls. A dot leads into a map: `realm.department`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"team": "department", "user": "sub"}))]
pub struct Claims {
    /// The claim that holds a name under `teams`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The claim that holds the user.
    pub user: String,
    /// The claim that holds the features that the caller may choose from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<String>,
}

impl Default for Claims {
    fn default() -> Self {
        Self {
            team: None,
            user: "sub".to_owned(),
            features: None,
        }
    }
}

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Scope {
    /// Chat completions and messages.
    #[serde(rename = "chat")]
    Chat,
    /// Embeddings.
    #[serde(rename = "embeddings")]
    Embeddings,
    /// Images.
    #[serde(rename = "images")]
    Images,
    /// Speech and transcription.
    #[serde(rename = "audio")]
    Audio,
    /// Live sessions.
    #[serde(rename = "realtime")]
    Realtime,
    /// Batches and their files.
    #[serde(rename = "batch")]
    Batch,
    /// The list of models.
    #[serde(rename = "models:read")]
    ModelsRead,
    /// What the key itself has used.
    #[serde(rename = "usage:self")]
    UsageSelf,
    /// Feedback on answers.
    #[serde(rename = "feedback")]
    Feedback,
    /// To say that what is sent is more sensitive than is required.
    #[serde(rename = "label:raise")]
    LabelRaise,
    /// To say that it is less sensitive, with a reason. It must be given: a key without a list does not have it.
    #[serde(rename = "label:declassify")]
    LabelDeclassify,
}
