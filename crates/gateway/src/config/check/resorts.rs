//! Last resorts and what a route makes of a limit: one thing per step, routes that exist and do not lead back, and nothing behind a step
//! that always answers.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::document::Path;
use super::super::raw::{LastResort, LastResorts, Route};
use super::super::suggest::did_you_mean;
use super::super::units::shown;
use super::Context;
use super::rules::QUEUE_MAX;

/// The longest fixed message, in characters.
const MESSAGE_CHARS_MAX: usize = 10_000;
/// How long a person may have.
const REVIEW_MIN: Duration = Duration::from_secs(60);
const REVIEW_MAX: Duration = Duration::from_secs(30 * 86_400);
/// The longest chain of steps.
const STEPS_MAX: usize = 8;

pub(super) fn check(context: &mut Context<'_>, path: &Path, name: &str, route: &Route) {
    if let Some(on_limit) = &route.on_limit {
        super::rules::on_exceed(context, &path.key("on_limit"), on_limit, true);
    }
    let Some(resorts) = &route.last_resort else { return };
    let list = path.key("last_resort");
    let steps = resorts.steps();
    if steps.len() > STEPS_MAX {
        context.error(
            &list,
            format!("{} steps are too many", steps.len()),
            format!("keep {STEPS_MAX} at most"),
        );
    }
    for (index, one) in steps.iter().enumerate() {
        let path = match resorts {
            LastResorts::One(_) => list.clone(),
            LastResorts::Many(_) => list.index(index),
        };
        step(context, &path, name, one);
        if one.message.is_some() && index + 1 < steps.len() {
            context.error(
                &path,
                "a message always answers, so that nothing behind it is ever tried",
                "put it last",
            );
        }
    }
}

fn step(context: &mut Context<'_>, path: &Path, name: &str, step: &LastResort) {
    let keys = [
        step.reduce.is_some(),
        step.queue.is_some(),
        step.route.is_some(),
        step.review.is_some(),
        step.message.is_some(),
    ];
    if keys.into_iter().filter(|is_there| *is_there).count() != 1 && context.document.is_whole(path) {
        let remedy = "write one of reduce, queue, route, review and message; several steps are a list";
        context.error(path, "a step does one thing", remedy);
    }
    if let Some(queue) = step.queue
        && (queue.get().is_zero() || QUEUE_MAX < queue.get())
    {
        context.error(&path.key("queue"), format!("{queue} is out of range"), "use 1ms to 30s");
    }
    if let Some(review) = &step.review
        && !(REVIEW_MIN..=REVIEW_MAX).contains(&review.expires.get())
    {
        let path = path.key("review").key("expires");
        context.error(&path, format!("{} is out of range", review.expires), "use 1m to 30d");
    }
    if let Some(message) = &step.message
        && (message.trim().is_empty() || MESSAGE_CHARS_MAX < message.chars().count())
    {
        let remedy = format!("write 1 to {MESSAGE_CHARS_MAX} characters");
        context.error(&path.key("message"), "this says nothing, or too much", remedy);
    }
    if let Some(other) = &step.route {
        route(context, &path.key("route"), name, other);
    }
}

fn route(context: &mut Context<'_>, path: &Path, name: &str, other: &str) {
    if !context.names.routes.contains(other) {
        let remedy = did_you_mean(other, context.names.routes.iter().map(String::as_str));
        let remedy = remedy.unwrap_or_else(|| "name a route; a single model belongs into fallbacks".to_owned());
        context.error(path, format!("no route \"{}\"", shown(other)), remedy);
    } else if leads_to(context, other, name) {
        let remedy = "let one of them end with a message";
        context.error(
            path,
            format!("the last resorts of \"{}\" lead back to this route", shown(other)),
            remedy,
        );
    }
}

/// Whether the last resorts of a route come to that other one, or are it.
fn leads_to(context: &Context<'_>, from: &str, to: &str) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(name) = open.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name) {
            let resorts = context.raw.routes.get(name).and_then(|route| route.last_resort.as_ref());
            open.extend(
                resorts
                    .iter()
                    .flat_map(|resorts| resorts.steps())
                    .filter_map(|step| step.route.as_deref()),
            );
        }
    }
    false
}
