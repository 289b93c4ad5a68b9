//! A row on its way into the ledger. It is what most of the shipper's time goes into, so it borrows from the entry that it comes from, and
//! texts that many rows share are handed to the database as one.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use tollgate_policy::ledger::{Charge, Ended, Posting, Settlement, UsageSource};

use super::super::chain::{Link, push_hex};
use super::super::engine::{Bind, tidy};
use super::super::error::Error;
use super::row::{COLUMNS, Hashed, signed};
use super::spend::Totals;

/// A row before it stands in the table; as [`super::Row`].
#[derive(Debug, Clone)]
pub(super) struct Fresh<'a> {
    pub(super) seq: i64,
    pub(super) part: i64,
    journal: Cow<'a, str>,
    request: Cow<'a, str>,
    pub(super) attempt: i64,
    pub(super) at_ms: i64,
    /// Team, user, key, feature, route, provider, model.
    pub(super) names: [Cow<'a, str>; 7],
    pub(super) totals: Totals,
    source: &'static str,
    price_version: Cow<'a, str>,
    ended: &'static str,
    overrun: bool,
    late: bool,
    charges: String,
    hash: Link,
}

impl<'a> Fresh<'a> {
    /// The rows of a settlement, without their places in the chain.
    pub(super) fn of(journal: &'a str, settlement: &'a Settlement) -> impl Iterator<Item = Self> {
        let last = settlement.postings.len().saturating_sub(1);
        // An exchange that cost nothing has a row all the same.
        let count = settlement.postings.len().max(1);
        (0..count).map(move |index| {
            let posting = settlement.postings.get(index);
            // A late end of a hold was counted as a request when the hold ended.
            let counts = index == last && !settlement.late;
            let charges = if index == 0 { settlement.charges.as_slice() } else { &[] };
            Self::row(journal, settlement, posting.map(|posting| (posting, counts)), charges)
        })
    }

    fn row(journal: &'a str, settlement: &'a Settlement, posting: Option<(&'a Posting, bool)>, charges: &[Charge]) -> Self {
        let party = &settlement.party;
        let maybe = |text: &'a Option<String>| text.as_deref().map(tidy).unwrap_or_default();
        let posted = posting.map(|(posting, _)| posting);
        Self {
            seq: 0,
            part: 0,
            journal: tidy(journal),
            request: tidy(&settlement.request),
            attempt: posted.map_or(0, |posting| i64::from(posting.attempt)),
            at_ms: signed(settlement.at_ms),
            names: [
                tidy(&party.team),
                maybe(&party.user),
                maybe(&party.key),
                maybe(&party.feature),
                tidy(&party.route),
                posted.map(|posting| tidy(&posting.provider)).unwrap_or_default(),
                posted.map(|posting| tidy(&posting.model)).unwrap_or_default(),
            ],
            totals: posting.map_or_else(Totals::default, |(posting, counts)| {
                Totals::of(&posting.usage, posting.cost, counts)
            }),
            source: posted.map_or("", |posting| source(posting.source)),
            price_version: posted.map(|posting| tidy(&posting.price_version)).unwrap_or_default(),
            ended: ended(settlement.ended),
            overrun: settlement.overrun,
            late: settlement.late,
            charges: charges_text(charges),
            hash: Link::default(),
        }
    }

    /// Gives it its place behind another.
    pub(super) fn chain(&mut self, seq: i64, part: i64, before: Link) -> Result<Link, Error> {
        (self.seq, self.part) = (seq, part);
        let row = Hashed {
            place: (seq, part, &self.journal, &self.request, self.attempt, self.at_ms),
            names: self.names.each_ref().map(|name| &**name),
            totals: self.totals,
            end: (self.source, &self.price_version, self.ended, self.overrun, self.late, &self.charges),
        };
        self.hash = row.link(before)?;
        Ok(self.hash)
    }

    /// Its values, in the table's order.
    pub(super) fn binds(self, texts: &mut Texts) -> [Bind; COLUMNS] {
        let int = Bind::Int;
        let totals = &self.totals;
        let [team, user, key, feature, route, provider, model] = self.names.each_ref();
        [
            int(self.seq),
            int(self.part),
            texts.shared(0, &self.journal),
            Bind::Text(self.request.into_owned()),
            int(self.attempt),
            int(self.at_ms),
            texts.shared(1, team),
            texts.shared(2, user),
            texts.shared(3, key),
            texts.shared(4, feature),
            texts.shared(5, route),
            texts.shared(6, provider),
            texts.shared(7, model),
            int(totals.requests),
            int(totals.input),
            int(totals.output),
            int(totals.cache_read),
            int(totals.cache_write_5m),
            int(totals.cache_write_1h),
            int(totals.reasoning),
            int(totals.cost),
            texts.shared(8, self.source),
            texts.shared(9, &self.price_version),
            texts.shared(10, self.ended),
            int(i64::from(self.overrun)),
            int(i64::from(self.late)),
            Bind::Text(self.charges),
            Bind::Text(self.hash.text()),
        ]
    }
}

/// The last text of each column that rows have in common with the one before.
#[derive(Debug, Default)]
pub(super) struct Texts([Option<Arc<str>>; 11]);

impl Texts {
    fn shared(&mut self, column: usize, text: &str) -> Bind {
        let Some(last) = self.0.get_mut(column) else {
            return Bind::Text(text.to_owned());
        };
        let same = last.take().filter(|last| **last == *text);
        let text = same.unwrap_or_else(|| Arc::from(text));
        *last = Some(Arc::clone(&text));
        Bind::Shared(text)
    }
}

/// `[["account",window,amount],…]`
fn charges_text(charges: &[Charge]) -> String {
    let mut text = String::with_capacity(2 + 64 * charges.len());
    text.push('[');
    for (at, charge) in charges.iter().enumerate() {
        text.push_str(if at == 0 { "[\"" } else { ",[\"" });
        push_hex(&mut text, &charge.account.0.to_be_bytes());
        // A string takes everything.
        let _ = write!(text, "\",{},{}]", charge.window, charge.amount);
    }
    text.push(']');
    text
}

const fn source(source: UsageSource) -> &'static str {
    match source {
        UsageSource::Provider => "provider",
        UsageSource::Estimate => "estimate",
        UsageSource::Reservation => "reservation",
        UsageSource::Correction => "correction",
    }
}

const fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::Posted => "posted",
        Ended::Voided => "voided",
        Ended::Expired => "expired",
        Ended::Crashed => "crashed",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;
    use tollgate_policy::ledger::AccountId;

    use super::*;

    #[test]
    fn words_are_those_of_the_journal() {
        let sources = [
            UsageSource::Provider,
            UsageSource::Estimate,
            UsageSource::Reservation,
            UsageSource::Correction,
        ];
        for one in sources {
            assert_eq!(json!(one), source(one));
        }
        for one in [Ended::Posted, Ended::Voided, Ended::Expired, Ended::Crashed] {
            assert_eq!(json!(one), ended(one));
        }
    }

    #[test]
    fn charges_are_json() {
        let charge = |account, window, amount| Charge {
            account: AccountId(account),
            window,
            amount,
        };
        let text = charges_text(&[charge(0xab, -3_600, i64::MIN), charge(u128::MAX, 0, 7)]);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            read,
            json!([
                ["000000000000000000000000000000ab", -3_600, i64::MIN],
                ["ffffffffffffffffffffffffffffffff", 0, 7]
            ])
        );
        assert_eq!(charges_text(&[]), "[]");
    }
}
