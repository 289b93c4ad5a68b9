//! The windows of budgets, and whose calendar they follow.

use std::fmt;

use super::{Complaint, Period, shown, text_format};
use crate::config::suggest::did_you_mean;

/// When a budget begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// Each day of the calendar.
    Day,
    /// Each week of the calendar.
    Week,
    /// Each month of the calendar.
    Month,
    /// Each quarter of the calendar.
    Quarter,
    /// Never.
    Never,
    /// With each call: a cap on what one may cost.
    Request,
    /// The last so long, at any moment.
    Rolling(Period),
}

text_format!(
    Window,
    "window-text",
    "when a budget begins anew: day, week, month, quarter, never, request, or rolling and a duration",
    ["month", "day", "rolling 30d"]
);

const WINDOWS: [(&str, Window); 6] = [
    ("day", Window::Day),
    ("week", Window::Week),
    ("month", Window::Month),
    ("quarter", Window::Quarter),
    ("never", Window::Never),
    ("request", Window::Request),
];

impl Window {
    /// Reads `month` or `rolling 30d`.
    ///
    /// # Errors
    /// When it is neither a word of the calendar nor `rolling` with a duration.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        if let Some(length) = text.strip_prefix("rolling ") {
            return Period::parse(length.trim()).map(Self::Rolling);
        }
        let known = WINDOWS.iter().find(|(name, _)| *name == text);
        known.map(|(_, window)| *window).ok_or_else(|| {
            let names = WINDOWS.iter().map(|(name, _)| *name);
            let remedy =
                did_you_mean(text, names).unwrap_or_else(|| "write day, week, month, quarter, never, request or rolling 30d".into());
            Complaint::new(format!("\"{}\" is not a window of a budget", shown(text)), remedy)
        })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Rolling(length) = self {
            return write!(f, "rolling {length}");
        }
        let name = WINDOWS.iter().find(|(_, window)| window == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

/// A zone of the IANA database: `Europe/Berlin`, `UTC`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: jiff::tz::TimeZone,
}

text_format!(Zone, "zone-text", "a time zone of the IANA database", ["Europe/Berlin", "UTC"]);

impl Zone {
    /// The zone.
    #[must_use]
    pub const fn get(&self) -> &jiff::tz::TimeZone {
        &self.zone
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads `Europe/Berlin`.
    ///
    /// # Errors
    /// When there is no such zone.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        match jiff::tz::TimeZone::get(text) {
            Ok(zone) if !zone.is_unknown() => Ok(Self {
                name: text.to_owned(),
                zone,
            }),
            _ => {
                let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
                let near = did_you_mean(text, known.iter().map(String::as_str));
                let remedy = near.unwrap_or_else(|| "write a name such as Europe/Berlin or UTC".to_owned());
                Err(Complaint::new(format!("there is no time zone \"{}\"", shown(text)), remedy))
            }
        }
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self {
            name: "UTC".to_owned(),
            zone: jiff::tz::TimeZone::UTC,
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
