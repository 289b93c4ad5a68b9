//! Token counts, in one shape for every vendor. Totals include their parts: vendors that report exclusive counts are
//! converted by their dialect, so that sums are the same whoever answered. No prices here.

use serde::{Deserialize, Serialize};

/// What one answer consumed. All figures are tokens, but for the last two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// All input tokens, cached and cache-writing ones included.
    pub input: u64,
    /// All output tokens, reasoning included.
    pub output: u64,
    /// Of `input`: read from the provider's prompt cache.
    pub cache_read: u64,
    /// Of `input`: written to the provider's prompt cache, five-minute class (also where the vendor names no class).
    pub cache_write_5m: u64,
    /// Of `input`: written to the provider's prompt cache, one-hour class.
    pub cache_write_1h: u64,
    /// Of `output`: spent on reasoning.
    pub reasoning: u64,
    /// Of `input`: audio.
    pub audio_input: u64,
    /// Of `output`: audio.
    pub audio_output: u64,
    /// Of `input`: images, where the vendor counts them apart.
    pub image_input: u64,
    /// Of `output`: images, where the vendor counts them apart.
    pub image_output: u64,
    /// How often the provider searched the web for this answer.
    pub web_searches: u64,
    /// The service tier that the provider says it served.
    pub service_tier: Option<ServiceTier>,
}

/// How fast and how surely a request is served, by the names that vendors give it. Prices differ by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceTier {
    /// As everybody is.
    #[default]
    Standard,
    /// Some time within the day.
    Batch,
    /// When there is room.
    Flex,
    /// Before others.
    Priority,
    /// As the provider chooses, or by a name that we do not know.
    Any,
}

impl ServiceTier {
    /// The tier of that name, in a request or in an answer.
    #[must_use]
    pub fn named(word: &str) -> Self {
        match word {
            // Groq calls it on_demand; Anthropic's standard_only refuses priority; OpenAI's scale is paid for beforehand.
            "default" | "standard" | "standard_only" | "on_demand" | "scale" => Self::Standard,
            "batch" => Self::Batch,
            "flex" => Self::Flex,
            "priority" => Self::Priority,
            _ => Self::Any,
        }
    }
}

impl Usage {
    /// Input tokens that were neither read from nor written to a prompt cache.
    #[must_use]
    pub fn input_uncached(&self) -> u64 {
        self.input.saturating_sub(self.cache_read).saturating_sub(self.cache_write())
    }

    /// Input tokens written to the prompt cache, both classes.
    #[must_use]
    pub fn cache_write(&self) -> u64 {
        self.cache_write_5m.saturating_add(self.cache_write_1h)
    }

    /// Input and output together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}
