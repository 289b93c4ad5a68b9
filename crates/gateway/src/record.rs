//! What remains of an exchange: one record, begun with its first byte and closed exactly once, whatever ends it. It holds no
//! prompt, no answer and no secret: it has no place for them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use tollgate_wire::event::{Event, Finish};
use tollgate_wire::fault::{Fault, FaultKind, Origin};
use tollgate_wire::loss::Loss;
use tollgate_wire::usage::Usage;

use crate::admit::Pass;
use crate::clock::Now;
use crate::identify::Caller;
use crate::ingress::Call;

/// The most attempts that a record lists.
const ATTEMPTS_MAX: usize = 32;

/// The longest model name that a record keeps.
const ASKED_CHARS_MAX: usize = 256;

/// The longest word of a provider's that a record keeps.
const WORD_CHARS_MAX: usize = 64;
/// The longest internal cause that a record keeps.
const CAUSE_CHARS_MAX: usize = 300;

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
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

/// One upstream try.
#[derive(Debug, Clone, Serialize)]
pub struct Attempt {
    /// `provider/upstream-model`.
    pub deployment: String,
    /// `ok`, or what went wrong.
    pub outcome: &'static str,
    /// The provider's status, where it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// From the start of the try to its answer or fault, in milliseconds.
    pub ms: f64,
}

/// One exchange, as it is written down.
#[derive(Debug, Serialize)]
pub struct Record {
    /// When the first byte came: RFC 3339, UTC.
    pub time: String,
    /// Ours.
    pub request_id: String,
    /// The caller's W3C trace id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The config that it saw.
    pub config: String,
    /// The caller's dialect.
    pub dialect: &'static str,
    /// What was asked for.
    pub operation: &'static str,
    /// The caller's team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The caller's user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The id of the caller's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whom a service says that it calls for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_user: Option<String>,
    /// The older of the key's two secrets was used: when it ends, RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_deprecated: Option<String>,
    /// The tags of the key, and those that the caller added.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The caller's feature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// The model or route as asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// The route that was taken; none for a model asked for directly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// What answered: `provider/upstream-model`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// A stream was asked for.
    pub stream: bool,
    /// The provider received the caller's own bytes.
    pub passthrough: bool,
    /// Every try, in order.
    pub attempts: Vec<Attempt>,
    /// Why the first choice did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// What the translation could not carry, both ways.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loss: Vec<String>,
    /// The status that the caller saw.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultRecord>,
    /// Why the first choice's answer ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish: Option<String>,
    /// The provider's tokens; none: it told none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageRecord>,
    /// The provider's own request id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_request_id: Option<String>,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the answer's body that went to the caller.
    pub answer_bytes: u64,
    /// From the request's first byte to the answer's first, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<f64>,
    /// From the request's first byte to the answer's last, in milliseconds.
    pub total_ms: f64,
    /// Until the answer's first byte: what was not spent waiting for providers, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overhead_ms: Option<f64>,
}

/// A fault in a record.
#[derive(Debug, Serialize)]
pub struct FaultRecord {
    /// What went wrong.
    pub kind: &'static str,
    /// Whose fault it is.
    pub origin: &'static str,
    /// The machine-readable code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The internal cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// Tokens in a record; totals include their parts.
#[derive(Debug, Serialize)]
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

/// A record that is being written. What is not known when it is closed stays out.
#[derive(Debug)]
pub struct Draft {
    /// Boxed: it goes through many hands.
    record: Box<Record>,
    started: Instant,
    deadline: Option<Instant>,
    waited: Duration,
}

impl Draft {
    /// Begins a record.
    #[must_use]
    pub fn begin(now: Now, request_id: String, dialect: &'static str, operation: &'static str) -> Self {
        let record = Record {
            time: rfc3339(now.unix),
            request_id,
            trace_id: None,
            config: String::new(),
            dialect,
            operation,
            team: None,
            user: None,
            end_user: None,
            key: None,
            key_deprecated: None,
            feature: None,
            tags: BTreeMap::new(),
            asked: None,
            route: None,
            model: None,
            stream: false,
            passthrough: false,
            attempts: Vec::new(),
            fallback: None,
            loss: Vec::new(),
            status: 0,
            outcome: Outcome::Failed,
            fault: None,
            finish: None,
            usage: None,
            provider_request_id: None,
            request_bytes: 0,
            answer_bytes: 0,
            first_byte_ms: None,
            total_ms: 0.0,
            overhead_ms: None,
        };
        Self {
            record: Box::new(record),
            started: now.instant,
            deadline: None,
            waited: Duration::ZERO,
        }
    }

    /// What is written so far.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The facts that a stage adds.
    pub fn record_mut(&mut self) -> &mut Record {
        &mut self.record
    }

    /// When the first byte came.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The exchange must be over by then.
    pub fn ends_by(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// When the exchange must be over; `None`: no provider was to be asked.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// An upstream try begins. Until it has ended, it counts as broken off: that is what it is when the caller leaves.
    pub fn attempt_begins(&mut self, deployment: &str) {
        self.record.model = Some(deployment.to_owned());
        if self.record.attempts.len() < ATTEMPTS_MAX {
            self.record.attempts.push(Attempt {
                deployment: deployment.to_owned(),
                outcome: "aborted",
                status: None,
                ms: 0.0,
            });
        }
    }

    /// The try that began last has ended; the time since its start was not ours.
    pub fn attempt_ended(&mut self, began: Instant, ended: Instant, fault: Option<&Fault>) {
        let took = ended.saturating_duration_since(began);
        self.waited += took;
        if let Some(attempt) = self.record.attempts.last_mut() {
            attempt.outcome = fault.map_or("ok", |fault| kind_name(fault.kind));
            attempt.status = fault.and_then(|fault| fault.provider_status);
            attempt.ms = ms(took);
        }
    }

    /// A pause before the next try: the provider's wish, not our work.
    pub fn waited(&mut self, wait: Duration) {
        self.waited += wait;
    }

    /// The first byte of the answer is ready: gives the overhead until now, in milliseconds.
    pub fn first_byte(&mut self, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(self.started);
        let overhead = ms(elapsed.saturating_sub(self.waited));
        self.record.first_byte_ms = Some(ms(elapsed));
        self.record.overhead_ms = Some(overhead);
        overhead
    }

    /// What was asked for.
    pub fn asked(&mut self, call: &Call) {
        self.record.asked = Some(call.envelope.model.chars().take(ASKED_CHARS_MAX).collect());
        self.record.stream = call.envelope.stream;
        self.record.request_bytes = call.body.len() as u64;
    }

    /// Who asked.
    pub fn caller(&mut self, caller: &Caller) {
        self.record.team = Some(caller.team().name.clone());
        self.record.user = caller.user().map(str::to_owned);
        self.record.end_user = caller.end_user().map(str::to_owned);
        self.record.key = caller.key_id().map(str::to_owned);
        self.record.key_deprecated = caller.deprecated_until().map(|at| rfc3339(Duration::from_secs(at)));
        self.record.feature = caller.feature().map(str::to_owned);
        self.record.tags = caller
            .tags()
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
    }

    /// What the caller was admitted to.
    pub fn admitted(&mut self, pass: &Pass) {
        let route = pass.route();
        self.record.route = route.named.then(|| route.name.clone());
    }

    /// Takes from events what the record keeps.
    pub fn observe(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Usage(usage) => self.record.usage = Some((*usage).into()),
                Event::Finish { choice: 0, reason } => self.record.finish = Some(cut(finish_name(reason), WORD_CHARS_MAX)),
                _ => {}
            }
        }
    }

    /// Adds lost features.
    pub fn lose(&mut self, loss: &Loss) {
        for feature in loss.features() {
            if !self.record.loss.contains(feature) {
                self.record.loss.push(feature.clone());
            }
        }
    }

    /// Notes what went wrong.
    pub fn fail(&mut self, fault: &Fault) {
        self.record.fault = Some(FaultRecord {
            kind: kind_name(fault.kind),
            origin: origin_name(fault.origin),
            code: fault.code.as_deref().map(|code| cut(code, WORD_CHARS_MAX)),
            cause: fault
                .cause
                .as_deref()
                .map(|cause| tollgate_guard::mask::credentials(&cut(cause, CAUSE_CHARS_MAX))),
        });
    }

    /// Closes the record.
    pub fn close(&mut self, outcome: Outcome, now: Instant) {
        self.record.outcome = outcome;
        self.record.total_ms = ms(now.saturating_duration_since(self.started));
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

fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

/// Milliseconds with three decimals.
#[must_use]
pub fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn rfc3339(unix: Duration) -> String {
    let nanos = i128::try_from(unix.as_nanos()).unwrap_or(0);
    jiff::Timestamp::from_nanosecond(nanos - nanos % 1_000_000).map_or_else(|_| String::new(), |time| time.to_string())
}

fn finish_name(finish: &Finish) -> &str {
    match finish {
        Finish::Stop => "stop",
        Finish::StopSequence(_) => "stop_sequence",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
        Finish::Pause => "pause",
        Finish::Other(word) => word,
    }
}

/// The word for a kind of fault in records and metrics.
#[must_use]
pub fn kind_name(kind: FaultKind) -> &'static str {
    use FaultKind as K;
    match kind {
        K::Malformed => "malformed",
        K::TooLarge => "too_large",
        K::UnsupportedMedia => "unsupported_media",
        K::MethodNotAllowed => "method_not_allowed",
        K::Unauthorized => "unauthorized",
        K::Forbidden => "forbidden",
        K::NotFound => "not_found",
        K::Conflict => "conflict",
        K::Unprocessable => "unprocessable",
        K::RateLimited => "rate_limited",
        K::QuotaExceeded => "quota_exceeded",
        K::ContextLength => "context_length",
        K::ContentPolicy => "content_policy",
        K::Lossy => "lossy",
        K::Overloaded => "overloaded",
        K::Unavailable => "unavailable",
        K::Timeout => "timeout",
        K::Tls => "tls",
        K::BadUpstream => "bad_upstream",
        K::Truncated => "truncated",
        K::Upstream => "upstream_error",
        K::Internal => "internal",
    }
}

fn origin_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Client => "client",
        Origin::Gateway => "gateway",
        Origin::Provider => "provider",
    }
}
