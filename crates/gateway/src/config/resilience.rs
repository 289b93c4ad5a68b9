//! What a route does about failures, built: breakers, hedges, times, triggers.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tollgate_policy::health;
use tollgate_policy::hedge::{After, Purse};
use tollgate_policy::money::NanoUsd;
use tollgate_policy::retry::Trigger;
use tollgate_upstream::client::{MinRate, Timeouts};

use super::raw;

/// What a route does about failures beside trying again.
#[derive(Debug, Default)]
pub struct Resilience {
    /// When the breakers of its models open.
    pub breaker: health::Settings,
    /// When the next model is asked too.
    pub hedge: Option<Hedge>,
    /// The most that a call may cost.
    pub max_cost: Option<NanoUsd>,
}

/// When the next model is asked too, and what that may cost.
#[derive(Debug)]
pub struct Hedge {
    /// When.
    pub after: After,
    purse: Mutex<Purse>,
}

impl Hedge {
    /// A call was made that may cost so much.
    pub fn deposit(&self, now: Instant, cost: u64) {
        self.purse.lock().unwrap_or_else(PoisonError::into_inner).deposit(now, cost);
    }

    /// Takes what a hedge may cost, if it is there.
    pub fn withdraw(&self, now: Instant, cost: u64) -> bool {
        // Plain numbers: valid whatever happened to who held it.
        self.purse.lock().unwrap_or_else(PoisonError::into_inner).withdraw(now, cost)
    }
}

impl Resilience {
    pub(super) fn of(raw: &raw::Route) -> Self {
        Self {
            breaker: health::Settings {
                consecutive_failures: raw.breaker.consecutive_failures,
                success_below: raw.breaker.success_below.map(raw::Share::per_ten_thousand),
                p95_above: raw.breaker.p95_above.map(raw::Period::get),
                open_for: raw.breaker.open_for.get(),
            },
            hedge: raw.hedge.as_ref().map(|hedge| Hedge {
                after: hedge.after.get(),
                purse: Mutex::new(Purse::new(hedge.extra_cost.per_ten_thousand())),
            }),
            max_cost: raw.max_cost.map(raw::Money::get),
        }
    }
}

pub(super) fn trigger(on: raw::FallbackOn) -> Trigger {
    match on {
        raw::FallbackOn::Unavailable => Trigger::Unavailable,
        raw::FallbackOn::Timeout => Trigger::Timeout,
        raw::FallbackOn::RateLimited => Trigger::RateLimited,
        raw::FallbackOn::ContextLength => Trigger::ContextLength,
        raw::FallbackOn::ContentPolicy => Trigger::ContentPolicy,
        raw::FallbackOn::InvalidOutput => Trigger::InvalidOutput,
        raw::FallbackOn::OverCost => Trigger::OverCost,
    }
}

pub(super) fn timeouts(raw: &raw::Timeouts) -> Timeouts {
    Timeouts {
        connect: raw.connect.get(),
        first_byte: raw.first_byte.get(),
        idle: raw.idle.get(),
        total: raw.total.get(),
        min_rate: raw.min_rate.map(|rate| MinRate {
            bytes: rate.count(),
            window: rate.window(),
        }),
    }
}
