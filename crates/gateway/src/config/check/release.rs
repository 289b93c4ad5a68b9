//! Models on their way into use: stages that fit the route, conditions of a rollback that can be worked out, shadows that are other models,
//! and models whose approval is enough for the route's risk.

use std::time::Duration;

use tollgate_policy::rules::FigureCondition;

use super::super::document::Path;
use super::super::raw::{Model, Reviewers, Risk, Route, Shadow, Stage, Status, Target, Tiers};
use super::super::units::{Complaint, Share, shown};
use super::Context;

pub(super) fn check(context: &mut Context<'_>) {
    let raw = context.raw;
    for (name, route) in &raw.routes {
        let path = Path::of("routes").key(name);
        for (index, target) in route.targets.iter().enumerate() {
            stage(context, &path.key("targets").index(index), target);
        }
        left_over(context, &path, route);
        reviewers(context, &path, route);
        for (index, shadow) in route.shadow.iter().enumerate() {
            self::shadow(context, &path.key("shadow").index(index), route, (index, shadow));
        }
        on_loop(context, &path, route);
        approval(context, &path, route);
    }
}

fn stage(context: &mut Context<'_>, path: &Path, target: &Target) {
    if let Some(text) = &target.rollback_if {
        rollback(context, &path.key("rollback_if"), target, text);
    }
    match (target.stage, target.share) {
        (Stage::Shadow, Some(share)) => sampled(context, &path.key("share"), share),
        (_, Some(_)) => context.error(
            &path.key("share"),
            "share is of a target of the stage shadow alone",
            "give the target a weight instead",
        ),
        _ => {}
    }
}

fn rollback(context: &mut Context<'_>, path: &Path, target: &Target, text: &str) {
    if target.stage != Stage::Canary {
        context.error(path, "only a canary is rolled back", "set stage: canary, or remove it");
        return;
    }
    if let Err(error) = FigureCondition::compile(text) {
        let (reason, remedy) = match error.message.rsplit_once("; ") {
            Some((reason, remedy)) => (reason.to_owned(), Some(remedy.to_owned())),
            None => (error.message, None),
        };
        let at = (error.position.line, error.position.column);
        context.error_inside(path, text, at, Complaint { reason, remedy });
    }
}

/// When a canary goes, something must be left for its callers; and there is always something for those who review nothing.
fn left_over(context: &mut Context<'_>, path: &Path, route: &Route) {
    let list = path.key("targets");
    let stable = route
        .targets
        .iter()
        .any(|target| target.stage == Stage::Stable && 0 < target.weight);
    if !stable && route.targets.iter().any(|target| target.stage != Stage::Stable) && context.document.is_whole(&list) {
        context.error(
            &list,
            "no target is stable, so that nothing is left when a canary is rolled back, or for callers who review nothing",
            "give one target the stage stable and a weight above 0",
        );
    }
}

fn reviewers(context: &mut Context<'_>, path: &Path, route: &Route) {
    let reviewed = route.targets.iter().any(|target| target.stage == Stage::Reviewers);
    let nobody = Reviewers::default();
    match &route.reviewers {
        None if reviewed && !context.was_pruned(path, "reviewers") => context.error(
            path,
            "a target is for reviewers, and nobody is one",
            "name teams or users under reviewers",
        ),
        Some(reviewers) if *reviewers == nobody && context.document.is_whole(&path.key("reviewers")) => {
            context.error(&path.key("reviewers"), "nobody is named", "name teams or users");
        }
        Some(_) if !reviewed && context.document.is_whole(&path.key("targets")) => context.warning(
            &path.key("reviewers"),
            "no target is for reviewers",
            "give a target the stage reviewers, or remove the list",
        ),
        _ => {}
    }
}

fn shadow(context: &mut Context<'_>, path: &Path, route: &Route, (index, shadow): (usize, &Shadow)) {
    context.model(&path.key("model"), &shadow.model);
    sampled(context, &path.key("sample"), shadow.sample);
    if let [only] = route.targets.as_slice()
        && only.model == shadow.model
    {
        let reason = format!("\"{}\" would be its own shadow", shown(&shadow.model));
        context.error(&path.key("model"), reason, "name another model");
    }
    let before = route.shadow.iter().take(index).map(|other| &other.model);
    let staged = route
        .targets
        .iter()
        .filter(|target| target.stage == Stage::Shadow)
        .map(|target| &target.model);
    if before.chain(staged).any(|other| *other == shadow.model) {
        let reason = format!("\"{}\" is a shadow twice", shown(&shadow.model));
        context.error(&path.key("model"), reason, "remove one of the two");
    }
    if shadow.compare.is_empty() && context.document.is_whole(&path.key("compare")) {
        context.error(
            &path.key("compare"),
            "nothing is compared",
            "name something, or leave it out for everything",
        );
    }
    if shadow.budget.get().0 == 0 {
        context.error(&path.key("budget"), "nothing may be spent, so that it is never asked", "raise it");
    }
}

fn sampled(context: &mut Context<'_>, path: &Path, share: Share) {
    if !(1..=10_000).contains(&share.per_ten_thousand()) {
        context.error(path, format!("{share} is out of range"), "use 0.01% to 100%");
    }
}

fn on_loop(context: &mut Context<'_>, path: &Path, route: &Route) {
    let Some(on_loop) = &route.on_loop else { return };
    let (least, most) = (Duration::from_secs(1), Duration::from_secs(3_600));
    if !(least..=most).contains(&on_loop.within.get()) {
        let path = path.key("on_loop").key("within");
        context.error(&path, format!("{} is out of range", on_loop.within), "use 1s to 1h");
    }
}

/// Which models a route of its risk may have.
fn approval(context: &mut Context<'_>, path: &Path, route: &Route) {
    let targets = route.targets.iter().enumerate();
    let targets = targets.map(|(index, target)| (path.key("targets").index(index).key("model"), &target.model));
    let fallbacks = route.fallbacks.iter().enumerate();
    let fallbacks = fallbacks.map(|(index, model)| (path.key("fallbacks").index(index), model));
    let shadows = route.shadow.iter().enumerate();
    let shadows = shadows.map(|(index, shadow)| (path.key("shadow").index(index).key("model"), &shadow.model));
    let rules = route.rules.iter().enumerate().flat_map(|(rule, models)| {
        let path = path.key("rules").index(rule).key("use");
        models
            .models
            .iter()
            .enumerate()
            .map(move |(index, model)| (path.index(index), model))
    });
    let tiers = route.tiers.iter().flat_map(Tiers::all).flat_map(|(tier, models)| {
        let path = path.key("tiers").key(tier);
        models.iter().enumerate().map(move |(index, model)| (path.index(index), model))
    });
    let high = route.risk == Some(Risk::High);
    let mut unknown: Vec<&str> = Vec::new();
    for (path, model) in targets.chain(rules).chain(tiers).chain(fallbacks).chain(shadows) {
        let status = status_of(context.raw.models.iter(), model);
        let named = |word: &str| format!("\"{}\" is {word}", shown(model));
        match status {
            Some(Status::Retired) => context.error(&path, named("retired and not called any more"), "name another model"),
            Some(Status::Proposed) if high => {
                context.error(
                    &path,
                    named("proposed, and the route's risk is high"),
                    "have it approved, or name another model",
                );
            }
            Some(Status::Deprecated) if high => {
                context.error(&path, named("deprecated, and the route's risk is high"), "name another model");
            }
            Some(Status::Deprecated) => context.warning(&path, named("deprecated"), "name the model that takes its place"),
            None if high && !unknown.contains(&model.as_str()) => unknown.push(model),
            _ => {}
        }
    }
    if !unknown.is_empty() && context.untouched {
        let listed: Vec<String> = unknown.iter().map(|model| format!("\"{}\"", shown(model))).collect();
        let reason = format!("the route's risk is high, and nobody has approved {}", listed.join(", "));
        context.warning(&path.key("risk"), reason, "give each an entry under models with a status");
    }
}

/// The status of a reference to a model: of our name for it, or of an entry that leads to the same model of a provider. Of several the worst.
fn status_of<'a>(models: impl Iterator<Item = (&'a String, &'a Model)>, reference: &str) -> Option<Status> {
    let worst = |status: &Status| match status {
        Status::Approved => 0,
        Status::Deprecated => 1,
        Status::Proposed => 2,
        Status::Retired => 3,
    };
    let same = |name: &str, model: &Model| {
        let upstream = model.upstream_model.as_deref().unwrap_or(name);
        name == reference || reference.split_once('/') == Some((model.provider.as_str(), upstream))
    };
    models
        .filter(|(name, model)| same(name, model))
        .filter_map(|(_, model)| model.status)
        .max_by_key(worst)
}
