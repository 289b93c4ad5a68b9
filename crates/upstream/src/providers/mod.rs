//! The vendors and their models, as data: what `catalog/providers.toml` and `catalog/models.toml` say.
//! Deliberately not here: what a config overrides, how a key is obtained, and how a request is rewritten; the dialects
//! in `wire` do the last, from a description built of what is read here.

mod catalog;
mod models;

pub use catalog::{
    Auth, BillingOnCancel, Catalog, CatalogError, ContentForm, Endpoint, Quirks, ReasoningReplay, Row, StreamUsage, providers,
};
pub use models::{ForcedToolChoice, ModelFacts, Thinking, models};
