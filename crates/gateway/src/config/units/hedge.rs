//! When a hedge is sent: a length of time, or a percentile.

use std::fmt;

use tollgate_policy::hedge::After;

use super::{Complaint, Period, shown, text_format};

/// `p95`, or `800ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HedgeAfter(After);

text_format!(
    HedgeAfter,
    "hedge-text",
    "a percentile from p50 to p99, or a length of time",
    ["p95", "800ms"]
);

impl HedgeAfter {
    /// When.
    #[must_use]
    pub const fn get(self) -> After {
        self.0
    }

    /// Reads `p95` or `800ms`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        const REMEDY: &str = "write a percentile from p50 to p99, or a time such as 800ms";
        let complain = |reason: String| Err(Complaint::new(reason, REMEDY));
        if let Some(percent) = text.strip_prefix('p') {
            return match percent.parse() {
                Ok(percent @ 50..=99) => Ok(Self(After::Percentile(percent))),
                _ => complain(format!("\"{}\" is not a percentile from p50 to p99", shown(text))),
            };
        }
        match Period::parse(text) {
            Ok(time) if time.get().is_zero() => complain("0s would ask two models for every call".to_owned()),
            Ok(time) => Ok(Self(After::Time(time.get()))),
            Err(_) => complain(format!("\"{}\" is neither a percentile nor a time", shown(text))),
        }
    }
}

impl fmt::Display for HedgeAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            After::Percentile(percent) => write!(f, "p{percent}"),
            After::Time(time) => Period::from_duration(time).fmt(f),
        }
    }
}
