//! Sets of names, sorted and shared: small, compared often, changed never.

use std::sync::Arc;

/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// A set of names; cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(Arc<[Box<str>]>);

/// Whether that can be the name of a compartment, a region or a processor. Lower case alone, so that one thing is never two.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(legal)
}

impl Names {
    /// Those names, each once.
    #[must_use]
    pub fn new<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let mut names: Vec<Box<str>> = names.into_iter().map(|name| name.as_ref().into()).collect();
        names.sort_unstable();
        names.dedup();
        Self(names.into())
    }

    /// In the order of the alphabet.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of them are among the others.
    #[must_use]
    pub fn is_within(&self, others: &Self) -> bool {
        Arc::ptr_eq(&self.0, &others.0) || self.0.iter().all(|name| others.has(name))
    }

    /// Those of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if other.is_within(self) {
            return self.clone();
        }
        Self::new(self.iter().chain(other.iter()))
    }

    /// Those of both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        if self.is_within(other) {
            return self.clone();
        }
        Self(self.0.iter().filter(|name| other.has(name)).cloned().collect())
    }

    fn has(&self, name: &str) -> bool {
        self.0.binary_search_by(|own| (**own).cmp(name)).is_ok()
    }
}
