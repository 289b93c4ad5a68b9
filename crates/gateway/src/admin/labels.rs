//! Labels in bodies: text that must be one, and a floor that a team's own admin may raise and not lower (GOVERNANCE section 9: labels are the
//! security admin's).

use tollgate_policy::identity::Scope;
use tollgate_policy::labels::Label;
use tollgate_store::database::objects::Key;

use super::ask::Ask;
use super::problem::Problem;
use super::roles::{Permission, allows};

/// Reads a member that may be a label.
pub(super) fn read(path: &str, text: Option<&str>) -> Result<Option<Label>, Problem> {
    let read = |text| {
        let remedy = "write for example confidential, or confidential; compartments=hr; regions=eu";
        Label::parse(text).map_err(|wrong| Problem::flaw(path, &format!("cannot be read: {wrong}"), remedy))
    };
    text.map(read).transpose()
}

/// A floor as it was and as it would be: who may not change teams may not lower it.
pub(super) fn floor(ask: &Ask, before: Option<&str>, after: Option<&str>) -> Result<(), Problem> {
    let after = read("label", after)?.unwrap_or_default();
    if is_trusted(ask) {
        return Ok(());
    }
    // One that cannot be read counts as the highest there is.
    let before = before.map_or_else(Label::default, |text| Label::parse(text).unwrap_or_else(|_| Label::unreadable()));
    match before.within(&after) {
        Ok(()) => Ok(()),
        Err(_) => Err(Problem::forbidden(
            "a label is lowered by a security admin; leave it as it is, or raise it",
        )),
    }
}

/// The labels of a key, and its right to say less than they require.
pub(super) fn of_key(ask: &Ask, before: Option<&Key>, after: &Key) -> Result<(), Problem> {
    floor(ask, before.and_then(|key| key.label.as_deref()), after.label.as_deref())?;
    let highest = read("max_label", after.max_label.as_deref())?;
    if is_trusted(ask) {
        return Ok(());
    }
    let bound = before
        .and_then(|key| key.max_label.as_deref())
        .map(|text| Label::parse(text).unwrap_or_default());
    if bound.is_some_and(|bound| highest.is_none_or(|highest| highest.within(&bound).is_err())) {
        return Err(Problem::forbidden(
            "max_label is raised by a security admin; leave it as it is, or lower it",
        ));
    }
    let declassifies = |key: &Key| key.scopes.iter().flatten().any(|scope| scope == Scope::LabelDeclassify.name());
    if declassifies(after) && !before.is_some_and(declassifies) {
        return Err(Problem::forbidden(
            "the scope label:declassify is given by a security admin; leave it out",
        ));
    }
    Ok(())
}

fn is_trusted(ask: &Ask) -> bool {
    allows(ask.who.role, Permission::TeamsWrite)
}
