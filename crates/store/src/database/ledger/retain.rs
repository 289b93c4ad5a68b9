//! Dropping old rows. PostgreSQL drops a month's partition, which costs nothing however many rows it has. SQLite deletes a beginning of the table
//! in small transactions: a table per month would need statements made at run time, and the freed pages take the next rows, so the file
//! does not grow. What was dropped stays in the sums, and the chain begins at an anchor: the rest can still be verified.

use super::super::engine::{Engine, Tx, binds};
use super::super::error::Error;
use super::apply::LOCK;
use super::batch::month_of;

/// Rows that one call deletes on SQLite: tens of milliseconds for who waits to write.
const ROWS_MAX: i64 = 1_000;
/// A window longer than this that began before the cut may still be open: a quarter, and some days.
const WINDOW_MAX_S: i64 = 100 * 86_400;

/// The last row of what is dropped now.
const LAST_OF_ROWS: &str = "
    SELECT seq, hash, part FROM (SELECT seq, hash, part FROM ledger WHERE part < $1 ORDER BY seq LIMIT $2) AS oldest ORDER BY seq DESC LIMIT 1";
const LAST_OF_PART: &str = "
    SELECT seq, hash, part FROM ledger WHERE part = (SELECT MIN(part) FROM ledger WHERE part < $1) ORDER BY seq DESC LIMIT 1";
const YOUNGEST: &str = "SELECT COALESCE(MAX(at_ms), -1) FROM ledger WHERE seq <= $1";
const FOLD: &str = "
    INSERT INTO balances (account, window_start, posted, dropped)
    SELECT value ->> 0, CAST(value ->> 1 AS BIGINT), 0, CAST(SUM(CAST(value ->> 2 AS BIGINT)) AS BIGINT)
    FROM ledger, json_each(ledger.charges) WHERE seq <= $1 GROUP BY 1, 2
    ON CONFLICT (account, window_start) DO UPDATE SET dropped = balances.dropped + excluded.dropped";
const ANCHOR: &str = "
    UPDATE chains SET anchor_seq = $1, anchor_hash = $2, anchor_ms = CASE WHEN anchor_ms < $3 THEN $3 ELSE anchor_ms END
    WHERE name = 'ledger'";
const DELETE: &str = "DELETE FROM ledger WHERE seq <= $1";
const DROP_PART: &str = "SELECT ledger_drop_part($1)";
const CLOSE_WINDOWS: &str = "
    UPDATE chains SET anchor_window = CASE WHEN anchor_window < $1 THEN $1 ELSE anchor_window END WHERE name = 'ledger'";
const DROP_WINDOWS: &str = "DELETE FROM balances WHERE window_start <> 0 AND window_start < $1";

pub(super) async fn retain(engine: &Engine, before_ms: i64) -> Result<bool, Error> {
    let mut tx = engine.write().await?;
    tx.execute(LOCK, binds![]).await?;
    let more = drop_rows(&mut tx, month_of(before_ms)).await?;
    if !more {
        let closed = before_ms.div_euclid(1_000).saturating_sub(WINDOW_MAX_S).max(0);
        tx.execute(CLOSE_WINDOWS, binds![closed]).await?;
        tx.execute(DROP_WINDOWS, binds![closed]).await?;
    }
    tx.commit().await?;
    Ok(more)
}

/// True when it dropped something: there may be more.
async fn drop_rows(tx: &mut Tx, month: i64) -> Result<bool, Error> {
    let last = if tx.has_partitions() {
        tx.row(LAST_OF_PART, binds![month]).await?
    } else {
        tx.row(LAST_OF_ROWS, binds![month, ROWS_MAX]).await?
    };
    let Some(last) = last else { return Ok(false) };
    let (seq, hash, part) = (last.int(0)?, last.text(1)?, last.int(2)?);
    let youngest = tx.row(YOUNGEST, binds![seq]).await?.map_or(Ok(-1), |row| row.int(0))?;
    tx.execute(FOLD, binds![seq]).await?;
    tx.execute(ANCHOR, binds![seq, hash, youngest]).await?;
    if tx.has_partitions() {
        tx.rows(DROP_PART, binds![part]).await?;
    } else {
        tx.execute(DELETE, binds![seq]).await?;
    }
    Ok(true)
}
