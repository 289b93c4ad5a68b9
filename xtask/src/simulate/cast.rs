//! Who calls in the simulated world, and under which limits and budgets: few enough that they meet, and so tight that they are refused.

use tollgate_policy::budgets::Budget;
use tollgate_policy::limits::{Limit, Rate};
use tollgate_policy::money::NanoUsd;
use tollgate_policy::scopes::{Dimension, Subject};
use tollgate_policy::windows::{Window, Zone};

pub(crate) const TEAMS: [&str; 2] = ["red", "blue"];
pub(crate) const USERS: [Option<&str>; 4] = [None, Some("ann"), Some("bob"), Some("eve")];
pub(crate) const TAGS: [&[(&str, &str)]; 3] = [&[], &[("x", "1")], &[("x", "2")]];
pub(crate) const MODELS: [(&str, &str); 3] = [("one", "one/small"), ("one", "one/large"), ("two", "two/other")];

/// Who calls, by place in the tables above.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who {
    pub(crate) team: usize,
    pub(crate) user: usize,
    pub(crate) tag: usize,
}

impl Who {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let teams = 0..TEAMS.len();
        teams.flat_map(|team| (0..USERS.len()).flat_map(move |user| (0..TAGS.len()).map(move |tag| Self { team, user, tag })))
    }

    pub(crate) fn subject(self, model: Option<usize>) -> Subject<'static> {
        let model = model.and_then(|at| MODELS.get(at));
        Subject {
            team: TEAMS.get(self.team).copied(),
            user: USERS.get(self.user).copied().flatten(),
            model: model.map(|row| row.1),
            provider: model.map(|row| row.0),
            tags: TAGS.get(self.tag).copied().unwrap_or_default(),
            ..Subject::default()
        }
    }
}

fn per(names: &[&str]) -> Vec<Dimension> {
    names.iter().filter_map(|name| Dimension::parse(name)).collect()
}

pub(crate) fn limits() -> Vec<Limit> {
    let limit = |name: &str, names: &[&str]| Limit {
        name: name.to_owned(),
        per: per(names),
        ..Limit::default()
    };
    vec![
        Limit {
            requests: Rate::parse("6/minute"),
            ..limit("user requests", &["user"])
        },
        Limit {
            tokens: Rate::parse("40k/hour"),
            output_tokens: Rate::parse("200k/day"),
            ..limit("team tokens", &["team"])
        },
        Limit {
            requests: Rate::parse("60/hour"),
            input_tokens: Rate::parse("60k/hour"),
            concurrent: Some(5),
            ..limit("model quota", &["model"])
        },
        Limit {
            requests: Rate::parse("100/hour"),
            concurrent: Some(9),
            ..limit("last line of defence", &[])
        },
    ]
}

pub(crate) fn budgets() -> Vec<Budget> {
    let zone = Zone::parse("Europe/Berlin").unwrap_or(Zone::UTC);
    let budget = |name: &str, names: &[&str], cents: i64, window: &str| Budget {
        per: per(names),
        zone: zone.clone(),
        ..Budget::new(name, NanoUsd(cents * 10_000_000), Window::parse(window).unwrap_or(Window::Never))
    };
    vec![
        budget("team day", &["team"], 40, "day"),
        budget("user quarter of a day", &["user"], 15, "rolling(6h)"),
        budget("month", &[], 300, "month"),
        Budget {
            per_request: Some(NanoUsd(28_000_000)),
            ..budget("provider", &["provider"], 400, "never")
        },
        budget("tag week", &["team", "tag:x"], 60, "week"),
    ]
}
