//! The label of what a caller sends: what its team, its key and its feature require, and what it says itself. Which of these counts is
//! decided in `policy::labels`; here it is read, and refused in words.

use std::collections::HashMap;

use http::HeaderMap;
use tollgate_policy::identity::{Rights, Scope};
use tollgate_policy::labels::{self, Claim, Label, Labelled, REASON_CHARS_MAX, Refusal};
use tollgate_wire::fault::{Fault, FaultKind};

use super::caller::text;

/// The header that says a label.
const LABEL: &str = "x-tollgate-label";
/// The header that says why it is lower than what is required.
const REASON: &str = "x-tollgate-label-reason";

/// What a credential requires and allows.
pub(super) struct Terms<'a> {
    /// The labels of team and key.
    pub(super) floors: [&'a Label; 2],
    /// The highest label of what may be sent with it.
    pub(super) highest: Option<&'a Label>,
    pub(super) rights: Rights<'a>,
}

/// The label of a call for that feature, with those headers. `features` are the lowest labels of what is sent for some of them.
///
/// # Errors
/// Malformed for a header that says no label; Forbidden for one that may not be said, and for what may not be sent with this credential.
pub(super) fn of(
    terms: &Terms<'_>,
    features: &HashMap<String, Label>,
    feature: Option<&str>,
    headers: &HeaderMap,
) -> Result<Labelled, Fault> {
    let [team, key] = terms.floors;
    let mut floor = team.join(key);
    if !features.is_empty()
        && let Some(required) = feature.and_then(|feature| features.get(feature))
    {
        floor = floor.join(required);
    }
    let said = text(headers, LABEL)?;
    let claim = match said {
        None => None,
        Some(said) => Some(Claim {
            label: Label::parse(said).map_err(|wrong| malformed(LABEL, format!("{LABEL} cannot be read: {wrong}")))?,
            reason: text(headers, REASON)?,
        }),
    };
    // Scopes are looked at where something is said.
    let has = |scope| said.is_some() && terms.rights.has(scope);
    let rights = labels::Rights {
        raise: has(Scope::LabelRaise),
        lower: has(Scope::LabelDeclassify),
        highest: terms.highest,
    };
    let mut labelled = labels::label(floor, claim, rights).map_err(|refusal| refused(&refusal, terms.highest))?;
    if let Some(lowered) = &mut labelled.lowered {
        // It goes into the record.
        lowered.reason = tollgate_guard::mask::credentials(&lowered.reason);
    }
    Ok(labelled)
}

fn refused(refusal: &Refusal, highest: Option<&Label>) -> Fault {
    let scope = |scope: Scope, does: &str| {
        let message = format!(
            "{LABEL} would {does} the label of this call, which needs the scope {}; leave the header out, or ask who runs this gateway",
            scope.name()
        );
        Fault::client(FaultKind::Forbidden, message)
            .with_code("scope_not_allowed")
            .with_param(LABEL)
    };
    match refusal {
        Refusal::MayNotRaise => scope(Scope::LabelRaise, "raise"),
        Refusal::MayNotLower => scope(Scope::LabelDeclassify, "lower"),
        Refusal::Reason => malformed(
            REASON,
            format!("{REASON} says in 1 to {REASON_CHARS_MAX} characters of plain text why the label is lowered"),
        ),
        Refusal::TooHigh(label, part) => {
            let highest = highest.map_or_else(String::new, |highest| format!(" (\"{highest}\")"));
            let message = format!(
                "this call is labelled \"{label}\", which by its {} lies above what may be sent with this key{highest}; use another key",
                part.name()
            );
            Fault::client(FaultKind::Forbidden, message).with_code("label_not_allowed")
        }
    }
}

fn malformed(header: &str, message: String) -> Fault {
    Fault::client(FaultKind::Malformed, message)
        .with_code("invalid_label")
        .with_param(header)
}
