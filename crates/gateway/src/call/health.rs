//! What an attempt means for others: which credential it may use, and what its end says about the credential and the deployment.

use std::time::{Duration, Instant};

use tollgate_policy::retry;
use tollgate_upstream::credentials::{Credential, NoCredential, Reach};
use tollgate_upstream::deployment::{Asked, Deployment, Door};
use tollgate_wire::fault::{Fault, FaultKind, Origin};

use crate::clock;

/// How long a refused credential rests.
const REFUSED_REST: Duration = Duration::from_secs(60);

/// The credential for a try; `None`: none is needed.
pub(super) fn credential_of(door: &Door, now: Instant) -> Result<Option<&Credential>, Fault> {
    match door.credential(now) {
        Ok(credential) => Ok(Some(credential)),
        Err(NoCredential::Empty) => Ok(None),
        Err(NoCredential::Resting(until)) => Err(limited(until.saturating_duration_since(now))),
    }
}

/// The code of a fault that says that a provider, or all of its credentials, have no room for us.
pub(super) const LIMITED: &str = "upstream_rate_limited";

/// The provider has said that it has no room for us.
pub(super) fn limited(wait: Duration) -> Fault {
    let mut fault = Fault::provider(FaultKind::RateLimited, "the provider is limiting this gateway; try again later").with_code(LIMITED);
    fault.retry_after = Some(wait);
    fault
}

/// Whether the deployment can be asked again with another credential.
pub(super) fn has_other_credential(door: &Door) -> bool {
    door.has_other_credential(clock::instant())
}

/// What a fault says about the deployment itself: not that it is busy, and not that the request was wrong. True when it speaks against it.
pub(super) fn judge(asked: &mut Asked, fault: &Fault, now: Instant) -> bool {
    use FaultKind as K;
    if fault.origin != Origin::Provider {
        return false;
    }
    match fault.kind {
        K::Unavailable | K::Timeout | K::Tls | K::BadUpstream | K::Truncated | K::Upstream | K::Overloaded => {
            asked.went_wrong(now);
            return true;
        }
        K::RateLimited | K::QuotaExceeded => asked.limited(now),
        // It answered: that is health.
        _ if fault.provider_status.is_some() => asked.answered(),
        _ => {}
    }
    false
}

/// A deployment that needs no credential rests itself, where its provider says for how long.
pub(super) fn rest_deployment(deployment: &Deployment, fault: &Fault, now: Instant) {
    if matches!(fault.kind, FaultKind::RateLimited | FaultKind::QuotaExceeded) && fault.retry_after.is_some() {
        deployment.rest(now + retry::cooldown(fault.retry_after));
    }
}

/// The first status that speaks of the provider's own trouble.
const SERVER_ERROR: u16 = 500;

/// A limited or refused credential rests, so that its siblings are asked meanwhile. What is wrong with the provider is wrong for all of them:
/// no credential rests for it, whatever the error's words are.
pub(super) fn rest(door: &Door, credential: &Credential, fault: &Fault, now: Instant) {
    if fault.provider_status.is_some_and(|status| SERVER_ERROR <= status) {
        return;
    }
    let (reach, rest) = match fault.kind {
        FaultKind::RateLimited => (Reach::Model(&door.target.model), retry::cooldown(fault.retry_after)),
        FaultKind::QuotaExceeded => (Reach::Account, retry::cooldown(fault.retry_after)),
        FaultKind::Unauthorized => (Reach::Account, REFUSED_REST),
        _ => return,
    };
    // A single credential that always rested would keep its provider's own words from the caller.
    if 1 < door.site.credentials.len() || fault.retry_after.is_some() {
        door.site.credentials.rest(credential, reach, now + rest, now);
    }
}
