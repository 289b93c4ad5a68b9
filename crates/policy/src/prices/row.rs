//! One line of the price list, as text and as a [`Price`]. The head of `catalog/prices.txt` is the reference of its form.

use tollgate_wire::usage::ServiceTier;

use super::{Above, Kind, Price, Rates, Stated, Unit};
use crate::money::PicoUsd;

/// Digits behind the point of a price in pico-USD.
const PLACES: usize = 12;
/// Of a price per million tokens.
const PLACES_PER_MILLION: usize = 6;

/// Reads what stands behind the `=` of a row. `None`: it is not of that form, which the tests exclude for the list that is built in.
pub(super) fn read(date: &str, text: &str) -> Option<Price> {
    let mut sections = text.split('|');
    let (stated, units) = rates(sections.next()?)?;
    let mut price = Price::new(date, text.trim(), &stated, units);
    for section in sections {
        let (when, text) = section.split_once(':')?;
        let (tier, units) = rates(text)?;
        if !units.is_empty() {
            return None;
        }
        let rates = Rates::complete(&tier, Some(&stated));
        match when.trim().split_once(' ') {
            Some(("above", tokens)) => price.above.push(Above {
                tokens: tokens.parse().ok()?,
                rates,
            }),
            Some(("from", tokens)) => price.above.push(Above {
                tokens: tokens.parse::<u64>().ok()?.checked_sub(1)?,
                rates,
            }),
            Some(_) => return None,
            None => price.services.push((service(when.trim())?, rates)),
        }
    }
    price.above.sort_by_key(|above| above.tokens);
    Some(price)
}

fn service(word: &str) -> Option<ServiceTier> {
    match ServiceTier::named(word) {
        ServiceTier::Any | ServiceTier::Standard => None,
        tier => Some(tier),
    }
}

fn rates(text: &str) -> Option<(Stated, Vec<(Unit, PicoUsd)>)> {
    let mut stated = Stated::default();
    let mut units = Vec::new();
    let mut words = text.split_whitespace();
    while let Some(name) = words.next() {
        let amount = words.next()?;
        if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == name) {
            if stated.of(kind).is_some() {
                return None;
            }
            stated.set(kind, Some(per_million(amount)?));
        } else {
            let unit = Unit::ALL.into_iter().find(|unit| unit.name() == name)?;
            units.push((unit, each(amount)?));
        }
    }
    Some((stated, units))
}

/// Reads USD per million tokens: `0.05`; at most six digits behind the point, for a pico-USD per token is the smallest price.
#[must_use]
pub fn per_million(text: &str) -> Option<PicoUsd> {
    decimal(text, PLACES_PER_MILLION)
}

/// Reads USD for one piece: `0.04`; at most twelve digits behind the point.
#[must_use]
pub fn each(text: &str) -> Option<PicoUsd> {
    decimal(text, PLACES)
}

fn decimal(text: &str, places: usize) -> Option<PicoUsd> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > places {
        return None;
    }
    format!("{whole}{fraction:0<places$}").parse().ok().map(PicoUsd)
}
