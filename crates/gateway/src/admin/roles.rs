//! Who may do what (GOVERNANCE section 9), as one table. Every route names a permission; there is no other check of a role.

use tollgate_store::database::objects::Role;

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Permission {
    /// No login at all.
    Public,
    /// Any login: it concerns one's own session.
    Own,
    KeysRead,
    KeysWrite,
    TeamsRead,
    TeamsWrite,
    MembersWrite,
    RulesRead,
    LimitsWrite,
    BudgetsWrite,
    SpendRead,
    LedgerRead,
    SwitchesRead,
    SwitchesWrite,
    AuditRead,
    AlertsRead,
    AlertsTest,
    AdminsRead,
    AdminsWrite,
    Explain,
    /// Without what was asked and answered.
    ReviewsRead,
    /// With it.
    ReviewsDecide,
}

use Permission::{
    AdminsRead, AlertsRead, AlertsTest, AuditRead, BudgetsWrite, Explain, KeysRead, KeysWrite, LedgerRead, LimitsWrite, MembersWrite, Own,
    Public, ReviewsDecide, ReviewsRead, RulesRead, SpendRead, SwitchesRead, SwitchesWrite, TeamsRead, TeamsWrite,
};

/// All roles.
#[cfg(test)]
pub(crate) const ROLES: [Role; 8] = [
    Role::Owner,
    Role::SecurityAdmin,
    Role::BillingAdmin,
    Role::Operator,
    Role::Approver,
    Role::Auditor,
    Role::TeamAdmin,
    Role::Viewer,
];

const SECURITY_ADMIN: &[Permission] = &[
    KeysRead,
    KeysWrite,
    TeamsRead,
    TeamsWrite,
    MembersWrite,
    RulesRead,
    SwitchesRead,
    SwitchesWrite,
    AuditRead,
    AlertsRead,
    AdminsRead,
    Explain,
];
const BILLING_ADMIN: &[Permission] = &[
    KeysRead,
    TeamsRead,
    RulesRead,
    LimitsWrite,
    BudgetsWrite,
    SpendRead,
    LedgerRead,
    AlertsRead,
    AlertsTest,
    Explain,
];
const OPERATOR: &[Permission] = &[
    ReviewsRead,
    KeysRead,
    TeamsRead,
    RulesRead,
    LimitsWrite,
    SpendRead,
    SwitchesRead,
    SwitchesWrite,
    AlertsRead,
    AlertsTest,
    Explain,
];
const APPROVER: &[Permission] = &[
    KeysRead,
    TeamsRead,
    RulesRead,
    SwitchesRead,
    AlertsRead,
    Explain,
    ReviewsRead,
    ReviewsDecide,
];
const AUDITOR: &[Permission] = &[
    ReviewsRead,
    KeysRead,
    TeamsRead,
    RulesRead,
    SpendRead,
    LedgerRead,
    SwitchesRead,
    AuditRead,
    AlertsRead,
    AdminsRead,
    Explain,
];
/// All of it in the team's own bounds. Rules and switches speak of more than one team: they are not in here.
const TEAM_ADMIN: &[Permission] = &[KeysRead, KeysWrite, TeamsRead, MembersWrite, SpendRead, Explain];
const VIEWER: &[Permission] = &[KeysRead, TeamsRead, RulesRead, SpendRead, SwitchesRead, AlertsRead, Explain];

/// Whether a role may do what needs a permission.
pub(crate) fn allows(role: Role, permission: Permission) -> bool {
    let list = match role {
        Role::Owner => return true,
        Role::SecurityAdmin => SECURITY_ADMIN,
        Role::BillingAdmin => BILLING_ADMIN,
        Role::Operator => OPERATOR,
        Role::Approver => APPROVER,
        Role::Auditor => AUDITOR,
        Role::TeamAdmin => TEAM_ADMIN,
        Role::Viewer => VIEWER,
    };
    matches!(permission, Public | Own) || list.contains(&permission)
}
