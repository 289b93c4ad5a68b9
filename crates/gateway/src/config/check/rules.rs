//! Limits, budgets and where alerts go: names that are given once, amounts that admit something, substitutes that exist, and conditions
//! that can be worked out, can be true, and speak of what there is.

use std::collections::HashMap;
use std::time::Duration;

use tollgate_policy::rules::{Condition, OF_ROUTES};

use super::super::document::Path;
use super::super::raw::{Budget, Dimension, Limit, OnExceed, OnExceedMap, Price, Window};
use super::super::suggest::did_you_mean;
use super::super::units::{Complaint, shown};
use super::Context;
use crate::alerts::{self, SECRET_BYTES_MIN};

/// The longest name of a rule, in characters.
const NAME_CHARS_MAX: usize = 128;
/// The longest wait in a queue.
pub(super) const QUEUE_MAX: Duration = Duration::from_secs(30);

pub(super) fn check(context: &mut Context<'_>) {
    let raw = context.raw;
    let mut seen = HashMap::new();
    for (index, limit) in raw.limits.iter().enumerate() {
        let path = Path::of("limits").index(index);
        name(context, &path, &limit.name, &mut seen);
        scope(context, &path, &limit.per, limit.when.as_deref());
        amounts(context, &path, limit);
        on_exceed(context, &path.key("on_exceed"), &limit.on_exceed, true);
        downgrades(context, &path, limit);
    }
    for (index, budget) in raw.budgets.iter().enumerate() {
        let path = Path::of("budgets").index(index);
        name(context, &path, &budget.name, &mut seen);
        scope(context, &path, &budget.per, budget.when.as_deref());
        money(context, &path, budget);
        thresholds(context, &path, budget);
        substitutes(context, &path, budget);
        on_exceed(context, &path.key("on_exceed"), &budget.on_exceed, false);
    }
    webhook(context);
    if !matches!(raw.spending.over_budget_status, 402 | 429) {
        context.error(
            &Path::of("spending").key("over_budget_status"),
            format!("{} is not a status for a spent budget", raw.spending.over_budget_status),
            "use 402 or 429",
        );
    }
    let journal_bytes_max = (64 << 20)..=(1 << 40);
    if !journal_bytes_max.contains(&raw.ledger.journal_max.bytes()) {
        let reason = format!("{} is out of range", raw.ledger.journal_max);
        context.error(&Path::of("ledger").key("journal_max"), reason, "use 64MiB to 1024GiB");
    }
    if 400 * 86_400 < raw.ledger.decisions.get().as_secs() {
        let reason = format!("{} is out of range", raw.ledger.decisions);
        context.error(&Path::of("ledger").key("decisions"), reason, "use 400d or less; 0s keeps none");
    }
    if raw.ledger.retention.get().as_secs() < 30 * 86_400 {
        let reason = format!("{} is out of range", raw.ledger.retention);
        context.error(&Path::of("ledger").key("retention"), reason, "use 30d or more");
    }
    for (name, model) in &raw.models {
        if let Some(price) = &model.price {
            priced(context, &Path::of("models").key(name), price, model.allow_unpriced);
        }
    }
}

fn name<'a>(context: &mut Context<'_>, path: &Path, name: &'a str, seen: &mut HashMap<&'a str, Path>) {
    let path = path.key("name");
    if name.trim().is_empty() || name.chars().any(char::is_control) || NAME_CHARS_MAX < name.chars().count() {
        let remedy = format!("write 1 to {NAME_CHARS_MAX} characters on one line");
        context.error(&path, "this cannot be a name", remedy);
    }
    if seen.contains_key(name) {
        context.error(
            &path,
            format!("a limit or budget \"{}\" stands above", shown(name)),
            "give each a name of its own: usage is counted by it",
        );
    }
    seen.entry(name).or_insert(path);
}

fn scope(context: &mut Context<'_>, path: &Path, per: &[Dimension], when: Option<&str>) {
    for (index, dimension) in per.iter().enumerate() {
        if per.iter().take(index).any(|before| before == dimension) {
            let path = path.key("per").index(index);
            context.error(&path, format!("\"{dimension}\" is in the list twice"), "remove one of the two");
        }
    }
    let Some(when) = when else { return };
    let path = path.key("when");
    if let Some(condition) = condition(context, &path, when) {
        unknown(context, &path, &condition, OF_ROUTES, "only the rules of routes may ask for it");
    }
}

/// Tells of names that are not known where a condition is asked.
pub(super) fn unknown(context: &mut Context<'_>, path: &Path, condition: &Condition, names: &[&str], why: &str) {
    for name in names.iter().filter(|name| condition.asks(name)) {
        context.error(path, format!("the condition asks for \"{name}\", which is not known here"), why);
    }
}

/// Checks a condition, and gives it where it can be read.
pub(super) fn condition(context: &mut Context<'_>, path: &Path, when: &str) -> Option<Condition> {
    if when.trim().is_empty() {
        context.error(path, "the condition is empty", "write one, or leave when out");
        return None;
    }
    match Condition::compile(when) {
        Err(error) => {
            let (reason, remedy) = match error.message.rsplit_once("; ") {
                Some((reason, remedy)) => (reason.to_owned(), Some(remedy.to_owned())),
                None => (error.message, None),
            };
            let at = (error.position.line, error.position.column);
            context.error_inside(path, when, at, Complaint { reason, remedy });
            None
        }
        Ok(condition) => {
            if condition.constant() == Some(false) {
                context.warning(path, "the condition is never true", "mend it, or remove the rule");
            } else {
                compared(context, path, when);
            }
            Some(condition)
        }
    }
}

/// Warns of a condition that compares the team, a route or a provider with a name that nothing has. Teams may also come from the admin
/// API, so that it is never an error.
fn compared(context: &mut Context<'_>, path: &Path, when: &str) {
    for word in ["team", "route", "provider"] {
        for name in names_compared_with(word, when) {
            let names = match word {
                "team" => &context.names.teams,
                "route" => &context.names.routes,
                _ => &context.names.providers,
            };
            // A call that asks for a model directly has the model's name as its route; none is written as an empty text.
            if name.is_empty() || names.contains(name) || (word == "route" && context.model_complaint(name).is_none()) {
                continue;
            }
            let remedy = did_you_mean(name, names.iter().map(String::as_str));
            let remedy = remedy.unwrap_or_else(|| format!("mend the name, or add it under {word}s"));
            context.warning(
                path,
                format!("the condition names a {word} \"{}\" that is not here", shown(name)),
                remedy,
            );
        }
    }
}

/// The texts in quotes that `word` is compared with by `==`.
fn names_compared_with<'a>(word: &'a str, when: &'a str) -> impl Iterator<Item = &'a str> {
    when.match_indices(word).filter_map(move |(at, _)| {
        let before = when.get(..at)?.chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '"' | '\'')) {
            return None;
        }
        let behind = when.get(at + word.len()..)?.trim_start().strip_prefix("==")?.trim_start();
        let quote = behind.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        behind.get(1..)?.split_once(quote).map(|(name, _)| name)
    })
}

fn amounts(context: &mut Context<'_>, path: &Path, limit: &Limit) {
    let rates = [
        ("requests", limit.requests),
        ("tokens", limit.tokens),
        ("input_tokens", limit.input_tokens),
        ("output_tokens", limit.output_tokens),
    ];
    for (key, rate) in rates {
        if rate.is_some_and(|rate| rate.count() == 0) {
            let remedy = "allow at least 1, or take the models from the team or the key";
            context.error(&path.key(key), "a limit of 0 refuses every call", remedy);
        }
    }
    let limits_something = limit.concurrent.is_some() || rates.iter().any(|(_, rate)| rate.is_some());
    if !limits_something && context.document.is_whole(path) {
        context.error(
            path,
            "the limit limits nothing",
            "add requests, tokens or concurrent, as in requests: 1000/hour",
        );
    }
    let part_of = |part: Option<_>, whole: Option<_>| {
        part.zip(whole)
            .is_some_and(|(part, whole): (super::super::raw::Rate, super::super::raw::Rate)| {
                part.window() == whole.window() && whole.count() <= part.count()
            })
    };
    for (key, part) in [("input_tokens", limit.input_tokens), ("output_tokens", limit.output_tokens)] {
        if part_of(part, limit.tokens) {
            let reason = "this is never reached: tokens, which counts them too, is not larger";
            context.warning(&path.key(key), reason, "lower it, or remove it");
        }
    }
}

fn money(context: &mut Context<'_>, path: &Path, budget: &Budget) {
    if budget.amount.get().0 == 0 {
        let remedy = "give it an amount, or take the models from the team or the key";
        context.error(&path.key("amount"), "a budget of 0 refuses every call", remedy);
    }
    match budget.window {
        Window::Rolling(length) if !(60..=366 * 86_400).contains(&length.get().as_secs()) => {
            context.error(
                &path.key("window"),
                format!("rolling {length} is out of range"),
                "use rolling 1m to rolling 366d",
            );
        }
        Window::Rolling(_) | Window::Never | Window::Request if budget.time_zone.is_some() => {
            let reason = format!("a window {} follows no calendar", budget.window);
            context.warning(&path.key("time_zone"), reason, "remove time_zone");
        }
        _ => {}
    }
    if budget.window == Window::Request && budget.downgrade_at.is_some() {
        let reason = "each call begins anew, so that no share is ever spent";
        context.warning(&path.key("downgrade_at"), reason, "remove it, or choose another window");
    }
}

fn thresholds(context: &mut Context<'_>, path: &Path, budget: &Budget) {
    let hundred = 10_000;
    for (index, share) in budget.alerts.iter().enumerate() {
        let path = path.key("alerts").index(index);
        if share.per_ten_thousand() == 0 {
            context.error(&path, "an alert at 0% would come at once", "use more than 0%");
        } else if hundred < share.per_ten_thousand() {
            context.warning(
                &path,
                format!("{share} is hardly ever reached: calls are refused at 100%"),
                "use 100% or less",
            );
        }
        if budget.alerts.iter().take(index).any(|before| before == share) {
            context.error(&path, format!("{share} is in the list twice"), "remove one of the two");
        }
    }
    if let Some(share) = budget.downgrade_at {
        let path = path.key("downgrade_at");
        if hundred <= share.per_ten_thousand() {
            context.warning(
                &path,
                format!("{share} is never reached: calls are refused at 100%"),
                "use less, such as 80%",
            );
        }
        if budget.downgrade.is_empty() && context.document.is_whole(&path) {
            context.error(
                &path,
                "there is nothing to downgrade to",
                "add downgrade: { openai/gpt-4o: openai/gpt-4o-mini }",
            );
        }
    }
}

fn substitutes(context: &mut Context<'_>, path: &Path, budget: &Budget) {
    let list = path.key("downgrade");
    for (model, substitute) in &budget.downgrade {
        let path = list.key(model);
        if let Some(complaint) = context.model_complaint(model) {
            context.error_at_key(&path, complaint.reason, complaint.remedy.unwrap_or_default());
        }
        context.model(&path, substitute);
        if model == substitute {
            context.error(&path, "a model cannot stand in for itself", "name another one");
        } else if budget.downgrade.get(substitute).is_some_and(|back| back == model) {
            context.warning(&path, "the two stand in for each other", "remove one of the two");
        }
    }
    if !budget.downgrade.is_empty() && budget.downgrade_at.is_none() && !context.was_pruned(path, "downgrade_at") {
        context.warning(&list, "nothing says when to downgrade", "add downgrade_at: 80%");
    }
}

pub(super) fn on_exceed(context: &mut Context<'_>, path: &Path, on_exceed: &OnExceed, is_limit: bool) {
    let OnExceed::Map(OnExceedMap { queue, downgrade }) = on_exceed else {
        return;
    };
    if queue.is_some() == downgrade.is_some() && context.document.is_whole(path) {
        context.error(path, "one of queue and downgrade belongs here", "write for example { queue: 20s }");
    }
    if let Some(queue) = queue {
        let path = path.key("queue");
        if !is_limit {
            context.error(&path, "waiting brings no money back", "use block, or downgrade");
        } else if queue.get().is_zero() || QUEUE_MAX < queue.get() {
            context.error(&path, format!("{queue} is out of range"), "use 1ms to 30s");
        }
    }
    for (index, model) in downgrade.iter().flatten().enumerate() {
        context.model(&path.key("downgrade").index(index), model);
    }
}

/// Warns of a limit that counts the model that stands in as it counts the first: it refuses both.
fn downgrades(context: &mut Context<'_>, path: &Path, limit: &Limit) {
    let OnExceed::Map(OnExceedMap { downgrade: Some(_), .. }) = &limit.on_exceed else {
        return;
    };
    let by_model = limit.per.iter().any(|one| matches!(one, Dimension::Model | Dimension::Provider));
    let when = limit.when.as_deref().unwrap_or_default();
    if !by_model && !when.contains("model") && !when.contains("provider") {
        let reason = "the models that stand in are counted by the same limit, and refused with the first";
        context.warning(&path.key("on_exceed"), reason, "add model to per");
    }
}

fn webhook(context: &mut Context<'_>) {
    let Some(webhook) = &context.raw.alerts.webhook else { return };
    let path = Path::of("alerts").key("webhook");
    if let Err(complaint) = alerts::origin(webhook.url.get(), webhook.allow_private) {
        context.complaint(&path.key("url"), complaint);
    }
    match webhook.secret.resolve(context.world) {
        Err(complaint) => context.complaint(&path.key("secret"), complaint),
        Ok(secret) if secret.expose().len() < SECRET_BYTES_MIN => context.error(
            &path.key("secret"),
            format!("the secret at {} is shorter than {SECRET_BYTES_MIN} characters", webhook.secret),
            "use 32 or more random characters, for example from: openssl rand -hex 24",
        ),
        Ok(_) => {}
    }
}

fn priced(context: &mut Context<'_>, path: &Path, price: &Price, allow_unpriced: bool) {
    if allow_unpriced {
        context.warning(&path.key("allow_unpriced"), "the model has a price", "remove one of the two");
    }
    let parts = [price.cache_read, price.cache_write_5m, price.cache_write_1h, price.requests];
    let is_free = [Some(price.input), Some(price.output)]
        .into_iter()
        .chain(parts)
        .flatten()
        .all(|part| part.each().0 == 0);
    if is_free && !allow_unpriced && context.document.is_whole(&path.key("price")) {
        context.warning(
            &path.key("price"),
            "the model is free",
            "write allow_unpriced: true where that is meant",
        );
    }
}
