//! What can go wrong with durable state, by what the caller can do about it.

use std::fmt;

/// A refusal or failure of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// It cannot be reached or did not answer in time; trying again later may help.
    Unavailable(String),
    /// What was read is not what we wrote.
    Damaged(String),
    /// It was made by a newer version of the gateway.
    TooNew {
        /// The migration that this binary does not know.
        migration: i64,
    },
    /// There is no such object.
    NotFound {
        /// Kind and id.
        what: String,
    },
    /// Somebody else changed it first.
    Changed {
        /// Kind and id.
        what: String,
        /// The version that it has now.
        version: i64,
    },
    /// Another object of the kind has that name or id.
    Taken {
        /// Kind and name.
        what: String,
    },
    /// The question itself cannot be answered.
    Refused(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(reason) => write!(f, "the database does not answer: {reason}"),
            Self::Damaged(reason) => write!(f, "the database is damaged: {reason}; restore it from a backup"),
            Self::TooNew { migration } => write!(
                f,
                "the database was made by a newer version of tollgate (it has migration {migration}); start that version, or restore a backup from before the update"
            ),
            Self::NotFound { what } => write!(f, "there is no {what}"),
            Self::Changed { what, version } => write!(
                f,
                "{what} was changed by somebody else and is now at version {version}; read it again"
            ),
            Self::Taken { what } => write!(f, "{what} is taken; choose another name"),
            Self::Refused(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Error {}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            // Whoever wrote knows what it was.
            sqlx::Error::Database(error) if error.is_unique_violation() => Self::Taken { what: String::new() },
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) | sqlx::Error::Decode(_) => Self::Damaged(error.to_string()),
            error => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for Error {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError;
        match error {
            MigrateError::VersionMissing(migration) => Self::TooNew { migration },
            MigrateError::VersionMismatch(_) | MigrateError::Dirty(_) => Self::Damaged(error.to_string()),
            error => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}
