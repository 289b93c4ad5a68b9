//! The config in use: the file's text and what the database keeps, built together. Whichever changes, the snapshot is made anew and swapped
//! whole; a state that cannot be built changes nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::reload::{State, Surroundings, listed};
use super::stored::Stored;
use super::{Problem, Raw, Severity, World};
use crate::exchange::Shared;

/// The config in use, and what it was made from.
pub struct Current {
    shared: Arc<Shared>,
    surroundings: Surroundings,
    made_from: Mutex<MadeFrom>,
}

struct MadeFrom {
    raw: Raw,
    stored: Stored,
    version: u64,
}

impl Current {
    /// What is in use was made from that, as version 1.
    #[must_use]
    pub fn new(shared: Arc<Shared>, surroundings: Surroundings, raw: Raw, stored: Stored) -> Arc<Self> {
        let version = 1;
        Arc::new(Self {
            shared,
            surroundings,
            made_from: Mutex::new(MadeFrom { raw, stored, version }),
        })
    }

    /// Where the snapshot is.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// What the file says.
    #[must_use]
    pub fn raw(&self) -> Raw {
        self.made_from().raw.clone()
    }

    /// The revision of the database that is in use.
    #[must_use]
    pub fn stored_revision(&self) -> i64 {
        self.made_from().stored.revision
    }

    /// Takes another text into use; what it says, and its revision.
    ///
    /// # Errors
    /// All that is wrong with it; nothing has changed then.
    pub fn take_text(&self, text: &str) -> Result<(Raw, String), String> {
        let checked = self.surroundings.check(text);
        let Some(raw) = checked.raw else {
            return Err(listed(&checked.problems));
        };
        let mut made_from = self.made_from();
        let version = made_from.version + 1;
        let before = self.shared.config.load_full();
        let state = State {
            stored: &made_from.stored,
            before: Some(&before),
            version,
        };
        let snapshot = self.surroundings.build(&raw, text, state)?;
        let revision = snapshot.revision.to_string();
        self.shared.config.store(Arc::new(snapshot));
        (made_from.raw, made_from.version) = (raw.clone(), version);
        Ok((raw, revision))
    }

    /// Takes another state of the database into use.
    ///
    /// # Errors
    /// Why it cannot be used; nothing has changed then.
    pub fn take_stored(&self, stored: Stored) -> Result<(), String> {
        let mut made_from = self.made_from();
        if stored.revision < made_from.stored.revision {
            return Ok(()); // a younger one was faster
        }
        let version = made_from.version + 1;
        let before = self.shared.config.load_full();
        let state = State {
            stored: &stored,
            before: Some(&before),
            version,
        };
        let snapshot = self.surroundings.rebuild(&before, &made_from.raw, state)?;
        self.shared.config.store(Arc::new(snapshot));
        (made_from.stored, made_from.version) = (stored, version);
        Ok(())
    }

    /// What is wrong with a limit or budget, checked as if it stood in the file in the place of all others of its kind.
    ///
    /// # Errors
    /// All errors; warnings are none.
    pub fn check_rule(&self, list: &str, rule: &Value) -> Result<(), Vec<Problem>> {
        let mut text = serde_json::to_value(self.raw()).unwrap_or_default();
        if let Some(root) = text.as_object_mut() {
            root.insert("limits".into(), Value::Array(Vec::new()));
            root.insert("budgets".into(), Value::Array(Vec::new()));
            root.insert(list.into(), Value::Array(vec![rule.clone()]));
        }
        let place = format!("{list}[0]");
        let checked = self.surroundings.check(&text.to_string());
        let of_rule = |problem: &Problem| problem.severity == Severity::Error && problem.path.starts_with(&place);
        let problems: Vec<Problem> = checked.problems.into_iter().filter(of_rule).collect();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Runs something with the world that the config is read against.
    pub fn with_world<T>(&self, use_world: impl FnOnce(&World<'_>) -> T) -> T {
        self.surroundings.with_world(use_world)
    }

    fn made_from(&self) -> MutexGuard<'_, MadeFrom> {
        self.made_from.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
