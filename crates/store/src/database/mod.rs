//! Durable state: the ledger, the objects of the admin API, the audit log, alerts to be sent. One set of traits, one logic, two databases:
//! SQLite in one file of the data folder, or PostgreSQL. Nothing on the path of a request waits for what is in here; time is an argument.

pub mod audit;
mod chain;
pub mod decisions;
mod engine;
mod error;
pub mod ledger;
pub mod objects;
pub mod outbox;
pub mod reviews;
pub mod shadows;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::pin::Pin;

use engine::Engine;
pub use error::Error;

/// What a trait's async function returns: the traits are used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Which database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// SQLite in `tollgate.db` of this data folder, which is there.
    Folder(PathBuf),
    /// PostgreSQL at this address.
    Url(String),
}

/// An open database. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Database {
    engine: Engine,
}

impl Database {
    /// Opens it, and brings its tables up to date.
    ///
    /// # Errors
    /// It cannot be reached, or is newer than this binary.
    pub async fn open(source: &Source) -> Result<Self, Error> {
        let engine = match source {
            Source::Folder(folder) => Engine::sqlite(&folder.join("tollgate.db")).await?,
            Source::Url(url) => Engine::postgres(url).await?,
        };
        Ok(Self { engine })
    }

    /// Opens the SQLite database of a data folder for reading alone: nothing is made, and nothing brought up to date.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    pub async fn open_to_read(folder: &Path) -> Result<Self, Error> {
        let engine = Engine::sqlite_to_read(&folder.join("tollgate.db")).await?;
        Ok(Self { engine })
    }

    /// Ends all connections, so that the next program finds a whole file.
    pub async fn close(&self) {
        self.engine.close().await;
    }
}
