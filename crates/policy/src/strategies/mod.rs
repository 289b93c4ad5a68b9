//! How a route ranks its targets: the registry of strategies.

use crate::plan::{Candidate, Dice};

pub mod pinned;
pub mod weighted;

/// A way to rank the targets of a route. Pure: the dice are an argument.
pub trait Strategy: Send + Sync {
    /// Puts the candidates in order, best first, and removes those that must not be tried.
    fn rank(&self, candidates: &mut Vec<Candidate>, dice: &mut Dice);
}

/// A strategy by its name in config.
pub struct Entry {
    /// Its name in config.
    pub name: &'static str,
    /// One line for the manual.
    pub doc: &'static str,
    /// The strategy; these hold no state.
    pub strategy: &'static dyn Strategy,
}

/// Every strategy.
pub static STRATEGIES: &[Entry] = &[pinned::ENTRY, weighted::ENTRY];

/// The strategy of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Strategy> {
    STRATEGIES.iter().find(|entry| entry.name == name).map(|entry| entry.strategy)
}
