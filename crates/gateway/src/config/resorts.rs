//! What a route does where it would have to refuse: its last resorts, and what it makes of a limit's refusal.

use std::time::Duration;

use tollgate_policy::resorts::Resort;

use super::raw;

/// What a limit's refusal means for the calls of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnLimit {
    /// They wait, at most so long.
    Queue(Duration),
    /// These models answer instead, in order.
    Downgrade(Vec<String>),
}

/// The steps of a route, in their order.
pub(super) fn build(typed: Option<&raw::LastResorts>) -> Vec<Resort> {
    let steps = typed.map_or(&[][..], raw::LastResorts::steps);
    steps.iter().filter_map(step).collect()
}

fn step(typed: &raw::LastResort) -> Option<Resort> {
    let reduce = typed.reduce.as_ref().map(|reduce| Resort::Reduce(reduce.max_tokens.into()));
    let queue = typed.queue.as_ref().map(|longest| Resort::Queue(longest.get()));
    let route = typed.route.clone().map(Resort::Route);
    let review = typed.review.as_ref().map(|review| Resort::Review(review.expires.get()));
    let message = typed.message.clone().map(Resort::Message);
    reduce.or(queue).or(route).or(review).or(message)
}

/// `None`: the call is refused.
pub(super) fn on_limit(typed: &raw::OnExceed) -> Option<OnLimit> {
    let raw::OnExceed::Map(map) = typed else { return None };
    let queue = map.queue.as_ref().map(|longest| OnLimit::Queue(longest.get()));
    queue.or_else(|| map.downgrade.clone().map(OnLimit::Downgrade))
}
