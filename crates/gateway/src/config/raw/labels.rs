//! What may be typed about sensitivity: labels of data, clearances of what it may be sent to, and features, whose data has a label.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::units::LabelName;

/// How sensitive data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Everybody may know it.
    Public,
    /// For the organisation.
    Internal,
    /// For those who need it.
    Confidential,
    /// For those who are named.
    Restricted,
}

/// A label: a level, or a map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Label {
    /// A level alone.
    Word(Level),
    /// A map.
    Map(LabelMap),
}

/// How data may travel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"level": "confidential", "compartments": ["hr"], "regions": ["eu"]}))]
pub struct LabelMap {
    /// How sensitive it is.
    #[schemars(example = &"confidential")]
    pub level: Level,
    /// The groups or purposes that it is kept to: it goes only where all of them are cleared.
    #[serde(default)]
    #[schemars(example = serde_json::json!(["hr", "legal"]))]
    pub compartments: Vec<LabelName>,
    /// Where it may be processed; anywhere when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = serde_json::json!(["eu"]))]
    pub regions: Option<Vec<LabelName>>,
    /// Who may process it; anybody when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = serde_json::json!(["lab"]))]
    pub processors: Option<Vec<LabelName>>,
}

/// A clearance: a level, or a map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Clearance {
    /// A level alone.
    Word(Level),
    /// A map.
    Map(ClearanceMap),
}

/// What may be sent there. Of a model, each part that it names stands in place of its provider's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(example = serde_json::json!({"level": "restricted", "regions": ["eu"]}))]
pub struct ClearanceMap {
    /// The most sensitive data that it may be sent; `confidential` when nothing is said.
    #[schemars(example = &"restricted")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// The compartments that may be sent there; none when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = serde_json::json!(["hr"]))]
    pub compartments: Option<Vec<LabelName>>,
    /// Every region where it may process data. Where nothing is said it may be anywhere, so that data bound to a region never goes there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = serde_json::json!(["eu"]))]
    pub regions: Option<Vec<LabelName>>,
    /// Everybody who may process data there. Where nothing is said it may be anybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = serde_json::json!(["lab"]))]
    pub processors: Option<Vec<LabelName>>,
}

/// An application or use case that callers name by `x-tollgate-feature`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({"label": "restricted"}))]
pub struct Feature {
    /// The lowest label of what is sent for it.
    pub label: Label,
}

/// Gives a word or a map its schema. Not `anyOf`: what is wrong is then said of the form that was written.
macro_rules! word_or_map {
    ($type:ident, $map:ident, $description:literal) => {
        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let (map, word) = (generator.subschema_for::<$map>(), generator.subschema_for::<Level>());
                schemars::json_schema!({
                    "description": $description, "examples": ["confidential"],
                    "if": { "type": "object" }, "then": map, "else": word
                })
            }
        }
    };
}
word_or_map!(
    Label,
    LabelMap,
    "How data may travel: a level, or { level, compartments, regions, processors }."
);
word_or_map!(
    Clearance,
    ClearanceMap,
    "What may be sent there: a level, or { level, compartments, regions, processors }."
);
