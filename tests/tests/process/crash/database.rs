//! The ledger's database away, in a process that runs: calls go on, it is told, and what was missed is made up for once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sqlx::Connection;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
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

/// A way to PostgreSQL that can be cut.
struct Line {
    address: SocketAddr,
    up: watch::Sender<bool>,
    _serving: JoinSet<()>,
}

impl Line {
    async fn to(database: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (up, is_up) = watch::channel(true);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let mut is_up = is_up.clone();
                open.spawn(async move {
                    if !*is_up.borrow() {
                        return;
                    }
                    let mut far = TcpStream::connect(database).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = is_up.wait_for(|up| !up) => {}
                    }
                });
            }
        });
        Self {
            address,
            up,
            _serving: serving,
        }
    }
}

/// An empty schema of our own in that database, and the address that leads into it through a line.
const MAKE: &str = "DROP SCHEMA IF EXISTS tollgate_crash CASCADE; CREATE SCHEMA tollgate_crash";
const SEARCH_PATH: &str = "options=-csearch_path%3Dtollgate_crash";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_on_while_postgresql_is_down_and_all_is_shipped_once_when_it_is_back() {
    let Ok(url) = std::env::var("TOLLGATE_POSTGRES") else {
        println!("skipped: TOLLGATE_POSTGRES does not name a PostgreSQL to test with");
        return;
    };
    let mut owner = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(MAKE).execute(&mut owner).await.unwrap();
    let (scheme, rest) = url.split_once("://").unwrap();
    let (user, place) = rest.split_once('@').unwrap();
    let (host, name) = place.split_once('/').unwrap();
    let line = Line::to(tokio::net::lookup_host(host).await.unwrap().next().unwrap()).await;
    let join = if name.contains('?') { '&' } else { '?' };
    let through = format!("{scheme}://{user}@{}/{name}{join}{SEARCH_PATH}", line.address);
    let direct = Source::Url(format!("{url}{join}{SEARCH_PATH}"));
    let site = Site::new(&format!("database: \"{through}\"")).await;

    // Away at the start: what may be spent is not known, and that is said.
    line.up.send_replace(false);
    let said = site.try_start().await.err().unwrap();
    assert!(said.contains("the database cannot be opened"), "{said}");
    line.up.send_replace(true);

    let gateway = site.start().await;
    site.answers(&gateway, 5).await;
    has_rows(&site, &direct, 5).await;
    line.up.send_replace(false);
    let began = Instant::now();
    site.answers(&gateway, 20).await;
    assert!(began.elapsed() < Duration::from_secs(10), "calls wait for the database");
    let told = gateway.line_with("behind the journal").await;
    assert!(told.contains("\"level\":\"error\""), "{told}");
    line.up.send_replace(true);
    has_rows(&site, &direct, 25).await;
    // Killed while it is away: the next start finds in the journal what the database does not have.
    line.up.send_replace(false);
    let load = site.load(&gateway);
    site.answers(&gateway, 10).await;
    drop(gateway);
    load.end().await;
    line.up.send_replace(true);
    stop(site.start().await).await;
    assert!(35 <= site.check(&direct).await.len());
    sqlx::raw_sql("DROP SCHEMA tollgate_crash CASCADE")
        .execute(&mut owner)
        .await
        .unwrap();
}
