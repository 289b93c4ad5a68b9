//! How hard a request is: features that cost microseconds, one small linear model over them, and a tier with the reasons. It sees the text
//! of one call and keeps none of it; where the text comes from, and what is done with the tier, others say.
//!
//! The model is an ordinal logistic regression (proportional odds; McCullagh, "Regression models for ordinal data", 1980), fitted as stacked
//! binary ones: one weight per feature, one score, and a threshold between each two tiers. Its weights are a file that can be read.

mod cues;
pub mod features;
pub mod fit;
mod text;
pub mod weights;

#[cfg(test)]
mod tests;

pub use features::{Ask, FEATURES, Features};
pub use weights::{Weights, WeightsError};

/// How strong a model a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Any model will do.
    Simple,
    /// A good one, where a route has a tier between.
    Medium,
    /// The best.
    Complex,
}

impl Tier {
    /// From the weakest on.
    pub const ALL: [Self; 3] = [Self::Simple, Self::Medium, Self::Complex];

    /// Its name in config, records and training data.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Medium => "medium",
            Self::Complex => "complex",
        }
    }

    /// The tier of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }
}

/// What was found of one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What it needs, of the tiers that there are.
    pub tier: Tier,
    /// From 0 (simple) to 1 (complex).
    pub score: f64,
    /// The version of the weights.
    pub version: std::sync::Arc<str>,
    /// What was seen of it.
    pub features: Features,
    /// What speaks most for the tier, strongest first: features and what they add to the logit.
    pub reasons: Vec<(&'static str, f64)>,
}

impl Verdict {
    /// The reasons in words: `code +1.2, length +0.8`.
    #[must_use]
    pub fn why(&self) -> String {
        let mut text = String::new();
        for (name, contribution) in &self.reasons {
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(&format!("{name} {contribution:+.1}"));
        }
        text
    }
}
