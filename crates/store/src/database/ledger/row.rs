//! A row of the ledger, as it stands in the table and in the hash chain.

use serde::Serialize;
use tollgate_wire::usage::Usage;

use super::super::chain::Link;
use super::super::engine::{self, Engine, binds};
use super::super::error::Error;
use super::spend::Totals;

/// What the chain of the ledger begins with.
pub(super) const DOMAIN: &str = "ledger-v1";
/// Rows that one page may have.
const PAGE_ROWS_MAX: u32 = 1_000;

/// Most rows are no longer, as JSON.
const JSON_BYTES: usize = 1_024;

/// What one attempt cost. Dimensions that are not known are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its number: its place in the chain, and the cursor for pages.
    pub seq: i64,
    /// The month in which it came, counted from year 0; never falls from one row to the next.
    #[serde(skip)]
    pub part: i64,
    /// The journal that it came from.
    pub journal: String,
    /// The request id.
    pub request: String,
    /// The attempt's number; 0: the exchange ended without a cost.
    pub attempt: i64,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The team.
    pub team: String,
    /// The user.
    pub user: String,
    /// The key's id.
    pub key: String,
    /// The feature.
    pub feature: String,
    /// The route.
    pub route: String,
    /// The provider.
    pub provider: String,
    /// `provider/upstream-model`.
    pub model: String,
    /// Tokens, money, and 1 request at the last attempt of an exchange.
    #[serde(flatten)]
    pub totals: Totals,
    /// Where the tokens are known from.
    pub source: String,
    /// The price.
    pub price_version: String,
    /// How the hold ended.
    pub ended: String,
    /// It cost more than was held.
    pub overrun: bool,
    /// It came after the hold had ended.
    pub late: bool,
    /// What the exchange charged to accounts, `[[account, window, amount], …]`; with its first row alone.
    pub charges: String,
    /// The chain's hash after this row.
    pub hash: String,
}

/// Which rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Only those of this request.
    pub request: Option<String>,
    /// Only those before (older than) this number: the last `seq` of the page before.
    pub before: Option<i64>,
    /// How many at most; 1,000 is the most.
    pub limit: u32,
}

/// How many columns a row has.
pub(super) const COLUMNS: usize = 28;

/// The columns of a row, in the table's order.
macro_rules! columns {
    () => {
        "seq, part, journal, request, attempt, at_ms, team, user_id, key_id, feature, route, provider, model, requests, input, output, \
         cache_read, cache_write_5m, cache_write_1h, reasoning, cost, source, price_version, ended, overrun, late, charges, hash"
    };
}
pub(super) use columns;

const NEWEST: &str = concat!("SELECT ", columns!(), " FROM ledger WHERE seq < $1 ORDER BY seq DESC LIMIT $2");
const OF_REQUEST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM ledger WHERE seq < $1 AND request = $3 ORDER BY seq DESC LIMIT $2"
);

/// One page of rows.
pub(super) async fn page(engine: &Engine, page: &Page) -> Result<Vec<Row>, Error> {
    let mut tx = engine.read().await?;
    let (before, limit) = (page.before.unwrap_or(i64::MAX), i64::from(page.limit.min(PAGE_ROWS_MAX)));
    let rows = match &page.request {
        None => tx.rows(NEWEST, binds![before, limit]).await?,
        Some(request) => tx.rows(OF_REQUEST, binds![before, limit, request.as_str()]).await?,
    };
    rows.iter().map(Row::read).collect()
}

/// What the hash of a row is over: everything else of it, as JSON.
pub(super) struct Hashed<'a> {
    /// Number, month, journal, request, attempt, time.
    pub(super) place: (i64, i64, &'a str, &'a str, i64, i64),
    /// Team, user, key, feature, route, provider, model.
    pub(super) names: [&'a str; 7],
    pub(super) totals: Totals,
    /// Source, price version, how it ended, overrun, late, charges.
    pub(super) end: (&'a str, &'a str, &'a str, bool, bool, &'a str),
}

impl Hashed<'_> {
    pub(super) fn link(&self, before: Link) -> Result<Link, Error> {
        let mut json = Vec::with_capacity(JSON_BYTES);
        serde_json::to_writer(&mut json, &(&self.place, &self.names, &self.totals, &self.end))?;
        Ok(before.next(DOMAIN, &json))
    }
}

impl Row {
    /// The hash that it must have behind another.
    pub(super) fn link(&self, before: Link) -> Result<Link, Error> {
        let row = Hashed {
            place: (self.seq, self.part, &self.journal, &self.request, self.attempt, self.at_ms),
            names: [
                &self.team,
                &self.user,
                &self.key,
                &self.feature,
                &self.route,
                &self.provider,
                &self.model,
            ],
            totals: self.totals,
            end: (
                &self.source,
                &self.price_version,
                &self.ended,
                self.overrun,
                self.late,
                &self.charges,
            ),
        };
        row.link(before)
    }

    /// Reads `columns!()`.
    pub(super) fn read(row: &engine::Row) -> Result<Self, Error> {
        Ok(Self {
            seq: row.int(0)?,
            part: row.int(1)?,
            journal: row.text(2)?,
            request: row.text(3)?,
            attempt: row.int(4)?,
            at_ms: row.int(5)?,
            team: row.text(6)?,
            user: row.text(7)?,
            key: row.text(8)?,
            feature: row.text(9)?,
            route: row.text(10)?,
            provider: row.text(11)?,
            model: row.text(12)?,
            totals: Totals::read(row, 13)?,
            source: row.text(21)?,
            price_version: row.text(22)?,
            ended: row.text(23)?,
            overrun: row.int(24)? != 0,
            late: row.int(25)? != 0,
            charges: row.text(26)?,
            hash: row.text(27)?,
        })
    }
}

impl Totals {
    pub(super) fn of(usage: &Usage, cost: tollgate_policy::money::NanoUsd, counts: bool) -> Self {
        Self {
            requests: i64::from(counts),
            input: signed(usage.input),
            output: signed(usage.output),
            cache_read: signed(usage.cache_read),
            cache_write_5m: signed(usage.cache_write_5m),
            cache_write_1h: signed(usage.cache_write_1h),
            reasoning: signed(usage.reasoning),
            cost: cost.0,
        }
    }
}

/// Databases know no unsigned numbers.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
