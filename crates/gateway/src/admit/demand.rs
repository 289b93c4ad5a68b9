//! What a call is about to need, as far as that can be told before it is made: the values that it is counted by,
//! and upper estimates of its tokens.

use std::cell::LazyCell;
use std::sync::OnceLock;

use bytes::Bytes;
use tollgate_policy::accounts::{Demand, Part, Scoped};
use tollgate_policy::estimate::{Estimate, InputTokens};
use tollgate_policy::money::NanoUsd;
use tollgate_policy::rules::Facts;
use tollgate_policy::scopes::Subject;
use tollgate_wire::sizes::{self, Sizes};
use tollgate_wire::usage::{ServiceTier, Usage};

use super::Desk;
use crate::config::snapshot::{Route, Target};
use crate::identify::Caller;
use crate::ingress::Call;
use crate::ledger::lock;

/// Searches of the web that a request with the tool for it may make where it does not say.
const WEB_SEARCHES: u64 = 10;
/// A larger body is weighed in any case.
const ROUGH_BYTES_MAX: usize = 128 << 10;

/// The values that a call is counted by, before there is an attempt.
pub(super) fn subject<'a>(caller: &'a Caller, route: &'a Route, tags: &'a [(&'a str, &'a str)]) -> Subject<'a> {
    Subject {
        team: Some(&caller.team().name),
        user: caller.user(),
        key: caller.key_id(),
        feature: caller.feature(),
        route: Some(&route.name),
        tags,
        ..Subject::default()
    }
}

/// The accounts that a call meets. What conditions may ask is put together only for a rule that has one.
pub(super) fn scoped<'a>(desk: Desk<'a>, subject: &'a Subject<'a>, part: Part, facts: impl FnOnce() -> Facts<'a>) -> Scoped<'a> {
    let facts = LazyCell::new(facts);
    let spending = &desk.config.spending;
    let applies = |rule| spending.concerns(rule, subject) && (!spending.is_conditional(rule) || spending.applies(rule, &facts));
    spending.rules.scoped(subject, part, applies)
}

/// What a call may take, whichever deployment answers.
pub(crate) struct Needs {
    body: Bytes,
    sizes: OnceLock<Sizes>,
    /// What the caller limits its output to.
    limit: Option<u64>,
    /// What is written where it does not.
    usual: u64,
    choices: u64,
    pub(super) tier: ServiceTier,
    web_searches: u64,
    /// The answer may hold sound or images.
    speaks: bool,
}

impl Needs {
    /// Of a call.
    pub(crate) fn of(desk: Desk<'_>, call: &Call) -> Self {
        let body = &call.body[..];
        let searches = call
            .envelope
            .field("tools")
            .is_some_and(|tools| tools.text(body).contains("web_search"))
            || call.envelope.field("web_search_options").is_some();
        Self {
            body: call.body.clone(),
            sizes: OnceLock::new(),
            limit: call.envelope.max_tokens,
            usual: desk.config.spending.output_cap,
            choices: call.envelope.count("n", body).unwrap_or(1).max(1),
            tier: call
                .envelope
                .word("service_tier", body)
                .map_or(ServiceTier::Standard, |word| ServiceTier::named(&word)),
            web_searches: if searches { WEB_SEARCHES } else { 0 },
            speaks: call.envelope.field("modalities").is_some() || call.envelope.field("audio").is_some(),
        }
    }

    /// What the body weighs; found out once, and not at all for a rough estimate of a body that can hold no picture worth telling apart.
    fn sizes(&self, care: Care) -> Sizes {
        if care == Care::Rough && self.body.len() <= ROUGH_BYTES_MAX {
            return Sizes {
                text_bytes: self.body.len() as u64,
                messages: 1,
                ..Sizes::default()
            };
        }
        *self.sizes.get_or_init(|| sizes::scan(&self.body))
    }

    /// Bytes of text, where the body was weighed and holds nothing else: what a model's tokens can be learned from.
    pub(super) fn text_bytes(&self) -> Option<u64> {
        let sizes = self.sizes.get()?;
        let other = sizes.images + sizes.audio_bytes + sizes.document_bytes + sizes.documents;
        (other == 0).then_some(sizes.text_bytes)
    }

    /// The output that a deployment may give at most, and whether that has to be said to it.
    pub(super) fn output(&self, target: &Target) -> (u64, bool) {
        let model = target.deployment.output_tokens_max().unwrap_or(u64::MAX);
        (self.limit.unwrap_or(self.usual).min(model), self.limit.is_none())
    }

    /// What a deployment is expected to cost: by what its texts have taken lately, and by how long its answers on this route are. Not what
    /// is held. `None`: nobody knows what it costs.
    pub(crate) fn expected_cost(&self, target: &Target) -> Option<NanoUsd> {
        let price = target.price.as_ref()?;
        let sizes = self.sizes(Care::Calibrated);
        let input = InputTokens::calibrated(&sizes, &target.deployment.name, &lock(&target.calibration));
        let (most, _) = self.output(target);
        let usage = Usage {
            input: input.total(),
            output: target.outputs.expected().map_or(most, |expected| expected.min(most)) * self.choices,
            service_tier: Some(self.tier),
            ..Usage::default()
        };
        Some(price.cost(&usage, None).total)
    }

    /// What a deployment may take with that much output.
    pub(super) fn estimate(&self, target: &Target, output: u64, care: Care) -> Estimate {
        let model = &target.deployment.name;
        let sizes = self.sizes(care);
        let input = match care {
            Care::Strict => InputTokens::strict(&sizes, model),
            Care::Calibrated | Care::Rough => InputTokens::calibrated(&sizes, model, &lock(&target.calibration)),
        };
        Estimate {
            cache_write_1h: sizes.cache_1h,
            n: self.choices,
            service_tier: self.tier,
            web_searches: self.web_searches,
            audio_output: self.speaks,
            image_output: self.speaks,
            ..Estimate::new(input, output)
        }
    }
}

/// How carefully a call is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// Nothing is decided by it, and it costs nothing that we know of: by the body's length.
    Rough,
    /// By what the model's texts have taken lately.
    Calibrated,
    /// An upper bound whatever the text is.
    Strict,
}

/// The tokens and the money of an estimate.
pub(super) fn demand(target: &Target, estimate: &Estimate) -> Demand {
    Demand {
        input_tokens: estimate.input_tokens,
        output_tokens: estimate.output_cap.saturating_mul(estimate.n),
        money: target.price.as_ref().map(|price| price.ceiling(estimate)).unwrap_or_default(),
    }
}
