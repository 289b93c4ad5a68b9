//! The script file: rules that ask for faults without touching the model name, by count or by time (F25).
//!
//! It is the only part of the simulator with a memory: a counter for each rule.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde::Deserialize;

use crate::{faults, wish};

/// Rules of a script, at most.
const RULES_MAX: usize = 1_000;

/// A script: rules, all of which apply that match.
///
/// TOML or JSON, the same shape; every field but `fault` may be absent:
///
/// ```toml
/// [[rule]]
/// model = "gpt-4o*"        # a glob: * stands for any run of characters
/// path = "/openai/*"
/// nth = 3                  # only the 3rd request that matches model and path
/// every = 2                # each 2nd one
/// after = 10               # from the 11th on
/// first = 5                # only the first 5
/// up_ms = 1000             # by time since the start: 1 s without,
/// down_ms = 1000           # then 1 s with the fault, and so on
/// fault = "status-503"     # names from the registry of faults, joined by +
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The rules (`rule` in the file).
    #[serde(default, rename = "rule", alias = "rules")]
    pub rules: Vec<Rule>,
}

/// One rule: when, and what fault.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Glob on the model name; absent: any.
    pub model: Option<String>,
    /// Glob on the path; absent: any.
    pub path: Option<String>,
    /// Only this matching request, from 1.
    pub nth: Option<u64>,
    /// Each so-many-th matching request.
    pub every: Option<u64>,
    /// Only after so many matching requests.
    pub after: Option<u64>,
    /// Only the first so many matching requests.
    pub first: Option<u64>,
    /// Milliseconds without the fault in each period.
    pub up_ms: Option<u64>,
    /// Milliseconds with the fault in each period.
    pub down_ms: Option<u64>,
    /// Names of faults, joined by `+`.
    pub fault: String,
}

/// What is wrong with a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptError(String);

impl std::fmt::Display for ScriptError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ScriptError {}

impl Script {
    /// Reads a script; text that begins with `{` is JSON, other text TOML.
    ///
    /// # Errors
    /// When the text is neither, has unknown fields, more than 1,000 rules, or names an unknown fault.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let script: Self = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| ScriptError(format!("script: {error}")))?
        } else {
            toml::from_str(text).map_err(|error| ScriptError(format!("script: {error}")))?
        };
        if RULES_MAX < script.rules.len() {
            return Err(ScriptError(format!("script: more than {RULES_MAX} rules")));
        }
        for (at, rule) in script.rules.iter().enumerate() {
            if let Some(unknown) = rule.fault.split('+').find(|name| wish::fault(name).is_none()) {
                let message = format!("script: rule {}: no fault `{unknown}`; GET / lists them", at + 1);
                return Err(ScriptError(message));
            }
        }
        Ok(script)
    }
}

/// A script being played.
#[derive(Debug)]
pub(crate) struct Running(Vec<(Rule, AtomicU64)>);

impl Running {
    pub(crate) fn new(script: &Script) -> Self {
        Self(script.rules.iter().map(|rule| (rule.clone(), AtomicU64::new(0))).collect())
    }

    /// The faults for this request; counts it. `elapsed` is the time since the start.
    pub(crate) fn faults(&self, model: &str, path: &str, elapsed: Duration) -> Vec<(&'static faults::Row, Vec<u64>)> {
        let mut found = Vec::new();
        for (rule, counter) in &self.0 {
            let matches = |glob: &Option<String>, text: &str| glob.as_deref().is_none_or(|glob| glob_fits(glob, text));
            if matches(&rule.model, model) && matches(&rule.path, path) {
                let count = counter.fetch_add(1, Ordering::Relaxed) + 1;
                if rule.applies(count, elapsed) {
                    found.extend(rule.fault.split('+').filter_map(wish::fault));
                }
            }
        }
        found
    }
}

impl Rule {
    fn applies(&self, count: u64, elapsed: Duration) -> bool {
        self.nth.is_none_or(|nth| count == nth)
            && self.every.is_none_or(|every| count.is_multiple_of(every))
            && self.after.is_none_or(|after| after < count)
            && self.first.is_none_or(|first| count <= first)
            && self.is_down(elapsed)
    }

    fn is_down(&self, elapsed: Duration) -> bool {
        let (up, down) = (self.up_ms.unwrap_or(0), self.down_ms.unwrap_or(0));
        let period = u128::from(up) + u128::from(down);
        period == 0 || u128::from(up) <= elapsed.as_millis() % period
    }
}

/// Does the text fit the glob? Greedy from the left, with one step back to the last star.
fn glob_fits(glob: &str, text: &str) -> bool {
    let mut pieces = glob.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        let rows = [
            ("*", "", true),
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("gpt-*", "gpt-4o", true),
            ("*mini", "gpt-4o-mini", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxcyyb", false),
            ("ab*ba", "aba", false),
        ];
        for (glob, text, expected) in rows {
            assert_eq!(glob_fits(glob, text), expected, "{glob} {text}");
        }
    }

    #[test]
    fn both_notations_are_read_and_checked() {
        let toml = Script::parse("[[rule]]\nmodel = \"a\"\nnth = 2\nfault = \"status-503\"").unwrap();
        let json = Script::parse(r#"{"rules":[{"model":"a","nth":2,"fault":"status-503"}]}"#).unwrap();
        assert_eq!(format!("{toml:?}"), format!("{json:?}"));
        for wrong in ["[[rule]]\nfault = \"nonsense\"", "[[rule]]\nfalt = \"status-503\"", "{", "[[rule]]"] {
            assert!(Script::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rules_apply_by_count_and_time() {
        let rule = |text: &str| {
            Script::parse(&format!("[[rule]]\nfault = \"status-503\"\n{text}"))
                .unwrap()
                .rules
                .remove(0)
        };
        let counted = |text: &str| (1..=6).filter(|n| rule(text).applies(*n, Duration::ZERO)).collect::<Vec<_>>();
        assert_eq!(counted(""), [1, 2, 3, 4, 5, 6]);
        assert_eq!(counted("nth = 3"), [3]);
        assert_eq!(counted("every = 2"), [2, 4, 6]);
        assert_eq!(counted("after = 2\nfirst = 4"), [3, 4]);
        let flapping = rule("up_ms = 1000\ndown_ms = 500");
        let down = |ms| flapping.applies(1, Duration::from_millis(ms));
        assert_eq!([0, 999, 1000, 1499, 1500, 2600].map(down), [false, false, true, true, false, true]);
    }
}
