//! What can be wrong with the journal, and the remedy.

use std::path::{Path, PathBuf};
use std::{fmt, io};

/// The journal cannot do what it was asked for.
#[derive(Debug)]
pub enum JournalError {
    /// The system refused.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// Why not.
        error: io::Error,
    },
    /// What was written is not what stands there.
    Damaged {
        /// The segment's file.
        path: PathBuf,
        /// Bytes from its begin.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// Another process has the journal open.
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The other process's id, if it can be read.
        holder: String,
    },
    /// The segments that a place lies in, or the ones behind it, are not there.
    Missing {
        /// The folder.
        path: PathBuf,
        /// What is missed.
        reason: String,
    },
    /// The journal has reached its bound.
    Full {
        /// How many bytes it holds.
        bytes: u64,
    },
    /// An entry is longer than a record may be.
    TooLong,
    /// It was written, but the disk did not take it.
    NotDurable,
}

impl JournalError {
    pub(super) fn io(path: &Path, doing: &'static str, error: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            doing,
            error,
        }
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, doing, error } => write!(
                f,
                "{}: cannot {doing}: {error}; see that the disk has room and this user may write there",
                path.display()
            ),
            Self::Damaged { path, offset, reason } => write!(
                f,
                "{}: damaged at byte {offset}: {reason}; restore the file from a backup, or stop tollgate and move the whole folder \
                 aside: what was not in the database yet is then lost",
                path.display()
            ),
            Self::Locked { path, holder } => write!(
                f,
                "{}: another tollgate process{holder} uses this journal; stop it, or give this one a `data_dir` of its own",
                path.display()
            ),
            Self::Missing { path, reason } => write!(
                f,
                "{}: {reason}; restore the missing segments from a backup, or stop tollgate and move the whole folder aside: what \
                 was not in the database yet is then lost",
                path.display()
            ),
            Self::Full { bytes } => write!(
                f,
                "the journal has reached its bound with {bytes} bytes; bring the database back, so that it can be emptied"
            ),
            Self::TooLong => f.write_str("an entry is longer than a record of the journal may be; it was not written"),
            Self::NotDurable => f.write_str("the disk did not take what was written to the journal; look at the disk"),
        }
    }
}

impl std::error::Error for JournalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
