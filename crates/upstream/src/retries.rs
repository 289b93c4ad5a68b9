//! What one provider is asked again, over all of its models: `policy::retry::Budget`, shared between threads. A call that goes well costs
//! one addition; the lock is taken when something has failed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tollgate_policy::retry::Budget;

/// The retry budget of a provider.
#[derive(Debug, Default)]
pub struct RetryBudget {
    calls: AtomicU64,
    withheld: AtomicU64,
    budget: Mutex<Budget>,
}

impl RetryBudget {
    /// A request's first call.
    pub fn first(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// A further call, if the budget has room for it.
    pub fn again(&self, now: Instant) -> bool {
        let granted = self.budget().withdraw(now, self.calls());
        if !granted {
            self.withheld.fetch_add(1, Ordering::Relaxed);
        }
        granted
    }

    /// A call of a request that another provider has failed: free where this one is well.
    pub fn fallback(&self, now: Instant) -> bool {
        let calls = self.calls();
        if self.budget().in_trouble(now, calls) {
            return self.again(now);
        }
        self.first();
        true
    }

    /// A call failed in a way that speaks against the provider.
    pub fn failed(&self, now: Instant) {
        let calls = self.calls();
        self.budget().failed(now, calls);
    }

    /// Calls that were not made for want of budget, since the start.
    #[must_use]
    pub fn withheld(&self) -> u64 {
        self.withheld.load(Ordering::Relaxed)
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        // Plain numbers: valid whatever happened to who held it.
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
