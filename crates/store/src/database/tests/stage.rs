//! Where a test plays: an empty database of either kind, gone afterwards.

use std::path::PathBuf;
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::super::{Database, Source};

/// Where a PostgreSQL is that tests may fill.
pub(super) const POSTGRES: &str = "TOLLGATE_POSTGRES";

/// An open database, and how to open it again.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) database: Database,
    pub(super) source: Source,
}

impl Stage {
    /// Runs a statement behind the database's back.
    pub(super) async fn tamper(&self, sql: &'static str) -> u64 {
        let mut tx = self.database.engine.write().await.unwrap();
        let rows = tx.execute(sql, Vec::new()).await.unwrap();
        tx.commit().await.unwrap();
        rows
    }
}

fn run<F: Future<Output = ()>>(source: Source, test: impl FnOnce(Stage) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let database = Database::open(&source).await.unwrap();
        let stage = Stage { database, source };
        test(stage.clone()).await;
        stage.database.close().await;
    });
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) fn on_sqlite<F: Future<Output = ()>>(name: &str, test: impl FnOnce(Stage) -> F) {
    let folder = Folder(std::env::temp_dir().join(format!("tollgate-store-{}-{name}", std::process::id())));
    std::fs::create_dir_all(&folder.0).unwrap();
    run(Source::Folder(folder.0.clone()), test);
}

pub(super) fn on_postgres<F: Future<Output = ()>>(name: &str, test: impl FnOnce(Stage) -> F) {
    let Ok(url) = std::env::var(POSTGRES) else {
        println!("skipped: {POSTGRES} does not name a PostgreSQL to test with");
        return;
    };
    let schema = format!("test_{}_{:.40}", std::process::id(), name);
    in_schemas(&url, MAKE, &schema);
    let join = if url.contains('?') { '&' } else { '?' };
    run(Source::Url(format!("{url}{join}options=-csearch_path%3D{schema}")), test);
    in_schemas(&url, DROP, &schema);
}

const MAKE: &str = "
    CREATE FUNCTION pg_temp.schema(name TEXT) RETURNS BIGINT LANGUAGE plpgsql
    AS $$ BEGIN EXECUTE format('CREATE SCHEMA %I', name); RETURN 1; END $$";
const DROP: &str = "
    CREATE FUNCTION pg_temp.schema(name TEXT) RETURNS BIGINT LANGUAGE plpgsql
    AS $$ BEGIN EXECUTE format('DROP SCHEMA %I CASCADE', name); RETURN 1; END $$";

fn in_schemas(url: &str, function: &'static str, schema: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = PgConnectOptions::from_str(url).unwrap();
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        sqlx::raw_sql(function).execute(&pool).await.unwrap();
        sqlx::query("SELECT pg_temp.schema($1)").bind(schema).execute(&pool).await.unwrap();
        pool.close().await;
    });
}
