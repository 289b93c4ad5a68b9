//! What a caller may say of its own data: more than is required is always heard, less only with a right, a reason and a trace.

use super::{Label, Part};

/// The longest reason for lowering a label, in characters.
pub const REASON_CHARS_MAX: usize = 200;

/// What a caller says of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The label.
    pub label: Label,
    /// Why it is lower than what is required, where it is meant to be.
    pub reason: Option<&'a str>,
}

/// What the caller's credential is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights<'a> {
    /// To say more than is required.
    pub raise: bool,
    /// To say less.
    pub lower: bool,
    /// The highest label of what it may send; `None`: any.
    pub highest: Option<&'a Label>,
}

/// A call's label, and how it came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    /// The label.
    pub label: Label,
    /// It is lower than what was required.
    pub lowered: Option<Lowered>,
}

/// A label that was lowered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lowered {
    /// What was required.
    pub from: Label,
    /// Why it was lowered, in the caller's words.
    pub reason: String,
}

/// Why a label cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The credential may not say more than is required.
    MayNotRaise,
    /// The credential may not say less.
    MayNotLower,
    /// The reason is empty, too long or no plain text.
    Reason,
    /// The label lies above the credential's highest, by that part.
    TooHigh(Label, Part),
}

/// The label of a call. `floor` is what is required: the join of the floors of all that the caller stands for. A claim is joined with it; a
/// claim with a reason replaces it, which is the only way down.
///
/// # Errors
/// Why the claim is not heard.
pub fn label(floor: Label, claim: Option<Claim<'_>>, rights: Rights<'_>) -> Result<Labelled, Refusal> {
    let mut labelled = Labelled {
        label: floor,
        lowered: None,
    };
    if let Some(claim) = claim {
        labelled = claimed(labelled.label, claim, rights)?;
    }
    if let Some(Err(part)) = rights.highest.map(|highest| labelled.label.within(highest)) {
        return Err(Refusal::TooHigh(labelled.label, part));
    }
    Ok(labelled)
}

fn claimed(floor: Label, claim: Claim<'_>, rights: Rights<'_>) -> Result<Labelled, Refusal> {
    let joined = floor.join(&claim.label);
    // Where nothing of the floor is given up, a reason changes nothing.
    let lowers = joined != claim.label;
    if let Some(reason) = claim.reason.filter(|_| lowers) {
        if !rights.lower {
            return Err(Refusal::MayNotLower);
        }
        let plain = !reason.is_empty() && reason.chars().count() <= REASON_CHARS_MAX && !reason.chars().any(char::is_control);
        if !plain {
            return Err(Refusal::Reason);
        }
        // A claim may give up one part and add another: the second is raising.
        if claim.label.within(&floor).is_err() && !rights.raise {
            return Err(Refusal::MayNotRaise);
        }
        return Ok(Labelled {
            label: claim.label,
            lowered: Some(Lowered {
                from: floor,
                reason: reason.to_owned(),
            }),
        });
    }
    if joined != floor && !rights.raise {
        return Err(Refusal::MayNotRaise);
    }
    Ok(Labelled {
        label: joined,
        lowered: None,
    })
}
