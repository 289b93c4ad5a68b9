//! Money is exact: properties here, examples worked by hand in `tables`, names in `names`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod names;
mod tables;

use proptest::prelude::*;

use super::*;

/// A price as the list writes it.
fn price(text: &str) -> Price {
    row::read("2026-11-20", text).unwrap_or_else(|| panic!("no row: {text}"))
}

fn rate() -> std::ops::Range<u64> {
    0..2_000_000_000_u64
}

/// Any stated rates; tiers are at least as dear as the base, as vendors' are.
fn prices() -> impl Strategy<Value = Price> {
    let rates = prop::array::uniform10(prop::option::of(rate()));
    let services = prop::collection::vec((0..3_usize, rates.clone()), 0..3);
    let above = prop::collection::vec((0..400_000_u64, rates.clone()), 0..3);
    (rates, above, services, rate(), 0..=10_000_u32, 0..30_000_u32).prop_map(|drawn| {
        let (base, mut above, services, call, discount, margin) = drawn;
        let state = |rates: &[Option<u64>; 10]| {
            let mut stated = Stated::default();
            for (kind, rate) in Kind::ALL.into_iter().zip(rates) {
                stated.set(kind, rate.map(PicoUsd));
            }
            stated
        };
        let base = state(&base);
        let mut price = Price::new("test", "", &base, vec![(Unit::Call, PicoUsd(call))]);
        let mut rates = price.base;
        above.sort_by_key(|(tokens, _)| *tokens);
        for (tokens, tier) in above {
            rates = rates.dearest(Rates::complete(&state(&tier), Some(&base)));
            price.above.push(Above { tokens, rates });
        }
        let tiers = [ServiceTier::Batch, ServiceTier::Flex, ServiceTier::Priority];
        for (which, tier) in services {
            price.services.push((tiers[which], Rates::complete(&state(&tier), Some(&base))));
        }
        price.adjusted(discount, margin)
    })
}

fn tier() -> impl Strategy<Value = ServiceTier> {
    use ServiceTier::{Any, Batch, Flex, Priority, Standard};
    prop::sample::select(vec![Standard, Batch, Flex, Priority, Any])
}

fn usages() -> impl Strategy<Value = Usage> {
    let tokens = || 0..500_000_u64;
    (prop::collection::vec(tokens(), 10), 0..5_u64, prop::option::of(tier())).prop_map(|(counts, web_searches, service_tier)| {
        let at = |index: usize| counts[index];
        Usage {
            input: at(0),
            output: at(1),
            cache_read: at(2),
            cache_write_5m: at(3),
            cache_write_1h: at(4),
            reasoning: at(5),
            audio_input: at(6),
            audio_output: at(7),
            image_input: at(8),
            image_output: at(9),
            web_searches,
            service_tier,
        }
    })
}

proptest! {
    #[test]
    fn every_token_is_billed_once(usage in usages()) {
        let counts = split(&usage);
        let input = [Kind::Input, Kind::CacheRead, Kind::CacheWrite5m, Kind::CacheWrite1h, Kind::AudioInput, Kind::ImageInput];
        let output = [Kind::Output, Kind::Reasoning, Kind::AudioOutput, Kind::ImageOutput];
        prop_assert_eq!(input.into_iter().map(|kind| counts.of(kind)).sum::<u64>(), usage.input);
        prop_assert_eq!(output.into_iter().map(|kind| counts.of(kind)).sum::<u64>(), usage.output);
    }

    #[test]
    fn r_c10_the_total_is_the_parts_rounded_up_once(price in prices(), usage in usages()) {
        let cost = price.cost(&usage, None);
        let picos: u128 = cost.parts().map(|(_, picos)| picos).sum();
        let adjusted = picos * u128::from(price.kept) * u128::from(price.raised);
        let total = u128::try_from(cost.total.0).unwrap(); // never negative
        let nano = 1000 * 10_000 * 10_000_u128;
        prop_assert!(total * nano >= adjusted && (total == 0 || (total - 1) * nano < adjusted));
    }

    #[test]
    fn more_is_never_cheaper(price in prices(), usage in usages(), more in 0..300_000_u64, field in 0..3_usize) {
        let mut larger = usage;
        match field {
            0 => larger.input += more,
            1 => larger.output += more,
            _ => larger.web_searches += more,
        }
        prop_assert!(price.cost(&usage, None).total <= price.cost(&larger, None).total);
    }

    #[test]
    fn r_c2_no_usage_within_an_estimate_costs_more_than_its_ceiling(
        price in prices(), usage in usages(), n in 1..4_u64, slack in 0..1000_u64, asked in tier(), named in any::<bool>(),
    ) {
        // A provider serves the tier that was asked for, or the standard one; where it may choose, any.
        let served = match usage.service_tier {
            Some(tier) if asked == ServiceTier::Any || tier == asked => Some(tier),
            _ if named => Some(ServiceTier::Standard),
            _ => Some(asked),
        };
        let long = usage.cache_write_1h > 250_000;
        let usage = Usage {
            service_tier: served,
            cache_write_1h: if long { usage.cache_write_1h } else { 0 },
            ..usage
        };
        let estimate = Estimate {
            input_tokens: usage.input + slack,
            audio_input: usage.audio_input.min(usage.input),
            image_input: usage.image_input.min(usage.input),
            cache_write_1h: long,
            output_cap: usage.output.div_ceil(n),
            n,
            audio_output: usage.audio_output > 0,
            image_output: usage.image_output > 0,
            service_tier: asked,
            web_searches: usage.web_searches,
            units: Units::default(),
        };
        prop_assert!(price.cost(&usage, None).total <= price.ceiling(&estimate));
    }

    /// Figures that no provider can mean, at prices that nobody asks.
    #[test]
    fn nothing_overflows(price in prices(), count in (u64::MAX - 5)..=u64::MAX) {
        let dear = Price::own(&{
            let mut stated = Stated::default();
            Kind::ALL.into_iter().for_each(|kind| stated.set(kind, Some(PicoUsd(u64::MAX))));
            stated
        }, &[(Unit::Call, PicoUsd(u64::MAX))]).unwrap().adjusted(0, u32::MAX);
        let usage = Usage { input: count, output: count, cache_read: count, reasoning: count, web_searches: count, ..Usage::default() };
        prop_assert_eq!(dear.cost(&usage, Some("auto")).total, NanoUsd(i64::MAX));
        prop_assert!(price.cost(&usage, None).total >= NanoUsd::ZERO);
    }
}

#[test]
fn r_c9_every_row_is_read_and_nothing_is_free_by_mistake() {
    let list = PriceList::built_in();
    assert_eq!(list.date(), "2026-11-20");
    assert!(list.len() > 2_600, "{}", list.len());
    let text = include_str!("../../../../catalog/prices.txt");
    let mut names = 0;
    let mut provider = "";
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty() && !line.starts_with("date = "))
    {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            assert!(provider < name, "not sorted: {name}");
            provider = name;
            continue;
        }
        let (models, _) = line.split_once(" = ").unwrap_or_else(|| panic!("no row: {line}"));
        for model in models.split_whitespace() {
            names += 1;
            let price = list.find_any(provider, model).unwrap_or_else(|| panic!("no price: {line}"));
            let tokens = price.base.of(Kind::Input).0 > 0 || price.base.of(Kind::Output).0 > 0;
            assert!(tokens || price.units.iter().any(|(_, rate)| rate.0 > 0), "free: {line}");
            for rates in price.above.iter().map(|above| &above.rates) {
                assert!(
                    price.base.of(Kind::Input) <= rates.of(Kind::Input),
                    "a longer prompt is cheaper: {line}"
                );
                assert!(
                    price.base.of(Kind::Output) <= rates.of(Kind::Output),
                    "a longer prompt is cheaper: {line}"
                );
            }
            // What is billed by the token has both rates, and neither is zero, or it makes no answers (embeddings).
            if let Some(price) = list.find(provider, model) {
                assert!(price.base.of(Kind::Input).0 > 0, "free: {line}");
            }
        }
    }
    assert_eq!(names, list.len(), "a name stands twice");
}
