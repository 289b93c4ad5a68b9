//! The seam between our statements and the two databases. A statement is a `&'static str` with binds (R-A1): nothing else fits in here, so no
//! text of a caller becomes SQL. Lists are bound as one JSON text and unfolded by `json_each`, which makes a batch one statement in both.

use std::borrow::Cow;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{Arguments as _, Postgres, Row as _, SqlSafeStr, Sqlite, Transaction};

use super::error::Error;

/// How long a statement of a reader may take (R-A8).
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// How long we wait for a connection, or for another process that writes.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that read.
const READERS_MAX: u32 = 4;

/// Number, name, text for SQLite, text for PostgreSQL. Forward only: a line is never changed once released.
const MIGRATIONS: &[(i64, &str, &str, &str)] = &[
    (
        1,
        "ledger",
        include_str!("../../migrations/sqlite/0001_ledger.sql"),
        include_str!("../../migrations/postgres/0001_ledger.sql"),
    ),
    (
        2,
        "objects",
        include_str!("../../migrations/sqlite/0002_objects.sql"),
        include_str!("../../migrations/postgres/0002_objects.sql"),
    ),
    (
        3,
        "decisions",
        include_str!("../../migrations/sqlite/0003_decisions.sql"),
        include_str!("../../migrations/postgres/0003_decisions.sql"),
    ),
    (
        4,
        "release",
        include_str!("../../migrations/sqlite/0004_release.sql"),
        include_str!("../../migrations/postgres/0004_release.sql"),
    ),
    (
        5,
        "reviews",
        include_str!("../../migrations/sqlite/0005_reviews.sql"),
        include_str!("../../migrations/postgres/0005_reviews.sql"),
    ),
];

/// An open database: one connection that writes, a few that read.
#[derive(Debug, Clone)]
pub(crate) enum Engine {
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres { writer: PgPool, readers: PgPool },
}

/// A value for `$1`, `$2`, ….
#[derive(Debug, Clone)]
pub(crate) enum Bind {
    Int(i64),
    Text(String),
    /// One text for many rows.
    Shared(Arc<str>),
}

impl Bind {
    /// As an element of a list.
    pub(crate) fn json(self) -> Value {
        match self {
            Self::Int(value) => Value::from(value),
            Self::Text(value) => Value::String(value),
            Self::Shared(value) => Value::from(&*value),
        }
    }
}

/// One row of an answer.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// A transaction; dropped without [`Tx::commit`], nothing happened.
pub(crate) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// The binds of a statement, in order.
macro_rules! binds {
    ($($value:expr),* $(,)?) => { vec![$($crate::database::engine::Bind::from($value)),*] };
}
pub(crate) use binds;

impl Engine {
    pub(crate) async fn sqlite(file: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // A batch of the ledger fits, so that no page of it is written twice; and pages that every batch changes are moved out of the
            // write-ahead log after some of them only.
            .pragma("cache_size", "-8192")
            .pragma("wal_autocheckpoint", "4000")
            .busy_timeout(WAIT_TIMEOUT);
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(WAIT_TIMEOUT)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        let writer = pool(1).connect_with(options.clone()).await?;
        migrator(|(_, _, sqlite, _)| sqlite).run(&writer).await?;
        let readers = pool(READERS_MAX).connect_lazy_with(options.pragma("query_only", "1"));
        Ok(Self::Sqlite { writer, readers })
    }

    /// One that writes nothing, also not as its writer.
    pub(crate) async fn sqlite_to_read(file: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(false)
            .busy_timeout(WAIT_TIMEOUT)
            .pragma("query_only", "1");
        let readers = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(WAIT_TIMEOUT)
            .connect_with(options)
            .await?;
        Ok(Self::Sqlite {
            writer: readers.clone(),
            readers,
        })
    }

    pub(crate) async fn postgres(url: &str) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| Error::Refused("is not an address of a PostgreSQL database; write postgres://user:password@host/name".into()))?
            .application_name("tollgate");
        let pool = |connections| PgPoolOptions::new().max_connections(connections).acquire_timeout(WAIT_TIMEOUT);
        let writer = pool(2).connect_with(options.clone()).await?;
        migrator(|(_, _, _, postgres)| postgres).run(&writer).await?;
        let timeout_ms = READ_TIMEOUT.as_millis().to_string();
        let readers = pool(READERS_MAX).connect_lazy_with(options.options([("statement_timeout", timeout_ms.as_str())]));
        Ok(Self::Postgres { writer, readers })
    }

    /// A transaction that writes. On SQLite it waits for the one before.
    pub(crate) async fn write(&self) -> Result<Tx, Error> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres { writer, .. } => Tx::Postgres(writer.begin().await?),
        })
    }

    /// A transaction that reads one state of the database, and not for long.
    pub(crate) async fn read(&self) -> Result<Tx, Error> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Tx::Sqlite(readers.begin().await?),
            Self::Postgres { readers, .. } => Tx::Postgres(readers.begin_with(SNAPSHOT).await?),
        })
    }

    /// The same for who reads everything: without the time limit of a statement.
    pub(crate) async fn read_all(&self) -> Result<Tx, Error> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Tx::Sqlite(readers.begin().await?),
            Self::Postgres { writer, .. } => Tx::Postgres(writer.begin_with(SNAPSHOT).await?),
        })
    }

    /// Closes all connections; on SQLite what was written is moved out of the write-ahead log.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }
}

/// Readers see one state, whatever is written meanwhile.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

fn migrator(text: fn(&(i64, &'static str, &'static str, &'static str)) -> &'static str) -> Migrator {
    let migration = |line: &(i64, &'static str, &'static str, &'static str)| {
        Migration::new(line.0, line.1.into(), MigrationType::Simple, text(line).into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect())
}

/// One by one on a query they would each move it.
fn arguments<D>(binds: Vec<Bind>) -> Result<D::Arguments, Error>
where
    D: sqlx::Database,
    for<'q> i64: sqlx::Encode<'q, D> + sqlx::Type<D>,
    for<'q> String: sqlx::Encode<'q, D> + sqlx::Type<D>,
    for<'q> Arc<str>: sqlx::Encode<'q, D> + sqlx::Type<D>,
{
    let mut arguments = D::Arguments::default();
    arguments.reserve(binds.len(), 0);
    for bind in binds {
        let added = match bind {
            Bind::Int(value) => arguments.add(value),
            Bind::Text(value) => arguments.add(value),
            Bind::Shared(value) => arguments.add(value),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// Runs one statement on either database; the two arms differ in types alone.
macro_rules! on_either {
    ($tx:expr, $sql:expr, $binds:expr, $run:ident, $wrap:expr, $wrap_pg:expr) => {
        match $tx {
            Tx::Sqlite(tx) => {
                let query = sqlx::query_with::<Sqlite, _>($sql, arguments::<Sqlite>($binds)?);
                $wrap(query.$run(&mut **tx).await?)
            }
            Tx::Postgres(tx) => {
                let query = sqlx::query_with::<Postgres, _>($sql, arguments::<Postgres>($binds)?);
                $wrap_pg(query.$run(&mut **tx).await?)
            }
        }
    };
}

impl Tx {
    /// Runs a statement; how many rows it touched.
    pub(crate) async fn execute(&mut self, sql: &'static str, binds: Vec<Bind>) -> Result<u64, Error> {
        Ok(on_either!(
            self,
            sql,
            binds,
            execute,
            |done: sqlx::sqlite::SqliteQueryResult| done.rows_affected(),
            |done: sqlx::postgres::PgQueryResult| done.rows_affected()
        ))
    }

    /// All rows of an answer; the statement bounds them.
    pub(crate) async fn rows(&mut self, sql: &'static str, binds: Vec<Bind>) -> Result<Vec<Row>, Error> {
        Ok(on_either!(
            self,
            sql,
            binds,
            fetch_all,
            |rows: Vec<SqliteRow>| rows.into_iter().map(Row::Sqlite).collect(),
            |rows: Vec<PgRow>| rows.into_iter().map(Row::Postgres).collect()
        ))
    }

    /// The first row of an answer.
    pub(crate) async fn row(&mut self, sql: &'static str, binds: Vec<Bind>) -> Result<Option<Row>, Error> {
        Ok(self.rows(sql, binds).await?.into_iter().next())
    }

    pub(crate) async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Whether tables are cut into partitions here.
    pub(crate) fn has_partitions(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

impl Row {
    pub(crate) fn int(&self, column: usize) -> Result<i64, Error> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    pub(crate) fn text(&self, column: usize) -> Result<String, Error> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }
}

impl From<i64> for Bind {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Bind {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<String> for Bind {
    fn from(value: String) -> Self {
        Self::from(value.as_str())
    }
}

impl From<&str> for Bind {
    fn from(value: &str) -> Self {
        Self::Text(clean(value))
    }
}

/// A list for `json_each`: its elements are arrays, so that `value ->> 0` means the same in both databases.
impl From<Vec<Value>> for Bind {
    fn from(lines: Vec<Value>) -> Self {
        let mut list = Value::Array(lines);
        clean_all(&mut list);
        Self::Text(list.to_string())
    }
}

/// A text as databases take it: one with a NUL in it would stop every batch that it is in.
pub(crate) fn clean(text: &str) -> String {
    tidy(text).into_owned()
}

/// The same; the text itself, where nothing is to be done.
pub(crate) fn tidy(text: &str) -> Cow<'_, str> {
    if text.as_bytes().contains(&0) {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

fn clean_all(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = clean(text),
        Value::Array(values) => values.iter_mut().for_each(clean_all),
        _ => {}
    }
}
