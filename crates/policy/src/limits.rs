//! Limits: how many requests and tokens in a sliding window, and how many calls at a time. Definitions only; `accounts.rs` counts.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::scopes::Dimension;

/// A limit, as config or the admin API defines it. Its name is its identity: what is used survives an edit of the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limit {
    /// Its name.
    pub name: String,
    /// Who is counted together; empty: everybody.
    pub per: Vec<Dimension>,
    /// It applies only where a condition holds that speaks of the attempt (model or provider), though `per` does not.
    pub when_of_attempt: bool,
    /// Requests in a window.
    pub requests: Option<Rate>,
    /// Input and output tokens in a window.
    pub tokens: Option<Rate>,
    /// Input tokens in a window.
    pub input_tokens: Option<Rate>,
    /// Output tokens in a window.
    pub output_tokens: Option<Rate>,
    /// Calls at a time.
    pub concurrent: Option<u64>,
    /// What happens to a call that does not fit.
    pub on_exceed: OnExceed,
}

/// So many in a sliding window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub amount: u64,
    /// The window.
    pub per: RateWindow,
}

/// The window of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateWindow {
    /// The last second.
    Second,
    /// The last minute.
    Minute,
    /// The last hour.
    Hour,
    /// The last 24 hours.
    Day,
    /// The last 7 days.
    Week,
    /// The last 30 days.
    Month,
}

/// What happens to a call that a limit does not let in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OnExceed {
    /// It is refused.
    #[default]
    Reject,
    /// It waits for its turn, at most so long.
    Queue(Duration),
    /// Another model answers it: from the one that was planned to the substitute.
    Downgrade(BTreeMap<String, String>),
}

const WINDOWS: [(&str, RateWindow, u64); 6] = [
    ("second", RateWindow::Second, 1),
    ("minute", RateWindow::Minute, 60),
    ("hour", RateWindow::Hour, 3600),
    ("day", RateWindow::Day, 86_400),
    ("week", RateWindow::Week, 604_800),
    ("month", RateWindow::Month, 2_592_000),
];

impl Rate {
    /// Reads `1000/hour`, `100k/minute`, `5M/day`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (amount, window) = text.split_once('/')?;
        let (digits, factor) = match amount.strip_suffix('k') {
            Some(digits) => (digits, 1_000),
            None => amount.strip_suffix('M').map_or((amount, 1), |digits| (digits, 1_000_000)),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let amount = digits.parse::<u64>().ok()?.checked_mul(factor)?;
        let per = WINDOWS.iter().find(|row| row.0 == window)?.1;
        // An amount has to fit the ledger's signed figures.
        i64::try_from(amount).ok().map(|_| Self { amount, per })
    }
}

impl RateWindow {
    /// Its length in milliseconds.
    #[must_use]
    pub fn length_ms(self) -> u64 {
        WINDOWS.iter().find(|row| row.1 == self).map_or(1000, |row| row.2 * 1000)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let window = WINDOWS.iter().find(|row| row.1 == self.per).map_or("second", |row| row.0);
        match self.amount {
            amount if amount > 0 && amount % 1_000_000 == 0 => write!(f, "{}M/{window}", amount / 1_000_000),
            amount if amount > 0 && amount % 1_000 == 0 => write!(f, "{}k/{window}", amount / 1_000),
            amount => write!(f, "{amount}/{window}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_shown() {
        let rows = [
            ("1000/hour", Some((1000, RateWindow::Hour)), "1k/hour"),
            ("100k/minute", Some((100_000, RateWindow::Minute)), "100k/minute"),
            ("5M/day", Some((5_000_000, RateWindow::Day)), "5M/day"),
            ("7/second", Some((7, RateWindow::Second)), "7/second"),
            ("0/month", Some((0, RateWindow::Month)), "0/month"),
            ("10000000000000M/week", None, ""),
            ("-1/hour", None, ""),
            ("/hour", None, ""),
            ("k/hour", None, ""),
            ("5", None, ""),
            ("5/fortnight", None, ""),
            ("1.5k/hour", None, ""),
        ];
        for (text, expected, shown) in rows {
            let rate = Rate::parse(text);
            assert_eq!(rate.map(|rate| (rate.amount, rate.per)), expected, "{text}");
            if let Some(rate) = rate {
                assert_eq!(rate.to_string(), shown);
                assert_eq!(Rate::parse(shown), Some(rate));
            }
        }
    }
}
