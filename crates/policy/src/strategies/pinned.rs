//! The targets in the order in which they are written. No dice.

use super::{Entry, Strategy};
use crate::plan::{Candidate, Dice};

pub(super) const ENTRY: Entry = Entry {
    name: "pinned",
    doc: "always the same target",
    strategy: &Pinned,
};

/// The strategy; also of a model that is asked for without a route.
pub struct Pinned;

impl Strategy for Pinned {
    fn rank(&self, _candidates: &mut Vec<Candidate>, _dice: &mut Dice) {}
}
