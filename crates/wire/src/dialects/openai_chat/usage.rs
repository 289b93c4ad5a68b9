//! Token counts as this dialect and its vendors write them, to and from [`Usage`]. No prices, no estimates.

use std::borrow::Cow;

use serde::de::{IgnoredAny, MapAccess};
use serde_json::value::RawValue;

use super::loose::{self, Count, Fill, Shape};
use crate::json::ObjectWriter;
use crate::usage::Usage;

#[derive(Default)]
struct Counts {
    prompt: Count,
    completion: Count,
    total: Count,
    input: Details,
    output: Details,
    /// Cache reads beside the details: Moonshot, Together (`cached_tokens`), Mistral (`num_cached_tokens`), DeepSeek.
    cached: Count,
    /// Cache writes beside the details (Vercel's gateway).
    written: Count,
}

#[derive(Default)]
struct Details {
    present: bool,
    cached: Count,
    written: Count,
    reasoning: Count,
}

impl<'a> Shape<'a> for Counts {
    fn field<A: MapAccess<'a>>(&mut self, key: Cow<'a, str>, map: &mut A) -> Result<(), A::Error> {
        match key.as_ref() {
            "prompt_tokens" => self.prompt = map.next_value()?,
            "completion_tokens" => self.completion = map.next_value()?,
            "total_tokens" => self.total = map.next_value()?,
            // The singular is Writer's.
            "prompt_tokens_details" | "prompt_token_details" => {
                map.next_value_seed(Fill(&mut self.input))?;
            }
            "completion_tokens_details" | "completion_token_details" => {
                map.next_value_seed(Fill(&mut self.output))?;
            }
            "cached_tokens" | "num_cached_tokens" | "prompt_cache_hit_tokens" => self.cached = map.next_value()?,
            "cache_creation_input_tokens" => self.written = map.next_value()?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

impl<'a> Shape<'a> for Details {
    fn field<A: MapAccess<'a>>(&mut self, key: Cow<'a, str>, map: &mut A) -> Result<(), A::Error> {
        self.present = true;
        match key.as_ref() {
            "cached_tokens" => self.cached = map.next_value()?,
            "cache_write_tokens" => self.written = map.next_value()?,
            "reasoning_tokens" => self.reasoning = map.next_value()?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
}

/// Reads a `usage` object. `None`: it says nothing that can be used (null, empty, negative).
pub(super) fn read(raw: &RawValue) -> Option<Usage> {
    let counts = loose::read::<Counts>(raw.get()).ok()?;
    if counts.prompt.0.is_none() && counts.completion.0.is_none() {
        return None;
    }
    let input = counts.prompt.0.unwrap_or(0);
    let (output, reasoning) = output(&counts, input);
    let cache_read = counts.input.cached.0.or(counts.cached.0).unwrap_or(0).min(input);
    let cache_write = counts.input.written.0.or(counts.written.0).unwrap_or(0);
    Some(Usage {
        input,
        output,
        cache_read,
        cache_write_5m: cache_write.min(input.saturating_sub(cache_read)),
        cache_write_1h: 0,
        reasoning: reasoning.min(output),
    })
}

/// Output tokens, reasoning included. `completion_tokens` should include it; xAI counts it beside (total = prompt +
/// completion + reasoning), and Google's compatibility layer shows it only in the total.
fn output(counts: &Counts, input: u64) -> (u64, u64) {
    let completion = counts.completion.0.unwrap_or(0);
    let reasoning = counts.output.reasoning.0.unwrap_or(0);
    let visible = input.saturating_add(completion);
    match counts.total.0 {
        Some(total) if reasoning > 0 && total == visible.saturating_add(reasoning) => (completion.saturating_add(reasoning), reasoning),
        Some(total) if total > visible && !counts.output.present && !counts.input.present => {
            let hidden = total - visible;
            (completion.saturating_add(hidden), hidden)
        }
        _ => (completion, reasoning),
    }
}

/// Writes a `usage` field.
pub(super) fn write(out: &mut ObjectWriter<'_>, usage: &Usage) {
    out.object("usage", |object| {
        object.integer("prompt_tokens", usage.input);
        object.integer("completion_tokens", usage.output);
        object.integer("total_tokens", usage.total());
        object.object("prompt_tokens_details", |details| {
            details.integer("cached_tokens", usage.cache_read);
            if usage.cache_write() > 0 {
                details.integer("cache_write_tokens", usage.cache_write());
            }
        });
        object.object("completion_tokens_details", |details| {
            details.integer("reasoning_tokens", usage.reasoning);
        });
    });
}
