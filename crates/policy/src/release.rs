//! New models on their way into use: the stage of a target, what a canary has shown lately, and when it has to go. Pure: what happened is told,
//! and `now` is an argument.

mod digest;
mod window;

pub use window::{Observation, Outcome, Window};

use crate::rules::FigureCondition;

/// Below so many requests nothing is concluded: one failure of two is no rate.
pub const REQUESTS_MIN: u32 = 20;

/// How far a target is released.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stage {
    /// For everybody.
    #[default]
    Stable,
    /// For a share of the calls, and watched.
    Canary,
    /// For those alone who review it.
    Reviewers,
    /// Nobody gets its answers: it is asked in the background.
    Shadow,
}

/// How far a model is approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Somebody wants it.
    Proposed,
    /// It may be used for everything.
    Approved,
    /// It will be taken away.
    Deprecated,
    /// It is not called any more.
    Retired,
}

/// How much depends on an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// Little.
    Low,
    /// Something.
    Medium,
    /// Much: approved models alone answer.
    High,
}

/// What a release has shown over its window. Rates are shares from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Attempts at it that ended.
    pub requests: f64,
    /// Of them: failed for a reason that is not the caller's.
    pub error_rate: f64,
    /// Of them: blocked for what was said.
    pub block_rate: f64,
    /// Of the feedback: good. 1 while there is none.
    pub feedback: f64,
    /// 95 of 100 attempts had their answer (of a stream: its first content) within so many milliseconds. Up to a fifth too high.
    pub p95_ms: f64,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            requests: 0.0,
            error_rate: 0.0,
            block_rate: 0.0,
            feedback: 1.0,
            p95_ms: 0.0,
        }
    }
}

/// Whether a canary has to go: its condition holds, and there is enough to go by. A condition that compares with the stable targets says
/// nothing before they have as many requests, too.
#[must_use]
pub fn must_go(condition: &FigureCondition, own: &Figures, stable: &Figures) -> bool {
    let enough = |figures: &Figures| f64::from(REQUESTS_MIN) <= figures.requests;
    enough(own) && (!condition.asks_stable() || enough(stable)) && condition.holds(own, stable)
}

impl Stage {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Canary => "canary",
            Self::Reviewers => "reviewers",
            Self::Shadow => "shadow",
        }
    }
}

impl Status {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Approved => "approved",
            Self::Deprecated => "deprecated",
            Self::Retired => "retired",
        }
    }
}

impl Risk {
    /// The risk of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Low, Self::Medium, Self::High].into_iter().find(|risk| risk.name() == word)
    }

    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn nothing_is_concluded_from_one_failure_of_two() {
        let condition = FigureCondition::compile("error_rate > 0.05").unwrap();
        let compared = FigureCondition::compile("error_rate > 2 * stable_error_rate").unwrap();
        let figures = |requests: u32, error_rate: f64| Figures {
            requests: requests.into(),
            error_rate,
            ..Figures::default()
        };
        let nothing = Figures::default();
        let rows = [
            (&condition, figures(2, 0.5), nothing, false),
            (&condition, figures(REQUESTS_MIN - 1, 1.0), nothing, false),
            (&condition, figures(REQUESTS_MIN, 0.06), nothing, true),
            (&condition, figures(1_000, 0.05), nothing, false),
            // Compared with next to nothing, any error would be too much.
            (&compared, figures(1_000, 0.01), figures(3, 0.0), false),
            (&compared, figures(1_000, 0.01), figures(1_000, 0.004), true),
            (&compared, figures(1_000, 0.01), figures(1_000, 0.006), false),
        ];
        for (condition, own, stable, expected) in rows {
            assert_eq!(must_go(condition, &own, &stable), expected, "{} {own:?}", condition.text());
        }
    }

    #[test]
    fn words_of_risk_are_in_order() {
        assert!(Risk::parse("high") > Risk::parse("medium") && Risk::parse("medium") > Risk::parse("low"));
        assert_eq!(Risk::parse("enormous"), None);
    }
}
