//! Checks of a route's breaker and hedge, and of the pace of answers.

use std::time::Duration;

use super::super::document::Path;
use super::super::raw::{Breaker, Hedge, Route, Share};
use super::Context;

pub(super) fn check(context: &mut Context<'_>, path: &Path, route: &Route) {
    breaker(context, &path.key("breaker"), &route.breaker);
    if let Some(rate) = route.timeouts.min_rate
        && rate.count() == 0
    {
        let path = path.key("timeouts").key("min_rate");
        context.error(
            &path,
            format!("{rate} is no least pace"),
            "write for example 500/10s, or leave it out",
        );
    }
    if let Some(wanted) = &route.hedge {
        hedge(context, path, route, wanted);
    }
}

fn breaker(context: &mut Context<'_>, path: &Path, breaker: &Breaker) {
    let (least, most) = (Duration::from_millis(1), Duration::from_secs(86_400));
    for (key, period) in [("p95_above", breaker.p95_above), ("open_for", Some(breaker.open_for))] {
        if let Some(period) = period.filter(|period| !(least..=most).contains(&period.get())) {
            context.error(&path.key(key), format!("{period} is out of range"), "use 1ms to 24h");
        }
    }
    if let Some(share) = breaker.success_below
        && !(Share::percent(1)..=Share::percent(100)).contains(&share)
    {
        context.error(&path.key("success_below"), format!("{share} is out of range"), "use 1% to 100%");
    }
}

fn hedge(context: &mut Context<'_>, route_path: &Path, route: &Route, hedge: &Hedge) {
    let path = route_path.key("hedge");
    if !(Share::percent(0)..=Share::percent(100)).contains(&hedge.extra_cost) || hedge.extra_cost == Share::percent(0) {
        let reason = format!("{} is out of range", hedge.extra_cost);
        context.error(&path.key("extra_cost"), reason, "use 0.01% to 100%, or remove the hedge");
    }
    let whole = ["targets", "fallbacks"]
        .iter()
        .all(|key| context.document.is_whole(&route_path.key(key)));
    if whole && route.targets.len() + route.fallbacks.len() < 2 && route.targets.len() == 1 {
        context.error(&path, "there is no second model to ask", "add a fallback, or remove the hedge");
    }
    if route.retry.attempts == 1 {
        let remedy = "allow 2 attempts or more, or remove the hedge";
        context.error(&path, "retry.attempts is 1, and a hedge is an attempt as well", remedy);
    }
}
