//! The catalog's rows as the dialects want them: facts about a model, and a vendor's quirks.

use tollgate_upstream::providers::{Catalog, ForcedToolChoice, Quirks as Known, StreamUsage as Streams, Thinking as Form};
use tollgate_wire::target::{ModelFacts, Quirks, StreamUsage, Thinking};

/// What is known of a model at a provider; an unknown one is trusted to do what its dialect says.
#[must_use]
pub fn of_model(catalog: &Catalog, provider: &str, model: &str) -> ModelFacts {
    let Some(row) = catalog.facts(provider, model) else {
        return ModelFacts {
            max_completion_tokens: false,
            ..ModelFacts::default()
        };
    };
    let refuses = |field: &str| row.refuses.iter().any(|refused| refused == field);
    ModelFacts {
        output_tokens_max: row.output_tokens_max,
        sampling: !refuses("temperature"),
        thinking: match row.thinking {
            None => Thinking::Unknown,
            Some(Form::None) => Thinking::None,
            Some(Form::Budget) => Thinking::Budget,
            Some(Form::Adaptive) => Thinking::Adaptive,
        },
        efforts: row.efforts.clone(),
        forced_tool_choice: row.forced_tool_choice != Some(ForcedToolChoice::Never),
        json_schema: row.json_schema || row.thinking.is_none(),
        prefill: row.prefill || row.thinking.is_none(),
        system_midway: row.system_anywhere,
        stop: !refuses("stop"),
        max_completion_tokens: row.rename.contains_key("max_tokens"),
    }
}

/// A vendor's quirks.
#[must_use]
pub fn quirks(known: &Known) -> Quirks {
    Quirks {
        drop: known.drop.clone(),
        rename: known.rename.iter().map(|(ours, theirs)| (ours.clone(), theirs.clone())).collect(),
        developer_as_system: known.developer_role.as_deref() == Some("system"),
        stream_usage: match known.stream_usage {
            Streams::Ask => StreamUsage::Ask,
            Streams::Always => StreamUsage::Always,
            Streams::Never => StreamUsage::Never,
        },
        terminator_optional: !known.done_marker,
        reasoning_field: known.reasoning_field.clone(),
        temperature_max: known.temperature_max,
    }
}
