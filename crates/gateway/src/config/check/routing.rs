//! How a route chooses: what its strategy needs is there and nothing else, rules can be reached and can hold, and calls are kept together in
//! one way.

use super::super::document::Path;
use super::super::raw::{Route, Rule, Sticky, Strategy};
use super::super::units::shown;
use super::{Context, rules};

pub(super) fn check(context: &mut Context<'_>, path: &Path, route: &Route) {
    for (index, rule) in route.rules.iter().enumerate() {
        models(context, &path.key("rules").index(index).key("use"), rule);
    }
    if context.was_pruned(path, "strategy") {
        return;
    }
    parts(context, path, route);
    reach(context, &path.key("rules"), route);
    sticky(context, path, route);
    weights(context, path, route);
}

/// Rules belong to their strategy, and targets to the others.
fn parts(context: &mut Context<'_>, path: &Path, route: &Route) {
    let by_rules = route.strategy == Strategy::Rules;
    if by_rules && route.rules.is_empty() && !context.was_pruned(path, "rules") {
        let remedy = "add rules: [{ when: input_tokens < 400, use: [openai/gpt-4o-mini] }, { use: [openai/gpt-4o] }]";
        context.error(path, "\"rules\" is missing", remedy);
    }
    if !by_rules && !route.rules.is_empty() {
        let remedy = "set strategy: rules, and move the targets into a last rule without when";
        context.error(&path.key("rules"), "only strategy: rules asks them", remedy);
    }
    if by_rules && !route.targets.is_empty() {
        let remedy = "name the models under use, in a last rule without when";
        context.error(&path.key("targets"), "the rules say which models are tried", remedy);
    }
}

fn models(context: &mut Context<'_>, list: &Path, rule: &Rule) {
    for (index, model) in rule.models.iter().enumerate() {
        let path = list.index(index);
        context.model(&path, model);
        if rule.models.iter().take(index).any(|before| before == model) {
            context.error(&path, format!("\"{}\" is in the list twice", shown(model)), "remove one of the two");
        }
    }
}

/// Each rule can hold, is reached, and one is there for every call.
fn reach(context: &mut Context<'_>, list: &Path, route: &Route) {
    // Where a rule was cut out as a whole, or its condition, nothing can be said of those behind it.
    let whole = context.document.is_whole(list);
    let mut always = false;
    for (index, rule) in route.rules.iter().enumerate() {
        let path = list.index(index);
        if always {
            let reason = "the rule is never reached: one above it always holds";
            context.warning(&path, reason, "move it up, or remove it");
        }
        let Some(when) = &rule.when else {
            always |= whole;
            continue;
        };
        let path = path.key("when");
        if let Some(condition) = rules::condition(context, &path, when) {
            let remedy = "ask for the team, the task or the size of the call";
            rules::unknown(context, &path, &condition, &["model", "provider"], remedy);
            always |= whole && condition.constant() == Some(true);
        }
    }
    if whole && !always && !route.rules.is_empty() {
        let reason = "a call for which no rule holds has no model";
        context.warning(list, reason, "add a last rule without when");
    }
}

fn sticky(context: &mut Context<'_>, path: &Path, route: &Route) {
    let by_weight = route.strategy == Strategy::Weighted;
    let targets = route.targets.iter().enumerate();
    let of_targets = targets.filter_map(|(index, target)| Some((path.key("targets").index(index).key("sticky"), target.sticky?)));
    let all: Vec<(Path, Sticky)> = route
        .sticky
        .map(|sticky| (path.key("sticky"), sticky))
        .into_iter()
        .chain(of_targets)
        .collect();
    let first = all.first().map(|(_, sticky)| *sticky);
    for (path, sticky) in all {
        if !by_weight {
            context.error(
                &path,
                "only strategy: weighted keeps calls at one target",
                "set strategy: weighted, or remove it",
            );
        } else if first != Some(sticky) {
            let reason = "the route keeps calls together in another way already";
            context.error(&path, reason, "a route has one sticky; write the same everywhere");
        }
    }
}

/// Beside `weighted`, a weight says only whether a target is on.
fn weights(context: &mut Context<'_>, path: &Path, route: &Route) {
    if matches!(route.strategy, Strategy::Weighted | Strategy::Pinned) {
        return;
    }
    for (index, target) in route.targets.iter().enumerate() {
        if 1 < target.weight {
            let path = path.key("targets").index(index).key("weight");
            context.warning(
                &path,
                "only strategy: weighted goes by weights",
                "remove it; 0 switches a target off",
            );
        }
    }
}
