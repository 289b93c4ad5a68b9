//! What remains of an exchange: one record, begun with its first byte and closed exactly once, whatever ends it. It holds no
//! prompt, no answer and no secret: it has no place for them.

mod draft;
pub mod line;
mod words;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tollgate_policy::accounts::{Demand, Headroom};
use tollgate_policy::complexity::Verdict;
use tollgate_policy::labels::Label;
use tollgate_policy::release::Status;
use tollgate_upstream::deployment::Deployment;
use tollgate_wire::usage::Usage;

use crate::books::Paid;

use crate::config::snapshot::Route;
use crate::explain::keep::Decision;
use crate::identify::Caller;

pub use draft::{Draft, Lane};
pub use words::{kind_name, origin_name};

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The caller got the whole answer.
    Completed,
    /// The caller got an error instead of an answer.
    Failed,
    /// The answer broke off with an error event.
    Broken,
    /// The caller left before the end.
    Aborted,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Broken => "broken",
            Self::Aborted => "aborted",
        }
    }
}

/// One upstream try.
pub struct Attempt {
    /// What was asked.
    pub deployment: Arc<Deployment>,
    /// `ok`, or what went wrong.
    pub outcome: &'static str,
    /// The provider's status, where it answered.
    pub status: Option<u16>,
    /// From the start of the try to its answer or fault, in microseconds.
    pub took_us: u64,
}

/// One exchange, as it is written down. Names are shared with what they name, not copied for each exchange.
pub struct Record {
    /// When the first byte came, since 1970.
    pub time: Duration,
    /// Ours.
    pub request_id: String,
    /// The caller's W3C trace id.
    pub trace_id: Option<String>,
    /// The config that it saw.
    pub config: Arc<str>,
    /// The caller's dialect.
    pub dialect: &'static str,
    /// What was asked for.
    pub operation: &'static str,
    /// Who calls: team, user, key, feature, tags.
    pub caller: Option<Arc<Caller>>,
    /// How what was sent may travel; none: it was not read.
    pub label: Option<Label>,
    /// The model or route as asked for.
    pub asked: Option<String>,
    /// The route that was taken; none for a model asked for directly.
    pub route: Option<Arc<Route>>,
    /// How hard it was found to be, on routes that choose by it.
    pub complexity: Option<Arc<Verdict>>,
    /// What answered.
    pub model: Option<Arc<Deployment>>,
    /// How far that is approved, where the config says.
    pub model_status: Option<Status>,
    /// A stream was asked for.
    pub stream: bool,
    /// The provider received the caller's own bytes.
    pub passthrough: bool,
    /// Every try, in order.
    pub attempts: Vec<Attempt>,
    /// What stands in for a model where none answered.
    pub stand_in: Option<&'static str>,
    /// Its answer is about a review: the status, and the review's address while it is open.
    pub review: Option<(u16, Option<String>)>,
    /// The output that a last resort limited the request to.
    pub reduced: Option<u64>,
    /// Why the first choice did not answer.
    pub fallback: Option<String>,
    /// Which model was planned before a rule put another in its place, and why.
    pub downgraded: Option<String>,
    /// The output that the request was limited to, to fit a budget.
    pub clamped: Option<u64>,
    /// What the tightest limits still let pass.
    pub headroom: Headroom,
    /// What was decided for it: for who asks why.
    pub decision: Option<Decision>,
    /// What was held for it.
    pub held: Option<Demand>,
    /// What it cost, once that is known, with the price's version.
    pub paid: Option<Paid>,
    /// The answer was given before, for the same idempotency key.
    pub replayed: bool,
    /// What the translation could not carry, both ways.
    pub loss: Vec<String>,
    /// The status that the caller saw.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong.
    pub fault: Option<FaultRecord>,
    /// Why the first choice's answer ended.
    pub finish: Option<Cow<'static, str>>,
    /// The provider's tokens; none: it told none.
    pub usage: Option<UsageRecord>,
    /// The provider's own request id.
    pub provider_request_id: Option<String>,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the answer's body that went to the caller.
    pub answer_bytes: u64,
    /// From the request's first byte to the answer's first, in microseconds.
    pub first_byte_us: Option<u64>,
    /// From the request's first byte to the answer's last, in microseconds.
    pub total_us: u64,
    /// How long it waited in queues of limits.
    pub queued_us: Option<u64>,
    /// Until the answer's first byte: what was not spent waiting for providers, in microseconds.
    pub overhead_us: Option<u64>,
}

/// A fault in a record.
pub struct FaultRecord {
    /// What went wrong.
    pub kind: &'static str,
    /// Whose fault it is.
    pub origin: &'static str,
    /// The machine-readable code.
    pub code: Option<String>,
    /// The internal cause.
    pub cause: Option<String>,
}

/// Tokens in a record; totals include their parts.
pub struct UsageRecord {
    /// All input tokens.
    pub input: u64,
    /// All output tokens.
    pub output: u64,
    /// Of the input: read from the provider's cache.
    pub cache_read: u64,
    /// Of the input: written to the provider's cache.
    pub cache_write: u64,
    /// Of the output: reasoning.
    pub reasoning: u64,
}

impl Record {
    /// A record of which only the beginning is known.
    #[must_use]
    pub fn new(time: Duration, request_id: String, dialect: &'static str, operation: &'static str) -> Self {
        Self {
            time,
            request_id,
            trace_id: None,
            config: Arc::default(),
            dialect,
            operation,
            caller: None,
            label: None,
            asked: None,
            route: None,
            complexity: None,
            model: None,
            model_status: None,
            stream: false,
            passthrough: false,
            attempts: Vec::new(),
            stand_in: None,
            review: None,
            reduced: None,
            fallback: None,
            downgraded: None,
            clamped: None,
            headroom: Headroom::default(),
            decision: None,
            held: None,
            paid: None,
            replayed: false,
            loss: Vec::new(),
            status: 0,
            outcome: Outcome::Failed,
            fault: None,
            finish: None,
            usage: None,
            provider_request_id: None,
            request_bytes: 0,
            answer_bytes: 0,
            first_byte_us: None,
            total_us: 0,
            queued_us: None,
            overhead_us: None,
        }
    }

    /// A record of nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(Duration::ZERO, String::new(), "", "")
    }

    /// The name of the route that was taken.
    #[must_use]
    pub fn route_name(&self) -> Option<&str> {
        self.route.as_deref().map(|route| route.name.as_str())
    }

    /// What answered: `provider/upstream-model`.
    #[must_use]
    pub fn model_name(&self) -> Option<&str> {
        self.stand_in.or_else(|| self.model.as_deref().map(|model| model.name.as_str()))
    }
}

impl From<Usage> for UsageRecord {
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.input,
            output: usage.output,
            cache_read: usage.cache_read,
            cache_write: usage.cache_write(),
            reasoning: usage.reasoning,
        }
    }
}
