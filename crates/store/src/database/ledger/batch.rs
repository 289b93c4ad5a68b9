//! A batch of entries added up in memory, so that it costs the database a handful of statements however long it is.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tollgate_policy::ledger::{Entry, Extension, Hold, Opened, Settlement};

use super::super::chain::Link;
use super::super::error::Error;
use super::fresh::Fresh;
use super::spend::{HOUR_MS, Totals};
use super::{Posted, account_text, add_charges};

const DAY_MS: i64 = 86_400_000;

/// The end of the chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) seq: i64,
    pub(super) link: Link,
    pub(super) part: i64,
}

/// The sums of a batch.
pub(super) struct Batch<'a> {
    journal: &'a str,
    pub(super) end: End,
    pub(super) opened: Vec<&'a Opened>,
    pub(super) rows: Vec<Fresh<'a>>,
    pub(super) spend: BTreeMap<(i64, [Cow<'a, str>; 7]), Totals>,
    pub(super) posted: Posted,
    /// The latest time of its settlements.
    pub(super) at_ms: i64,
    /// Holds as they stand after the batch; those before it that it extends must be in here at the start.
    pub(super) holds: BTreeMap<Cow<'a, str>, Cow<'a, Hold>>,
    /// Requests whose holds began in the batch.
    begun: BTreeSet<&'a str>,
    /// Requests whose holds stood before the batch, and are gone.
    pub(super) ended: BTreeSet<&'a str>,
    /// The month of a day, and the times of that day: most rows come on the same.
    day: (i64, Range<i64>),
}

impl<'a> Batch<'a> {
    pub(super) fn new(journal: &'a str, end: End, holds: BTreeMap<String, Hold>) -> Self {
        let holds = holds.into_iter().map(|(request, hold)| (Cow::Owned(request), Cow::Owned(hold)));
        Self {
            journal,
            end,
            opened: Vec::new(),
            rows: Vec::new(),
            spend: BTreeMap::new(),
            posted: Posted::new(),
            at_ms: 0,
            holds: holds.collect(),
            begun: BTreeSet::new(),
            ended: BTreeSet::new(),
            day: (0, 0..0),
        }
    }

    pub(super) fn add(&mut self, entry: &'a Entry) -> Result<(), Error> {
        match entry {
            Entry::Opened(opened) => self.opened.push(opened),
            Entry::Hold(hold) => {
                self.holds.insert(Cow::Borrowed(&hold.request), Cow::Borrowed(hold));
                self.begun.insert(&hold.request);
            }
            Entry::Extension(extension) => self.extend(extension),
            Entry::Settlement(settlement) => self.settle(settlement)?,
        }
        Ok(())
    }

    fn extend(&mut self, extension: &Extension) {
        // An extension of a hold that has ended has nothing to extend; its settlement said everything.
        let Some(hold) = self.holds.get_mut(extension.request.as_str()) else {
            return;
        };
        let hold = hold.to_mut();
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

    fn settle(&mut self, settlement: &'a Settlement) -> Result<(), Error> {
        self.holds.remove(settlement.request.as_str());
        if !self.begun.remove(settlement.request.as_str()) {
            self.ended.insert(&settlement.request);
        }
        add_charges(&mut self.posted, &settlement.charges);
        for mut row in Fresh::of(self.journal, settlement) {
            self.at_ms = self.at_ms.max(row.at_ms);
            // Never less than the row before: what is dropped later is then a beginning of the chain.
            if !self.day.1.contains(&row.at_ms) {
                let start = row.at_ms.div_euclid(DAY_MS).saturating_mul(DAY_MS);
                self.day = (month_of(row.at_ms), start..start.saturating_add(DAY_MS));
            }
            let part = self.day.0.max(self.end.part);
            let link = row.chain(self.end.seq + 1, part, self.end.link)?;
            self.end = End { seq: row.seq, link, part };
            if row.attempt > 0 {
                let hour = row.at_ms.div_euclid(HOUR_MS);
                self.spend.entry((hour, row.names.clone())).or_default().add(&row.totals);
            }
            self.rows.push(row);
        }
        Ok(())
    }

    /// Rows for `spend`, in the table's order.
    pub(super) fn spend_lines(&self) -> Vec<Value> {
        let line = |((hour, names), totals): (&(i64, [Cow<'a, str>; 7]), &Totals)| {
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

/// The month of a time, in UTC, counted from year 0.
pub(super) fn month_of(at_ms: i64) -> i64 {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let date = at.to_zoned(TimeZone::UTC).date();
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}
