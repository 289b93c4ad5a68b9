//! The catalog's rows as the dialects want them: facts about a model, and a vendor's quirks.

use tollgate_upstream::providers::{
    Catalog, ContentForm, ForcedToolChoice, Quirks as Known, ReasoningReplay, StreamUsage as Streams, Thinking as Form,
};
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
    // A model that reasons unless it is told not to is taken to reason.
    let reasons = row.reasoning_default == Some(true);
    let while_reasoning = row.refuses_reasoning.iter().filter(|_| reasons);
    let refused: Vec<&String> = row.refuses.iter().chain(while_reasoning).collect();
    let refuses = |field: &str| refused.iter().any(|refused| *refused == field);
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
        one_of: row.one_of.clone(),
    }
}

/// A vendor's quirks. Every one of the catalog is named here, so that none is read and then forgotten.
#[must_use]
pub fn quirks(known: &Known) -> Quirks {
    let Known {
        drop,
        rename,
        message_drop,
        developer_role,
        content,
        tool_choices,
        response_formats,
        temperature_max,
        n_max,
        betas: _, // the site's, for it is about a header
        stream_usage,
        done_marker,
        reasoning_field,
        reasoning_replay,
        billing_on_cancel: _, // the site's, for it is about its bill
    } = known.clone();
    Quirks {
        drop,
        rename: rename.into_iter().collect(),
        developer_as_system: developer_role.as_deref() == Some("system"),
        stream_usage: match stream_usage {
            Streams::Ask => StreamUsage::Ask,
            Streams::Always => StreamUsage::Always,
            Streams::Never => StreamUsage::Never,
        },
        terminator_optional: !done_marker,
        reasoning_field: reasoning_field.filter(|_| reasoning_replay != ReasoningReplay::Refused),
        temperature_max,
        message_drop,
        content_as_string: content == ContentForm::String,
        tool_choices,
        response_formats,
        n_max,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn facts_are_those_of_the_catalog() {
        let catalog = Catalog::built_in().unwrap();
        // Provider, model, sampling, the newer name of the limit.
        let rows = [
            ("openai", "o3-mini", false, true),
            ("openai", "gpt-4o", true, false),
            ("anthropic", "claude-opus-5-5", false, false),
            ("anthropic", "claude-sonnet-4-5", true, false),
            ("lab", "llama-3.1-8b-instruct", true, false),
        ];
        for (provider, model, sampling, newer_name) in rows {
            let facts = of_model(&catalog, provider, model);
            assert_eq!(
                (facts.sampling, facts.max_completion_tokens),
                (sampling, newer_name),
                "{provider}/{model}"
            );
        }
        assert!(of_model(&catalog, "anthropic", "claude-sonnet-4-5").output_tokens_max.is_some());
    }

    #[test]
    fn reasoning_is_not_sent_back_to_who_refuses_it() {
        let catalog = Catalog::built_in().unwrap();
        let field = |name: &str| quirks(&catalog.row(name).unwrap().endpoints[0].quirks).reasoning_field;
        assert_eq!(field("deepseek").as_deref(), Some("reasoning_content"));
        assert_eq!((field("groq"), field("mistral")), (None, None));
    }

    #[test]
    fn every_quirk_of_a_vendor_is_carried() {
        let catalog = Catalog::built_in().unwrap();
        let of = |name: &str| quirks(&catalog.row(name).unwrap().endpoints[0].quirks);
        let groq = of("groq");
        assert_eq!(groq.n_max, Some(1));
        assert!(groq.message_drop.iter().any(|field| field == "name"));
        assert!(of("deepseek").response_formats.iter().any(|format| format == "json_object"));
        let rows = || {
            catalog
                .rows()
                .iter()
                .flat_map(|row| &row.endpoints)
                .map(|endpoint| quirks(&endpoint.quirks))
        };
        assert!(rows().any(|quirks| quirks.content_as_string));
        assert!(rows().any(|quirks| quirks.tool_choices == ["auto", "none"]));
        assert_eq!(of_model(&catalog, "anthropic", "claude-opus-4-1").one_of, ["temperature", "top_p"]);
    }
}
