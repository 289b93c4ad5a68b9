//! What may be typed about the complexity router: the tiers of a route, and the weights that requests are judged by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Route;
use crate::config::units::FileRef;

/// How requests are judged where a route's strategy is `complexity`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"weights": "file:router-weights.toml"}))]
pub struct Router {
    /// The weights of an organisation's own, as `tollgate router train` writes them; the built-in ones when absent. The file is watched as
    /// the config is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<FileRef>,
}

/// Models by the strength that a request needs. The models of its tier are tried in their order; behind them those of the tiers above, the
/// nearest first, and then those below.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"simple": ["openai/gpt-4o-mini"], "complex": ["openai/gpt-4o"]}))]
pub struct Tiers {
    /// For what any model can do.
    #[schemars(length(min = 1), example = serde_json::json!(["openai/gpt-4o-mini"]))]
    pub simple: Vec<String>,
    /// For what lies between; without it there are two tiers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), example = serde_json::json!(["openai/gpt-4.1-mini"]))]
    pub medium: Vec<String>,
    /// For what needs the best.
    #[schemars(length(min = 1), example = serde_json::json!(["openai/gpt-4o"]))]
    pub complex: Vec<String>,
}

impl Tiers {
    /// Each tier's name and models, from the weakest on.
    #[must_use]
    pub fn all(&self) -> [(&'static str, &[String]); 3] {
        [("simple", &self.simple), ("medium", &self.medium), ("complex", &self.complex)]
    }
}

impl Route {
    /// Every model that the route names, fallbacks included.
    pub fn models(&self) -> impl Iterator<Item = &String> + Clone {
        let tiers = self.tiers.iter().flat_map(Tiers::all).flat_map(|(_, models)| models);
        self.targets.iter().map(|target| &target.model).chain(tiers).chain(&self.fallbacks)
    }
}
