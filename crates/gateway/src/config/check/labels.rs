//! Labels and clearances: what a route may carry may go wherever the route leads, each deployment is cleared in one way, and no key is
//! required to send what it may not.

use std::collections::HashMap;

use tollgate_policy::labels::{Clearance, Label, Part};

use super::super::document::Path;
use super::super::labels::{self, Clearances};
use super::super::raw::{self, OnExceed};
use super::super::units::shown;
use super::Context;

pub(super) fn check(context: &mut Context<'_>) {
    let raw = context.raw;
    one_clearance_each(context);
    let clearances = Clearances::of(raw);
    for (name, route) in &raw.routes {
        let Some(label) = &route.label else { continue };
        let label = labels::label(label);
        let path = Path::of("routes").key(name);
        for (index, target) in route.targets.iter().enumerate() {
            let path = path.key("targets").index(index).key("model");
            cleared(context, &clearances, (&path, &target.model), &label);
        }
        for (index, fallback) in route.fallbacks.iter().enumerate() {
            cleared(context, &clearances, (&path.key("fallbacks").index(index), fallback), &label);
        }
        for (index, shadow) in route.shadow.iter().enumerate() {
            let path = path.key("shadow").index(index).key("model");
            cleared(context, &clearances, (&path, &shadow.model), &label);
        }
        if let Some(OnExceed::Map(map)) = &route.on_limit {
            for (index, substitute) in map.downgrade.iter().flatten().enumerate() {
                let path = path.key("on_limit").key("downgrade").index(index);
                cleared(context, &clearances, (&path, substitute), &label);
            }
        }
        for (index, rule) in route.rules.iter().enumerate() {
            // A rule that asks for the label may be for less than all of it; calls are held to their own label all the same.
            if rule.when.as_deref().is_some_and(speaks_of_label) {
                continue;
            }
            for (at, model) in rule.models.iter().enumerate() {
                let path = path.key("rules").index(index).key("use").index(at);
                cleared(context, &clearances, (&path, model), &label);
            }
        }
        for (tier, models) in route.tiers.iter().flat_map(raw::Tiers::all) {
            for (at, model) in models.iter().enumerate() {
                let path = path.key("tiers").key(tier).index(at);
                cleared(context, &clearances, (&path, model), &label);
            }
        }
        last_resorts(context, &clearances, (&path.key("last_resort"), route), &label);
    }
    substitutes(context, &clearances);
    for (index, key) in raw.keys.iter().enumerate() {
        possible(context, &Path::of("keys").index(index), key);
    }
    for name in raw.features.keys() {
        context.own_name(&Path::of("features").key(name), name);
    }
}

/// Two names of one deployment cannot be cleared for different data: it is one place.
fn one_clearance_each(context: &mut Context<'_>) {
    let raw = context.raw;
    let mut seen: HashMap<String, (&String, &raw::Clearance)> = HashMap::new();
    for (name, model) in &raw.models {
        let Some(clearance) = &model.clearance else { continue };
        let deployment = labels::deployment(name, model);
        match seen.get(&deployment) {
            Some((first, other)) if *other != clearance => {
                let reason = format!(
                    "\"{}\" is cleared in another way under the model \"{}\"",
                    shown(&deployment),
                    shown(first)
                );
                let path = Path::of("models").key(name).key("clearance");
                context.error(&path, reason, "say it once: it holds for every name of that model");
            }
            Some(_) => {}
            None => {
                seen.insert(deployment, (name, clearance));
            }
        }
    }
}

/// A model that a route leads to may be sent what the route carries.
fn cleared(context: &mut Context<'_>, clearances: &Clearances, (path, model): (&Path, &str), label: &Label) {
    let Some((place, clearance)) = clearance_of(context, clearances, model) else {
        return;
    };
    let Err(part) = label.flows_to(&clearance) else { return };
    let reason = format!(
        "\"{}\" is not cleared for the route's label, {label}: {}",
        shown(model),
        what_is_missing(part, &clearance)
    );
    let remedy = format!("say under {place}.clearance that it is, where it is; else remove it, or lower the label");
    context.error(path, reason, remedy);
}

fn speaks_of_label(condition: &str) -> bool {
    condition
        .split(|sign: char| !sign.is_alphanumeric() && sign != '_')
        .any(|word| word == "label")
}

/// A route that is a last resort of another carries what that one does.
fn last_resorts(context: &mut Context<'_>, clearances: &Clearances, (list, route): (&Path, &raw::Route), label: &Label) {
    let raw = context.raw;
    let Some(resorts) = &route.last_resort else { return };
    for (index, step) in resorts.steps().iter().enumerate() {
        let Some((name, other)) = step.route.as_ref().and_then(|name| raw.routes.get_key_value(name)) else {
            continue;
        };
        let refused = match &other.label {
            // Then that route is checked by its own.
            Some(own) => label.within(&labels::label(own)).is_err(),
            None => {
                let targets = other.targets.iter().map(|target| &target.model);
                let models = targets
                    .chain(&other.fallbacks)
                    .chain(other.rules.iter().flat_map(|rule| &rule.models))
                    .chain(other.tiers.iter().flat_map(raw::Tiers::all).flat_map(|(_, models)| models));
                let mut clearances = models.filter_map(|model| clearance_of(context, clearances, model));
                clearances.any(|(_, clearance)| label.flows_to(&clearance).is_err())
            }
        };
        if refused {
            let path = match resorts {
                raw::LastResorts::One(_) => list.key("route"),
                raw::LastResorts::Many(_) => list.index(index).key("route"),
            };
            let reason = format!("the route \"{}\" does not carry data of this route's label, {label}", shown(name));
            context.error(&path, reason, "give that route a label as high, or name another one");
        }
    }
}

/// What a model that a config names is cleared for, and where that is said; `None`: there is no such model, or what was said of it is wrong
/// in itself, which is told elsewhere.
fn clearance_of(context: &Context<'_>, clearances: &Clearances, model: &str) -> Option<(String, Clearance)> {
    let raw = context.raw;
    let deployment = match raw.models.get(model) {
        Some(entry) => labels::deployment(model, entry),
        None => model.to_owned(),
    };
    let (provider, upstream) = deployment.split_once('/')?;
    let says = |name: &str, entry: &raw::Model| labels::deployment(name, entry) == deployment && entry.clearance.is_some();
    let of_model = raw
        .models
        .iter()
        .find(|(name, entry)| says(name, entry))
        .map(|(name, _)| ("models", name.as_str()));
    let of_provider = ("providers", provider);
    let is_whole = |(list, name): (&str, &str)| {
        let path = Path::of(list).key(name);
        context.document.is_whole(&path) && context.document.is_whole(&path.key("clearance"))
    };
    let place = of_model.unwrap_or(of_provider);
    (raw.providers.contains_key(provider) && is_whole(of_provider) && is_whole(place))
        .then(|| (format!("{}.{}", place.0, shown(place.1)), clearances.get(provider, upstream)))
}

fn what_is_missing(part: Part, clearance: &Clearance) -> String {
    let bounds = clearance.bounds();
    let list = |names: &tollgate_policy::labels::Names| names.iter().collect::<Vec<_>>().join(", ");
    match part {
        Part::Level => format!("it is cleared up to {}", clearance.level().name()),
        Part::Compartments => match bounds.map(|bounds| &bounds.compartments).filter(|names| !names.is_empty()) {
            None => "it is cleared for no compartment".to_owned(),
            Some(names) => format!("it is cleared for the compartments {} alone", list(names)),
        },
        Part::Regions => bounds.and_then(|bounds| bounds.regions.as_ref()).map_or_else(
            || "its region is not known".to_owned(),
            |names| format!("it may be in {}", list(names)),
        ),
        Part::Processors => bounds.and_then(|bounds| bounds.processors.as_ref()).map_or_else(
            || "who works there is not known".to_owned(),
            |names| format!("{} may work there", list(names)),
        ),
    }
}

/// A model that limits and budgets let stand in is asked only where it is cleared: where it cannot be, it never stands in.
fn substitutes(context: &mut Context<'_>, clearances: &Clearances) {
    let raw = context.raw;
    for (index, limit) in raw.limits.iter().enumerate() {
        let path = Path::of("limits").index(index).key("on_exceed").key("downgrade");
        stand_ins(context, clearances, (&path, &limit.on_exceed));
    }
    for (index, budget) in raw.budgets.iter().enumerate() {
        let path = Path::of("budgets").index(index);
        stand_ins(context, clearances, (&path.key("on_exceed").key("downgrade"), &budget.on_exceed));
        for (model, substitute) in &budget.downgrade {
            let leads = |route: &&raw::Route| route.targets.iter().any(|target| target.model == *model);
            let path = path.key("downgrade").key(model);
            stands_in(context, clearances, (&path, substitute), leads);
        }
    }
}

fn stand_ins(context: &mut Context<'_>, clearances: &Clearances, (path, on_exceed): (&Path, &OnExceed)) {
    let OnExceed::Map(map) = on_exceed else { return };
    for (index, substitute) in map.downgrade.iter().flatten().enumerate() {
        stands_in(context, clearances, (&path.index(index), substitute), |_| true);
    }
}

/// Warns of a substitute that a route with a label can never be given.
fn stands_in(
    context: &mut Context<'_>,
    clearances: &Clearances,
    (path, substitute): (&Path, &str),
    concerns: impl Fn(&&raw::Route) -> bool,
) {
    let Some((_, clearance)) = clearance_of(context, clearances, substitute) else {
        return;
    };
    let labelled = context.raw.routes.iter().filter_map(|(name, route)| {
        let label = labels::label(route.label.as_ref().filter(|_| concerns(&route))?);
        Some((name, label.flows_to(&clearance).err()?, label))
    });
    let Some((route, part, label)) = labelled.last() else { return };
    let reason = format!(
        "calls of the route \"{}\" at its label, {label}, are refused and not given \"{}\": {}",
        shown(route),
        shown(substitute),
        what_is_missing(part, &clearance)
    );
    context.warning(path, reason, "name a substitute that is cleared");
}

/// What a key must send lies below what it may.
fn possible(context: &mut Context<'_>, path: &Path, key: &raw::Key) {
    let Some(highest) = key.max_label.as_ref().map(labels::label) else {
        return;
    };
    let of_team = context.raw.teams.get(&key.team).and_then(|team| team.label.as_ref());
    let required = [of_team, key.label.as_ref()].into_iter().flatten().map(labels::label);
    let floor = required.fold(Label::default(), |floor, label| floor.join(&label));
    if let Err(part) = floor.within(&highest) {
        context.error(
            &path.key("max_label"),
            format!("the key and its team require {floor}, which by its {} lies above this", part.name()),
            "raise max_label, or lower the label of the key or team",
        );
    }
}
