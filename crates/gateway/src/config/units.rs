//! The scalars of the config that are written as text: each type parses itself, says what is wrong with a bad one and how it is written,
//! and is a named string format of the schema. It knows no places: who calls adds the path and the line.

use std::fmt;
use std::time::Duration;

mod calendar;
mod file;
mod hedge;
mod label;
mod network;
mod places;
mod quantity;
mod secret;

pub use calendar::{Window, Zone};
pub use file::FileRef;
pub use hedge::HedgeAfter;
pub use label::LabelName;
pub use network::{Address, Auth, BaseUrl, IpRange};
pub(super) use places::is_tag;
pub use places::{Database, Dimension, HookUrl};
pub use quantity::{Decimal, Money, Rate, Share};
pub use secret::{Secret, SecretRef};

/// Why a text is not one of its kind, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// What is wrong; lowercase, without a full stop.
    pub reason: String,
    /// What to write instead.
    pub remedy: Option<String>,
}

impl Complaint {
    fn new(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            remedy: Some(remedy.into()),
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        self.remedy.as_ref().map_or(Ok(()), |remedy| write!(f, "; {remedy}"))
    }
}

/// A string format of the schema: its name and its check.
pub(super) type Format = (&'static str, fn(&str) -> Result<(), Complaint>);

/// Every string format that the schema may name.
pub(super) static FORMATS: &[Format] = &[
    (Period::FORMAT, |text| Period::parse(text).map(drop)),
    (Size::FORMAT, |text| Size::parse(text).map(drop)),
    (Moment::FORMAT, |text| Moment::parse(text).map(drop)),
    (Address::FORMAT, |text| Address::parse(text).map(drop)),
    (BaseUrl::FORMAT, |text| BaseUrl::parse(text).map(drop)),
    (Auth::FORMAT, |text| Auth::parse(text).map(drop)),
    (IpRange::FORMAT, |text| IpRange::parse(text).map(drop)),
    (SecretRef::FORMAT, |text| SecretRef::parse(text).map(drop)),
    (FileRef::FORMAT, |text| FileRef::parse(text).map(drop)),
    (Rate::FORMAT, |text| Rate::parse(text).map(drop)),
    (Money::FORMAT, |text| Money::parse(text).map(drop)),
    (Share::FORMAT, |text| Share::parse(text).map(drop)),
    (Window::FORMAT, |text| Window::parse(text).map(drop)),
    (Zone::FORMAT, |text| Zone::parse(text).map(drop)),
    (Dimension::FORMAT, |text| Dimension::parse(text).map(drop)),
    (HookUrl::FORMAT, |text| HookUrl::parse(text).map(drop)),
    (Database::FORMAT, |text| Database::parse(text).map(drop)),
    (LabelName::FORMAT, |text| LabelName::parse(text).map(drop)),
    (HedgeAfter::FORMAT, |text| HedgeAfter::parse(text).map(drop)),
];

/// Gives a type with `parse(&str) -> Result<Self, Complaint>` and `Display` its serde and schema sides.
macro_rules! text_format {
    ($type:ident, $format:literal, $description:literal, [$($example:literal),+]) => {
        impl $type {
            /// The name of this format in the schema.
            pub const FORMAT: &'static str = $format;
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string", "format": $format, "description": $description, "examples": [$($example),+]
                })
            }
        }
    };
}
use text_format;

/// A length of time, to the millisecond: `250ms`, `30s`, `5m`, `24h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(Duration);

text_format!(
    Period,
    "duration-text",
    "a length of time: a whole number and ms, s, m, h or d",
    ["30s", "5m", "250ms", "24h"]
);

/// Unit names and what they are worth in milliseconds, the longest first.
const PERIOD_UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Period {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// That length of time.
    #[must_use]
    pub const fn from_duration(time: Duration) -> Self {
        Self(time)
    }

    /// The length of time.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }

    /// Reads `30s`.
    ///
    /// # Errors
    /// When there is no unit, an unknown unit, or no whole number.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let millis = amount(text, &PERIOD_UNITS, "duration", "30s, 5m, 250ms or 24h")?;
        Ok(Self(Duration::from_millis(millis)))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        write_amount(f, millis, &PERIOD_UNITS, "0s")
    }
}

/// A number of bytes: `512KiB`, `20MiB`, `1GiB`, also decimal `KB`, `MB`, `GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

text_format!(
    Size,
    "size-text",
    "a number of bytes: a whole number and B, KiB, MiB, GiB, KB, MB or GB",
    ["20MiB", "512KiB"]
);

/// Unit names and what they are worth in bytes, the largest first.
const SIZE_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

impl Size {
    /// So many MiB.
    #[must_use]
    pub const fn mebibytes(count: u32) -> Self {
        Self((count as u64) << 20)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// Reads `20MiB`.
    ///
    /// # Errors
    /// When there is no unit, an unknown unit, or no whole number.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        amount(text, &SIZE_UNITS, "size", "20MiB or 512KiB").map(Self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_amount(f, self.0, &SIZE_UNITS, "0B")
    }
}

/// An instant: `2027-01-31T09:00:00Z` (RFC 3339), or `2027-01-31` for the first instant of that day in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(jiff::Timestamp);

text_format!(
    Moment,
    "moment-text",
    "an instant: RFC 3339, or a date for the start of that day in UTC",
    ["2027-01-31", "2027-01-31T09:00:00Z"]
);

impl Moment {
    /// The instant.
    #[must_use]
    pub const fn get(self) -> jiff::Timestamp {
        self.0
    }

    /// Reads an RFC 3339 instant or a date.
    ///
    /// # Errors
    /// When the text is neither, or names a day that does not exist.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let start_of_day = || {
            let date: jiff::civil::Date = if text.len() == 10 { text.parse().ok()? } else { return None };
            date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
        };
        let instant = text.parse::<jiff::Timestamp>().ok().or_else(start_of_day);
        instant.map(Self).ok_or_else(|| {
            Complaint::new(
                format!("\"{}\" is not an instant", shown(text)),
                "write a date such as 2027-01-31, or 2027-01-31T09:00:00Z",
            )
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads a whole number and a unit; `kind` and `examples` are for the complaint.
fn amount(text: &str, units: &[(&str, u64)], kind: &str, examples: &str) -> Result<u64, Complaint> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    let names = || units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let complain = |reason: String| Complaint::new(reason, format!("write a whole number and a unit, such as {examples}"));
    if digits.is_empty() || unit.starts_with(['.', ',']) {
        return Err(complain(format!("\"{}\" is not a {kind}", shown(text))));
    }
    if unit.is_empty() {
        return Err(complain(format!("the {kind} {} has no unit", shown(text))));
    }
    let Some((_, worth)) = units.iter().find(|(name, _)| *name == unit) else {
        let reason = format!("\"{}\" is not a unit of {kind}: {}", shown(unit.trim()), names());
        return Err(complain(reason));
    };
    let count = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(*worth));
    // Half of the range, so that sums of two can never overflow.
    count
        .filter(|total| *total <= u64::MAX / 2)
        .ok_or_else(|| complain(format!("the {kind} {} is too large", shown(text))))
}

/// Writes an amount in the largest unit that divides it.
fn write_amount(f: &mut fmt::Formatter<'_>, total: u64, units: &[(&str, u64)], zero: &str) -> fmt::Result {
    let whole = |worth: u64| total != 0 && total.is_multiple_of(worth);
    match units.iter().find(|(_, worth)| whole(*worth)) {
        Some((name, worth)) => write!(f, "{}{name}", total / worth),
        None => f.write_str(zero),
    }
}

/// A text as it may be quoted in a message: on one line, at most 80 characters, and not at all when it looks like a secret.
pub(super) fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    if looks_like_secret(text) {
        return "***".to_owned();
    }
    let mut out: String = text
        .chars()
        .take(CHARS_MAX)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        out.push('…');
    }
    out
}

/// How vendors' keys begin: enough to know one that was typed in the wrong place.
const SECRET_PREFIXES: [&str; 13] = [
    "sk-",
    "sk_",
    "gsk_",
    "xai-",
    "AIza",
    "ghp_",
    "github_pat_",
    "hf_",
    "pplx-",
    "nvapi-",
    "csk-",
    "eyJ",
    "AKIA",
];

/// Whether a word holds what begins as a vendor's key does and is as long as one, or is a URL with a user or a query.
pub(super) fn looks_like_secret(word: &str) -> bool {
    const SECRET_BYTES_MIN: usize = 16;
    let url_with_more = word.split_once("://").is_some_and(|(_, rest)| rest.contains(['@', '?']));
    url_with_more
        || SECRET_PREFIXES.iter().any(|prefix| {
            word.match_indices(prefix).any(|(at, _)| {
                let begins_a_word = !word
                    .get(..at)
                    .is_some_and(|before| before.ends_with(|c: char| c.is_ascii_alphanumeric()));
                begins_a_word && SECRET_BYTES_MIN <= word.len() - at
            })
        })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
