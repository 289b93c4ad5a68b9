//! Which of a route's targets a call may get: at their stage, and approved enough for the call's risk.

use std::collections::HashSet;

use tollgate_policy::plan::{Choices, DeploymentId, Reason};
use tollgate_policy::release::{Risk, Stage, Status};
use tollgate_wire::fault::{Fault, FaultKind};

use super::Release;
use crate::config::snapshot::{Route, Target};
use crate::identify::Caller;
use crate::ingress::Call;

/// Who reviews a route's new targets.
#[derive(Debug, Clone, Default)]
pub struct Reviewers {
    /// Teams.
    pub teams: HashSet<String>,
    /// Users, as their key or token names them.
    pub users: HashSet<String>,
}

impl Reviewers {
    fn has(&self, caller: &Caller) -> bool {
        self.teams.contains(&caller.team().name) || caller.user().is_some_and(|user| self.users.contains(user))
    }
}

/// One call, as far as it matters here.
#[derive(Clone, Copy)]
pub struct Choice<'a> {
    /// The route.
    pub route: &'a Route,
    /// Who calls.
    pub caller: &'a Caller,
    /// How much depends on the answer.
    pub risk: Option<Risk>,
}

impl Choice<'_> {
    /// Leaves out what is not for this caller, was rolled back, is retired, or is not approved for the call's risk. For a reviewer the others
    /// stand behind what is to be reviewed.
    pub fn narrow(self, choices: &mut Choices) {
        if self.route.has_unapproved() {
            let high = self.risk == Some(Risk::High);
            choices.drop_where(|id| self.status(id).and_then(|status| refusal(status, high)).map(Reason::Borrowed));
        }
        let Some(release) = &self.route.release else { return };
        let reviews = release.reviewers.has(self.caller);
        choices.drop_where(|id| release.why_not(id, reviews));
        if reviews {
            let reviewed = |id| release.stage(id) == Stage::Reviewers;
            if choices.targets.iter().any(|target| reviewed(target.deployment)) {
                let others = choices.targets.extract_if(.., |target| !reviewed(target.deployment));
                let others: Vec<DeploymentId> = others.map(|target| target.deployment).collect();
                choices.fallbacks.splice(0..0, others);
            }
        }
    }

    fn status(self, id: DeploymentId) -> Option<Status> {
        self.route.target(id)?.status
    }
}

impl Release {
    fn stage(&self, id: DeploymentId) -> Stage {
        self.stages
            .iter()
            .find(|(staged, _)| *staged == id)
            .map_or(Stage::Stable, |(_, stage)| *stage)
    }

    fn why_not(&self, id: DeploymentId, reviews: bool) -> Option<Reason> {
        let off = || self.watched.iter().any(|watched| watched.id == id && watched.canary.is_off());
        match self.stage(id) {
            Stage::Shadow => Some(Reason::Borrowed("stage: shadow")),
            Stage::Reviewers if !reviews => Some(Reason::Borrowed("stage: reviewers")),
            Stage::Canary if off() => Some(Reason::Borrowed("stage: rolled_back")),
            Stage::Canary | Stage::Reviewers | Stage::Stable => None,
        }
    }
}

/// Why a model is not called at that risk.
#[must_use]
pub fn refusal_of(target: &Target, risk: Option<Risk>) -> Option<&'static str> {
    refusal(target.status?, risk == Some(Risk::High))
}

fn refusal(status: Status, high_risk: bool) -> Option<&'static str> {
    match status {
        Status::Retired => Some("model_retired"),
        Status::Proposed | Status::Deprecated if high_risk => Some("not_approved"),
        _ => None,
    }
}

/// The risk of a call: its route's, that of the route which it comes from, or what the caller says, whichever is highest.
#[must_use]
pub fn risk(route: &Route, call: &Call) -> Option<Risk> {
    let said = call.headers.get("x-tollgate-risk").and_then(|value| value.to_str().ok());
    said.and_then(Risk::parse).max(route.risk).max(call.risk)
}

/// The refusal of a call for which nothing is left; `None`: something is.
#[must_use]
pub fn nothing_left(route: &Route, choices: &Choices) -> Option<Fault> {
    if !choices.is_empty() {
        return None;
    }
    let only = |why: &str| choices.dropped().iter().all(|dropped| dropped.why == why);
    let (code, message) = if only("model_retired") {
        let message = format!(
            "the model of \"{}\" is retired and not called any more; ask for another one",
            route.name
        );
        ("model_retired", message)
    } else {
        let message = format!(
            "no model of \"{}\" is approved for a call of high risk; have one approved, or lower x-tollgate-risk",
            route.name
        );
        ("no_approved_model", message)
    };
    let unapproved = |why: &str| matches!(why, "model_retired" | "not_approved");
    let ours = choices.dropped().iter().any(|dropped| unapproved(&dropped.why));
    ours.then(|| Fault::gateway(FaultKind::Forbidden, message).with_code(code))
}
