//! The targets in the order in which they are written. No dice.

use super::{Entry, Sight, Strategy};
use crate::plan::{Candidate, Dice, Reason};

pub(super) const ENTRY: Entry = Entry {
    name: "pinned",
    doc: "always the same target",
    build: |_| Box::new(Pinned),
};

/// The strategy; also of a model that is asked for without a route.
pub struct Pinned;

impl Strategy for Pinned {
    fn rank(&self, _sight: &dyn Sight, _candidates: &mut Vec<Candidate>, _dice: &mut Dice) -> Reason {
        Reason::Borrowed("pinned")
    }
}
