//! The routes: targets and fallbacks that lead to models, weights that can be drawn from, and times that fit into one another.

use std::time::Duration;

use super::super::document::Path;
use super::super::raw::{Route, Stage, Strategy, Timeouts};
use super::super::units::{Period, shown};
use super::{Context, resorts, routing};

pub(super) fn check(context: &mut Context<'_>) {
    let raw = context.raw;
    for (name, route) in &raw.routes {
        let path = Path::of("routes").key(name);
        context.own_name(&path, name);
        if context.names.models.contains(name) {
            context.error_at_key(&path, format!("\"{name}\" is both a route and a model"), "rename one of the two");
        }
        let tiered = super::router::tiers(context, &path, route);
        targets(context, &path, route, tiered);
        routing::check(context, &path, route);
        fallbacks(context, &path, name, route);
        timeouts(context, &path.key("timeouts"), &route.timeouts);
        resorts::check(context, &path, name, route);
        super::resilience::check(context, &path, route);
        let unnamed: Vec<&str> = [("purpose", &route.purpose), ("owner", &route.owner)]
            .into_iter()
            .filter(|(key, value)| value.as_ref().is_none_or(|text| text.trim().is_empty()) && !context.was_pruned(&path, key))
            .map(|(key, _)| key)
            .collect();
        if !unnamed.is_empty() {
            context.warning(
                &path,
                format!("the route has no {}", unnamed.join(" and no ")),
                "say what it is for and who answers for it",
            );
        }
    }
}

fn targets(context: &mut Context<'_>, path: &Path, route: &Route, tiered: bool) {
    let list = path.key("targets");
    for (index, target) in route.targets.iter().enumerate() {
        let path = list.index(index).key("model");
        context.model(&path, &target.model);
        if route.targets.iter().take(index).any(|before| before.model == target.model) {
            context.error(
                &path,
                format!("\"{}\" is a target twice", shown(&target.model)),
                "add the two weights up in one",
            );
        }
    }
    if tiered {
        return;
    }
    if !context.document.is_whole(&list) || context.was_pruned(path, "strategy") {
        return;
    }
    if route.targets.is_empty() && route.strategy != Strategy::Rules {
        if !context.was_pruned(path, "targets") {
            context.error(path, "\"targets\" is missing", "add targets: [{ model: openai/gpt-4o }]");
        }
        return;
    }
    // Targets that other callers get, or nobody, are no choice.
    let drawn = || {
        route
            .targets
            .iter()
            .filter(|target| matches!(target.stage, Stage::Stable | Stage::Canary))
    };
    let count = drawn().count();
    match route.strategy {
        Strategy::Rules => {}
        Strategy::Pinned if count != 1 => {
            context.error(
                &list,
                format!("pinned takes one target, here are {count}"),
                "keep one, or set strategy: weighted",
            );
        }
        _ if route.strategy != Strategy::Pinned && drawn().all(|target| target.weight == 0) => {
            context.error(&list, "the weights add up to 0", "give at least one target a weight");
        }
        _ => {}
    }
}

fn fallbacks(context: &mut Context<'_>, path: &Path, name: &str, route: &Route) {
    let list = path.key("fallbacks");
    for (index, reference) in route.fallbacks.iter().enumerate() {
        let path = list.index(index);
        if reference == name && !context.names.models.contains(reference) {
            context.error(&path, "the route falls back to itself", "name the models to try instead");
            continue;
        }
        context.model(&path, reference);
        if route.fallbacks.iter().take(index).any(|before| before == reference) {
            context.error(
                &path,
                format!("\"{}\" is a fallback twice", shown(reference)),
                "remove one of the two",
            );
        }
        if let [only] = route.targets.as_slice()
            && only.model == *reference
        {
            context.error(
                &path,
                format!("\"{}\" would fall back to itself", shown(reference)),
                "name another model; retry tries the same one again",
            );
        }
    }
    if !route.fallbacks.is_empty() && route.fallback_on.is_empty() && context.document.is_whole(&path.key("fallback_on")) {
        context.error(
            &path.key("fallback_on"),
            "the list is empty, so that no fallback is ever tried",
            "name failures, or remove the fallbacks",
        );
    }
}

fn timeouts(context: &mut Context<'_>, path: &Path, timeouts: &Timeouts) {
    let (least, most) = (Duration::from_millis(1), Duration::from_secs(86_400));
    let all = [
        ("connect", timeouts.connect),
        ("first_byte", timeouts.first_byte),
        ("idle", timeouts.idle),
        ("total", timeouts.total),
    ];
    for (key, period) in all {
        if !(least..=most).contains(&period.get()) {
            context.error(&path.key(key), format!("{period} is out of range"), "use 1ms to 24h");
        }
    }
    for (key, period) in [("connect", timeouts.connect), ("first_byte", timeouts.first_byte)] {
        // Only what was typed: a default gives way to a shorter total.
        let typed = context.document.has(&path.key(key)) && context.document.has(&path.key("total"));
        if typed && timeouts.total < period {
            longer_than_total(context, path, key, period, timeouts.total);
        }
    }
}

fn longer_than_total(context: &mut Context<'_>, path: &Path, key: &str, period: Period, total: Period) {
    context.error(
        &path.key(key),
        format!("{key} is {period}, longer than total, {total}"),
        "shorten it, or lengthen total",
    );
}
