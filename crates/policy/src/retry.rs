//! A fault after an attempt: try again, try the next deployment, or stop. One counter for the whole request, fallbacks
//! included; nothing is tried once the answer has begun. What one provider is asked again is bounded by its [`Budget`].

mod budget;

use std::time::Duration;

use tollgate_wire::fault::{Fault, FaultKind, Retry};

use crate::plan::Dice;

pub use budget::Budget;

/// The longest wait between two attempts: a provider that asks for more is answered by the next one, or by the fault itself.
pub const WAIT_MAX: Duration = Duration::from_secs(5);
/// The longest cooldown that a provider's Retry-After may ask for (FAULTS F23).
pub const COOLDOWN_MAX: Duration = Duration::from_secs(300);
const BACKOFF_BASE_MS: u64 = 100;
const BACKOFF_MAX_MS: u64 = 2_000;

/// What may send a call on to the next deployment (`fallback_on`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// It cannot be reached, is broken or overloaded.
    Unavailable,
    /// It did not answer in time.
    Timeout,
    /// It has no room for us now, or our quota there is used up.
    RateLimited,
    /// The prompt does not fit.
    ContextLength,
    /// It refused the content.
    ContentPolicy,
    /// Its answer is not the JSON that was asked for.
    InvalidOutput,
    /// It may cost more than a call of the route may, or than the budgets leave.
    OverCost,
}

impl Trigger {
    /// All triggers with their names in config.
    pub const ALL: [(&'static str, Self); 7] = [
        ("unavailable", Self::Unavailable),
        ("timeout", Self::Timeout),
        ("rate_limited", Self::RateLimited),
        ("context_length", Self::ContextLength),
        ("content_policy", Self::ContentPolicy),
        ("invalid_output", Self::InvalidOutput),
        ("over_cost", Self::OverCost),
    ];

    /// What a route that names fallbacks but no triggers means.
    pub const USUAL: [Self; 3] = [Self::Unavailable, Self::Timeout, Self::RateLimited];

    /// Its name in config.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(_, trigger)| *trigger == self)
            .map_or("", |(name, _)| name)
    }

    /// The trigger that a fault pulls, if any.
    #[must_use]
    pub fn of(fault: &Fault) -> Option<Self> {
        use FaultKind as K;
        Some(match fault.kind {
            K::Timeout => Self::Timeout,
            K::RateLimited | K::QuotaExceeded => Self::RateLimited,
            K::ContextLength | K::TooLarge => Self::ContextLength,
            K::ContentPolicy => Self::ContentPolicy,
            K::InvalidOutput => Self::InvalidOutput,
            K::Overloaded
            | K::Unavailable
            | K::Tls
            | K::BadUpstream
            | K::Truncated
            | K::Upstream
            | K::Unauthorized
            | K::Forbidden
            | K::NotFound => Self::Unavailable,
            _ => return None,
        })
    }
}

/// Where a request stands when an attempt has failed.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// Attempts made, this one included.
    pub made: u32,
    /// Attempts allowed in all.
    pub allowed: u32,
    /// A further deployment is in the plan.
    pub has_next: bool,
    /// The same deployment has another credential that is not cooling.
    pub has_other_credential: bool,
    /// What may send the call on.
    pub fallback_on: &'a [Trigger],
    /// What is left of the deadline.
    pub time_left: Duration,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The same deployment again, after a wait.
    Again(Duration),
    /// The next deployment of the plan, at once.
    Advance,
    /// Give the fault to the caller.
    Stop,
}

/// Decides what follows a failed attempt. `withdraw` takes leave of the provider's [`Budget`] to ask it once more; it is asked only when
/// that is what would follow.
pub fn next(fault: &Fault, standing: &Standing<'_>, dice: &mut Dice, withdraw: impl FnOnce() -> bool) -> Next {
    if standing.made >= standing.allowed || fault.retry == Retry::Never || standing.time_left.is_zero() {
        return Next::Stop;
    }
    let credential_at_fault = matches!(
        fault.kind,
        FaultKind::RateLimited | FaultKind::QuotaExceeded | FaultKind::Unauthorized
    );
    let mut withdraw = Some(withdraw);
    if credential_at_fault && standing.has_other_credential && withdraw.take().is_some_and(|withdraw| withdraw()) {
        return Next::Again(Duration::ZERO);
    }
    let sends_on = Trigger::of(fault).is_some_and(|trigger| standing.fallback_on.contains(&trigger));
    if standing.has_next && sends_on {
        return Next::Advance;
    }
    if fault.retry != Retry::Same {
        return Next::Stop;
    }
    let wait = fault.retry_after.unwrap_or_else(|| backoff(standing.made, dice));
    if wait > WAIT_MAX || wait >= standing.time_left || !withdraw.is_some_and(|withdraw| withdraw()) {
        return Next::Stop;
    }
    Next::Again(wait)
}

/// Full jitter: evenly between 0 and a bound that doubles with each attempt (Brooker, "Exponential Backoff And Jitter").
fn backoff(made: u32, dice: &mut Dice) -> Duration {
    let bound = BACKOFF_BASE_MS.saturating_mul(1 << made.min(10)).min(BACKOFF_MAX_MS);
    Duration::from_millis(dice.below(bound + 1))
}

/// How long a credential or deployment rests after a 429: what the provider says, capped; a second where it says nothing.
#[must_use]
pub fn cooldown(retry_after: Option<Duration>) -> Duration {
    retry_after.unwrap_or(Duration::from_secs(1)).min(COOLDOWN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing() -> Standing<'static> {
        Standing {
            made: 1,
            allowed: 3,
            has_next: true,
            has_other_credential: false,
            fallback_on: &Trigger::USUAL,
            time_left: Duration::from_secs(60),
        }
    }

    fn decide(kind: FaultKind, change: impl FnOnce(&mut Fault, &mut Standing<'static>)) -> Next {
        let (mut fault, mut standing) = (Fault::provider(kind, "x"), standing());
        change(&mut fault, &mut standing);
        next(&fault, &standing, &mut Dice::new(1), || true)
    }

    #[test]
    fn r_g3_without_a_budget_the_provider_is_not_asked_again_but_the_next_one_is() {
        let rows = [
            (true, false, Next::Advance),
            (false, false, Next::Stop),
            (true, true, Next::Advance),
            (false, true, Next::Stop),
        ];
        for (has_next, has_other_credential, expected) in rows {
            let standing = Standing {
                has_next,
                has_other_credential,
                ..standing()
            };
            let mut asked = 0;
            let fault = Fault::provider(FaultKind::RateLimited, "x");
            let next = next(&fault, &standing, &mut Dice::new(1), || {
                asked += 1;
                false
            });
            assert_eq!(next, expected, "{standing:?}");
            assert_eq!(asked, u32::from(has_other_credential || !has_next), "{standing:?}");
        }
    }

    #[test]
    fn waits_have_full_jitter() {
        let (mut fault, standing) = (
            Fault::provider(FaultKind::Upstream, "x"),
            Standing {
                has_next: false,
                ..standing()
            },
        );
        fault.retry_after = None;
        let waits: Vec<u128> = (0..1_000)
            .filter_map(|seed| match next(&fault, &standing, &mut Dice::new(seed), || true) {
                Next::Again(wait) => Some(wait.as_millis()),
                _ => None,
            })
            .collect();
        let mean = waits.iter().sum::<u128>() / 1_000;
        assert_eq!(waits.len(), 1_000);
        assert!(waits.iter().all(|wait| *wait <= 200) && (90..=110).contains(&mean), "{mean}");
        assert!(waits.contains(&0) && waits.contains(&200), "from nothing to all of it");
    }

    #[test]
    fn a_fallback_comes_before_a_second_try() {
        assert_eq!(decide(FaultKind::Unavailable, |_, _| {}), Next::Advance);
        assert_eq!(decide(FaultKind::Timeout, |_, _| {}), Next::Advance);
        assert_eq!(decide(FaultKind::RateLimited, |_, _| {}), Next::Advance);
    }

    #[test]
    fn without_a_fallback_the_same_deployment_is_tried_after_a_short_wait() {
        assert!(matches!(decide(FaultKind::Upstream, |_, s| s.has_next = false), Next::Again(wait) if wait <= Duration::from_millis(200)));
        let waits = decide(FaultKind::RateLimited, |f, s| {
            s.has_next = false;
            f.retry_after = Some(Duration::from_secs(2));
        });
        assert_eq!(waits, Next::Again(Duration::from_secs(2)));
    }

    #[test]
    fn f23_an_absurd_retry_after_is_the_callers_to_see() {
        let stops = decide(FaultKind::RateLimited, |f, s| {
            s.has_next = false;
            f.retry_after = Some(Duration::from_secs(1_000_000_000));
        });
        assert_eq!(stops, Next::Stop);
        assert_eq!(cooldown(Some(Duration::from_secs(1_000_000_000))), COOLDOWN_MAX);
        assert_eq!(cooldown(Some(Duration::from_secs(30))), Duration::from_secs(30));
    }

    #[test]
    fn r_g3_one_counter_for_the_whole_request() {
        assert_eq!(decide(FaultKind::Unavailable, |_, s| s.made = 3), Next::Stop);
    }

    #[test]
    fn what_would_fail_everywhere_is_not_tried_again() {
        assert_eq!(decide(FaultKind::Malformed, |_, _| {}), Next::Stop);
        assert_eq!(
            decide(FaultKind::ContextLength, |_, _| {}),
            Next::Stop,
            "not among the usual triggers"
        );
        assert_eq!(
            decide(FaultKind::ContextLength, |_, s| s.fallback_on = &[Trigger::ContextLength]),
            Next::Advance
        );
        assert_eq!(decide(FaultKind::ContextLength, |_, s| s.has_next = false), Next::Stop);
    }

    #[test]
    fn a_limited_credential_gives_way_to_another_one_at_once() {
        assert_eq!(
            decide(FaultKind::RateLimited, |_, s| s.has_other_credential = true),
            Next::Again(Duration::ZERO)
        );
        assert_ne!(
            decide(FaultKind::Upstream, |_, s| s.has_other_credential = true),
            Next::Again(Duration::ZERO)
        );
    }

    #[test]
    fn no_wait_reaches_beyond_the_deadline() {
        let stops = decide(FaultKind::RateLimited, |f, s| {
            s.has_next = false;
            f.retry_after = Some(Duration::from_secs(3));
            s.time_left = Duration::from_secs(2);
        });
        assert_eq!(stops, Next::Stop);
    }
}
