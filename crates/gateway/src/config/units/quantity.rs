//! Quantities: rates, money, shares and prices. Integers inside, whatever was typed.

use std::fmt;
use std::time::Duration;

use tollgate_policy::money::{NanoUsd, PicoUsd};

use super::{Complaint, PERIOD_UNITS, shown, text_format, write_amount};

/// So many in each window of a length: `1000/hour`, `100k/minute`, `20/10s`. A month is 30 days here: the window slides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u64,
    window: Duration,
}

text_format!(
    Rate,
    "rate-text",
    "so many in each window: a whole number, k, M or G for thousands and more, a slash, and second, minute, hour, day, week, month or a duration",
    ["1000/hour", "100k/minute", "20/10s"]
);

/// What a window of a rate may be called, and its length in seconds.
const RATE_WINDOWS: [(&str, u64); 6] = [
    ("second", 1),
    ("minute", 60),
    ("hour", 3_600),
    ("day", 86_400),
    ("week", 7 * 86_400),
    ("month", 30 * 86_400),
];

/// Endings of a count.
const COUNT_UNITS: [(&str, u64); 3] = [("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)];

impl Rate {
    /// How many.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.count
    }

    /// In each window of this length.
    #[must_use]
    pub const fn window(self) -> Duration {
        self.window
    }

    /// Reads `1000/hour`.
    ///
    /// # Errors
    /// When it is no count and window, or the window is not between a second and a month.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        const REMEDY: &str = "write a number and a window, such as 1000/hour, 100k/minute or 20/10s";
        let complain = |reason: String| Err(Complaint::new(reason, REMEDY));
        let Some((count, window)) = text.split_once('/') else {
            return complain(format!("\"{}\" is not a rate", shown(text)));
        };
        let Some(count) = read_count(count.trim()) else {
            return complain(format!("\"{}\" is not a number", shown(count)));
        };
        let name = window.trim();
        let named = RATE_WINDOWS.iter().find(|(word, _)| *word == name);
        let window = match named {
            Some((_, seconds)) => Duration::from_secs(*seconds),
            None => match super::Period::parse(name) {
                Ok(period) => period.get(),
                Err(_) => {
                    return complain(format!(
                        "\"{}\" is not a window: second, minute, hour, day, week, month",
                        shown(name)
                    ));
                }
            },
        };
        if !(Duration::from_secs(1)..=Duration::from_secs(30 * 86_400)).contains(&window) {
            return complain(format!("the window {} is not between a second and a month", shown(name)));
        }
        Ok(Self { count, window })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_amount(f, self.count, &[COUNT_UNITS.as_slice(), &[("", 1)]].concat(), "0")?;
        f.write_str("/")?;
        let millis = u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX);
        match RATE_WINDOWS.iter().find(|(_, seconds)| millis == seconds * 1_000) {
            Some((name, _)) => f.write_str(name),
            None => write_amount(f, millis, &PERIOD_UNITS, "0s"),
        }
    }
}

/// A whole number, or one in thousands, millions or billions. At most what half of an account holds.
fn read_count(text: &str) -> Option<u64> {
    let (digits, worth) = COUNT_UNITS
        .iter()
        .find_map(|(unit, worth)| Some((text.strip_suffix(unit)?, *worth)))
        .unwrap_or((text, 1));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count = digits.parse::<u64>().ok()?.checked_mul(worth)?;
    (count <= u64::MAX / 4).then_some(count)
}

/// An amount of money: `5 USD`, `0.25 USD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(NanoUsd);

text_format!(Money, "money-text", "an amount of money in US dollars", ["5 USD", "0.25 USD"]);

impl Money {
    /// So many dollars.
    #[must_use]
    pub const fn usd(dollars: u32) -> Self {
        Self(NanoUsd(dollars as i64 * 1_000_000_000))
    }

    /// The amount.
    #[must_use]
    pub const fn get(self) -> NanoUsd {
        self.0
    }

    /// Reads `5 USD`.
    ///
    /// # Errors
    /// When there is no number, more than nine digits behind its point, or another currency.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let complain = |reason: String| Err(Complaint::new(reason, "write for example 5 USD or 0.25 USD"));
        let Some((number, currency)) = text.trim().split_once(' ') else {
            return complain(format!("\"{}\" is not an amount of money", shown(text)));
        };
        if currency.trim() != "USD" {
            return complain(format!("\"{}\" is not a currency that is counted in; only USD is", shown(currency)));
        }
        if number.starts_with('-') {
            return complain(format!("the amount {} is negative", shown(number)));
        }
        match fixed::<9>(number) {
            Some((units, true)) => match i64::try_from(units) {
                // Half of the range, so that sums of two can never overflow.
                Ok(nano) if nano <= i64::MAX / 2 => Ok(Self(NanoUsd(nano))),
                _ => complain(format!("the amount {} is too large", shown(number))),
            },
            Some((_, false)) => complain(format!("the amount {} is finer than a billionth of a dollar", shown(number))),
            None => complain(format!("\"{}\" is not a number", shown(number))),
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_fixed::<9>(f, self.0.0.unsigned_abs())?;
        f.write_str(" USD")
    }
}

/// A share: `80%`, `2.5%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

text_format!(Share, "share-text", "a share in percent", ["80%", "2.5%"]);

impl Share {
    /// So many percent.
    #[must_use]
    pub const fn percent(percent: u32) -> Self {
        Self(percent * 100)
    }

    /// In hundredths of a percent: of 10,000.
    #[must_use]
    pub const fn per_ten_thousand(self) -> u32 {
        self.0
    }

    /// Reads `80%`.
    ///
    /// # Errors
    /// When there is no percent sign, no number, more than two digits behind its point, or more than 1000%.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let complain = |reason: &str| {
            Err(Complaint::new(
                format!("\"{}\" {reason}", shown(text)),
                "write for example 80% or 2.5%",
            ))
        };
        let Some(number) = text.strip_suffix('%') else {
            return complain("is not a share");
        };
        match fixed::<2>(number.trim()) {
            Some((hundredths @ 0..=100_000, true)) => Ok(Self(u32::try_from(hundredths).unwrap_or(u32::MAX))),
            Some((_, true)) => complain("is more than 1000%"),
            Some((_, false)) => complain("is finer than a hundredth of a percent"),
            None => complain("is not a share"),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_fixed::<2>(f, u64::from(self.0))?;
        f.write_str("%")
    }
}

/// A price: a plain number, in USD per million. What is finer than a millionth of that is rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(u64);

/// The largest price.
const PRICE_MAX: u32 = 1_000_000;

impl Decimal {
    /// The price of one, where the price of a million was written.
    #[must_use]
    pub const fn each(self) -> PicoUsd {
        PicoUsd(self.0)
    }
}

impl serde::Serialize for Decimal {
    #[expect(clippy::cast_precision_loss, reason = "below 2^53: the largest price is a million millions")]
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 1e6)
    }
}

impl<'de> serde::Deserialize<'de> for Decimal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = <f64 as serde::Deserialize>::deserialize(deserializer)?;
        // The shortest text that means this number is what was typed: no binary fraction comes in.
        let millionths = fixed::<6>(&number.to_string()).map(|(millionths, is_exact)| millionths + u64::from(!is_exact));
        millionths
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("{number} is not a price")))
    }
}

impl schemars::JsonSchema for Decimal {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Decimal".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "number", "minimum": 0, "maximum": PRICE_MAX, "description": "USD per million", "examples": [0.05, 2.5]
        })
    }
}

/// A decimal number in units of ten to the minus `DIGITS`, rounded down, and whether it is exact.
fn fixed<const DIGITS: usize>(text: &str) -> Option<(u64, bool)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let (counted, finer) = fraction.split_at(fraction.len().min(DIGITS));
    let scaled = format!("{whole}{counted:0<DIGITS$}").parse().ok()?;
    Some((scaled, finer.bytes().all(|byte| byte == b'0')))
}

/// Writes units of ten to the minus `DIGITS` as a decimal number.
fn write_fixed<const DIGITS: usize>(f: &mut fmt::Formatter<'_>, scaled: u64) -> fmt::Result {
    let text = format!("{scaled:0>width$}", width = DIGITS + 1);
    let (whole, fraction) = text.split_at(text.len() - DIGITS);
    match fraction.trim_end_matches('0') {
        "" => f.write_str(whole),
        fraction => write!(f, "{whole}.{fraction}"),
    }
}
