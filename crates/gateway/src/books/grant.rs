//! Leave to spend. A grant is made by `Books::reserve` alone, and nothing reaches a provider without one. It is settled exactly once:
//! by `settle`, or, when it is dropped before that, by what it knows then. Leaving, panics and broken streams end the same way.

use std::sync::Arc;

use tollgate_policy::accounts::{Demand, Reserved, Scoped};
use tollgate_policy::ledger::{Ended, Extension, Hold, Party, Posting, Settlement, UsageSource};
use tollgate_policy::money::NanoUsd;
use tollgate_policy::prices::Price;
use tollgate_store::journal::Position;
use tollgate_upstream::providers::BillingOnCancel;
use tollgate_wire::event::Event;
use tollgate_wire::usage::{ServiceTier, Usage};

use super::tally::Tally;
use super::{Books, Durable, Entrance, NotReserved, millis};
use crate::clock::{self, Now};
use crate::config::snapshot::Target;
use crate::config::spending::{BudgetStatus, Spending};
use crate::ledger::lock;

/// Money and tokens that a call may use.
pub struct Grant {
    entrance: Entrance,
    request: String,
    party: Party,
    reserved: Option<Reserved>,
    /// What is held in all.
    held: Demand,
    /// An estimate of one attempt's input.
    input_tokens: u64,
    /// What is asked for.
    tier: ServiceTier,
    attempt: Option<Attempt>,
    attempts: u32,
    postings: Vec<Posting>,
    /// How many of them the accounts know of.
    handed: usize,
    /// The deployment that the hold is for, and whether it was used up by an attempt.
    stands_for: (String, bool),
    /// Bytes of text that the input was estimated from, where there is nothing but text.
    text_bytes: Option<u64>,
    spending: Arc<Spending>,
    /// Behind what was written last.
    position: Position,
}

/// What a grant takes from its order beside what the journal's hold has.
pub(super) struct Carried {
    /// What is held.
    pub(super) held: Demand,
    /// The service tier that is asked for.
    pub(super) tier: ServiceTier,
    /// Bytes of text that the input was estimated from, where there is nothing but text.
    pub(super) text_bytes: Option<u64>,
    /// The rules that it is held under.
    pub(super) spending: Arc<Spending>,
}

/// The attempt under way.
struct Attempt {
    target: Arc<Target>,
    tally: Tally,
}

impl Paid {
    /// Together with what another attempt at the same time cost.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.cost = self.cost + other.cost;
        self.overrun |= other.overrun;
        self.price_version = self.price_version.or_else(|| other.price_version.clone());
        self.unwritten = self.unwritten.or_else(|| other.unwritten.clone());
        self
    }
}

/// What an exchange cost.
#[derive(Debug, Clone, Default)]
pub struct Paid {
    /// In all.
    pub cost: NanoUsd,
    /// The price that the last attempt was computed with; `None`: it had none, or there was none.
    pub price_version: Option<String>,
    /// The cost was above what was held.
    pub overrun: bool,
    /// The settlement could not be written down: the next start will post the whole hold.
    pub unwritten: Option<String>,
}

impl Grant {
    pub(super) fn new(entrance: Entrance, reserved: Reserved, (hold, carried): (Hold, Carried), position: Position) -> Self {
        Self {
            entrance,
            request: hold.request,
            party: hold.party,
            reserved: Some(reserved),
            held: carried.held,
            input_tokens: hold.input_tokens,
            tier: carried.tier,
            attempt: None,
            attempts: 0,
            postings: Vec::new(),
            handed: 0,
            stands_for: (hold.model, false),
            text_bytes: carried.text_bytes,
            spending: carried.spending,
            position,
        }
    }

    /// Waits until what was written of it survives what the config's durability promises.
    ///
    /// # Errors
    /// When the disk did not take it.
    pub async fn written(&self) -> Result<(), NotReserved> {
        let Some(journal) = self.books().journal() else { return Ok(()) };
        journal.durable(self.position).await.map_err(NotReserved::Journal)
    }

    /// Goes on in the place that another grant of the same call had among the open calls.
    pub fn take_place_of(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.entrance, &mut other.entrance);
    }

    /// An attempt begins: what comes from now on is billed at its price.
    pub fn begin(&mut self, target: &Arc<Target>) {
        self.attempts += 1;
        self.stands_for.1 = true;
        self.attempt = Some(Attempt {
            target: Arc::clone(target),
            tally: Tally::default(),
        });
    }

    /// Its attempts come behind so many that another grant of the same exchange has made.
    #[must_use]
    pub fn behind(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// What the answer under way says that it used.
    #[must_use]
    pub fn told_usage(&self) -> Option<Usage> {
        self.attempt.as_ref().and_then(|attempt| attempt.tally.told())
    }

    /// True when the hold is for an attempt at that deployment that is still to be made; else it has to be switched.
    #[must_use]
    pub fn stands_for(&self, deployment: &str) -> bool {
        self.stands_for.0 == deployment && !self.stands_for.1
    }

    /// Takes what came of the answer.
    pub fn observe(&mut self, events: &[Event]) {
        if let Some(attempt) = &mut self.attempt {
            attempt.tally.observe(events);
        }
    }

    /// The attempt under way has failed. `billed`: the provider may charge for it all the same.
    pub fn attempt_failed(&mut self, billed: bool) {
        let Some(attempt) = self.attempt.take() else { return };
        if billed || attempt.tally.has_begun() {
            self.post(&attempt);
        }
    }

    /// Posts an attempt that is over, or broken off.
    fn post(&mut self, attempt: &Attempt) {
        let bills = attempt.target.deployment.bills_on_cancel();
        if bills == BillingOnCancel::None && !attempt.tally.has_begun() {
            return;
        }
        let whole = bills == BillingOnCancel::Full && !attempt.tally.has_finished();
        let posting = self.posting(attempt, whole);
        self.postings.push(posting);
    }

    /// Moves what is held to another attempt, which may need `next`: what it needs more is held before anything is sent.
    ///
    /// # Errors
    /// When it does not fit: the grant is as it was. Or when it cannot be written down: nothing may be sent there then.
    pub fn switch(&mut self, now: Now, deployment: &str, (attempt, next): (&Scoped<'_>, Demand)) -> Result<(), NotReserved> {
        let Some(reserved) = &self.reserved else { return Ok(()) };
        let news = self.postings.get(self.handed..).unwrap_or_default();
        let spent = news.iter().map(demand_of).fold(Demand::default(), |sum, one| sum + one);
        let books = Arc::clone(&self.entrance.books);
        let moved = books.accounts().switch(millis(now), reserved, attempt, (spent, next));
        let moved = moved.map_err(|denied| NotReserved::Denied(Box::new(denied)))?;
        self.handed = self.postings.len();
        // Until it is written down it stands for nothing.
        self.stands_for.1 = true;
        self.held.money = self.held.money + moved.amount;
        self.held.output_tokens = self.held.output_tokens.max(next.output_tokens);
        if moved.charges.is_empty() && moved.amount == NanoUsd::ZERO {
            self.stands_for = (deployment.to_owned(), false);
            return Ok(());
        }
        let extension = Extension {
            request: self.request.clone(),
            at_ms: millis(now),
            amount: moved.amount,
            charges: moved.charges,
        };
        self.position = books.write_extension(extension, &moved.opened).map_err(|error| {
            books.accounts().unname(&moved.opened);
            NotReserved::Journal(error)
        })?;
        self.stands_for = (deployment.to_owned(), false);
        Ok(())
    }

    /// An answer that has used up what is held of output gets a quarter more, or has to end.
    ///
    /// # Errors
    /// When more does not fit, or cannot be written down.
    pub fn keep_up(&mut self) -> Result<(), NotReserved> {
        let counted = self.attempt.as_ref().map_or(0, |attempt| attempt.tally.at_least());
        let Some(reserved) = self.reserved.as_ref().filter(|_| counted > self.held.output_tokens) else {
            return Ok(());
        };
        let now = clock::now();
        let more = Demand {
            input_tokens: 0,
            output_tokens: (self.held.output_tokens / 4).max(counted - self.held.output_tokens),
            money: NanoUsd(self.held.money.0 / 4),
        };
        let charges = self
            .books()
            .extend(now, reserved, &self.spending.rules, more)
            .map_err(NotReserved::Denied)?;
        self.held = self.held + more;
        let extension = Extension {
            request: self.request.clone(),
            at_ms: millis(now),
            amount: more.money,
            charges,
        };
        self.position = self.books().write_extension(extension, &[]).map_err(NotReserved::Journal)?;
        Ok(())
    }

    /// How a spent budget is told to the caller.
    #[must_use]
    pub fn status(&self) -> BudgetStatus {
        self.spending.status
    }

    /// The exchange is over: posts what it used. Once; later calls change nothing.
    pub fn settle(&mut self, now: Now) -> Option<Paid> {
        let reserved = self.reserved.take()?;
        // An attempt that is under way was sent: the provider may bill it whatever came of it.
        if let Some(attempt) = self.attempt.take() {
            self.post(&attempt);
        }
        let actual = self.postings.iter().map(demand_of).fold(Demand::default(), |sum, one| sum + one);
        let books = Arc::clone(&self.entrance.books);
        let settled = books.accounts().settle(millis(now), reserved, actual)?;
        let mut paid = Paid {
            cost: actual.money,
            price_version: self
                .postings
                .last()
                .map(|posting| posting.price_version.clone())
                .filter(|version| !version.is_empty()),
            overrun: settled.overrun,
            unwritten: None,
        };
        let settlement = Settlement {
            request: std::mem::take(&mut self.request),
            at_ms: millis(now),
            party: std::mem::take(&mut self.party),
            ended: if self.postings.is_empty() { Ended::Voided } else { Ended::Posted },
            postings: std::mem::take(&mut self.postings),
            charges: settled.charges,
            overrun: settled.overrun,
            late: settled.late,
        };
        match books.write_settlement(settlement) {
            Ok(position) => self.position = position,
            Err(error) => paid.unwritten = Some(error.to_string()),
        }
        Some(paid)
    }

    /// Waits until the settlement survives a power cut too, where the config wants that.
    #[must_use]
    pub fn durable(&self) -> Option<Durable> {
        let journal = self.books().journal().filter(|_| self.books().waits_for_disk)?;
        let (journal, position) = (Arc::clone(journal), self.position);
        Some(Box::pin(async move {
            // What the disk does not take is counted by the journal; the answer has been given all the same.
            let _ = journal.durable(position).await;
        }))
    }

    fn books(&self) -> &Arc<Books> {
        &self.entrance.books
    }

    /// `whole`: the provider bills an answer whose end nobody saw, so that all that was held for it counts.
    fn posting(&self, attempt: &Attempt, whole: bool) -> Posting {
        let Attempt { target, tally } = attempt;
        let (mut usage, source) = tally.used(self.input_tokens);
        if whole {
            usage.output = usage.output.max(self.held.output_tokens);
        }
        if self.tier != ServiceTier::Standard {
            usage.service_tier.get_or_insert(self.tier);
        }
        if let (UsageSource::Provider, Some(bytes)) = (source, self.text_bytes) {
            lock(&target.calibration).observe(bytes, usage.input);
        }
        if source == UsageSource::Provider && tally.said_all() {
            target.outputs.observe(usage.output);
        }
        let price = target.price.as_deref();
        Posting {
            attempt: self.attempts,
            provider: target.deployment.provider.clone(),
            model: target.deployment.name.clone(),
            usage,
            source,
            cost: cost(price, &usage),
            price_version: price.map(|price| price.version().to_owned()).unwrap_or_default(),
        }
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        if self.reserved.is_some() {
            self.settle(clock::now());
        }
    }
}

fn cost(price: Option<&Price>, usage: &Usage) -> NanoUsd {
    price.map_or(NanoUsd::ZERO, |price| price.cost(usage, None).total)
}

fn demand_of(posting: &Posting) -> Demand {
    Demand {
        input_tokens: posting.usage.input,
        output_tokens: posting.usage.output,
        money: posting.cost,
    }
}
