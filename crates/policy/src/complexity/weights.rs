//! The weights of the model: a file that can be read and edited, built in, or an organisation's own.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use super::features::{COUNT, FEATURES};
use super::{Features, Tier, Verdict};

/// Reasons that a verdict names.
const REASONS_MAX: usize = 3;
/// What adds less to the logit is no reason.
const REASON_MIN: f64 = 0.05;

static BUILT_IN: LazyLock<Result<Arc<Weights>, WeightsError>> =
    LazyLock::new(|| Weights::parse(include_str!("../../../../catalog/complexity/weights.toml")).map(Arc::new));

/// A file of weights that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightsError(String);

impl std::fmt::Display for WeightsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WeightsError {}

/// The file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: String,
    #[serde(default)]
    data: String,
    #[serde(default)]
    figures: BTreeMap<String, f64>,
    thresholds: Thresholds,
    weights: BTreeMap<String, f64>,
}

/// Where a tier begins, as scores.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Of a route without a tier between: from here on a request is complex.
    pub two: f64,
    /// Of a route with three tiers: from here on medium.
    pub medium: f64,
    /// And from here on complex.
    pub complex: f64,
}

/// The model.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Its name in records.
    pub version: Arc<str>,
    /// What it was fitted on, in words.
    pub data: String,
    /// How well it did on data that it had not seen, as the file states it.
    pub figures: BTreeMap<String, f64>,
    /// Where the tiers begin.
    pub thresholds: Thresholds,
    /// The logit of a request of which nothing is seen.
    pub(super) bias: f64,
    /// What each feature adds to the logit for each 1 of it.
    pub(super) weights: [f64; COUNT],
}

impl Weights {
    /// Those of the file in the repository.
    ///
    /// # Errors
    /// Never, when the tests have passed.
    pub fn built_in() -> Result<Arc<Self>, WeightsError> {
        BUILT_IN.clone()
    }

    /// All zero: what is known before anything is learnt.
    #[must_use]
    pub fn zero() -> Self {
        Self {
            version: Arc::default(),
            data: String::new(),
            figures: BTreeMap::new(),
            thresholds: Thresholds {
                two: 0.5,
                medium: 0.4,
                complex: 0.6,
            },
            bias: 0.0,
            weights: [0.0; COUNT],
        }
    }

    /// Reads a file of weights.
    ///
    /// # Errors
    /// Bad TOML, an unknown or missing feature, a number that is none, thresholds out of order.
    pub fn parse(text: &str) -> Result<Self, WeightsError> {
        // The first line alone: what follows draws a picture for terminals.
        let mut file: File = toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .map_or(1, |span| 1 + text.get(..span.start).unwrap_or_default().matches('\n').count());
            WeightsError(format!("line {line}: {}", error.message().replace('\n', "; ")))
        })?;
        let all = file.weights.values().chain(file.figures.values());
        if let Some(odd) = all.into_iter().find(|value| !value.is_finite() || value.abs() > 1000.0) {
            return Err(WeightsError(format!("{odd} is no weight; use numbers from -1000 to 1000")));
        }
        let mut taken = |name: &str| {
            let missing = || {
                WeightsError(format!(
                    "weights.{name} is missing; add it, with 0 where the feature is to say nothing"
                ))
            };
            file.weights.remove(name).ok_or_else(missing)
        };
        let mut weights = Self {
            bias: taken("bias")?,
            ..Self::zero()
        };
        for ((name, _), weight) in FEATURES.iter().zip(&mut weights.weights) {
            *weight = taken(name)?;
        }
        if let Some(unknown) = file.weights.keys().next() {
            let known: Vec<&str> = FEATURES.iter().map(|(name, _)| *name).collect();
            let message = format!("weights.{unknown} is no feature; leave it out; known: {}", known.join(", "));
            return Err(WeightsError(message));
        }
        let Thresholds { two, medium, complex } = file.thresholds;
        let in_order = 0.0 < medium && medium <= two && two <= complex && complex < 1.0;
        if !in_order {
            return Err(WeightsError(
                "thresholds are out of order; they must be 0 < medium <= two <= complex < 1".to_owned(),
            ));
        }
        if file.version.is_empty() || file.version.len() > 64 {
            return Err(WeightsError(
                "version is empty or longer than 64 bytes; give these weights a short name, such as a date".to_owned(),
            ));
        }
        Ok(Self {
            version: file.version.into(),
            data: file.data,
            figures: file.figures,
            thresholds: file.thresholds,
            ..weights
        })
    }

    /// The file's text, below `head`, whose lines become comments.
    #[must_use]
    pub fn file(&self, head: &str) -> String {
        let mut out = String::new();
        let mut line = |text: &str| {
            out.push_str(text);
            out.push('\n');
        };
        head.lines().for_each(|text| line(format!("# {text}").trim_end()));
        line(&format!("\nversion = {}", quoted(&self.version)));
        line(&format!("data = {}", quoted(&self.data)));
        line("\n[figures]");
        for (name, figure) in &self.figures {
            line(&format!("{name} = {figure:?}"));
        }
        line("\n# Scores, from 0 to 1, at which a tier begins; `two` where a route has no tier between.\n[thresholds]");
        let Thresholds { two, medium, complex } = self.thresholds;
        line(&format!("two = {two:?}\nmedium = {medium:?}\ncomplex = {complex:?}"));
        line("\n# What each feature adds to the logit, for each 1 of it; the score is 1 / (1 + exp(-logit)).\n[weights]");
        line(&format!("bias = {:?}", self.bias));
        for ((name, doc), weight) in FEATURES.iter().zip(self.weights) {
            let pair = format!("{name} = {weight:?}");
            line(&format!("{pair:<28} # {doc}"));
        }
        out
    }

    /// The score of a request, from 0 to 1.
    #[must_use]
    pub fn score(&self, features: &Features) -> f64 {
        logistic(self.logit(features))
    }

    pub(super) fn logit(&self, features: &Features) -> f64 {
        let sum: f64 = self
            .weights
            .iter()
            .zip(features.values())
            .map(|(weight, value)| weight * value)
            .sum();
        self.bias + sum
    }

    /// Each feature's weight, in order.
    pub fn each(&self) -> impl Iterator<Item = f64> + '_ {
        self.weights.iter().copied()
    }

    /// What each feature of a request that is not 0 adds to the logit: its name, its value, and that; the strongest first.
    pub fn contributions(&self, features: &Features) -> impl Iterator<Item = (&'static str, f64, f64)> + use<> {
        let parts = FEATURES.iter().zip(features.values()).zip(self.each());
        let mut all: Vec<_> = parts.map(|(((name, _), value), weight)| (*name, value, value * weight)).collect();
        all.retain(|(_, value, _)| *value != 0.0);
        all.sort_by(|(.., one), (.., other)| other.abs().total_cmp(&one.abs()));
        all.into_iter()
    }

    /// What a request needs, of two tiers or of three.
    #[must_use]
    pub fn tier(&self, score: f64, three: bool) -> Tier {
        let thresholds = &self.thresholds;
        match three {
            false if score < thresholds.two => Tier::Simple,
            false => Tier::Complex,
            true if score < thresholds.medium => Tier::Simple,
            true if score < thresholds.complex => Tier::Medium,
            true => Tier::Complex,
        }
    }

    /// What a request needs, and why.
    #[must_use]
    pub fn judge(&self, features: Features, three: bool) -> Verdict {
        let logit = self.logit(&features);
        let score = logistic(logit);
        let tier = self.tier(score, three);
        // What speaks for it: upwards for the highest, downwards for the lowest, either way between.
        let towards = |contribution: f64| match tier {
            Tier::Simple => -contribution,
            Tier::Medium => contribution.abs(),
            Tier::Complex => contribution,
        };
        let mut reasons: Vec<(&'static str, f64)> = self
            .contributions(&features)
            .map(|(name, _, contribution)| (name, contribution))
            .filter(|(_, contribution)| towards(*contribution) >= REASON_MIN)
            .collect();
        reasons.truncate(REASONS_MAX);
        Verdict {
            tier,
            score,
            version: Arc::clone(&self.version),
            features,
            reasons,
        }
    }
}

/// 1 / (1 + exp(-x)).
pub(super) fn logistic(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
