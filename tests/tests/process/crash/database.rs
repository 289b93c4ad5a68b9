//! The ledger's database away, in a process that runs: calls go on, it is told, and what was missed is made up for once.

use std::time::{Duration, Instant};

use sqlx::Connection;
use tollgate_store::database::Source;

use super::{Site, stop};

/// Waits until the database has that many rows.
async fn has_rows(site: &Site, source: &Source, count: usize) {
    let began = Instant::now();
    while site.rows(source).await.len() < count {
        assert!(began.elapsed() < Duration::from_secs(30), "the database does not catch up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_database_is_made_anew_from_the_journal_and_told() {
    let site = Site::new("").await;
    let gateway = site.start().await;
    site.answers(&gateway, 5).await;
    stop(gateway).await;
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(site.data.path().join(format!("tollgate.db{end}")));
    }
    let gateway = site.start().await;
    let line = gateway.line_with("the database knows nothing of the journal").await;
    assert!(line.contains("\"level\":\"warn\""), "{line}");
    site.answers(&gateway, 5).await;
    stop(gateway).await;
    assert_eq!(site.check(&site.source()).await.len(), 10);
}

/// Another program that writes keeps the shipper out; a full or read-only disk is an error to it; both are tried again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_takes_nothing_holds_nobody_up() {
    let site = Site::new("").await;
    let gateway = site.start().await;
    site.answers(&gateway, 5).await;
    has_rows(&site, &site.source(), 5).await;
    let address = format!("sqlite://{}", site.data.path().join("tollgate.db").display());
    let mut other = sqlx::SqliteConnection::connect(&address).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let began = Instant::now();
    site.answers(&gateway, 20).await;
    assert!(began.elapsed() < Duration::from_secs(10), "calls wait for the database");
    // Every batch fails from here on, until the table is back.
    sqlx::raw_sql("ALTER TABLE ledger RENAME TO away; COMMIT")
        .execute(&mut other)
        .await
        .unwrap();
    let line = gateway.line_with("behind the journal").await;
    assert!(line.contains("\"level\":\"error\""), "{line}");
    site.answers(&gateway, 20).await;
    sqlx::raw_sql("ALTER TABLE away RENAME TO ledger")
        .execute(&mut other)
        .await
        .unwrap();
    other.close().await.unwrap();
    has_rows(&site, &site.source(), 45).await;
    stop(gateway).await;
    assert_eq!(site.check(&site.source()).await.len(), 45);
}
