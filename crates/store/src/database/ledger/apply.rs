//! The transaction that a batch is, and the small questions around it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tollgate_policy::ledger::{Entry, Hold, Opened};

use super::super::chain::Link;
use super::super::engine::{Engine, Tx, binds};
use super::super::error::Error;
use super::batch::{Batch, End};
use super::fresh::Fresh;
use super::insert;
use super::{Applied, Balance, Position, Watch, Watching, account_of, account_text};

/// The first statement of everything that writes to a chain: PostgreSQL then lets one in after the other.
pub(super) const LOCK: &str = "UPDATE chains SET seq = seq WHERE name = 'ledger'";
const END: &str = "SELECT seq, hash, part FROM chains WHERE name = 'ledger'";
const MOVE_END: &str = "UPDATE chains SET seq = $1, hash = $2, part = $3 WHERE name = 'ledger'";
const POSITION: &str = "SELECT major, minor FROM positions WHERE journal = $1";
const MOVE_POSITION: &str = "
    INSERT INTO positions (journal, major, minor) VALUES ($1, $2, $3)
    ON CONFLICT (journal) DO UPDATE SET major = excluded.major, minor = excluded.minor";
const NAME_ACCOUNTS: &str = "
    INSERT INTO accounts (account, rule, scope)
    SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1) WHERE true
    ON CONFLICT (account) DO NOTHING";
const HOLDS: &str = "SELECT body FROM holds WHERE journal = $1 AND request IN (SELECT value ->> 0 FROM json_each($2))";
const OPEN_HOLDS: &str = "SELECT body FROM holds WHERE journal = $1 ORDER BY request";
const KEEP_HOLDS: &str = "
    INSERT INTO holds (journal, request, body)
    SELECT $1, value ->> 0, value ->> 1 FROM json_each($2) WHERE true
    ON CONFLICT (journal, request) DO UPDATE SET body = excluded.body";
const END_HOLDS: &str = "DELETE FROM holds WHERE journal = $1 AND request IN (SELECT value ->> 0 FROM json_each($2))";
const ADD_SPEND: &str = "
    INSERT INTO spend (hour, team, user_id, key_id, feature, route, provider, model, requests, input, output, cache_read,
        cache_write_5m, cache_write_1h, reasoning, cost)
    SELECT CAST(value ->> 0 AS BIGINT), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
        CAST(value ->> 8 AS BIGINT), CAST(value ->> 9 AS BIGINT), CAST(value ->> 10 AS BIGINT), CAST(value ->> 11 AS BIGINT),
        CAST(value ->> 12 AS BIGINT), CAST(value ->> 13 AS BIGINT), CAST(value ->> 14 AS BIGINT), CAST(value ->> 15 AS BIGINT)
    FROM json_each($1) WHERE true
    ON CONFLICT (hour, team, user_id, key_id, feature, route, provider, model) DO UPDATE SET
        requests = spend.requests + excluded.requests, input = spend.input + excluded.input, output = spend.output + excluded.output,
        cache_read = spend.cache_read + excluded.cache_read, cache_write_5m = spend.cache_write_5m + excluded.cache_write_5m,
        cache_write_1h = spend.cache_write_1h + excluded.cache_write_1h, reasoning = spend.reasoning + excluded.reasoning,
        cost = spend.cost + excluded.cost";
const ADD_BALANCES: &str = "
    INSERT INTO balances (account, window_start, posted, dropped)
    SELECT value ->> 0, CAST(value ->> 1 AS BIGINT), CAST(value ->> 2 AS BIGINT), 0 FROM json_each($1) WHERE true
    ON CONFLICT (account, window_start) DO UPDATE SET posted = balances.posted + excluded.posted";
const BALANCES: &str = "
    SELECT balances.account, COALESCE(rule, ''), COALESCE(scope, '[]'), window_start, posted
    FROM balances LEFT JOIN accounts ON accounts.account = balances.account
    WHERE window_start >= $1 OR window_start = 0
    ORDER BY balances.account, window_start";
const TOUCHED: &str = "
    SELECT balances.account, rule, scope, balances.window_start, posted
    FROM json_each($1)
    JOIN balances ON balances.account = value ->> 0 AND balances.window_start = CAST(value ->> 1 AS BIGINT)
    JOIN accounts ON accounts.account = balances.account";
/// The oldest bucket is partly outside the window and counts whole: never too little.
const ROLLING: &str = "
    SELECT CAST(COALESCE(SUM(posted), 0) AS BIGINT) FROM balances WHERE account = $1 AND window_start >= $2 AND window_start <= $3";
const ADD_ALERT: &str = "
    INSERT INTO alerts (account, window_start, percent, rule, scope, posted, limit_amount, at_ms, due_ms, attempts, delivered_ms, last_error)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, 0, 0, '')
    ON CONFLICT (account, window_start, percent) DO NOTHING";

pub(super) async fn apply(engine: &Engine, journal: &str, batch: &[(Position, Entry)], watching: Watching<'_>) -> Result<Applied, Error> {
    let mut tx = engine.write().await?;
    tx.execute(LOCK, binds![]).await?;
    let applied = position(&mut tx, journal).await?;
    let mut latest = applied;
    let mut fresh = Vec::with_capacity(batch.len());
    for (position, entry) in batch {
        if latest.is_none_or(|latest| latest < *position) {
            latest = Some(*position);
            fresh.push(entry);
        }
    }
    let Some(latest) = latest.filter(|_| !fresh.is_empty()) else {
        return Ok(Applied::default());
    };

    let mut sums = Batch::new(journal, end(&mut tx).await?, extended_holds(&mut tx, journal, &fresh).await?);
    for entry in &fresh {
        sums.add(entry)?;
    }
    let rows = std::mem::take(&mut sums.rows);
    let count = rows.len();
    write(&mut tx, journal, &sums, rows).await?;
    tx.execute(MOVE_POSITION, binds![journal, latest.0, latest.1]).await?;
    let alerts = alert(&mut tx, &sums, watching).await?;
    tx.commit().await?;
    Ok(Applied {
        entries: fresh.len(),
        rows: count,
        alerts,
    })
}

async fn end(tx: &mut Tx) -> Result<End, Error> {
    let row = tx
        .row(END, binds![])
        .await?
        .ok_or_else(|| Error::Damaged("the ledger's end is not there".into()))?;
    Ok(End {
        seq: row.int(0)?,
        link: Link::parse(&row.text(1)?)?,
        part: row.int(2)?,
    })
}

/// Holds from before the batch that it extends.
async fn extended_holds(tx: &mut Tx, journal: &str, entries: &[&Entry]) -> Result<BTreeMap<String, Hold>, Error> {
    let requests: BTreeSet<&str> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Extension(extension) => Some(extension.request.as_str()),
            _ => None,
        })
        .collect();
    if requests.is_empty() {
        return Ok(BTreeMap::new());
    }
    let lines: Vec<Value> = requests.into_iter().map(|request| json!([request])).collect();
    let rows = tx.rows(HOLDS, binds![journal, lines]).await?;
    let holds = rows.iter().map(|row| Ok(serde_json::from_str::<Hold>(&row.text(0)?)?));
    holds.map(|hold| hold.map(|hold| (hold.request.clone(), hold))).collect()
}

async fn write(tx: &mut Tx, journal: &str, sums: &Batch<'_>, rows: Vec<Fresh<'_>>) -> Result<(), Error> {
    if !sums.opened.is_empty() {
        let line = |opened: &&Opened| {
            Ok(json!([
                account_text(opened.account),
                opened.rule,
                serde_json::to_string(&opened.scope)?
            ]))
        };
        let lines = sums.opened.iter().map(line).collect::<Result<Vec<Value>, Error>>()?;
        tx.execute(NAME_ACCOUNTS, binds![lines]).await?;
    }
    if !rows.is_empty() {
        insert::rows(tx, rows).await?;
        tx.execute(MOVE_END, binds![sums.end.seq, sums.end.link.text(), sums.end.part])
            .await?;
        tx.execute(ADD_SPEND, binds![sums.spend_lines()]).await?;
        tx.execute(ADD_BALANCES, binds![sums.balance_lines()]).await?;
    }
    if !sums.ended.is_empty() {
        let lines: Vec<Value> = sums.ended.iter().map(|request| json!([request])).collect();
        tx.execute(END_HOLDS, binds![journal, lines]).await?;
    }
    if !sums.holds.is_empty() {
        let line = |hold: &Cow<'_, Hold>| Ok(json!([hold.request, serde_json::to_string(&**hold)?]));
        let lines = sums.holds.values().map(line).collect::<Result<Vec<Value>, Error>>()?;
        tx.execute(KEEP_HOLDS, binds![journal, lines]).await?;
    }
    Ok(())
}

/// Thresholds that the batch passed. The table lets each in once (R-C11), and it is the same transaction that posted the money.
async fn alert(tx: &mut Tx, sums: &Batch<'_>, watching: Watching<'_>) -> Result<usize, Error> {
    let mut alerts = 0;
    let touched = tx.rows(TOUCHED, binds![sums.balance_lines()]).await?;
    for row in touched {
        let (account, rule, scope) = (row.text(0)?, row.text(1)?, row.text(2)?);
        let opened = Opened {
            account: account_of(&account)?,
            rule,
            scope: serde_json::from_str(&scope)?,
        };
        let (mut window, mut posted) = (row.int(3)?, row.int(4)?);
        let Some(watch) = watching(&opened, window) else { continue };
        if let Some(rolling_s) = watch.rolling_s.filter(|seconds| *seconds > 0) {
            let row = tx
                .row(ROLLING, binds![account.as_str(), window.saturating_sub(rolling_s), window])
                .await?;
            posted = row.map_or(Ok(0), |row| row.int(0))?;
            // A rolling window has no beginning; it is told about at most once in each of its lengths.
            window = window.div_euclid(rolling_s).saturating_mul(rolling_s);
        }
        for percent in watch.passed(posted) {
            let fresh = binds![
                account.as_str(),
                window,
                i64::from(percent),
                opened.rule.as_str(),
                scope.as_str(),
                posted,
                watch.limit,
                sums.at_ms
            ];
            alerts += usize::from(tx.execute(ADD_ALERT, fresh).await? > 0);
        }
    }
    Ok(alerts)
}

impl Watch {
    /// The thresholds that an amount has reached.
    fn passed(&self, posted: i64) -> impl Iterator<Item = u32> {
        let reached = move |percent: &u32| i128::from(posted) * 100 >= i128::from(self.limit) * i128::from(*percent);
        self.percents.iter().copied().filter(reached)
    }
}

pub(super) async fn position(tx: &mut Tx, journal: &str) -> Result<Option<Position>, Error> {
    let row = tx.row(POSITION, binds![journal]).await?;
    row.map(|row| Ok(Position(row.int(0)?, row.int(1)?))).transpose()
}

pub(super) async fn open_holds(engine: &Engine, journal: &str) -> Result<Vec<Hold>, Error> {
    let rows = engine.read().await?.rows(OPEN_HOLDS, binds![journal]).await?;
    rows.iter().map(|row| Ok(serde_json::from_str(&row.text(0)?)?)).collect()
}

pub(super) async fn balances(engine: &Engine, since_s: i64) -> Result<Vec<Balance>, Error> {
    let rows = engine.read_all().await?.rows(BALANCES, binds![since_s]).await?;
    let balance = |row: &super::super::engine::Row| {
        Ok(Balance {
            opened: Opened {
                account: account_of(&row.text(0)?)?,
                rule: row.text(1)?,
                scope: serde_json::from_str(&row.text(2)?)?,
            },
            window: row.int(3)?,
            posted: row.int(4)?,
        })
    };
    rows.iter().map(balance).collect()
}
