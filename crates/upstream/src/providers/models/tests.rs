//! Checks the models' file: its patterns, the facts that translation stands on, and the sizes against the shared list.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use super::super::Catalog;
use super::*;

#[test]
fn patterns() {
    for (pattern, name, expected) in [
        ("gpt-5*", "gpt-5", true),
        ("gpt-5*", "gpt-5-mini", true),
        ("gpt-5*", "openai/gpt-5", false),
        ("*/gpt-5*", "openai/gpt-5", true),
        ("*claude-3-*", "us.anthropic.claude-3-haiku-20240307-v1:0", true),
        ("a*b*c", "axxbyyc", true),
        ("a*b*c", "abcb", false),
        ("a*ab", "ab", false),
        ("*a*a", "a", false),
        ("claude", "claude-x", false),
        ("*", "", true),
    ] {
        assert_eq!(covers(pattern, name), expected, "{pattern} on {name}");
    }
}

#[test]
fn every_row_is_valid() {
    let catalog = Catalog::built_in().unwrap();
    for facts in models().unwrap() {
        assert!(!facts.models.is_empty());
        for pattern in &facts.models {
            assert!(
                !pattern.is_empty() && !pattern.chars().any(|c| c.is_ascii_uppercase() || c.is_whitespace()),
                "{pattern}"
            );
        }
        for provider in &facts.providers {
            assert!(catalog.row(provider).is_some(), "no provider {provider}");
        }
        let order = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];
        let places: Vec<_> = facts
            .efforts
            .iter()
            .map(|effort| order.iter().position(|o| o == effort).unwrap())
            .collect();
        assert!(places.is_sorted(), "{:?}: {:?}", facts.models, facts.efforts);
        let budget = facts.thinking == Some(Thinking::Budget) || facts.thinking_budget;
        assert!(
            !budget || facts.thinking_off.is_some(),
            "{:?}: a budget implies that thinking can be off",
            facts.models
        );
        assert!(
            facts.refuses.iter().all(|field| !facts.refuses_reasoning.contains(field)),
            "{:?}",
            facts.models
        );
    }
}

#[test]
fn no_row_is_hidden_by_an_earlier_one() {
    let rows = models().unwrap();
    for (place, facts) in rows.iter().enumerate() {
        let provider = facts.providers.first().map_or("", String::as_str);
        for pattern in &facts.models {
            // A name made of the pattern itself is one that it matches; the first row to take it must be this row.
            let name = pattern.replace('*', "");
            let first = rows.iter().position(|row| row.applies(provider, &name));
            assert_eq!(first, Some(place), "{pattern} is taken by an earlier row");
        }
    }
}

#[test]
fn facts_that_translation_stands_on() {
    let catalog = Catalog::built_in().unwrap();
    let facts = |provider: &str, model: &str| catalog.facts(provider, model).unwrap().clone();

    let old = facts("anthropic", "claude-opus-4-20250514");
    assert_eq!(
        (old.output_tokens_max, old.thinking, old.json_schema),
        (Some(32_000), Some(Thinking::Budget), false)
    );
    let middle = facts("anthropic", "claude-sonnet-4-6");
    assert!(middle.thinking == Some(Thinking::Adaptive) && middle.thinking_budget && !middle.prefill);
    assert!(middle.refuses.is_empty() && !middle.efforts.contains(&"xhigh".to_owned()));
    let new = facts("anthropic", "claude-opus-5-5");
    assert_eq!((new.forced_tool_choice, new.thinking_off), (Some(ForcedToolChoice::Never), None));
    assert_eq!(new.refuses, ["temperature", "top_p", "top_k"]);
    let newer = facts("anthropic", "claude-haiku-5-5-20261001");
    assert_eq!(newer.forced_tool_choice, Some(ForcedToolChoice::Always));
    let unknown = facts("anthropic", "claude-sonnet-9");
    assert_eq!((unknown.thinking, unknown.prefill), (Some(Thinking::Adaptive), false));
    assert_eq!(
        facts("openrouter", "anthropic/Claude-Opus-4.6"),
        facts("anthropic", "claude-opus-4-6")
    );

    let fixed = facts("openai", "gpt-5-nano");
    assert_eq!(fixed.rename.get("max_tokens").map(String::as_str), Some("max_completion_tokens"));
    assert!(fixed.refuses.contains(&"temperature".to_owned()) && !fixed.efforts.contains(&"none".to_owned()));
    let optional = facts("openai", "gpt-5.4-mini");
    assert_eq!(
        (optional.reasoning_default, optional.refuses),
        (Some(false), vec!["stop".to_owned()])
    );
    assert!(facts("openai", "gpt-5-chat-latest").refuses.is_empty());
    assert_eq!(catalog.facts("openai", "gpt-4o"), None);
    assert_eq!(catalog.facts("ollama", "gpt-oss:120b"), None);

    assert!(facts("moonshot", "Kimi-K2.5").refuses.contains(&"temperature".to_owned()));
    assert_eq!(catalog.facts("vllm", "kimi-k2.5"), None, "a rule of the vendor, not of the weights");
    assert!(facts("xai", "grok-4.20-0309-non-reasoning").refuses.is_empty());
}

#[test]
#[expect(clippy::print_stderr, reason = "says that it was skipped, and how many it compared")]
fn sizes_and_abilities_are_those_of_the_shared_list() {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/catalog/models.jsonl");
    let Ok(text) = std::fs::read_to_string(list) else {
        eprintln!("skipped: shared catalog absent");
        return;
    };
    let catalog = Catalog::built_in().unwrap();
    let mut compared = 0;
    for line in text.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let part = |key: &str| entry.get(key).and_then(|value| value.as_str()).unwrap_or_default();
        if (part("provider"), part("mode")) != ("anthropic", "chat") {
            continue;
        }
        let model = part("model");
        let facts = catalog.facts("anthropic", model).unwrap();
        let has = |ability: &str| entry.get("abilities").unwrap().as_array().unwrap().iter().any(|a| a == ability);
        assert_eq!(facts.output_tokens_max, entry.get("output_tokens_max").unwrap().as_u64(), "{model}");
        assert_eq!(facts.prefill, has("assistant_prefill"), "{model}");
        assert_eq!(facts.json_schema, has("native_structured_output"), "{model}");
        assert_eq!(facts.system_anywhere, has("mid_conversation_system"), "{model}");
        assert_eq!(facts.thinking == Some(Thinking::Adaptive), has("adaptive_thinking"), "{model}");
        compared += 1;
    }
    eprintln!("compared {compared} models");
    assert!(compared >= 20, "{compared} compared");
}
