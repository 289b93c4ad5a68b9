//! Where durable state lives and where alerts go, and what limits and budgets count by.

use std::fmt;

use super::{Complaint, SecretRef, shown, text_format};
use crate::config::suggest::did_you_mean;

/// Where durable state lives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Database {
    /// In `data_dir`.
    #[default]
    Embedded,
    /// In a PostgreSQL, at an address without a password.
    Postgres(url::Url),
    /// In a PostgreSQL, whose address stands elsewhere, with its password.
    Reference(SecretRef),
}

text_format!(
    Database,
    "database-place",
    "where durable state lives: embedded, postgres://user@host/name, or env:NAME or file:PATH of such an address with a password",
    ["embedded", "postgres://tollgate@db.example.com/tollgate", "env:DATABASE_URL"]
);

impl Database {
    /// Reads `embedded`, `postgres://…`, `env:NAME` or `file:PATH`.
    ///
    /// # Errors
    /// When it is none of them, or the address holds a password. The address is not quoted.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        if text == "embedded" {
            return Ok(Self::Embedded);
        }
        if text.starts_with("env:") || text.starts_with("file:") {
            return SecretRef::parse(text).map(Self::Reference);
        }
        let known = "write embedded, postgres://user@host/name or env:DATABASE_URL";
        if !text.contains("://") {
            return Err(Complaint::new(format!("\"{}\" is not a database", shown(text)), known));
        }
        let url = Self::address(text)?;
        let in_query = url.query_pairs().any(|(name, _)| name.eq_ignore_ascii_case("password"));
        if url.password().is_some() || in_query {
            return Err(Complaint::new(
                "the address holds a password",
                "put the whole address into a variable and write env:NAME",
            ));
        }
        Ok(Self::Postgres(url))
    }

    /// Reads the address of a PostgreSQL, which may hold a password here.
    ///
    /// # Errors
    /// When it is not `postgres://host/name`. The address is not quoted.
    pub fn address(text: &str) -> Result<url::Url, Complaint> {
        let example = "write for example postgres://tollgate@db.example.com/tollgate";
        let Ok(url) = text.parse::<url::Url>() else {
            return Err(Complaint::new("this is not the address of a database", example));
        };
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(Complaint::new(
                format!("{} is not spoken to databases; only postgres is", shown(url.scheme())),
                example,
            ));
        }
        if url.host_str().is_none_or(str::is_empty) || url.path().trim_matches('/').is_empty() {
            return Err(Complaint::new("the address names no host or no database", example));
        }
        Ok(url)
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Postgres(url) => url.fmt(f),
            Self::Reference(reference) => reference.fmt(f),
        }
    }
}

/// An address that something is posted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookUrl(url::Url);

text_format!(
    HookUrl,
    "hook-url",
    "an http or https address that something is posted to",
    ["https://hooks.example.com/tollgate"]
);

impl HookUrl {
    /// The URL; without user, query and fragment.
    #[must_use]
    pub const fn get(&self) -> &url::Url {
        &self.0
    }

    /// Reads `https://host/path`.
    ///
    /// # Errors
    /// When it is not http or https, or has a user, a query or a fragment. The address is not quoted.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let refuse = |reason: &str| Err(Complaint::new(reason, "write for example https://hooks.example.com/tollgate"));
        match text.parse::<url::Url>() {
            Ok(url) if !matches!(url.scheme(), "http" | "https") => refuse("only http and https are spoken"),
            Ok(url) if !url.username().is_empty() || url.password().is_some() => refuse("a URL holds no user or password"),
            Ok(url) if url.query().is_some() || url.fragment().is_some() => refuse("the URL has a query or a fragment"),
            Ok(url) => Ok(Self(url)),
            Err(_) => refuse("this is not a URL"),
        }
    }
}

impl fmt::Display for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a limit or budget counts by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// The team.
    Team,
    /// The user.
    User,
    /// The key.
    Key,
    /// The feature.
    Feature,
    /// The route.
    Route,
    /// The model that answers.
    Model,
    /// The provider that answers.
    Provider,
    /// A tag of the caller.
    Tag(String),
}

text_format!(
    Dimension,
    "dimension",
    "what is counted by: team, user, key, feature, route, model, provider or tag:NAME",
    ["team", "user", "tag:tier"]
);

const DIMENSIONS: [(&str, Dimension); 7] = [
    ("team", Dimension::Team),
    ("user", Dimension::User),
    ("key", Dimension::Key),
    ("feature", Dimension::Feature),
    ("route", Dimension::Route),
    ("model", Dimension::Model),
    ("provider", Dimension::Provider),
];

impl Dimension {
    /// Reads `team` or `tag:tier`.
    ///
    /// # Errors
    /// When it is neither one of ours nor `tag:` with a name.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        if let Some(tag) = text.strip_prefix("tag:") {
            let is_name = is_tag(tag);
            return is_name.then(|| Self::Tag(tag.to_owned())).ok_or_else(|| {
                Complaint::new(
                    format!("\"{}\" is not the name of a tag", shown(tag)),
                    "use up to 64 of the characters a-z 0-9 _ . -",
                )
            });
        }
        let known = DIMENSIONS.iter().find(|(name, _)| *name == text);
        known.map(|(_, dimension)| dimension.clone()).ok_or_else(|| {
            let remedy = did_you_mean(text, DIMENSIONS.iter().map(|(name, _)| *name))
                .unwrap_or_else(|| "use team, user, key, feature, route, model, provider or tag:NAME".to_owned());
            Complaint::new(format!("nothing is counted by \"{}\"", shown(text)), remedy)
        })
    }
}

/// Whether this can be the name of a tag.
pub(in crate::config) fn is_tag(name: &str) -> bool {
    const NAME_CHARS_MAX: usize = 64;
    let in_alphabet = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b'-');
    !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.bytes().all(in_alphabet)
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Tag(tag) = self {
            return write!(f, "tag:{tag}");
        }
        let name = DIMENSIONS
            .iter()
            .find(|(_, dimension)| dimension == self)
            .map_or("", |(name, _)| name);
        f.write_str(name)
    }
}
