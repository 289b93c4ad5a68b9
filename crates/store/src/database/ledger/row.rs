//! A row of the ledger, as it stands in the table and in the hash chain.

use serde::Serialize;
use serde_json::{Value, json};
use tollgate_policy::ledger::{Charge, Posting, Settlement};
use tollgate_wire::usage::Usage;

use super::super::chain::Link;
use super::super::engine::{self, Bind, Engine, binds, clean};
use super::super::error::Error;
use super::{account_text, spend::Totals};

/// What the chain of the ledger begins with.
pub(super) const DOMAIN: &str = "ledger-v1";
/// Rows that one page may have.
const PAGE_ROWS_MAX: u32 = 1_000;

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

impl Row {
    /// The rows of a settlement, without their places in the chain.
    pub(super) fn of(journal: &str, settlement: &Settlement) -> Vec<Self> {
        let last = settlement.postings.len().saturating_sub(1);
        let attempts = settlement.postings.iter().enumerate();
        let mut rows: Vec<Self> = attempts
            .map(|(index, posting)| {
                // A late end of a hold was counted as a request when the hold ended.
                let counts = index == last && !settlement.late;
                Self::blank(journal, settlement).with(posting, counts)
            })
            .collect();
        if rows.is_empty() {
            rows.push(Self::blank(journal, settlement));
        }
        if let Some(first) = rows.first_mut() {
            first.charges = charges_text(&settlement.charges);
        }
        rows
    }

    fn blank(journal: &str, settlement: &Settlement) -> Self {
        let party = &settlement.party;
        Self {
            journal: clean(journal),
            request: clean(&settlement.request),
            at_ms: signed(settlement.at_ms),
            team: clean(&party.team),
            user: party.user.as_deref().map(clean).unwrap_or_default(),
            key: party.key.as_deref().map(clean).unwrap_or_default(),
            feature: party.feature.as_deref().map(clean).unwrap_or_default(),
            route: clean(&party.route),
            ended: word(&settlement.ended),
            overrun: settlement.overrun,
            late: settlement.late,
            charges: "[]".to_owned(),
            ..Self::default()
        }
    }

    fn with(self, posting: &Posting, counts: bool) -> Self {
        Self {
            attempt: i64::from(posting.attempt),
            provider: clean(&posting.provider),
            model: clean(&posting.model),
            totals: Totals::of(&posting.usage, posting.cost, counts),
            source: word(&posting.source),
            price_version: clean(&posting.price_version),
            ..self
        }
    }

    /// Gives it its place behind another.
    pub(super) fn chain(&mut self, seq: i64, part: i64, before: Link) -> Result<Link, Error> {
        (self.seq, self.part) = (seq, part);
        let link = self.link(before)?;
        self.hash = link.text();
        Ok(link)
    }

    /// The hash that it must have behind another: over the JSON of everything else.
    pub(super) fn link(&self, before: Link) -> Result<Link, Error> {
        let place = (self.seq, self.part, &self.journal, &self.request, self.attempt, self.at_ms);
        let party = (
            &self.team,
            &self.user,
            &self.key,
            &self.feature,
            &self.route,
            &self.provider,
            &self.model,
        );
        let end = (
            &self.source,
            &self.price_version,
            &self.ended,
            self.overrun,
            self.late,
            &self.charges,
        );
        Ok(before.next(DOMAIN, &serde_json::to_vec(&(place, party, self.totals, end))?))
    }

    /// Its values, in the table's order.
    pub(super) fn binds(&self) -> [Bind; COLUMNS] {
        let (int, text) = (Bind::Int, |text: &String| Bind::from(text.as_str()));
        let totals = &self.totals;
        [
            int(self.seq),
            int(self.part),
            text(&self.journal),
            text(&self.request),
            int(self.attempt),
            int(self.at_ms),
            text(&self.team),
            text(&self.user),
            text(&self.key),
            text(&self.feature),
            text(&self.route),
            text(&self.provider),
            text(&self.model),
            int(totals.requests),
            int(totals.input),
            int(totals.output),
            int(totals.cache_read),
            int(totals.cache_write_5m),
            int(totals.cache_write_1h),
            int(totals.reasoning),
            int(totals.cost),
            text(&self.source),
            text(&self.price_version),
            text(&self.ended),
            int(i64::from(self.overrun)),
            int(i64::from(self.late)),
            text(&self.charges),
            text(&self.hash),
        ]
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

fn charges_text(charges: &[Charge]) -> String {
    let lines: Vec<Value> = charges
        .iter()
        .map(|charge| json!([account_text(charge.account), charge.window, charge.amount]))
        .collect();
    Value::Array(lines).to_string()
}

/// A plain enum's word.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Databases know no unsigned numbers.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
