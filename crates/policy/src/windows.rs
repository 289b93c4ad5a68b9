//! Windows of time: calendar periods in a time zone, sliding windows, and the one that never ends. A period is a pure function of zone and
//! instant. Times are in seconds since 1970 here; the ring that counts in sliding windows takes milliseconds.

mod ring;
#[cfg(test)]
mod tests;

use std::fmt;

use jiff::civil::{Date, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};

pub use ring::{BUCKETS_MIN, Ring};

/// The window of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// A period of the calendar.
    Calendar(Calendar),
    /// The last so many seconds, sliding.
    Rolling(u64),
    /// It never starts anew.
    Never,
}

/// A period of the calendar, by local dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calendar {
    /// A day.
    Day,
    /// Seven days from this one.
    Week(Weekday),
    /// A month.
    Month,
    /// January, April, July and October begin one.
    Quarter,
    /// A year.
    Year,
}

/// An IANA time zone, from the tables that are built in: the machine's are not asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone(TimeZone);

/// From its start to just before its end, in seconds since 1970. Its owner keeps it until `now` leaves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first second.
    pub start: i64,
    /// The first second that is not in it any more.
    pub end: i64,
}

/// Instants outside of what a calendar can say are taken for the nearest that it can: the years 1 to 9990.
const AT_MIN: i64 = -62_135_596_800;
const AT_MAX: i64 = 253_086_940_800;

impl Window {
    /// Reads `day`, `week`, `week(sunday)`, `month`, `quarter`, `year`, `never` or `rolling(30d)` with s, m, h, d or w.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let inside = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        Some(match text {
            "day" => Self::Calendar(Calendar::Day),
            "week" => Self::Calendar(Calendar::Week(Weekday::Monday)),
            "month" => Self::Calendar(Calendar::Month),
            "quarter" => Self::Calendar(Calendar::Quarter),
            "year" => Self::Calendar(Calendar::Year),
            "never" => Self::Never,
            _ => match inside("week") {
                Some(day) => Self::Calendar(Calendar::Week(weekday(day)?)),
                None => Self::Rolling(duration_s(inside("rolling")?)?),
            },
        })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Calendar(Calendar::Day) => "day",
            Self::Calendar(Calendar::Week(Weekday::Monday)) => "week",
            Self::Calendar(Calendar::Week(day)) => {
                return write!(f, "week({})", DAYS.iter().find(|row| row.1 == *day).map_or("monday", |row| row.0));
            }
            Self::Calendar(Calendar::Month) => "month",
            Self::Calendar(Calendar::Quarter) => "quarter",
            Self::Calendar(Calendar::Year) => "year",
            Self::Never => "never",
            Self::Rolling(seconds) => return write!(f, "rolling({seconds}s)"),
        })
    }
}

impl Calendar {
    /// The period that an instant lies in.
    #[must_use]
    pub fn period(self, zone: &Zone, at: i64) -> Period {
        let at = at.clamp(AT_MIN, AT_MAX);
        let mut date = self.first(zone.date(at));
        let mut start = zone.first_instant(date);
        // Once for every zone but those that set their clocks back over midnight: there a date can come a second time, and the second
        // time belongs to the period that had begun.
        loop {
            let next = self.next(date);
            let end = zone.first_instant(next);
            if at < end || next <= date {
                return Period { start, end };
            }
            (date, start) = (next, end);
        }
    }

    /// The first date of the period of a date.
    fn first(self, date: Date) -> Date {
        match self {
            Self::Day => date,
            Self::Week(day) => date.checked_sub(i64::from(date.weekday().since(day)).days()).unwrap_or(date),
            Self::Month => date.first_of_month(),
            Self::Quarter => Date::new(date.year(), (date.month() - 1) / 3 * 3 + 1, 1).unwrap_or(date),
            Self::Year => date.first_of_year(),
        }
    }

    /// The first date of the period after the one that begins at a date.
    fn next(self, first: Date) -> Date {
        let span = match self {
            Self::Day => 1.day(),
            Self::Week(_) => 7.days(),
            Self::Month => 1.month(),
            Self::Quarter => 3.months(),
            Self::Year => 1.year(),
        };
        first.checked_add(span).unwrap_or(first)
    }
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// Reads an IANA name such as `Europe/Berlin`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        TimeZoneDatabase::bundled().get(name).ok().map(Self)
    }

    /// Its IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The local date of an instant.
    fn date(&self, at: i64) -> Date {
        let instant = Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH);
        self.0.to_datetime(instant).date()
    }

    /// The first instant of a local date. Where midnight is skipped it is the instant of the jump; where midnight comes twice, the first.
    fn first_instant(&self, date: Date) -> i64 {
        let midnight = self.0.to_ambiguous_timestamp(date.to_datetime(jiff::civil::Time::midnight()));
        let skipped = matches!(midnight.offset(), AmbiguousOffset::Gap { .. });
        let Ok(instant) = midnight.compatible() else { return i64::MAX };
        if !skipped {
            return instant.as_second();
        }
        // Read with the offset before the jump, midnight lies at or after it.
        let later = instant.checked_add(1.second()).unwrap_or(instant);
        self.0.preceding(later).next().map_or(instant, |jump| jump.timestamp()).as_second()
    }
}

impl Period {
    /// All of time.
    pub const ALWAYS: Self = Self { start: 0, end: i64::MAX };

    /// True when the instant lies in it.
    #[must_use]
    pub const fn contains(&self, at: i64) -> bool {
        self.start <= at && at < self.end
    }
}

const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

fn weekday(name: &str) -> Option<Weekday> {
    DAYS.iter().find(|row| row.0 == name).map(|row| row.1)
}

/// `90s`, `15m`, `24h`, `30d` or `2w`, at least a second and at most ten years.
fn duration_s(text: &str) -> Option<u64> {
    let unit = text.chars().last()?;
    let number = text.strip_suffix(unit)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = digits.then(|| number.parse::<u64>().ok()?.checked_mul(factor)).flatten()?;
    (1..=315_360_000).contains(&seconds).then_some(seconds)
}
