//! What a caller says about a call in headers: the end user, the feature, tags. It may choose and add, never widen, and it is
//! nobody's identity.

use std::sync::Arc;

use super::{Features, Rights};

/// Most tags of one call, the key's own included.
pub const TAGS_MAX: usize = 16;
/// The longest name of a tag, in bytes.
pub const TAG_NAME_BYTES_MAX: usize = 64;
/// The longest value of a tag, in bytes.
pub const TAG_VALUE_BYTES_MAX: usize = 128;
/// The longest id of an end user, in bytes.
pub const END_USER_BYTES_MAX: usize = 256;

/// Names with values, each name once, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(Vec<(Arc<str>, Arc<str>)>);

/// What a call is counted to, beside team, user and key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attribution {
    /// The feature.
    pub feature: Option<Arc<str>>,
    /// Whom the caller says that it calls for; only where the credential has no user of its own.
    pub end_user: Option<Arc<str>>,
    /// The credential's tags and the caller's.
    pub tags: Tags,
}

/// Why what a caller said is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributionError {
    /// The feature cannot be had with this credential.
    Feature,
    /// The end user's id is empty, too long, or has control characters.
    EndUser,
    /// A tag is empty, too long, or has characters that a tag cannot have.
    Tag,
    /// More tags than [`TAGS_MAX`].
    TooManyTags,
    /// The tag's value is the credential's, and another one was given.
    TagIsBound,
}

impl Attribution {
    /// What the headers say, within what the credential allows. `user_bound`: the credential has a user of its own, so that an
    /// end user is not asked for.
    ///
    /// # Errors
    /// What cannot be said.
    pub fn of(said: &Said<'_>, features: &Features, rights: Rights<'_>, bound: &Tags, user_bound: bool) -> Result<Self, AttributionError> {
        let feature = features.choose(said.feature, rights).map_err(|_| AttributionError::Feature)?;
        let end_user = match said.user {
            Some(_) if user_bound => None,
            Some(user) if !is_text(user, END_USER_BYTES_MAX) => return Err(AttributionError::EndUser),
            user => user.map(Arc::from),
        };
        let tags = match said.tags {
            None => bound.clone(),
            Some(text) => bound.clone().with_said(text)?,
        };
        Ok(Self { feature, end_user, tags })
    }
}

/// The headers' values, as they came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Said<'a> {
    /// `x-tollgate-feature`.
    pub feature: Option<&'a str>,
    /// `x-tollgate-user`.
    pub user: Option<&'a str>,
    /// `x-tollgate-tags`: `name=value` or `name` (meaning `name=true`), with commas between.
    pub tags: Option<&'a str>,
}

impl Tags {
    /// Tags of a key, from its config.
    ///
    /// # Errors
    /// When one of them cannot be a tag, or there are too many.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, AttributionError> {
        let mut tags = Self::default();
        for (name, value) in pairs {
            tags.add(name, value)?;
        }
        Ok(tags)
    }

    /// A tag's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(own, _)| (**own).cmp(name)).ok()?;
        self.0.get(at).map(|(_, value)| &**value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Name and value of each.
    #[must_use]
    pub fn pairs(&self) -> &[(Arc<str>, Arc<str>)] {
        &self.0
    }

    /// No tag.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn with_said(mut self, text: &str) -> Result<Self, AttributionError> {
        for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            let (name, value) = tag.split_once('=').unwrap_or((tag, "true"));
            self.add(name.trim(), value.trim())?;
        }
        Ok(self)
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), AttributionError> {
        let legal = is_tag(name, TAG_NAME_BYTES_MAX) && is_tag(value, TAG_VALUE_BYTES_MAX);
        if !legal {
            return Err(AttributionError::Tag);
        }
        match self.0.binary_search_by(|(own, _)| (**own).cmp(name)) {
            Ok(at) if self.0.get(at).is_some_and(|(_, own)| **own == *value) => Ok(()),
            Ok(_) => Err(AttributionError::TagIsBound),
            Err(_) if TAGS_MAX <= self.0.len() => Err(AttributionError::TooManyTags),
            Err(at) => {
                self.0.insert(at, (Arc::from(name), Arc::from(value)));
                Ok(())
            }
        }
    }
}

/// Tags go into records, headers and metrics: no characters that mean something there.
fn is_tag(text: &str, bytes_max: usize) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@/+-".contains(&byte);
    !text.is_empty() && text.len() <= bytes_max && text.bytes().all(legal)
}

fn is_text(text: &str, bytes_max: usize) -> bool {
    !text.trim().is_empty() && text.len() <= bytes_max && !text.chars().any(char::is_control)
}
