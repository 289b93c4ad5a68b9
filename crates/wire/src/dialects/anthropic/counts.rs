//! Token counts of an answer, between the dialect's exclusive figures and the language's inclusive ones. No prices here.

use serde_json::value::RawValue;

use crate::json::{Fields, ObjectWriter};
use crate::usage::{ServiceTier, Usage};

/// The dialect's own figures. In a stream they are cumulative: what comes later wins, what is missing stays (V1).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_1h: Option<u64>,
    reasoning: Option<u64>,
    web_searches: Option<u64>,
    service_tier: Option<ServiceTier>,
}

impl Counts {
    /// Takes the figures of a `usage` object; those that are no counts are left out, for a bad figure spoils no answer.
    pub(super) fn take(&mut self, usage: &mut Fields<'_>) {
        update(&mut self.input, usage, "input_tokens");
        update(&mut self.output, usage, "output_tokens");
        update(&mut self.cache_read, usage, "cache_read_input_tokens");
        update(&mut self.cache_write, usage, "cache_creation_input_tokens");
        if let Ok(Some(mut classes)) = usage.take_object("cache_creation") {
            update(&mut self.cache_write_1h, &mut classes, "ephemeral_1h_input_tokens");
            let mut short = None;
            update(&mut short, &mut classes, "ephemeral_5m_input_tokens");
            if self.cache_write.is_none() {
                self.cache_write = short.map(|tokens: u64| tokens.saturating_add(self.cache_write_1h.unwrap_or_default()));
            }
        }
        if let Ok(Some(mut details)) = usage.take_object("output_tokens_details") {
            update(&mut self.reasoning, &mut details, "thinking_tokens");
        }
        self.look(usage);
    }

    /// Reads what has a price but no place of its own in the language: left where it is, for other readers.
    fn look(&mut self, usage: &Fields<'_>) {
        for (name, raw) in usage.remaining() {
            match name {
                "server_tool_use" => {
                    if let Ok(mut tools) = Fields::parse(raw.get(), name) {
                        update(&mut self.web_searches, &mut tools, "web_search_requests");
                    }
                }
                "service_tier" => {
                    let word = serde_json::from_str::<String>(raw.get()).ok();
                    self.service_tier = word.map(|word| ServiceTier::named(&word)).or(self.service_tier);
                }
                _ => {}
            }
        }
    }

    /// The figures of the language.
    pub(super) fn usage(&self) -> Usage {
        let cache_read = self.cache_read.unwrap_or_default();
        let cache_write = self.cache_write.unwrap_or_default();
        let cache_write_1h = self.cache_write_1h.unwrap_or_default().min(cache_write);
        Usage {
            input: self
                .input
                .unwrap_or_default()
                .saturating_add(cache_read)
                .saturating_add(cache_write),
            output: self.output.unwrap_or_default(),
            cache_read,
            cache_write_5m: cache_write - cache_write_1h,
            cache_write_1h,
            reasoning: self.reasoning.unwrap_or_default(),
            web_searches: self.web_searches.unwrap_or_default(),
            service_tier: self.service_tier,
            // The dialect counts no modality apart.
            ..Usage::default()
        }
    }
}

fn update(count: &mut Option<u64>, fields: &mut Fields<'_>, name: &str) {
    let found = fields.take(name).and_then(|raw: &RawValue| raw.get().parse().ok());
    *count = found.or(*count);
}

/// Writes the members of a `usage` object.
pub(super) fn write(usage: &Usage, o: &mut ObjectWriter<'_>) {
    o.integer("input_tokens", usage.input_uncached());
    o.integer("cache_creation_input_tokens", usage.cache_write());
    o.integer("cache_read_input_tokens", usage.cache_read);
    if usage.cache_write() > 0 {
        o.object("cache_creation", |o| {
            o.integer("ephemeral_5m_input_tokens", usage.cache_write_5m);
            o.integer("ephemeral_1h_input_tokens", usage.cache_write_1h);
        });
    } else {
        o.null("cache_creation");
    }
    o.integer("output_tokens", usage.output);
    if usage.reasoning > 0 {
        o.object("output_tokens_details", |o| o.integer("thinking_tokens", usage.reasoning));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn searches_and_the_tier_are_read_and_left_for_others() {
        let mut counts = Counts::default();
        let rows = [
            (r#"{"input_tokens":5,"service_tier":"priority"}"#, 0, Some(ServiceTier::Priority), 1),
            // Cumulative: what comes later wins, what is missing stays.
            (
                r#"{"output_tokens":9,"server_tool_use":{"web_search_requests":2,"web_fetch_requests":1}}"#,
                2,
                Some(ServiceTier::Priority),
                1,
            ),
            (
                r#"{"server_tool_use":{"web_search_requests":3},"service_tier":"standard"}"#,
                3,
                Some(ServiceTier::Standard),
                2,
            ),
            (r#"{"server_tool_use":"?","service_tier":1}"#, 3, Some(ServiceTier::Standard), 2),
        ];
        for (text, searches, tier, left) in rows {
            let mut fields = Fields::parse(text, "usage").unwrap();
            counts.take(&mut fields);
            let usage = counts.usage();
            assert_eq!((usage.web_searches, usage.service_tier), (searches, tier), "{text}");
            assert_eq!(fields.remaining().count(), left, "{text}");
        }
    }
}
