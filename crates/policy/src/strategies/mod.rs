//! How a route ranks its targets: the registry of strategies. One file per strategy; each is built once per route when a config is loaded.

use crate::plan::{Candidate, Dice, Reason};
use crate::rules::Facts;

pub mod pinned;
pub mod weighted;

/// What a strategy may ask about the call that is to be routed. Each answer is worked out when it is asked for, and not before: what a
/// strategy does not look at costs nothing.
pub trait Sight {
    /// What rules may ask.
    fn facts(&self) -> Facts<'_>;
}

/// A way to rank the targets of a route. Pure: dice, and what is known of the call, are arguments.
pub trait Strategy: Send + Sync {
    /// Puts the candidates in order, best first, and removes those that must not be tried. Gives the reason for the order.
    fn rank(&self, sight: &dyn Sight, candidates: &mut Vec<Candidate>, dice: &mut Dice) -> Reason;
}

/// What a route's config says to its strategy.
#[derive(Debug, Clone, Default)]
pub struct Settings {}

/// A strategy by its name in config.
pub struct Entry {
    /// Its name in config.
    pub name: &'static str,
    /// One line for the manual.
    pub doc: &'static str,
    /// The strategy of one route.
    pub build: fn(&Settings) -> Box<dyn Strategy>,
}

/// Every strategy.
pub static STRATEGIES: &[Entry] = &[pinned::ENTRY, weighted::ENTRY];

/// The strategy of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Entry> {
    STRATEGIES.iter().find(|entry| entry.name == name)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Facts, Sight};

    /// A call of which nothing is known.
    pub(crate) struct Dark;

    impl Sight for Dark {
        fn facts(&self) -> Facts<'_> {
            Facts::default()
        }
    }
}
