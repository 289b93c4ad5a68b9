//! How hard a request was found to be, in a record's line: enough to fit weights anew by feedback, and no word of the request.

use tollgate_policy::complexity::Verdict;
use tollgate_wire::json;

/// Appends it: tier, score, what spoke for it, the weights' version, and the features that are not 0, in hundredths.
pub(super) fn write(out: &mut Vec<u8>, verdict: &Verdict) {
    super::text(out, b",\"complexity\":{\"tier\":", Some(verdict.tier.name()));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a score is from 0 to 1")]
    let thousandths = (verdict.score * 1000.0).round() as u64;
    out.extend_from_slice(b",\"score\":");
    json::write_integer(out, thousandths / 1000);
    super::thousandths(out, thousandths % 1000);
    super::text(out, b",\"why\":", Some(&verdict.why()));
    super::text(out, b",\"weights\":", Some(&verdict.version));
    out.extend_from_slice(b",\"features\":");
    json::object(out, |features| {
        verdict
            .features
            .named()
            .for_each(|(name, hundredths)| features.integer(name, hundredths.into()));
    });
    out.push(b'}');
}
