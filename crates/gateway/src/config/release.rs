//! What stages, shadows and loops of a route mean: built from what was typed, beside `snapshot.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderMap;
use tollgate_policy::compare::Wanted;
use tollgate_policy::identity::{Features, Opened, Team, VirtualKey};
use tollgate_policy::loops::Bounds;
use tollgate_policy::plan::DeploymentId;
use tollgate_policy::release::{Risk, Stage, Status};
use tollgate_policy::rules::FigureCondition;

use super::providers::BuildError;
use super::raw::{self, Raw};
use super::snapshot::{Route, Snapshot, Target};
use crate::identify::Caller;
use crate::loops::OnLoop;
use crate::release::{Memory, Release, Reviewers, Watched};
use crate::shadow::Shadow;

/// Who spends what shadows cost: the team, and the feature.
const SHADOW: &str = "shadow";

/// What one shadow may cost in a day.
pub(super) struct ShadowBudget {
    /// The shadow's key.
    pub(super) key: String,
    /// The route.
    pub(super) route: String,
    /// How much.
    pub(super) budget: raw::Budget,
}

/// The statuses of models, by `provider/upstream-model`: what somebody retired under one name is not called under another.
pub(super) fn statuses(raw: &Raw) -> Vec<(String, Status)> {
    let all = raw.models.iter().filter_map(|(name, model)| {
        let upstream = model.upstream_model.as_deref().unwrap_or(name);
        Some((format!("{}/{upstream}", model.provider), status(model.status?)))
    });
    let mut all: Vec<_> = all.collect();
    // Of several names of one model, the one that allows least is found last.
    all.sort_by_key(|(_, status)| match status {
        Status::Approved => 0,
        Status::Deprecated => 1,
        Status::Proposed => 2,
        Status::Retired => 3,
    });
    all
}

/// The targets of a route that are not for everybody; `None`: all are.
pub(super) fn release(
    (name, raw): (&str, &raw::Route),
    (ids, targets): (&[DeploymentId], &[Arc<Target>]),
    memory: &Arc<Memory>,
) -> Result<Option<Release>, BuildError> {
    if raw.targets.iter().all(|target| target.stage == raw::Stage::Stable) {
        return Ok(None);
    }
    let (mut stages, mut watched, mut stable) = (Vec::new(), Vec::new(), Vec::new());
    for (typed, id) in raw.targets.iter().zip(ids) {
        let Some(target) = usize::try_from(id.0).ok().and_then(|at| targets.get(at)) else {
            continue;
        };
        let (id, model) = (*id, &target.deployment.name);
        let stage = match typed.stage {
            raw::Stage::Stable => {
                stable.push(model.clone());
                continue;
            }
            raw::Stage::Canary => Stage::Canary,
            raw::Stage::Reviewers => Stage::Reviewers,
            raw::Stage::Shadow => Stage::Shadow,
        };
        stages.push((id, stage));
        if stage == Stage::Canary {
            let condition = typed.rollback_if.as_deref().map(FigureCondition::compile).transpose();
            watched.push(Watched {
                id,
                canary: memory.canary(name, model),
                rollback_if: condition.map_err(|error| BuildError::new(format!("rollback_if of {name}: {error}")))?,
            });
        }
    }
    let reviewers = raw.reviewers.clone().unwrap_or_default();
    let reviewers = Reviewers {
        teams: reviewers.teams.into_iter().collect(),
        users: reviewers.users.into_iter().collect(),
    };
    Ok(Some(Release::new(name, stages, reviewers, (watched, stable), Arc::clone(memory))))
}

/// The shadows of a route: those of its list, and its targets of that stage.
pub(super) fn shadows(snapshot: &Snapshot, name: &str, raw: &raw::Route) -> Result<Vec<Arc<Shadow>>, BuildError> {
    let built = typed(raw).into_iter().map(|shadow| {
        let found = snapshot
            .find(&shadow.model)
            .map_err(|_| BuildError::missing("shadow", &shadow.model))?;
        let (super::snapshot::Asked::Route(found) | super::snapshot::Asked::Model(found)) = found;
        let target = found
            .targets()
            .first()
            .ok_or_else(|| BuildError::missing("shadow", &shadow.model))?;
        let route = Route::aside(name, Arc::clone(target), super::resilience::timeouts(&raw.timeouts));
        Ok(Arc::new(Shadow {
            place: (name.to_owned(), target.deployment.name.clone()),
            route: Arc::new(route),
            sample: shadow.sample.per_ten_thousand(),
            wanted: wanted(&shadow.compare),
            caller: Arc::new(caller(&shadow.model)?),
        }))
    });
    built.collect()
}

/// What shadows may cost.
pub(super) fn budgets(raw: &Raw) -> impl Iterator<Item = ShadowBudget> + '_ {
    raw.routes.iter().flat_map(|(name, route)| {
        typed(route).into_iter().map(move |shadow| ShadowBudget {
            key: key(&shadow.model),
            route: name.clone(),
            budget: raw::Budget {
                name: format!("shadow of {name}: {}", shadow.model),
                per: Vec::new(),
                when: None,
                amount: shadow.budget,
                window: raw::Window::Day,
                time_zone: None,
                week_starts: raw::Weekday::default(),
                alerts: Vec::new(),
                downgrade_at: None,
                downgrade: std::collections::BTreeMap::new(),
                on_exceed: raw::OnExceed::Word(raw::OnExceedWord::Block),
                clamp_to_budget: false,
            },
        })
    })
}

/// What a route says about loops.
pub(super) fn on_loop(name: &str, raw: &raw::Route, memory: &Arc<Memory>) -> Option<OnLoop> {
    let on_loop = raw.on_loop.as_ref()?;
    Some(OnLoop {
        bounds: Bounds {
            repeats: on_loop.repeats,
            within_ms: u64::try_from(on_loop.within.get().as_millis()).unwrap_or(u64::MAX),
        },
        rejects: on_loop.action == raw::LoopAction::Reject,
        watch: memory.watch(name),
        memory: Arc::clone(memory),
    })
}

/// How much depends on a route's answers.
pub(super) fn risk(raw: raw::Risk) -> Risk {
    match raw {
        raw::Risk::Low => Risk::Low,
        raw::Risk::Medium => Risk::Medium,
        raw::Risk::High => Risk::High,
    }
}

fn status(raw: raw::Status) -> Status {
    match raw {
        raw::Status::Proposed => Status::Proposed,
        raw::Status::Approved => Status::Approved,
        raw::Status::Deprecated => Status::Deprecated,
        raw::Status::Retired => Status::Retired,
    }
}

fn typed(route: &raw::Route) -> Vec<raw::Shadow> {
    let staged = route.targets.iter().filter(|target| target.stage == raw::Stage::Shadow);
    let staged = staged.map(|target| raw::Shadow {
        model: target.model.clone(),
        sample: target.share.unwrap_or(raw::Share::percent(1)),
        compare: raw::Compare::all(),
        budget: raw::release::budget(),
    });
    route.shadow.iter().cloned().chain(staged).collect()
}

fn wanted(compare: &[raw::Compare]) -> Wanted {
    use raw::Compare as C;
    let has = |one| compare.contains(&one);
    Wanted {
        length: has(C::Length),
        json: has(C::Json),
        tools: has(C::Tools),
        similarity: has(C::Similarity),
        cost: has(C::Cost),
        latency: has(C::Latency),
    }
}

/// No key of ours can have that id: theirs have no colon.
fn key(model: &str) -> String {
    format!("{SHADOW}:{model}")
}

fn caller(model: &str) -> Result<Caller, BuildError> {
    let team = Team {
        name: SHADOW.to_owned(),
        ..Team::default()
    };
    let key = VirtualKey {
        id: key(model),
        name: key(model),
        team: Arc::new(team),
        features: Features::new([SHADOW]),
        ..VirtualKey::default()
    };
    let opened = Opened { deprecated_until: None };
    Caller::of_key(Arc::new(key), opened, &HeaderMap::new(), &HashMap::new()).map_err(|fault| BuildError::new(fault.message.to_string()))
}
