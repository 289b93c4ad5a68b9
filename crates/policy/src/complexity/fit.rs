//! Fitting the weights, and telling how good they are. Deterministic: the same examples in the same order give the same weights.
//!
//! Each example asks two yes-or-no questions (at least medium? complex?) of one score with two thresholds; together they are a convex problem
//! (logistic regression with a ridge towards the weights that were there before), solved by Newton's method, whose steps are found by conjugate
//! gradients (Nocedal and Wright, "Numerical Optimization", chapters 5 and 7).

use super::features::COUNT;
use super::weights::{Thresholds, logistic};
use super::{Features, Tier, Weights};

/// One labelled request.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// What was seen of it.
    pub features: Features,
    /// What it needs.
    pub tier: Tier,
    /// How much it counts; 1 is usual.
    pub weight: f64,
}

/// The weights, the bias, and half of the distance between the thresholds.
const PARAMETERS: usize = COUNT + 2;
type Vector = [f64; PARAMETERS];

/// Newton's steps; it is done when a step changes less than this.
const STEPS_MAX: usize = 30;
const STEP_MIN: f64 = 1e-6;
/// The least half distance: thresholds do not cross.
const HALF_MIN: f64 = 0.05;

/// Fits weights to examples, holding on to `prior` with `ridge` (the larger, the less few examples move it). Version, data and figures are
/// those of `prior`.
#[must_use]
pub fn fit(examples: &[Example], prior: &Weights, ridge: f64) -> Weights {
    let start = parameters(prior);
    let mut at = start;
    for _ in 0..STEPS_MAX {
        let (gradient, curves) = slope(examples, &at, &start, ridge);
        let step = solve(examples, &curves, ridge, &gradient);
        let scale = damped(examples, (&at, &start), &step, ridge);
        at = added(&at, &step, -scale);
        if step.iter().all(|change| (change * scale).abs() < STEP_MIN) {
            break;
        }
    }
    weights(&at, prior)
}

fn parameters(weights: &Weights) -> Vector {
    let half = -logit(weights.thresholds.medium);
    let mut vector = [0.0; PARAMETERS];
    let values = weights.weights.iter().copied().chain([weights.bias, half.max(HALF_MIN)]);
    vector.iter_mut().zip(values).for_each(|(place, value)| *place = value);
    vector
}

fn weights(at: &Vector, prior: &Weights) -> Weights {
    let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
    let mut fitted = prior.clone();
    fitted
        .weights
        .iter_mut()
        .zip(at)
        .for_each(|(weight, value)| *weight = rounded(*value));
    let mut rest = at.iter().skip(COUNT).copied();
    fitted.bias = rounded(rest.next().unwrap_or(0.0));
    let half = rest.next().unwrap_or(0.0).max(HALF_MIN);
    fitted.thresholds = Thresholds {
        two: 0.5,
        medium: rounded(logistic(-half)),
        complex: rounded(logistic(half)),
    };
    fitted
}

fn logit(share: f64) -> f64 {
    (share / (1.0 - share)).ln()
}

/// The two questions of an example: the sign of the half distance, and the answer.
fn questions(tier: Tier) -> [(f64, f64); 2] {
    let yes = |is: bool| f64::from(u8::from(is));
    [(1.0, yes(tier >= Tier::Medium)), (-1.0, yes(tier == Tier::Complex))]
}

/// What a question sees: the features, a one for the bias, and the sign of the half distance.
fn row(example: &Example, sign: f64) -> impl Iterator<Item = f64> + '_ {
    example.features.values().chain([1.0, sign])
}

fn product(example: &Example, sign: f64, vector: &Vector) -> f64 {
    row(example, sign).zip(vector).map(|(value, weight)| value * weight).sum()
}

/// The gradient of what is minimised, and each question's curvature.
fn slope(examples: &[Example], at: &Vector, prior: &Vector, ridge: f64) -> (Vector, Vec<[f64; 2]>) {
    let mut gradient = [0.0; PARAMETERS];
    for ((slope, value), before) in gradient.iter_mut().zip(at).zip(prior) {
        *slope = ridge * (value - before);
    }
    let mut curves = Vec::with_capacity(examples.len());
    for example in examples {
        let mut curve = [0.0; 2];
        for ((sign, answer), curve) in questions(example.tier).into_iter().zip(&mut curve) {
            let guess = logistic(product(example, sign, at));
            let error = example.weight * (guess - answer);
            row(example, sign)
                .zip(&mut gradient)
                .for_each(|(value, slope)| *slope += error * value);
            *curve = example.weight * guess * (1.0 - guess);
        }
        curves.push(curve);
    }
    (gradient, curves)
}

/// The curvature along a vector: the Hessian times it.
fn bend(examples: &[Example], curves: &[[f64; 2]], ridge: f64, vector: &Vector) -> Vector {
    let mut out = vector.map(|value| ridge * value);
    for (example, curves) in examples.iter().zip(curves) {
        for ((sign, _), curve) in questions(example.tier).into_iter().zip(curves) {
            let along = curve * product(example, sign, vector);
            row(example, sign).zip(&mut out).for_each(|(value, sum)| *sum += along * value);
        }
    }
    out
}

/// Solves Hessian × step = gradient by conjugate gradients.
fn solve(examples: &[Example], curves: &[[f64; 2]], ridge: f64, gradient: &Vector) -> Vector {
    let mut step = [0.0; PARAMETERS];
    let mut rest = *gradient;
    let mut direction = rest;
    let mut error = dot(&rest, &rest);
    let enough = error * 1e-10;
    for _ in 0..PARAMETERS {
        if error <= enough || error == 0.0 {
            break;
        }
        let bent = bend(examples, curves, ridge, &direction);
        let along = error / dot(&direction, &bent);
        step = added(&step, &direction, along);
        rest = added(&rest, &bent, -along);
        let next = dot(&rest, &rest);
        direction = added(&rest, &direction, next / error);
        error = next;
    }
    step
}

/// How much of a step is taken: halved until it does not lead upwards.
fn damped(examples: &[Example], (at, prior): (&Vector, &Vector), step: &Vector, ridge: f64) -> f64 {
    let loss = |at: &Vector| {
        let held: f64 = at.iter().zip(prior).map(|(value, before)| (value - before).powi(2)).sum();
        let missed: f64 = examples
            .iter()
            .flat_map(|example| {
                questions(example.tier).map(|(sign, answer)| {
                    let logit = product(example, sign, at);
                    // ln(1 + e^x) − answer · x, without overflow.
                    example.weight * (logit.max(0.0) + (-logit.abs()).exp().ln_1p() - answer * logit)
                })
            })
            .sum();
        missed + ridge / 2.0 * held
    };
    let before = loss(at);
    let mut scale = 1.0;
    for _ in 0..20 {
        if loss(&added(at, step, -scale)) <= before {
            return scale;
        }
        scale /= 2.0;
    }
    0.0
}

fn dot(one: &Vector, other: &Vector) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

fn added(one: &Vector, other: &Vector, scale: f64) -> Vector {
    let mut out = *one;
    out.iter_mut().zip(other).for_each(|(value, more)| *value += scale * more);
    out
}

/// How good weights are at examples that they were not fitted to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Quality {
    /// Examples.
    pub count: usize,
    /// Of three tiers: how many were found right, by label (rows) and verdict (columns).
    pub confusion: [[f64; 3]; 3],
    /// Of simple and complex ones, with two tiers: the share found right.
    pub two_tiers: f64,
    /// Of all, with three tiers: the share found right.
    pub three_tiers: f64,
    /// That a complex one scores higher than a simple one: the area under the curve.
    pub auc: f64,
}

/// Scores with their labels and weights; of one model or of several, each on what it has not seen.
#[derive(Debug, Clone, Default)]
pub struct Scores(Vec<(f64, Tier, Tier, Tier, f64)>);

impl Scores {
    /// Adds what a model says of an example.
    pub fn add(&mut self, weights: &Weights, example: &Example) {
        let score = weights.score(&example.features);
        let (two, three) = (weights.tier(score, false), weights.tier(score, true));
        self.0.push((score, example.tier, two, three, example.weight));
    }

    /// How good they are.
    #[must_use]
    pub fn quality(&self) -> Quality {
        let mut quality = Quality {
            count: self.0.len(),
            auc: auc(self.0.iter().map(|(score, tier, .., weight)| (*score, *tier, *weight)).collect()),
            ..Quality::default()
        };
        let (mut right_of_two, mut all_of_two) = (0.0, 0.0);
        let (mut right, mut all) = (0.0, 0.0);
        for (_, tier, two, three, weight) in &self.0 {
            let cell = quality
                .confusion
                .get_mut(*tier as usize)
                .and_then(|row| row.get_mut(*three as usize));
            if let Some(cell) = cell {
                *cell += weight;
            }
            right += if tier == three { *weight } else { 0.0 };
            all += weight;
            if *tier != Tier::Medium {
                right_of_two += if tier == two { *weight } else { 0.0 };
                all_of_two += weight;
            }
        }
        quality.two_tiers = part(right_of_two, all_of_two);
        quality.three_tiers = part(right, all);
        quality
    }
}

fn part(some: f64, all: f64) -> f64 {
    if all > 0.0 { some / all } else { 0.0 }
}

/// The area under the ROC curve of simple against complex, by ranks; ties count half.
fn auc(mut scored: Vec<(f64, Tier, f64)>) -> f64 {
    scored.retain(|(_, tier, _)| *tier != Tier::Medium);
    scored.sort_by(|(one, ..), (other, ..)| one.total_cmp(other));
    let (mut simple_below, mut area, mut complex_all) = (0.0, 0.0, 0.0);
    for tied in scored.chunk_by(|(one, ..), (other, ..)| one == other) {
        let of = |wanted: Tier| -> f64 {
            let these = tied.iter().filter(|(_, tier, _)| *tier == wanted);
            these.map(|(.., weight)| weight).sum()
        };
        let (simple, complex) = (of(Tier::Simple), of(Tier::Complex));
        area += complex * (simple_below + simple / 2.0);
        simple_below += simple;
        complex_all += complex;
    }
    part(area, simple_below * complex_all)
}
