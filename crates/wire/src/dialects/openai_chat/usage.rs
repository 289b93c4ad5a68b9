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
    audio: Count,
    image: Count,
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
            "audio_tokens" => self.audio = map.next_value()?,
            "image_tokens" => self.image = map.next_value()?,
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
        audio_input: counts.input.audio.0.unwrap_or(0).min(input),
        audio_output: counts.output.audio.0.unwrap_or(0).min(output),
        image_input: counts.input.image.0.unwrap_or(0).min(input),
        image_output: counts.output.image.0.unwrap_or(0).min(output),
        web_searches: 0,
        service_tier: None, // a field of the answer itself: `answer.rs`
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
            modalities(details, usage.audio_input, usage.image_input);
        });
        object.object("completion_tokens_details", |details| {
            details.integer("reasoning_tokens", usage.reasoning);
            modalities(details, usage.audio_output, usage.image_output);
        });
    });
}

fn modalities(details: &mut ObjectWriter<'_>, audio: u64, image: u64) {
    for (name, tokens) in [("audio_tokens", audio), ("image_tokens", image)] {
        if tokens > 0 {
            details.integer(name, tokens);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::super::answer::Answer;
    use super::*;
    use crate::event::Event;
    use crate::usage::ServiceTier;

    #[test]
    fn what_has_a_price_of_its_own_is_counted_apart() {
        let details = r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
            "prompt_tokens_details":{"cached_tokens":10,"audio_tokens":30,"image_tokens":20,"text_tokens":50},
            "completion_tokens_details":{"reasoning_tokens":5,"audio_tokens":25,"image_tokens":7}}"#;
        let usage = read(&crate::json::raw(details).unwrap()).unwrap();
        let expected = Usage {
            input: 100,
            output: 50,
            cache_read: 10,
            reasoning: 5,
            audio_input: 30,
            audio_output: 25,
            image_input: 20,
            image_output: 7,
            ..Usage::default()
        };
        assert_eq!(usage, expected);
        let mut out = Vec::new();
        crate::json::object(&mut out, |object| write(object, &usage));
        let written: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let raw = crate::json::raw(&written["usage"].to_string()).unwrap();
        assert_eq!(read(&raw), Some(expected), "what is written is read again");
    }

    #[test]
    fn a_part_is_never_more_than_its_total() {
        let text = r#"{"prompt_tokens":3,"completion_tokens":2,"prompt_tokens_details":{"audio_tokens":9,"image_tokens":9},
            "completion_tokens_details":{"audio_tokens":9,"image_tokens":9}}"#;
        let usage = read(&crate::json::raw(text).unwrap()).unwrap();
        assert_eq!(
            (usage.audio_input, usage.image_input, usage.audio_output, usage.image_output),
            (3, 3, 2, 2)
        );
    }

    #[test]
    fn the_service_tier_that_was_served_stands_with_the_counts() {
        let rows = [
            (r#""default""#, Some(ServiceTier::Standard)),
            (r#""priority""#, Some(ServiceTier::Priority)),
            (r#""flex""#, Some(ServiceTier::Flex)),
            (r#""warp""#, Some(ServiceTier::Any)),
            (r#""auto""#, None),
            ("null", None),
            ("7", None),
        ];
        for (tier, expected) in rows {
            let text = format!(
                r#"{{"id":"a","model":"m","choices":[],"usage":{{"prompt_tokens":1,"completion_tokens":1}},"service_tier":{tier}}}"#
            );
            let mut events = Vec::new();
            Answer::new(false).take(&text, &mut events).unwrap();
            let told = events.iter().find_map(|event| match event {
                Event::Usage(usage) => Some(usage.service_tier),
                _ => None,
            });
            assert_eq!(told, Some(expected), "{tier}");
        }
    }
}
