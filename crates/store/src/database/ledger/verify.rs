//! Everything about money computed a second time, from the rows alone. One read transaction: it sees one state and disturbs nobody.

use super::super::chain::Link;
use super::super::engine::{Engine, Tx, binds};
use super::super::error::Error;
use super::row::{Row, columns};
use super::spend::HOUR_MS;

/// Rows read at once.
const ROWS_MAX: i64 = 5_000;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Rows whose hashes were computed.
    pub rows: u64,
    /// Rows dropped by retention, which only their sums speak for.
    pub dropped: i64,
    /// The first thing that is not as it must be.
    pub flaw: Option<Flaw>,
}

/// Something in the ledger that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// The row of this number is missing, or stands twice.
    Missing(i64),
    /// The row of this number was changed, or one before it was exchanged.
    Changed(i64),
    /// Rows at the end are missing: the last one is this, the chain says it is the other.
    Truncated(i64, i64),
    /// The roll-up of this hour is not the sum of its rows.
    Spend {
        /// Since 1970.
        hour: i64,
    },
    /// The balance of this account is not the sum of its charges.
    Balance {
        /// The account, in hexadecimal.
        account: String,
        /// The window's start in seconds since 1970.
        window: i64,
    },
    /// This request's hold ended more than once.
    EndedTwice(String),
}

const CHAIN: &str = "SELECT seq, hash, anchor_seq, anchor_hash, anchor_ms, anchor_window FROM chains WHERE name = 'ledger'";
const ROWS: &str = concat!("SELECT ", columns!(), " FROM ledger WHERE seq > $1 ORDER BY seq LIMIT $2");

/// Hours that are whole: no row of theirs was dropped. What stands on one side alone is wrong.
const SPEND: &str = "
    SELECT hour FROM (
        SELECT hour, team, user_id, key_id, feature, route, provider, model, SUM(requests) AS requests, SUM(input) AS input,
            SUM(output) AS output, SUM(cache_read) AS cache_read, SUM(cache_write_5m) AS cache_write_5m,
            SUM(cache_write_1h) AS cache_write_1h, SUM(reasoning) AS reasoning, SUM(cost) AS cost
        FROM (
            SELECT at_ms / 3600000 AS hour, team, user_id, key_id, feature, route, provider, model, requests, input, output, cache_read,
                cache_write_5m, cache_write_1h, reasoning, cost
            FROM ledger WHERE attempt > 0
            UNION ALL
            SELECT hour, team, user_id, key_id, feature, route, provider, model, -requests, -input, -output, -cache_read,
                -cache_write_5m, -cache_write_1h, -reasoning, -cost
            FROM spend
        ) AS both_sides
        WHERE hour > $1
        GROUP BY hour, team, user_id, key_id, feature, route, provider, model
    ) AS differences
    WHERE requests <> 0 OR input <> 0 OR output <> 0 OR cache_read <> 0 OR cache_write_5m <> 0 OR cache_write_1h <> 0
        OR reasoning <> 0 OR cost <> 0
    ORDER BY hour LIMIT 1";
const BALANCES: &str = "
    SELECT account, window_start FROM (
        SELECT account, window_start, SUM(amount) AS amount FROM (
            SELECT value ->> 0 AS account, CAST(value ->> 1 AS BIGINT) AS window_start, CAST(value ->> 2 AS BIGINT) AS amount
            FROM ledger, json_each(ledger.charges)
            UNION ALL
            SELECT account, window_start, dropped - posted FROM balances
        ) AS both_sides
        WHERE window_start = 0 OR window_start >= $1
        GROUP BY account, window_start
    ) AS differences
    WHERE amount <> 0 ORDER BY account, window_start LIMIT 1";
const ENDED_TWICE: &str = "
    SELECT request FROM ledger WHERE late = 0 AND (requests = 1 OR attempt = 0) GROUP BY journal, request HAVING COUNT(*) > 1
    ORDER BY request LIMIT 1";

pub(super) async fn verify(engine: &Engine) -> Result<Verified, Error> {
    let mut tx = engine.read_all().await?;
    let chain = tx
        .row(CHAIN, binds![])
        .await?
        .ok_or_else(|| Error::Damaged("the ledger's end is not there".into()))?;
    let end = (chain.int(0)?, Link::parse(&chain.text(1)?)?);
    let anchor = (chain.int(2)?, Link::parse(&chain.text(3)?)?);
    let mut verified = Verified {
        rows: 0,
        dropped: anchor.0,
        flaw: None,
    };
    verified.flaw = walk(&mut tx, anchor, end, &mut verified.rows).await?;
    if verified.flaw.is_none() {
        verified.flaw = sums(&mut tx, chain.int(4)?, chain.int(5)?).await?;
    }
    Ok(verified)
}

/// Goes along the chain.
async fn walk(tx: &mut Tx, anchor: (i64, Link), end: (i64, Link), walked: &mut u64) -> Result<Option<Flaw>, Error> {
    let (mut seq, mut link) = anchor;
    loop {
        let rows = tx.rows(ROWS, binds![seq, ROWS_MAX]).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            let row = Row::read(row)?;
            if row.seq != seq + 1 {
                return Ok(Some(Flaw::Missing(seq + 1)));
            }
            link = row.link(link)?;
            if link.text() != row.hash {
                return Ok(Some(Flaw::Changed(row.seq)));
            }
            seq = row.seq;
            *walked += 1;
        }
    }
    Ok(match seq.cmp(&end.0) {
        std::cmp::Ordering::Equal if link == end.1 => None,
        std::cmp::Ordering::Equal => Some(Flaw::Changed(seq)),
        _ => Some(Flaw::Truncated(seq, end.0)),
    })
}

async fn sums(tx: &mut Tx, anchor_ms: i64, anchor_window: i64) -> Result<Option<Flaw>, Error> {
    if let Some(row) = tx.row(SPEND, binds![anchor_ms.div_euclid(HOUR_MS)]).await? {
        return Ok(Some(Flaw::Spend { hour: row.int(0)? }));
    }
    if let Some(row) = tx.row(BALANCES, binds![anchor_window]).await? {
        return Ok(Some(Flaw::Balance {
            account: row.text(0)?,
            window: row.int(1)?,
        }));
    }
    let twice = tx.row(ENDED_TWICE, binds![]).await?;
    twice.map(|row| row.text(0).map(Flaw::EndedTwice)).transpose()
}
