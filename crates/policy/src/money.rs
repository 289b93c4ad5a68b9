//! Money in integers: amounts in nano-USD, prices in pico-USD for one unit. Nothing here is a float, and a request's cost is rounded up
//! once (FAULTS R-C10).

use std::fmt;
use std::ops::{Add, Neg, Sub};

use serde::{Deserialize, Serialize};

/// Nano-USD in one USD.
const NANOS: i64 = 1_000_000_000;
/// The digits behind the point that an amount can have.
const PLACES: usize = 9;

/// An amount in nano-USD (10⁻⁹ USD): ± 9.2 thousand million USD. Sums saturate: an overflow must never turn into credit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(pub i64);

/// A price in pico-USD (10⁻¹² USD) for one unit: a token, an image, a second, a call. One USD per million tokens is 1,000,000.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PicoUsd(pub u64);

impl NanoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Whole dollars.
    #[must_use]
    pub const fn usd(dollars: i64) -> Self {
        Self(dollars.saturating_mul(NANOS))
    }

    /// Reads a decimal number of dollars: `5`, `0.25`, `-0.000000001`. No exponent, at most nine digits behind the point.
    ///
    /// `None`: it is not one, or it does not fit.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let ill = whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || fraction.len() > PLACES;
        if ill || (digits.contains('.') && fraction.is_empty()) {
            return None;
        }
        let nanos = whole.parse::<i64>().ok()?.checked_mul(NANOS)?;
        let part = format!("{fraction:0<PLACES$}").parse::<i64>().ok()?;
        let sum = nanos.checked_add(part)?;
        Some(Self(if negative { -sum } else { sum }))
    }

    /// A share of it, in whole percent, rounded down.
    #[must_use]
    pub fn percent(self, percent: u32) -> Self {
        let share = i128::from(self.0) * i128::from(percent) / 100;
        Self(i64::try_from(share).unwrap_or(i64::MAX))
    }

    /// The larger of it and nothing.
    #[must_use]
    pub fn or_zero(self) -> Self {
        self.max(Self::ZERO)
    }
}

impl Add for NanoUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for NanoUsd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for NanoUsd {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl std::iter::Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// Dollars without trailing zeros, at least two digits behind the point: `5.00`, `0.000000125`.
impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // From its end, with at least two digits behind the point; written for every answer, so without the machinery of formats.
        let mut text = [0; 32];
        let mut places = text.iter_mut().rev();
        let (mut rest, mut place, mut length) = (self.0.unsigned_abs(), PLACES, 0);
        while place > 2 && rest.is_multiple_of(10) {
            (rest, place) = (rest / 10, place - 1);
        }
        let mut put = |byte| {
            if let Some(free) = places.next() {
                (*free, length) = (byte, length + 1);
            }
        };
        loop {
            put(b'0' + u8::try_from(rest % 10).unwrap_or(0));
            rest /= 10;
            place = place.wrapping_sub(1);
            if place == 0 {
                put(b'.');
            } else if place > PLACES && rest == 0 {
                break;
            }
        }
        if self.0 < 0 {
            put(b'-');
        }
        let shown = text.get(text.len() - length..).and_then(|text| std::str::from_utf8(text).ok());
        f.write_str(shown.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_shown() {
        let rows = [
            ("5", Some(5_000_000_000), "5.00"),
            ("0.25", Some(250_000_000), "0.25"),
            ("0.000000001", Some(1), "0.000000001"),
            ("-1.5", Some(-1_500_000_000), "-1.50"),
            ("0.1234567891", None, ""),
            ("1e3", None, ""),
            ("", None, ""),
            (".5", None, ""),
            ("5.", None, ""),
            ("+5", None, ""),
            ("99999999999", None, ""),
        ];
        for (text, nanos, shown) in rows {
            let read = NanoUsd::parse(text);
            assert_eq!(read.map(|amount| amount.0), nanos, "{text}");
            if let Some(amount) = read {
                assert_eq!(amount.to_string(), shown, "{text}");
                assert_eq!(NanoUsd::parse(shown), Some(amount));
            }
        }
    }

    #[test]
    fn sums_saturate() {
        assert_eq!(NanoUsd(i64::MAX) + NanoUsd(1), NanoUsd(i64::MAX));
        assert_eq!(NanoUsd(i64::MIN) - NanoUsd(1), NanoUsd(i64::MIN));
        assert_eq!(NanoUsd(1).percent(99), NanoUsd::ZERO);
        assert_eq!(NanoUsd::usd(2000).percent(80), NanoUsd::usd(1600));
    }
}
