//! How many calls are open by each key that has a bound of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tollgate_policy::accounts::{Denied, Measure, Refusal, RuleAt};

/// Open calls by the key's id.
pub(super) type OpenByKey = Mutex<HashMap<String, u32>>;

/// A call that its key counts as open, until this is dropped.
pub(super) struct KeyPlace {
    open: Arc<OpenByKey>,
    id: String,
}

impl KeyPlace {
    /// Takes one of `most` places.
    pub(super) fn take(open: &Arc<OpenByKey>, id: &str, most: u32) -> Result<Self, Box<Denied>> {
        let mut counts = open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(id.to_owned()).or_default();
        if *count >= most {
            return Err(Box::new(full(id, most, *count)));
        }
        *count += 1;
        drop(counts);
        Ok(Self {
            open: Arc::clone(open),
            id: id.to_owned(),
        })
    }
}

impl KeyPlace {
    /// Whether one of `most` places is free.
    pub(super) fn is_free(open: &OpenByKey, id: &str, most: u32) -> Result<(), Box<Denied>> {
        let taken = open.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied().unwrap_or(0);
        if most <= taken {
            Err(Box::new(full(id, most, taken)))
        } else {
            Ok(())
        }
    }
}

impl Drop for KeyPlace {
    fn drop(&mut self) {
        let mut counts = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.id) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.id);
            }
        }
    }
}

fn full(id: &str, most: u32, open: u32) -> Denied {
    Denied {
        refusal: Refusal::Concurrency,
        rule: RuleAt::Limit(usize::MAX),
        name: "calls of this key".to_owned(),
        measure: Measure::Concurrent,
        scope: vec![("key".to_owned(), id.to_owned())],
        limit: most.into(),
        used: 0,
        reserved: open.into(),
        asked: 1,
        resets_at_ms: None,
        retry_after_ms: Some(1000),
    }
}
