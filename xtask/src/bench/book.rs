//! What was measured: a value per figure, contender and round; medians, ratios and whether a target was met. A ratio is the median of
//! the ratios of each round, because the two sides of one round saw the same machine.

use std::collections::BTreeMap;

use super::figures::{FIGURES, Figure, Target};

/// Values of one contender's figure by round.
pub(super) type Rounds = BTreeMap<u32, f64>;

/// All values of a run, and what has to be said about them.
#[derive(Default)]
pub(super) struct Book {
    values: BTreeMap<(&'static str, &'static str), Rounds>,
    pub(super) notes: Vec<String>,
}

/// How our gateway stands to a target.
pub(super) struct Standing {
    /// A ratio, or the value itself when the target is absolute.
    pub(super) value: f64,
    pub(super) met: bool,
}

impl Book {
    pub(super) fn put(&mut self, figure: &'static str, contender: &'static str, round: u32, value: f64) {
        self.values.entry((figure, contender)).or_default().insert(round, value);
    }

    pub(super) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub(super) fn rounds(&self, figure: &'static str, contender: &'static str) -> Option<&Rounds> {
        self.values.get(&(figure, contender))
    }

    pub(super) fn median(&self, figure: &'static str, contender: &'static str) -> Option<f64> {
        median(self.rounds(figure, contender)?.values().copied())
    }

    /// `None` when there is no target, or nothing to compare.
    pub(super) fn standing(&self, figure: &Figure) -> Option<Standing> {
        let subject = figure.subject();
        let (value, bound) = match figure.target? {
            Target::AtMost(bound) => (self.median(figure.name, subject)?, bound),
            Target::Times { whose, bound, .. } => (self.ratio((figure.name, subject), (figure.name, whose))?, bound),
            Target::OfOwn(other, bound) => (self.ratio((figure.name, subject), (other, subject))?, bound),
        };
        Some(Standing {
            value,
            met: value <= bound,
        })
    }

    fn ratio(&self, over: (&'static str, &'static str), under: (&'static str, &'static str)) -> Option<f64> {
        let (over, under) = (self.rounds(over.0, over.1)?, self.rounds(under.0, under.1)?);
        median(over.iter().filter_map(|(round, value)| Some(value / under.get(round)?)))
    }

    /// The contenders that have a value anywhere, in the order given.
    pub(super) fn present(&self, names: &[&'static str]) -> Vec<&'static str> {
        let has = |name: &&'static str| FIGURES.iter().any(|figure| self.rounds(figure.name, name).is_some());
        names.iter().copied().filter(has).collect()
    }
}

/// The middle value, or the mean of the two in the middle.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests;
