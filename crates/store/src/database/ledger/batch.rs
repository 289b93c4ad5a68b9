//! A batch of entries added up in memory, so that it costs the database a handful of statements however long it is.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tollgate_policy::ledger::{Entry, Extension, Hold, Opened, Settlement};

use super::super::chain::Link;
use super::super::error::Error;
use super::row::Row;
use super::spend::{HOUR_MS, Totals};
use super::{Posted, account_text, add_charges};

/// The end of the chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) seq: i64,
    pub(super) link: Link,
    pub(super) part: i64,
}

/// The sums of a batch.
pub(super) struct Batch {
    pub(super) end: End,
    pub(super) opened: Vec<Opened>,
    pub(super) rows: Vec<Row>,
    pub(super) spend: BTreeMap<(i64, [String; 7]), Totals>,
    pub(super) posted: Posted,
    /// The latest time of its settlements.
    pub(super) at_ms: i64,
    /// Holds as they stand after the batch; those before it that it extends must be in here at the start.
    pub(super) holds: BTreeMap<String, Hold>,
    /// Requests whose holds began in the batch.
    begun: BTreeSet<String>,
    /// Requests whose holds stood before the batch, and are gone.
    pub(super) ended: BTreeSet<String>,
}

impl Batch {
    pub(super) fn new(end: End, holds: BTreeMap<String, Hold>) -> Self {
        Self {
            end,
            opened: Vec::new(),
            rows: Vec::new(),
            spend: BTreeMap::new(),
            posted: Posted::new(),
            at_ms: 0,
            holds,
            begun: BTreeSet::new(),
            ended: BTreeSet::new(),
        }
    }

    pub(super) fn add(&mut self, journal: &str, entry: &Entry) -> Result<(), Error> {
        match entry {
            Entry::Opened(opened) => self.opened.push(opened.clone()),
            Entry::Hold(hold) => {
                self.holds.insert(hold.request.clone(), hold.clone());
                self.begun.insert(hold.request.clone());
            }
            Entry::Extension(extension) => self.extend(extension),
            Entry::Settlement(settlement) => self.settle(journal, settlement)?,
        }
        Ok(())
    }

    fn extend(&mut self, extension: &Extension) {
        // An extension of a hold that has ended has nothing to extend; its settlement said everything.
        let Some(hold) = self.holds.get_mut(&extension.request) else {
            return;
        };
        hold.amount = hold.amount + extension.amount;
        for charge in &extension.charges {
            let same = |held: &&mut tollgate_policy::ledger::Charge| held.account == charge.account && held.window == charge.window;
            match hold.charges.iter_mut().find(same) {
                Some(held) => held.amount = held.amount.saturating_add(charge.amount),
                None => hold.charges.push(*charge),
            }
        }
        hold.charges.retain(|charge| charge.amount != 0);
    }

    fn settle(&mut self, journal: &str, settlement: &Settlement) -> Result<(), Error> {
        self.holds.remove(&settlement.request);
        if !self.begun.remove(&settlement.request) {
            self.ended.insert(settlement.request.clone());
        }
        add_charges(&mut self.posted, &settlement.charges);
        for mut row in Row::of(journal, settlement) {
            self.at_ms = self.at_ms.max(row.at_ms);
            // Never less than the row before: what is dropped later is then a beginning of the chain.
            let part = month_of(row.at_ms).max(self.end.part);
            let link = row.chain(self.end.seq + 1, part, self.end.link)?;
            self.end = End { seq: row.seq, link, part };
            if row.attempt > 0 {
                self.spend.entry(key_of(&row)).or_default().add(&row.totals);
            }
            self.rows.push(row);
        }
        Ok(())
    }

    /// Rows for `spend`, in the table's order.
    pub(super) fn spend_lines(&self) -> Vec<Value> {
        let line = |((hour, names), totals): (&(i64, [String; 7]), &Totals)| {
            let mut line = vec![json!(hour)];
            line.extend(names.iter().map(|name| json!(name)));
            let Totals {
                requests,
                input,
                output,
                cache_read,
                cache_write_5m,
                cache_write_1h,
                reasoning,
                cost,
            } = *totals;
            line.extend([requests, input, output, cache_read, cache_write_5m, cache_write_1h, reasoning, cost].map(Value::from));
            Value::Array(line)
        };
        self.spend.iter().map(line).collect()
    }

    /// Rows for `balances`.
    pub(super) fn balance_lines(&self) -> Vec<Value> {
        let lines = self.posted.iter();
        lines
            .map(|((account, window), amount)| json!([account_text(*account), window, amount]))
            .collect()
    }
}

fn key_of(row: &Row) -> (i64, [String; 7]) {
    let names = [&row.team, &row.user, &row.key, &row.feature, &row.route, &row.provider, &row.model];
    (row.at_ms.div_euclid(HOUR_MS), names.map(Clone::clone))
}

/// The month of a time, in UTC, counted from year 0.
pub(super) fn month_of(at_ms: i64) -> i64 {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let date = at.to_zoned(TimeZone::UTC).date();
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}
