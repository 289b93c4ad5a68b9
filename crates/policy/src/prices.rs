//! What an answer costs, and what it can cost at most: exact integers, rounded up to a nano-USD once per request (FAULTS R-C10).
//!
//! A vendor's rates are replaced, for the whole request, by those of a tier: one for prompts above a size, one for a service tier. Where both
//! apply the dearer counts, kind by kind, for no price list says what holds then. Which prices there are is [`list`]'s; what a rate that
//! is not stated costs is [`rates`]'s.

pub mod list;
pub mod rates;
mod row;

use sha2::{Digest, Sha256};
use tollgate_wire::usage::{ServiceTier, Usage};

use crate::estimate::Estimate;
use crate::money::{NanoUsd, PicoUsd};
pub use list::PriceList;
pub use rates::{Kind, PerKind, Rates, Stated, Unit, Units};
pub use row::{each, per_million};

/// A whole, in hundredths of a percent.
const BASIS_POINTS: u32 = 10_000;
/// Pico-USD in one nano-USD.
const PICOS: u128 = 1000;
/// A search of the web where the vendor states no price for it: 10 USD per 1,000, what Anthropic asks and the only ones that are reported.
const WEB_SEARCH: PicoUsd = PicoUsd(10_000_000_000);

/// The price of one model at one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    version: String,
    stated: Stated,
    base: Rates,
    above: Vec<Above>,
    services: Vec<(ServiceTier, Rates)>,
    units: Vec<(Unit, PicoUsd)>,
    /// What is kept of a vendor's price, and what is put on top: both in basis points of the whole.
    kept: u32,
    raised: u32,
}

/// The rates of prompts above a size.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Above {
    /// Strictly more input tokens than this.
    tokens: u64,
    rates: Rates,
}

/// What an answer costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// The whole, with discount and margin, rounded up.
    pub total: NanoUsd,
    /// By kind of token, in pico-USD, before discount and margin.
    pub tokens: PerKind<u128>,
    /// By the piece, in pico-USD, before discount and margin.
    pub fees: u128,
}

impl Cost {
    /// The parts that cost something, by name, in pico-USD before discount and margin: for display.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, u128)> {
        let tokens = self.tokens;
        let kinds = Kind::ALL.into_iter().map(move |kind| (kind.name(), tokens.of(kind)));
        kinds.chain([("fees", self.fees)]).filter(|(_, picos)| *picos > 0)
    }
}

impl Price {
    /// A price of one's own, from config: it takes the place of the whole row of the price list, tiers and fees included.
    /// `None`: it does not say what input and output cost.
    #[must_use]
    pub fn own(stated: &Stated, units: &[(Unit, PicoUsd)]) -> Option<Self> {
        let both = stated.of(Kind::Input).is_some() && stated.of(Kind::Output).is_some();
        both.then(|| Self::new("config", &format!("{stated:?}{units:?}"), stated, units.to_vec()))
    }

    /// `origin` and a hash of `text` are its version.
    fn new(origin: &str, text: &str, stated: &Stated, units: Vec<(Unit, PicoUsd)>) -> Self {
        Self {
            version: version(origin, text),
            stated: *stated,
            base: Rates::complete(stated, None),
            above: Vec::new(),
            services: Vec::new(),
            units,
            kept: BASIS_POINTS,
            raised: BASIS_POINTS,
        }
    }

    /// The same with a discount of the vendor's (at most the whole) and a margin of one's own, in basis points (100 = 1 %).
    /// The discount is taken first; both are part of the version.
    #[must_use]
    pub fn adjusted(mut self, discount_bp: u32, margin_bp: u32) -> Self {
        if discount_bp > 0 || margin_bp > 0 {
            self.version = format!("{}-{discount_bp}+{margin_bp}", self.version);
        }
        self.kept = BASIS_POINTS.saturating_sub(discount_bp);
        self.raised = BASIS_POINTS.saturating_add(margin_bp);
        self
    }

    /// What stands in the ledger beside every cost: the price list's date, or `config`, and a hash of the price.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether it says what the tokens of a prompt and of an answer cost.
    #[must_use]
    pub fn prices_tokens(&self) -> bool {
        self.stated.of(Kind::Input).is_some() && self.stated.of(Kind::Output).is_some()
    }

    /// What the text of a prompt and of an answer costs together: to compare two prices by.
    fn text_rates(&self) -> u64 {
        self.base.of(Kind::Input).0.saturating_add(self.base.of(Kind::Output).0)
    }

    /// What an answer costs. The service tier is the one that the answer names, else the one that the request asked for; where that leaves
    /// it open (`auto`, or a word that we do not know), the dearest.
    #[must_use]
    pub fn cost(&self, usage: &Usage, service_tier: Option<&str>) -> Cost {
        self.sum(usage, &Units::default(), service_tier)
    }

    /// The same of an answer that is billed by the piece too. `None`: something was counted that has no price, which is not the same as free.
    #[must_use]
    pub fn cost_with(&self, usage: &Usage, units: &Units, service_tier: Option<&str>) -> Option<Cost> {
        let unpriced = |unit: &Unit| units.thousandths(*unit) > 0 && self.unit(*unit).is_none();
        (!Unit::ALL.iter().any(unpriced)).then(|| self.sum(usage, units, service_tier))
    }

    /// The most that a request within the estimate can cost: at the dearest rates of the tiers that it may reach.
    #[must_use]
    pub fn ceiling(&self, estimate: &Estimate) -> NanoUsd {
        let rates = self.dearest(estimate);
        let mut written = rates.of(Kind::CacheWrite5m);
        if estimate.cache_write_1h {
            written = written.max(rates.of(Kind::CacheWrite1h));
        }
        let input = rates.of(Kind::Input).max(rates.of(Kind::CacheRead)).max(written);
        let mut output = rates.of(Kind::Output).max(rates.of(Kind::Reasoning));
        for (possible, kind) in [
            (estimate.audio_output, Kind::AudioOutput),
            (estimate.image_output, Kind::ImageOutput),
        ] {
            if possible {
                output = output.max(rates.of(kind));
            }
        }
        // Sound and images are among the input tokens: only what they cost above text is added.
        let premium = |tokens: u64, kind| times(tokens, PicoUsd(rates.of(kind).0.saturating_sub(input.0)));
        let fees = self.fees(&Units {
            web_searches: estimate.web_searches,
            ..estimate.units
        });
        let picos = [
            times(estimate.input_tokens, input),
            premium(estimate.audio_input, Kind::AudioInput),
            premium(estimate.image_input, Kind::ImageInput),
            times(estimate.output_cap, output).saturating_mul(u128::from(estimate.n)),
            fees,
        ];
        self.charged(picos.into_iter().fold(0, u128::saturating_add))
    }

    fn sum(&self, usage: &Usage, units: &Units, asked: Option<&str>) -> Cost {
        let tier = usage.service_tier.or_else(|| asked.map(ServiceTier::named)).unwrap_or_default();
        let rates = self.rates(usage.input, tier);
        let counts = split(usage);
        let mut tokens = PerKind::default();
        let mut picos = 0_u128;
        for kind in Kind::ALL {
            let part = times(counts.of(kind), rates.of(kind));
            tokens.set(kind, part);
            picos = picos.saturating_add(part);
        }
        let fees = self.fees(&Units {
            web_searches: usage.web_searches.saturating_add(units.web_searches),
            ..*units
        });
        Cost {
            total: self.charged(picos.saturating_add(fees)),
            tokens,
            fees,
        }
    }

    /// The rates that hold for a prompt of that size in that tier.
    fn rates(&self, prompt: u64, tier: ServiceTier) -> Rates {
        let mut rates = self.served(tier);
        // Ascending: the last that applies takes the place of those before it.
        if let Some(above) = self.above.iter().rev().find(|above| prompt > above.tokens) {
            rates = match self.stands_alone(tier) {
                true => above.rates,
                false => rates.dearest(above.rates),
            };
        }
        rates
    }

    /// The dearest of all rates that a request within the estimate can meet.
    fn dearest(&self, estimate: &Estimate) -> Rates {
        let mut rates = self.base.dearest(self.served(estimate.service_tier));
        for above in self.above.iter().filter(|above| estimate.input_tokens > above.tokens) {
            rates = rates.dearest(above.rates);
        }
        rates
    }

    /// Whether nothing but the base rates holds in a tier.
    fn stands_alone(&self, tier: ServiceTier) -> bool {
        tier != ServiceTier::Any && !self.services.iter().any(|(served, _)| *served == tier)
    }

    fn served(&self, tier: ServiceTier) -> Rates {
        if tier == ServiceTier::Any {
            return self.services.iter().fold(self.base, |dearest, (_, rates)| dearest.dearest(*rates));
        }
        let served = self.services.iter().find(|(served, _)| *served == tier);
        served.map_or(self.base, |(_, rates)| *rates)
    }

    fn unit(&self, unit: Unit) -> Option<PicoUsd> {
        let stated = self.units.iter().find(|(priced, _)| *priced == unit).map(|(_, rate)| *rate);
        stated.or(match unit {
            Unit::Call => Some(PicoUsd(0)),
            Unit::WebSearch => Some(WEB_SEARCH),
            _ => None,
        })
    }

    fn fees(&self, units: &Units) -> u128 {
        Unit::ALL.into_iter().fold(0, |sum: u128, unit| {
            let rate = u128::from(self.unit(unit).unwrap_or_default().0);
            sum.saturating_add(units.thousandths(unit).saturating_mul(rate).div_ceil(1000))
        })
    }

    /// With discount and margin, and rounded up: the one place where anything is.
    fn charged(&self, picos: u128) -> NanoUsd {
        let whole = u128::from(BASIS_POINTS) * u128::from(BASIS_POINTS) * PICOS;
        let share = u128::from(self.kept) * u128::from(self.raised);
        NanoUsd(i64::try_from(picos.saturating_mul(share).div_ceil(whole)).unwrap_or(i64::MAX))
    }
}

/// Every token as exactly one kind. Where a vendor's parts are more than its total, the parts that come first here keep theirs and cache
/// reads give way, for they are the cheapest. Sound and images that were read from the cache are so billed as if the text had been.
fn split(usage: &Usage) -> PerKind<u64> {
    let mut counts = PerKind::default();
    let mut share = |total: u64, parts: &[(Kind, u64)], rest: Kind| {
        let mut left = total;
        for (kind, tokens) in parts {
            counts.set(*kind, left.min(*tokens));
            left = left.saturating_sub(*tokens);
        }
        counts.set(rest, left);
    };
    let input = [
        (Kind::CacheWrite1h, usage.cache_write_1h),
        (Kind::CacheWrite5m, usage.cache_write_5m),
        (Kind::AudioInput, usage.audio_input),
        (Kind::ImageInput, usage.image_input),
        (Kind::CacheRead, usage.cache_read),
    ];
    let output = [
        (Kind::AudioOutput, usage.audio_output),
        (Kind::ImageOutput, usage.image_output),
        (Kind::Reasoning, usage.reasoning),
    ];
    share(usage.input, &input, Kind::Input);
    share(usage.output, &output, Kind::Output);
    counts
}

fn times(count: u64, rate: PicoUsd) -> u128 {
    u128::from(count) * u128::from(rate.0)
}

fn version(origin: &str, text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    let head: String = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{origin}-{head}")
}

#[cfg(test)]
mod tests;
