//! What is left when every attempt of a call has failed and nothing has reached its caller: steps that a route names, tried in their order.

use std::time::Duration;

use tollgate_wire::fault::{Fault, FaultKind, Origin, Retry};

use crate::retry::Trigger;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resort {
    /// Once more through the plan, for at most so many output tokens.
    Reduce(u64),
    /// A wait for a model to recover, at most so long.
    Queue(Duration),
    /// Another route, by its name.
    Route(String),
    /// A person decides, within that time.
    Review(Duration),
    /// A text, given as the answer.
    Message(String),
}

impl Resort {
    /// The word for headers and records.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Reduce(_) => "last_resort_reduce",
            Self::Queue(_) => "last_resort_queue",
            Self::Route(_) => "last_resort_route",
            Self::Review(_) => "last_resort_review",
            Self::Message(_) => "last_resort_message",
        }
    }
}

/// Steps that one call may take in all, those of the routes that it is sent on to included.
pub const STEPS_MAX: usize = 16;

/// Whether a fault is one that a last resort is for: providers that cannot answer, and not a request that is wrong, a caller who may
/// not, or a budget that is spent.
#[must_use]
pub fn applies(fault: &Fault) -> bool {
    match fault.origin {
        Origin::Client => false,
        Origin::Provider => Trigger::of(fault).is_some(),
        Origin::Gateway => {
            // What no retry helps is a decision of ours: a switch, or the end of the process.
            fault.retry != Retry::Never && matches!(fault.kind, FaultKind::Unavailable | FaultKind::RateLimited | FaultKind::Timeout)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_resort_is_for_providers_that_fail_and_for_nothing_else() {
        use FaultKind as K;
        let rows = [
            (Origin::Provider, K::Unavailable, true),
            (Origin::Provider, K::Timeout, true),
            (Origin::Provider, K::RateLimited, true),
            (Origin::Provider, K::ContentPolicy, true),
            (Origin::Provider, K::Malformed, false),
            (Origin::Gateway, K::Unavailable, true),
            (Origin::Gateway, K::RateLimited, true),
            // A kill switch, a missing permission or a spent budget is an answer.
            (Origin::Gateway, K::Forbidden, false),
            (Origin::Gateway, K::QuotaExceeded, false),
            (Origin::Gateway, K::Internal, false),
            (Origin::Client, K::Timeout, false),
            (Origin::Client, K::Lossy, false),
        ];
        for (origin, kind, expected) in rows {
            let mut fault = Fault::new(kind, origin, "x");
            fault.retry = Retry::Same;
            assert_eq!(applies(&fault), expected, "{origin:?} {kind:?}");
            fault.retry = Retry::Never;
            assert_eq!(applies(&fault), expected && origin == Origin::Provider, "{origin:?} {kind:?}");
        }
    }
}
