//! What many comparisons come to: sums and distributions that can be added up, over time and over gateways, and hold nothing of what was said.

use std::collections::BTreeMap;

use super::Comparison;

/// Bins of a distribution of similarity: tenths; the same texts are in the last.
const TENTHS: u64 = 10;
/// Upper ends of the bins of a ratio of lengths, in percent, up to four times as long; above the last is one more.
const RATIO_PERCENT: [u64; 6] = [25, 50, 80, 125, 200, 4 * 100];
/// A share of 1, as it is summed up.
const MILLION: f64 = 1e6;

/// A figure of a report, which grows: its name, and by how much.
pub type Figure = (String, i64);

/// What comparisons come to, by the names of their figures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report(BTreeMap<String, i64>);

impl Report {
    /// A report of those figures.
    #[must_use]
    pub fn new(figures: impl IntoIterator<Item = Figure>) -> Self {
        let mut report = Self::default();
        for (name, value) in figures {
            report.add(&name, value);
        }
        report
    }

    /// One more comparison.
    pub fn observe(&mut self, comparison: &Comparison) {
        self.add("compared", 1);
        if let Some(ratio) = comparison.length_ratio {
            let percent = whole(ratio * 100.0);
            let bin = RATIO_PERCENT.iter().find(|end| percent < **end);
            let name = bin.map_or_else(|| "length_ratio.above".to_owned(), |end| format!("length_ratio.below_{end}"));
            self.add(&name, 1);
            self.add("length_ratio.count", 1);
            self.add("length_ratio.millionths", millionths(ratio.min(1_000.0)));
        }
        if let Some((caller, shadow)) = comparison.json {
            let name = match (caller, shadow) {
                (true, true) => "json.both",
                (true, false) => "json.caller_only",
                (false, true) => "json.shadow_only",
                (false, false) => "json.neither",
            };
            self.add(name, 1);
        }
        if let Some(equal) = comparison.tools_equal {
            self.add(if equal { "tools.equal" } else { "tools.different" }, 1);
        }
        if let Some(similarity) = comparison.similarity {
            let bin = whole(similarity * 10.0).min(TENTHS - 1);
            self.add(&format!("similarity.tenth_{bin}"), 1);
            self.add("similarity.count", 1);
            self.add("similarity.millionths", millionths(similarity));
        }
        if let Some((caller, shadow)) = comparison.cost {
            self.add("cost.count", 1);
            self.add("cost.caller_nano_usd", caller.0);
            self.add("cost.shadow_nano_usd", shadow.0);
        }
        if let Some((caller, shadow)) = comparison.took_ms {
            let ms = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
            self.add("latency.count", 1);
            self.add("latency.caller_ms", ms(caller));
            self.add("latency.shadow_ms", ms(shadow));
            self.add(
                if shadow < caller {
                    "latency.shadow_faster"
                } else {
                    "latency.shadow_slower"
                },
                1,
            );
        }
    }

    /// With all of another.
    pub fn add_all(&mut self, other: &Self) {
        for (name, value) in &other.0 {
            self.add(name, *value);
        }
    }

    /// One more of something that is counted.
    pub fn count(&mut self, name: &str) {
        self.add(name, 1);
    }

    /// What a figure has come to.
    #[must_use]
    pub fn figure(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// The mean of what was summed up under a name: a share or a ratio; `None`: there is none yet.
    #[must_use]
    pub fn mean(&self, name: &str, sum: &str) -> Option<f64> {
        let count = self.figure(&format!("{name}.count"));
        #[expect(clippy::cast_precision_loss, reason = "a mean for people to read")]
        let mean = self.figure(&format!("{name}.{sum}")) as f64 / count.max(1) as f64;
        (0 < count).then_some(mean)
    }

    /// All figures.
    pub fn figures(&self) -> impl Iterator<Item = (&str, i64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, name: &str, value: i64) {
        let figure = self.0.entry(name.to_owned()).or_insert(0);
        *figure = figure.saturating_add(value);
    }
}

/// The whole part of a number that is not below 0.
fn whole(value: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
    let whole = value as u64;
    whole
}

fn millionths(share: f64) -> i64 {
    i64::try_from(whole((share * MILLION).round())).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::money::NanoUsd;

    #[test]
    fn reports_add_up() {
        let like = Comparison {
            length_ratio: Some(1.0),
            json: Some((true, true)),
            tools_equal: Some(true),
            similarity: Some(1.0),
            cost: Some((NanoUsd(100), NanoUsd(10))),
            took_ms: Some((20, 10)),
        };
        let unlike = Comparison {
            length_ratio: Some(5.0),
            json: Some((true, false)),
            tools_equal: Some(false),
            similarity: Some(0.2),
            ..like
        };
        let mut one = Report::default();
        one.observe(&like);
        one.count("failed");
        let mut both = Report::new(one.figures().map(|(name, value)| (name.to_owned(), value)));
        both.observe(&unlike);
        let rows = [
            ("compared", 2),
            ("failed", 1),
            ("json.both", 1),
            ("json.caller_only", 1),
            ("tools.different", 1),
            ("similarity.tenth_9", 1),
            ("similarity.tenth_2", 1),
            ("length_ratio.below_125", 1),
            ("length_ratio.above", 1),
            ("cost.caller_nano_usd", 200),
            ("cost.shadow_nano_usd", 20),
            ("latency.shadow_faster", 2),
        ];
        for (name, expected) in rows {
            assert_eq!(both.figure(name), expected, "{name}");
        }
        assert!((both.mean("similarity", "millionths").unwrap() / 1e6 - 0.6).abs() < 1e-6);
        assert_eq!(Report::default().mean("similarity", "millionths"), None);
    }
}
