//! What the admin API keeps. Each object is a JSON document with a version; the types in `kinds` are the only way to make or read one. Every
//! change goes through [`Objects::mutate`], which writes its audit record in the same transaction: nothing changes unaudited.

mod kinds;
mod mutate;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::audit::Act;
use super::engine::{self, Engine, binds};
use super::{BoxFuture, Database, Error};
pub use kinds::{
    Admin, ApiToken, Budget, Feature, Increase, Key, Limit, OneTimePassword, Role, Rollback, Secret, Switch, SwitchMode, SwitchScope, Team,
    User,
};

/// Objects that one page may have.
const PAGE_OBJECTS_MAX: u32 = 1_000;
/// A search word is at least this long (R-A8).
const SEARCH_CHARS_MIN: usize = 3;

/// What kinds of objects there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the type of the same name")]
pub enum Kind {
    Team,
    User,
    Feature,
    Key,
    Limit,
    Budget,
    Increase,
    Switch,
    Rollback,
    Admin,
    ApiToken,
    OneTimePassword,
}

/// A type that is kept as an object.
pub trait Object: Serialize + DeserializeOwned {
    /// Its kind.
    const KIND: Kind;
    /// A name that no other of its kind has; none: it has an id alone.
    fn name(&self) -> Option<&str>;
}

/// An object as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What it is.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// Grows with every change: the ETag.
    pub version: i64,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was last changed.
    pub updated_ms: i64,
    /// When it was deleted.
    pub deleted_ms: Option<i64>,
    body: String,
}

/// Which objects of a kind, in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Only those with this in their names, at least three characters.
    pub search: Option<String>,
    /// Only those behind this id: the last of the page before.
    pub after: Option<String>,
    /// How many at most; 1,000 is the most.
    pub limit: u32,
    /// Deleted ones too.
    pub deleted: bool,
}

/// A change of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// An object is made; [`Change::create`].
    Create(Draft),
    /// An object is replaced; [`Change::update`]. With a version: only when it has that one still.
    Update(Draft, Option<i64>),
    /// An object is deleted.
    Delete {
        /// What it is.
        kind: Kind,
        /// Its id.
        id: String,
        /// Only when it has this version still.
        version: Option<i64>,
    },
    /// Somebody logs in.
    StartSession(Session),
    /// Somebody logs out.
    EndSession {
        /// The digest of the token, in hexadecimal.
        digest: String,
    },
    /// All sessions of an admin end: a new password, another role.
    EndSessionsOf {
        /// The id of the admin.
        admin: String,
    },
}

/// An object's new state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    kind: Kind,
    id: String,
    name: String,
    body: Value,
}

/// A session of the admin API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The digest of the token, in hexadecimal.
    pub digest: String,
    /// The id of the admin.
    pub admin: String,
    /// When it began, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it ends.
    pub expires_ms: i64,
}

/// What a mutation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The version of each changed object, in the order of the changes; 0 for sessions.
    pub versions: Vec<i64>,
    /// The revision of all objects now.
    pub revision: i64,
    /// The number of the last audit record.
    pub audit_seq: i64,
}

/// The objects, and the one way to change them.
pub trait Objects: Send + Sync {
    /// One object, also a deleted one.
    fn get<'a>(&'a self, kind: Kind, id: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Error>>;

    /// The object of that name.
    fn named<'a>(&'a self, kind: Kind, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Error>>;

    /// A page of objects.
    fn list<'a>(&'a self, kind: Kind, listing: &'a Listing) -> BoxFuture<'a, Result<Vec<Stored>, Error>>;

    /// A number that grows with every change.
    fn revision(&self) -> BoxFuture<'_, Result<i64, Error>>;

    /// A session that has not ended.
    fn session<'a>(&'a self, digest: &'a str, now_ms: i64) -> BoxFuture<'a, Result<Option<Session>, Error>>;

    /// All sessions that have not ended, the youngest first; 1,000 at most.
    fn sessions(&self, now_ms: i64) -> BoxFuture<'_, Result<Vec<Session>, Error>>;

    /// Makes all changes or none, with an audit record for each; without a change the record alone.
    fn mutate<'a>(&'a self, changes: &'a [Change], act: &'a Act, now_ms: i64) -> BoxFuture<'a, Result<Receipt, Error>>;
}

/// The columns of an object, in the order that `Stored::read_row` takes them.
macro_rules! columns {
    () => {
        "SELECT id, version, created_ms, updated_ms, deleted_ms, body FROM objects "
    };
}

const GET: &str = concat!(columns!(), "WHERE kind = $1 AND id = $2");
const NAMED: &str = concat!(columns!(), "WHERE kind = $1 AND name = $2 AND deleted_ms = 0");
const LIST: &str = concat!(
    columns!(),
    "WHERE kind = $1 AND id > $2 AND (deleted_ms = 0 OR $3 = 1) AND ($4 = '' OR LOWER(name) LIKE LOWER($4) ESCAPE '\\') \
     ORDER BY id LIMIT $5"
);
const REVISION: &str = "SELECT value FROM revision";
const SESSION: &str = "SELECT admin, created_ms, expires_ms FROM sessions WHERE digest = $1 AND expires_ms > $2";
const SESSIONS: &str = "
    SELECT admin, created_ms, expires_ms, digest FROM sessions WHERE expires_ms > $1 ORDER BY created_ms DESC, digest LIMIT $2";

impl Objects for Database {
    fn get<'a>(&'a self, kind: Kind, id: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Error>> {
        Box::pin(async move {
            let row = self.engine.read().await?.row(GET, binds![kind.word(), id]).await?;
            row.map(|row| Stored::read_row(kind, &row)).transpose()
        })
    }

    fn named<'a>(&'a self, kind: Kind, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, Error>> {
        Box::pin(async move {
            let row = self.engine.read().await?.row(NAMED, binds![kind.word(), name]).await?;
            row.map(|row| Stored::read_row(kind, &row)).transpose()
        })
    }

    fn list<'a>(&'a self, kind: Kind, listing: &'a Listing) -> BoxFuture<'a, Result<Vec<Stored>, Error>> {
        Box::pin(list(&self.engine, kind, listing))
    }

    fn revision(&self) -> BoxFuture<'_, Result<i64, Error>> {
        Box::pin(async move {
            let row = self.engine.read().await?.row(REVISION, binds![]).await?;
            row.map_or(Ok(0), |row| row.int(0))
        })
    }

    fn session<'a>(&'a self, digest: &'a str, now_ms: i64) -> BoxFuture<'a, Result<Option<Session>, Error>> {
        Box::pin(async move {
            let row = self.engine.read().await?.row(SESSION, binds![digest, now_ms]).await?;
            row.map(|row| Session::read_row(digest.to_owned(), &row)).transpose()
        })
    }

    fn sessions(&self, now_ms: i64) -> BoxFuture<'_, Result<Vec<Session>, Error>> {
        Box::pin(async move {
            let binds = binds![now_ms, i64::from(PAGE_OBJECTS_MAX)];
            let rows = self.engine.read().await?.rows(SESSIONS, binds).await?;
            rows.iter().map(|row| Session::read_row(row.text(3)?, row)).collect()
        })
    }

    fn mutate<'a>(&'a self, changes: &'a [Change], act: &'a Act, now_ms: i64) -> BoxFuture<'a, Result<Receipt, Error>> {
        Box::pin(mutate::mutate(&self.engine, changes, act, now_ms))
    }
}

async fn list(engine: &Engine, kind: Kind, listing: &Listing) -> Result<Vec<Stored>, Error> {
    let search = match &listing.search {
        None => String::new(),
        Some(word) if word.chars().count() < SEARCH_CHARS_MIN => {
            return Err(Error::Refused("the search word is too short; give at least 3 characters".into()));
        }
        Some(word) => ["%", &escaped(word), "%"].concat(),
    };
    let (after, limit) = (listing.after.as_deref().unwrap_or_default(), listing.limit.min(PAGE_OBJECTS_MAX));
    let binds = binds![kind.word(), after, listing.deleted, search, i64::from(limit)];
    let rows = engine.read().await?.rows(LIST, binds).await?;
    rows.iter().map(|row| Stored::read_row(kind, row)).collect()
}

/// A word in which nothing is a wildcard (R-A8).
fn escaped(word: &str) -> String {
    let mut text = String::with_capacity(word.len() + 2);
    for letter in word.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

impl Stored {
    /// What it is.
    ///
    /// # Errors
    /// It is of another kind, or was written by a newer version.
    pub fn read<T: Object>(&self) -> Result<T, Error> {
        if T::KIND != self.kind {
            return Err(Error::Refused(
                [self.kind.word(), "/", &self.id, " is not a ", T::KIND.word()].concat(),
            ));
        }
        Ok(serde_json::from_str(&self.body)?)
    }

    fn read_row(kind: Kind, row: &engine::Row) -> Result<Self, Error> {
        Ok(Self {
            kind,
            id: row.text(0)?,
            version: row.int(1)?,
            created_ms: row.int(2)?,
            updated_ms: row.int(3)?,
            deleted_ms: Some(row.int(4)?).filter(|at| *at != 0),
            body: row.text(5)?,
        })
    }
}

impl Session {
    fn read_row(digest: String, row: &engine::Row) -> Result<Self, Error> {
        Ok(Self {
            digest,
            admin: row.text(0)?,
            created_ms: row.int(1)?,
            expires_ms: row.int(2)?,
        })
    }
}

impl Change {
    /// Makes an object.
    ///
    /// # Errors
    /// It cannot be written down.
    pub fn create<T: Object>(id: &str, object: &T) -> Result<Self, Error> {
        Ok(Self::Create(Draft::new(id, object)?))
    }

    /// Replaces an object; with a version only when it has that one still (`If-Match`).
    ///
    /// # Errors
    /// It cannot be written down.
    pub fn update<T: Object>(id: &str, object: &T, version: Option<i64>) -> Result<Self, Error> {
        Ok(Self::Update(Draft::new(id, object)?, version))
    }
}

impl Draft {
    fn new<T: Object>(id: &str, object: &T) -> Result<Self, Error> {
        Ok(Self {
            kind: T::KIND,
            id: id.to_owned(),
            name: object.name().unwrap_or(id).to_owned(),
            body: serde_json::to_value(object)?,
        })
    }
}
