//! The error vocabulary: what went wrong, whose fault it is, and what to do next. HTTP statuses and error bodies exist
//! only in `dialects/*/fault.rs`, which read and write this.

use std::borrow::Cow;
use std::time::Duration;

use crate::json::ObjectWriter;

/// The longest message of a fault, in bytes: read from a provider, and written for a caller.
pub(crate) const MESSAGE_BYTES_MAX: usize = 4096;

/// At most so many bytes of a text, whole characters only.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

/// What went wrong, in the field's words. One meaning each; a dialect maps it to its own status, type and code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The request is not valid: bad JSON, a missing or wrong field.
    Malformed,
    /// The body or a part of it is larger than allowed.
    TooLarge,
    /// The body's media type or content coding is not understood.
    UnsupportedMedia,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The credential is missing, unknown, expired or revoked.
    Unauthorized,
    /// The credential is right, but may not do this.
    Forbidden,
    /// No such path, route or model.
    NotFound,
    /// The state of the resource forbids it (409).
    Conflict,
    /// Understood, but not processable as it is (422).
    Unprocessable,
    /// Too many requests or tokens in a window.
    RateLimited,
    /// Money or quota is used up: waiting does not help.
    QuotaExceeded,
    /// The prompt does not fit the model's context.
    ContextLength,
    /// Refused for its content by a provider or a guardrail.
    ContentPolicy,
    /// A translation would lose something, and the route says `on_loss: reject`.
    Lossy,
    /// The provider has no capacity just now (Anthropic's 529, a 503).
    Overloaded,
    /// The provider cannot be reached, or none is healthy.
    Unavailable,
    /// The provider did not answer in time.
    Timeout,
    /// The TLS session with the provider could not be trusted or made.
    Tls,
    /// The provider answered something that is not an answer.
    BadUpstream,
    /// The provider's answer ended before its end.
    Truncated,
    /// The provider's answer is not in the form that was asked for.
    InvalidOutput,
    /// The provider reports an error of its own (5xx).
    Upstream,
    /// Our own mistake.
    Internal,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 23] = [
        Self::Malformed,
        Self::TooLarge,
        Self::UnsupportedMedia,
        Self::MethodNotAllowed,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::Unprocessable,
        Self::RateLimited,
        Self::QuotaExceeded,
        Self::ContextLength,
        Self::ContentPolicy,
        Self::Lossy,
        Self::Overloaded,
        Self::Unavailable,
        Self::Timeout,
        Self::Tls,
        Self::BadUpstream,
        Self::Truncated,
        Self::InvalidOutput,
        Self::Upstream,
        Self::Internal,
    ];

    /// The code that every dialect writes for it where the fault has none of its own, by GOVERNANCE's table of answers.
    #[must_use]
    pub fn code(self, origin: Origin) -> &'static str {
        let provider = origin == Origin::Provider;
        match self {
            Self::Malformed => "invalid_request",
            Self::TooLarge => "request_too_large",
            Self::UnsupportedMedia => "unsupported_media_type",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Unauthorized => "invalid_api_key",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Unprocessable => "unprocessable",
            Self::RateLimited => "rate_limit_exceeded",
            Self::QuotaExceeded if provider => "insufficient_quota",
            Self::QuotaExceeded => "budget_exceeded",
            Self::ContextLength => "context_length_exceeded",
            Self::ContentPolicy if provider => "content_filter",
            Self::ContentPolicy => "content_blocked",
            Self::Lossy => "translation_lossy",
            Self::Overloaded if provider => "upstream_overloaded",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "upstream_unavailable",
            Self::Timeout => "upstream_timeout",
            Self::Tls => "upstream_tls",
            Self::BadUpstream => "bad_upstream_response",
            Self::Truncated => "upstream_truncated",
            Self::InvalidOutput => "invalid_output",
            Self::Upstream => "upstream_error",
            Self::Internal => "internal_error",
        }
    }

    /// The kind whose code that is: what another gateway like us says, and what vendors say in the same words. None for
    /// `invalid_request`, which many vendors write beside words that say more, and none for `internal_error`: their own mistake
    /// is not ours.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        let coded = |kind: &Self| [Origin::Provider, Origin::Gateway].iter().any(|origin| kind.code(*origin) == code);
        let telling = |kind: &Self| !matches!(kind, Self::Malformed | Self::Internal);
        Self::ALL.into_iter().filter(telling).find(coded)
    }
}

/// Who is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The caller.
    Client,
    /// Tollgate itself.
    Gateway,
    /// The provider.
    Provider,
}

/// What may be tried next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Nothing: the same call would fail everywhere.
    Never,
    /// The same deployment may do better in a moment.
    Same,
    /// Another deployment may do better; this one would not.
    Other,
}

/// An error on its way to the caller, to the retry policy and to the record.
#[derive(Debug, Clone)]
pub struct Fault {
    /// What went wrong.
    pub kind: FaultKind,
    /// Whose fault it is.
    pub origin: Origin,
    /// What may be tried next.
    pub retry: Retry,
    /// How long to wait before trying again, where known.
    pub retry_after: Option<Duration>,
    /// For the caller: names the thing and the remedy; never a secret, never an internal cause.
    pub message: String,
    /// The machine-readable code (`model_not_allowed`); a dialect has a default for each kind.
    pub code: Option<Cow<'static, str>>,
    /// The request field at fault (`messages[0].role`), where one is.
    pub param: Option<String>,
    /// The provider's status, where one answered: its class is kept towards the caller.
    pub provider_status: Option<u16>,
    /// The provider's own error answer, for a caller of the same dialect.
    pub provider_body: Option<ProviderBody>,
    /// Which limit or budget refused the call, where one did.
    pub exceeded: Option<Box<Exceeded>>,
    /// For the record only: the internal cause.
    pub cause: Option<String>,
}

/// A limit or budget that a call does not fit into. Amounts are JSON numbers as text, in the unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exceeded {
    /// Its name.
    pub rule: String,
    /// By what it counts: `team`, `team,user`; empty: everything together.
    pub scope: String,
    /// Whose: the values, in the order of `scope`.
    pub scope_id: String,
    /// `usd`, `tokens`, `requests` or `calls`.
    pub unit: &'static str,
    /// How much it lets pass.
    pub limit: String,
    /// How much is used.
    pub used: String,
    /// How much open calls hold.
    pub reserved: String,
    /// When it starts anew, RFC 3339; none: never.
    pub resets_at: Option<String>,
    /// A spent budget is told with 429 instead of 402, as the config wants it.
    pub as_rate_limit: bool,
}

/// An error answer as a provider wrote it.
#[derive(Debug, Clone)]
pub struct ProviderBody {
    /// The dialect that it is written in.
    pub dialect: &'static str,
    /// Its bytes, cut to a bound by who read them.
    pub body: Vec<u8>,
}

impl Exceeded {
    /// Its fields, among the details of an error in any dialect.
    pub(crate) fn write(&self, details: &mut ObjectWriter<'_>) {
        details.string("rule", &self.rule);
        details.string("scope", &self.scope);
        details.string("scope_id", &self.scope_id);
        details.string("unit", self.unit);
        for (name, amount) in [("limit", &self.limit), ("used", &self.used), ("reserved", &self.reserved)] {
            details.raw(name, amount);
        }
        details.string_if("resets_at", self.resets_at.as_deref());
    }
}

impl Fault {
    /// A fault with the usual retry advice for its kind and origin.
    #[must_use]
    pub fn new(kind: FaultKind, origin: Origin, message: impl Into<String>) -> Self {
        Self {
            kind,
            origin,
            retry: usual_retry(kind, origin),
            retry_after: None,
            message: message.into(),
            code: None,
            param: None,
            provider_status: None,
            provider_body: None,
            exceeded: None,
            cause: None,
        }
    }

    /// The caller's mistake.
    #[must_use]
    pub fn client(kind: FaultKind, message: impl Into<String>) -> Self {
        Self::new(kind, Origin::Client, message)
    }

    /// Our own trouble or decision.
    #[must_use]
    pub fn gateway(kind: FaultKind, message: impl Into<String>) -> Self {
        Self::new(kind, Origin::Gateway, message)
    }

    /// The provider's trouble.
    #[must_use]
    pub fn provider(kind: FaultKind, message: impl Into<String>) -> Self {
        Self::new(kind, Origin::Provider, message)
    }

    /// With the machine-readable code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// With the request field at fault.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// With the limit or budget that refused the call.
    #[must_use]
    pub fn with_exceeded(mut self, exceeded: Exceeded) -> Self {
        self.exceeded = Some(Box::new(exceeded));
        self
    }

    /// With the internal cause, for the record.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }
}

fn usual_retry(kind: FaultKind, origin: Origin) -> Retry {
    use FaultKind as K;
    if origin != Origin::Provider {
        return Retry::Never;
    }
    match kind {
        K::RateLimited | K::Overloaded | K::Unavailable | K::Timeout | K::Upstream | K::Truncated | K::Conflict => Retry::Same,
        K::Unauthorized
        | K::Forbidden
        | K::NotFound
        | K::QuotaExceeded
        | K::ContextLength
        | K::ContentPolicy
        | K::Tls
        | K::BadUpstream
        | K::InvalidOutput
        | K::Internal => Retry::Other,
        K::Malformed | K::TooLarge | K::UnsupportedMedia | K::MethodNotAllowed | K::Unprocessable | K::Lossy => Retry::Never,
    }
}

/// A document that cannot be read in its dialect. Pure: the stage that met it turns it into a [`Fault`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Lowercase, names the thing and the remedy.
    pub message: String,
    /// The field at fault, as a path (`messages[2].content[0].type`).
    pub param: Option<String>,
}

impl Malformed {
    /// A document-level complaint.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            param: None,
        }
    }

    /// A complaint about one field.
    #[must_use]
    pub fn at(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            param: Some(param.into()),
        }
    }
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.param {
            Some(param) => write!(f, "{param}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Malformed {}

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Self {
        let mut fault = Self::client(FaultKind::Malformed, malformed.message);
        fault.param = malformed.param;
        fault
    }
}
