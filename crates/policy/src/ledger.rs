//! The words of the ledger: what is written down of an exchange's money, and in which order. A [`Hold`] stands in the journal before the
//! first byte goes to a provider, its [`Settlement`] before the last byte goes to the caller. Every entry is final; a correction is a new
//! one. Only shapes here: who adds them up is `accounts.rs`, who keeps them is the `store` crate.

use serde::{Deserialize, Serialize};
use tollgate_wire::usage::Usage;

use crate::money::NanoUsd;

/// Something that is counted: one limit or budget, for one set of values of its `per`. The first 128 bits of the SHA-256 of the rule's name
/// and those values, so that it is the same after a restart and after an edit of the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub u128);

/// An amount on an account, in the account's own unit: nano-USD, tokens or requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Which account.
    pub account: AccountId,
    /// The window that admitted the request: its start in seconds since 1970; of a rolling window the start of its bucket; 0: never resets.
    pub window: i64,
    /// How much.
    pub amount: i64,
}

/// An account is named once before it is first charged, so that a reader can tell whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Its id.
    pub account: AccountId,
    /// The limit's or budget's name.
    pub rule: String,
    /// The dimensions of `per` with their values here.
    pub scope: Vec<(String, String)>,
}

/// Who spends: the dimensions that spend is rolled up by, less those that an attempt decides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The team.
    pub team: String,
    /// The user; none for a service key.
    pub user: Option<String>,
    /// The id of the key; none for a caller with a token of an identity provider.
    pub key: Option<String>,
    /// The feature.
    pub feature: Option<String>,
    /// The route, or the model's name where one was asked for directly.
    pub route: String,
}

/// Money and tokens held for one exchange, at the dearest attempt of its plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The request id.
    pub request: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// When it is given up if nothing is heard, in milliseconds since 1970.
    pub expires_ms: u64,
    /// Who.
    pub party: Party,
    /// The first attempt's `provider/upstream-model`: what is billed when nothing more is known.
    pub model: String,
    /// How much money.
    pub amount: NanoUsd,
    /// The input tokens that it was computed from: an upper estimate.
    pub input_tokens: u64,
    /// On which accounts.
    pub charges: Vec<Charge>,
}

/// More is held: a stream grew beyond its hold, or a dearer attempt is about to begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// The request id.
    pub request: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// How much more money.
    pub amount: NanoUsd,
    /// On which accounts; negative where an account is let go.
    pub charges: Vec<Charge>,
}

/// Where a posting's token counts come from, best first (GOVERNANCE section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The provider said so.
    Provider,
    /// Counted by us from what was delivered, with the whole input.
    Estimate,
    /// Nothing is known: the hold itself.
    Reservation,
    /// A correction by a person or a later look-up.
    Correction,
}

/// What one attempt cost: a row of the ledger. Its id is the request id and the attempt's number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// The attempt's number within the exchange, from 1.
    pub attempt: u32,
    /// The provider's name in config.
    pub provider: String,
    /// `provider/upstream-model`.
    pub model: String,
    /// The tokens.
    pub usage: Usage,
    /// Where they come from.
    pub source: UsageSource,
    /// The money, rounded up.
    pub cost: NanoUsd,
    /// The price that it was computed with; empty: the model has none, and `allow_unpriced` was set.
    pub price_version: String,
}

/// How a hold ended: once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// What was used was posted.
    Posted,
    /// Nothing was used: nothing reached a provider, or it is known not to bill.
    Voided,
    /// Its time ran out; the hold was posted.
    Expired,
    /// The process died with it open; found at the next start, and posted.
    Crashed,
}

/// The end of a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// The request id.
    pub request: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Who.
    pub party: Party,
    /// How.
    pub ended: Ended,
    /// One for every attempt that costs something.
    pub postings: Vec<Posting>,
    /// What is charged for good, per account, in the windows that admitted the request.
    pub charges: Vec<Charge>,
    /// The cost was above the hold.
    pub overrun: bool,
    /// It came after its hold had ended.
    pub late: bool,
}

/// An entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// An account is named.
    Opened(Opened),
    /// Money is held.
    Hold(Hold),
    /// More is held.
    Extension(Extension),
    /// A hold ends.
    Settlement(Settlement),
}

impl Settlement {
    /// What all attempts cost.
    #[must_use]
    pub fn cost(&self) -> NanoUsd {
        self.postings.iter().map(|posting| posting.cost).sum()
    }
}
