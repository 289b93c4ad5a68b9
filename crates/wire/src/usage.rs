//! Token counts, in one shape for every vendor. Totals include their parts: vendors that report exclusive counts are
//! converted by their dialect, so that sums are the same whoever answered. No prices here.

use serde::{Deserialize, Serialize};

/// What one answer consumed. All figures are tokens.
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
