//! What each credential of a pool has left, as the provider's own headers say: the smallest share of its limits, until they are whole again.
//! Kept per model, as providers limit most things; without a lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;

/// The whole of a limit. In steps of a twentieth: credentials that are about as full take turns.
pub(super) const WHOLE: u64 = 20;
/// Until when a share is believed that does not say until when.
const RESET: Duration = Duration::from_secs(60);
/// And the longest that one is: dates may be anything.
const RESET_MAX: Duration = Duration::from_secs(86_400);
/// A share stands in 8 bits before 56 bits of milliseconds.
const AT_BITS: u32 = 56;

/// What the credentials of a pool have left for one model, in the pool's order.
#[derive(Debug)]
pub struct Left(Box<[AtomicU64]>);

impl Left {
    /// For a pool of so many. A single credential has nobody to be compared with.
    #[must_use]
    pub fn of(credentials: usize) -> Self {
        let places = if credentials < 2 { 0 } else { credentials };
        Self((0..places).map(|_| AtomicU64::new(0)).collect())
    }

    /// Whether there is anything to compare.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The share that one of them has left; of whom nothing is known, or whose limit is whole again by now, all of it.
    pub(super) fn share(&self, at: usize, now_ms: u64) -> u64 {
        let packed = self.0.get(at).map_or(0, |place| place.load(Relaxed));
        let (share, until_ms) = (packed >> AT_BITS, packed & ((1 << AT_BITS) - 1));
        if now_ms < until_ms { share } else { WHOLE }
    }

    /// An answer said so.
    pub(super) fn note(&self, at: usize, reading: Reading, now_ms: u64) {
        let reset_ms = u64::try_from(reading.whole_in.min(RESET_MAX).as_millis()).unwrap_or(0);
        if let Some(place) = self.0.get(at) {
            place.store((reading.share << AT_BITS) | (now_ms + reset_ms), Relaxed);
        }
    }
}

/// What an answer's head says of a credential's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Of the limit that is most used up, in twentieths, rounded down.
    share: u64,
    /// When that one is whole again.
    whole_in: Duration,
}

/// Limit, remaining and reset, by the names that vendors give them: OpenAI and those like it, Anthropic, and the plain ones.
static NAMES: [[&str; 3]; 7] = [
    [
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    ],
    [
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
    ],
    [
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ],
    [
        "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ],
    [
        "anthropic-ratelimit-input-tokens-limit",
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
    ],
    [
        "anthropic-ratelimit-output-tokens-limit",
        "anthropic-ratelimit-output-tokens-remaining",
        "anthropic-ratelimit-output-tokens-reset",
    ],
    ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
];

/// Reads the limits in a head that came at `now`. `None`: it says nothing of them that can be compared.
pub(crate) fn read(headers: &HeaderMap, now: Timestamp) -> Option<Reading> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |name: &str| text(name).and_then(|text| text.parse::<u64>().ok());
    let readings = NAMES.iter().filter_map(|[limit, remaining, reset]| {
        let remaining = number(remaining)?;
        let share = match number(limit) {
            Some(limit) if limit > 0 => remaining.min(limit).saturating_mul(WHOLE) / limit,
            // Without the whole a rest says only that it is over.
            _ if remaining == 0 => 0,
            _ => return None,
        };
        let whole_in = text(reset).and_then(|text| until(text, now)).unwrap_or(RESET);
        Some(Reading { share, whole_in })
    });
    readings.min_by_key(|reading| reading.share)
}

/// `6m0s`, `20ms`, seconds, seconds or milliseconds since 1970, or an RFC 3339 date.
fn until(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(number) = text.parse::<f64>() {
        let unix = now.as_duration().as_secs_f64();
        return match number {
            seconds if seconds < 1e9 => Duration::try_from_secs_f64(seconds).ok(),
            seconds if seconds < 1e11 => Duration::try_from_secs_f64((seconds - unix).max(0.0)).ok(),
            millis => Duration::try_from_secs_f64((millis / 1e3 - unix).max(0.0)).ok(),
        };
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO));
    }
    go_duration(text)
}

/// The duration of Go's `time` package: numbers with units, in a row.
fn go_duration(mut text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    while !text.is_empty() {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, rest) = text.split_at_checked(digits)?;
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (unit, rest) = rest.split_at_checked(unit)?;
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "ns" => 0.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?)?;
        text = rest;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn head(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap());
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn heads_are_read_by_every_vendors_names() {
        let now: Timestamp = "2026-11-20T08:00:00Z".parse().unwrap();
        /// The head, the share in twentieths, and when it is whole again in ms.
        type Row<'a> = (&'a [(&'a str, &'a str)], Option<(u64, u128)>);
        let rows: [Row<'_>; 9] = [
            (
                &[
                    ("x-ratelimit-limit-requests", "10000"),
                    ("x-ratelimit-remaining-requests", "9999"),
                    ("x-ratelimit-reset-requests", "6ms"),
                    ("x-ratelimit-limit-tokens", "200000"),
                    ("x-ratelimit-remaining-tokens", "50000"),
                    ("x-ratelimit-reset-tokens", "6m30.5s"),
                ],
                Some((5, 390_500)),
            ),
            (
                &[
                    ("anthropic-ratelimit-requests-limit", "50"),
                    ("anthropic-ratelimit-requests-remaining", "49"),
                    ("anthropic-ratelimit-input-tokens-limit", "40000"),
                    ("anthropic-ratelimit-input-tokens-remaining", "0"),
                    ("anthropic-ratelimit-input-tokens-reset", "2026-11-20T08:00:12Z"),
                ],
                Some((0, 12_000)),
            ),
            (
                &[
                    ("x-ratelimit-limit", "4"),
                    ("x-ratelimit-remaining", "3"),
                    ("x-ratelimit-reset", "1795161605000"),
                ],
                Some((15, 5_000)),
            ),
            (&[("x-ratelimit-limit", "4"), ("x-ratelimit-remaining", "9")], Some((20, 60_000))),
            (
                &[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "17")],
                Some((0, 17_000)),
            ),
            (&[("x-ratelimit-remaining-requests", "5")], None),
            (
                &[("x-ratelimit-limit-requests", "0"), ("x-ratelimit-remaining-requests", "5")],
                None,
            ),
            (
                &[("x-ratelimit-limit-requests", "ten"), ("x-ratelimit-remaining-requests", "few")],
                None,
            ),
            (&[], None),
        ];
        for (pairs, expected) in rows {
            let reading = read(&head(pairs), now).map(|reading| (reading.share, reading.whole_in.as_millis()));
            assert_eq!(reading, expected, "{pairs:?}");
        }
    }

    #[test]
    fn resets_that_cannot_be_read_are_none() {
        let now = Timestamp::UNIX_EPOCH;
        for (text, expected_ms) in [
            ("1h2m", Some(3_720_000)),
            ("soon", None),
            ("5", Some(5_000)),
            ("5x", None),
            ("1.2.3s", None),
            ("m", None),
            ("-5", None),
        ] {
            assert_eq!(until(text, now).map(|time| time.as_millis()), expected_ms, "{text}");
        }
        assert_eq!(until("1e300", now), None);
    }

    #[test]
    fn a_share_is_believed_until_its_limit_is_whole_again() {
        let left = Left::of(2);
        assert_eq!((left.share(0, 0), left.share(1, 0)), (WHOLE, WHOLE), "unknown");
        let reading = Reading {
            share: 3,
            whole_in: Duration::from_secs(5),
        };
        left.note(1, reading, 1_000);
        assert_eq!((left.share(0, 5_999), left.share(1, 5_999)), (WHOLE, 3));
        assert_eq!(left.share(1, 6_000), WHOLE);
        assert!(Left::of(1).is_empty(), "one alone pays nothing");
    }
}
