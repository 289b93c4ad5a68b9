//! Sensitivity labels and clearances: one lattice (GOVERNANCE section 8). A label says how data may travel, a clearance what a place may
//! be given: data goes there only if its label lies below. It knows no caller, no header and no config.
//!
//! The order: `a ⊑ b` iff level(a) ≤ level(b), compartments(a) ⊆ compartments(b), regions(a) ⊇ regions(b), processors(a) ⊇ processors(b).
//! The join: the higher level, all compartments of both, the regions and processors that both allow (Denning, "A Lattice Model of Secure
//! Information Flow", 1976).

mod claim;
mod names;
mod text;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::plan::{Choices, DeploymentId, Reason};

pub use claim::{Claim, Labelled, Lowered, REASON_CHARS_MAX, Refusal, Rights, label};
pub use names::{NAME_BYTES_MAX, Names, is_name};
pub use text::NotALabel;

/// How sensitive data is; in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Everybody may know it.
    #[default]
    Public,
    /// For the organisation.
    Internal,
    /// For those who need it.
    Confidential,
    /// For those who are named.
    Restricted,
}

impl Level {
    /// Their names, from the lowest.
    pub const NAMES: &[&str] = &["public", "internal", "confidential", "restricted"];
    /// All of them, from the lowest.
    pub const ALL: [Self; 4] = [Self::Public, Self::Internal, Self::Confidential, Self::Restricted];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Confidential => "confidential",
            Self::Restricted => "restricted",
        }
    }

    /// The level of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// What data is marked with; [`Label::default`] is the lowest: public, without any bounds. Cheap to clone and, where there is nothing but a
/// level, to compare.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Label {
    level: Level,
    /// `None`: no compartments, any region, any processor.
    bounds: Option<Arc<Bounds>>,
}

/// What a label says beside its level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Groups of people and purposes that it is kept to.
    pub compartments: Names,
    /// Where it may be processed; `None`: anywhere.
    pub regions: Option<Names>,
    /// Who may process it; `None`: anybody.
    pub processors: Option<Names>,
}

/// What a place may be given at most. The same lattice as [`Label`], read from the other end: the highest level, the compartments that may
/// come there, the regions where it stands and the processors who work there, `None` being unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clearance(Label);

/// The part of a label that keeps it from going somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The level is higher.
    Level,
    /// It has a compartment that may not come there.
    Compartments,
    /// Something stands, or may stand, in a region that is not allowed.
    Regions,
    /// Somebody works there, or may, who is not allowed to.
    Processors,
}

impl Part {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Level => "level",
            Self::Compartments => "compartments",
            Self::Regions => "regions",
            Self::Processors => "processors",
        }
    }

    /// The reason for which a deployment is left out of a plan.
    #[must_use]
    pub fn reason(self) -> Reason {
        Reason::Borrowed(match self {
            Self::Level => "not_cleared: level",
            Self::Compartments => "not_cleared: compartments",
            Self::Regions => "not_cleared: regions",
            Self::Processors => "not_cleared: processors",
        })
    }
}

impl Label {
    /// That level, within those bounds.
    #[must_use]
    pub fn new(level: Level, bounds: Bounds) -> Self {
        Self {
            level,
            bounds: (bounds != Bounds::default()).then(|| Arc::new(bounds)),
        }
    }

    /// Above every label that can be said and above every clearance: nothing that carries it goes anywhere.
    #[must_use]
    pub fn unreadable() -> Self {
        let nobody = || Some(Names::default());
        Self::new(
            Level::Restricted,
            Bounds {
                regions: nobody(),
                processors: nobody(),
                ..Bounds::default()
            },
        )
    }

    /// The level.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// What it says beside its level; `None`: nothing.
    #[must_use]
    pub fn bounds(&self) -> Option<&Bounds> {
        self.bounds.as_deref()
    }

    /// The lowest label above both.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        let bounds = match (&self.bounds, &other.bounds) {
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => Some(Arc::clone(one)),
            (Some(one), Some(two)) if Arc::ptr_eq(one, two) => Some(Arc::clone(one)),
            (Some(one), Some(two)) => Some(Arc::new(Bounds {
                compartments: one.compartments.union(&two.compartments),
                regions: both(one.regions.as_ref(), two.regions.as_ref()),
                processors: both(one.processors.as_ref(), two.processors.as_ref()),
            })),
        };
        Self {
            level: self.level.max(other.level),
            bounds,
        }
    }

    /// Whether it lies below another label, or is the same.
    ///
    /// # Errors
    /// The first part by which it does not.
    pub fn within(&self, other: &Self) -> Result<(), Part> {
        if self.level > other.level {
            return Err(Part::Level);
        }
        // An absent set of regions is the set of all of them: below it lies only another such.
        let Some(own) = &self.bounds else { return Ok(()) };
        let none = Bounds::default();
        let others = other.bounds.as_deref().unwrap_or(&none);
        if !own.compartments.is_within(&others.compartments) {
            return Err(Part::Compartments);
        }
        if !allows(own.regions.as_ref(), others.regions.as_ref()) {
            return Err(Part::Regions);
        }
        if !allows(own.processors.as_ref(), others.processors.as_ref()) {
            return Err(Part::Processors);
        }
        Ok(())
    }

    /// Whether what carries this label may go where that clearance holds.
    ///
    /// # Errors
    /// The first part that keeps it.
    pub fn flows_to(&self, clearance: &Clearance) -> Result<(), Part> {
        self.within(&clearance.0)
    }
}

impl Clearance {
    /// Cleared up to that level, for those compartments, standing in those regions, worked at by those processors.
    #[must_use]
    pub fn new(level: Level, bounds: Bounds) -> Self {
        Self(Label::new(level, bounds))
    }

    /// The highest level.
    #[must_use]
    pub fn level(&self) -> Level {
        self.0.level
    }

    /// What it says beside the level; `None`: nothing.
    #[must_use]
    pub fn bounds(&self) -> Option<&Bounds> {
        self.0.bounds()
    }
}

/// Of a place that declares nothing: confidential data, of no compartment; where it stands and who works there is unknown.
impl Default for Clearance {
    fn default() -> Self {
        Self::new(Level::Confidential, Bounds::default())
    }
}

/// Leaves out of a call's choices, targets and fallbacks alike, every deployment that is not cleared for its label. What is tried later, for
/// whatever reason, is tried among what is left. A deployment whose clearance is not known (`None`) is cleared for nothing.
pub fn withhold<'a>(choices: &mut Choices, label: &Label, clearance: impl Fn(DeploymentId) -> Option<&'a Clearance>) {
    choices.drop_where(|deployment| match clearance(deployment) {
        Some(clearance) => label.flows_to(clearance).err().map(Part::reason),
        None => Some(Part::Level.reason()),
    });
}

/// What both allow.
fn both(one: Option<&Names>, two: Option<&Names>) -> Option<Names> {
    match (one, two) {
        (Some(one), Some(two)) => Some(one.intersection(two)),
        (one, two) => one.or(two).cloned(),
    }
}

/// Whether all of a place's are among those allowed. An unknown place may be any.
fn allows(allowed: Option<&Names>, place: Option<&Names>) -> bool {
    match (allowed, place) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(allowed), Some(place)) => place.is_within(allowed),
    }
}
