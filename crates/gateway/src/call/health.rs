//! What an attempt means for others: which credential it may use, and what its end says about the credential and the deployment.

use std::time::{Duration, Instant};

use tollgate_policy::retry;
use tollgate_upstream::credentials::{Credential, NoCredential, Reach};
use tollgate_upstream::deployment::{Asked, Door};
use tollgate_wire::fault::{Fault, FaultKind, Origin};

use crate::clock;

/// How long a refused credential rests.
const REFUSED_REST: Duration = Duration::from_secs(60);

/// The credential for a try; `None`: none is needed.
pub(super) fn credential_of(door: &Door, now: Instant) -> Result<Option<&Credential>, Fault> {
    match door.credential(now) {
        Ok(credential) => Ok(Some(credential)),
        Err(NoCredential::Empty) => Ok(None),
        Err(NoCredential::Resting(until)) => {
            let mut fault = Fault::provider(FaultKind::RateLimited, "the provider is limiting this gateway; try again later")
                .with_code("upstream_rate_limited");
            fault.retry_after = Some(until.saturating_duration_since(now));
            Err(fault)
        }
    }
}

/// Whether the deployment can be asked again with another credential.
pub(super) fn has_other_credential(door: &Door) -> bool {
    door.has_other_credential(clock::instant())
}

/// What a fault says about the deployment itself: not that it is busy, and not that the request was wrong.
pub(super) fn judge(asked: &mut Asked, fault: &Fault, now: Instant) {
    use FaultKind as K;
    if fault.origin != Origin::Provider {
        return;
    }
    match fault.kind {
        K::Unavailable | K::Timeout | K::Tls | K::BadUpstream | K::Truncated | K::Upstream | K::Overloaded => asked.went_wrong(now),
        K::RateLimited | K::QuotaExceeded => asked.limited(now),
        // It answered: that is health.
        _ if fault.provider_status.is_some() => asked.went_well(),
        _ => {}
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
