//! Stages 1 and 3: HTTP to a `Call`: which dialect and operation the path means, the body within its bounds, and the few spans of it
//! that we need. It does not parse the body. The head is looked at first, then who calls (`identify.rs`), and only then the body read:
//! nobody without a key makes us hold anything.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Version, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tollgate_policy::labels::{Clearance, Label, Part};
use tollgate_policy::release::Risk;
use tollgate_wire::dialects::{DIALECTS, Dialect, Operation};
use tollgate_wire::envelope::Envelope;
use tollgate_wire::event::AnswerContext;
use tollgate_wire::fault::{Fault, FaultKind, Malformed};
use tollgate_wire::request::Request;

use crate::facts::Found;
use crate::record::Record;
use crate::unpack;

/// A caller's own deadline.
const TIMEOUT_MS: HeaderName = HeaderName::from_static("x-tollgate-timeout-ms");
/// A caller that sends nothing of its body for this long is given up.
const BODY_IDLE: Duration = Duration::from_secs(30);

/// How long a body may take in all.
const UPLOAD_MAX: Duration = Duration::from_secs(300);
/// How much of a refused body is read on, in bytes.
const DISCARDED_BYTES_MAX: usize = 256 << 20;
/// And for how long.
const DISCARDING: Duration = Duration::from_secs(10);

/// Which API a path belongs to.
#[derive(Clone, Copy)]
pub struct Door {
    /// The dialect that is spoken there.
    pub dialect: &'static dyn Dialect,
    /// What is asked for; `None`: nothing that we know, but errors are said in this dialect.
    pub operation: Option<Operation>,
}

/// What a caller asks for, its body unparsed.
pub struct Call {
    /// The caller's dialect.
    pub dialect: &'static dyn Dialect,
    /// What is asked for.
    pub operation: Operation,
    /// The caller's own bytes.
    pub body: Bytes,
    /// What we know of them.
    pub envelope: Envelope,
    /// The caller's headers.
    pub headers: HeaderMap,
    /// The call must be over by then, where the caller says so (`x-tollgate-timeout-ms`).
    pub wanted_by: Option<Instant>,
    /// What conditions have asked about it so far.
    pub found: Found,
    label: Label,
    /// As much depends on it at least, whichever route it comes to.
    pub risk: Option<Risk>,
    /// A person has approved it.
    pub reviewed: bool,
    parsed: OnceLock<Result<Request, Malformed>>,
}

impl Call {
    /// A call from its head and its whole body, which carries that label.
    ///
    /// # Errors
    /// Malformed.
    pub fn of(dialect: &'static dyn Dialect, operation: Operation, headers: HeaderMap, body: Bytes, label: Label) -> Result<Self, Fault> {
        let envelope = dialect.scan(operation, &body)?;
        let wanted_by = wanted_by(&headers)?;
        let found = Found::of(&headers)?;
        Ok(Self {
            dialect,
            operation,
            body,
            envelope,
            headers,
            wanted_by,
            found,
            label,
            risk: None,
            reviewed: false,
            parsed: OnceLock::new(),
        })
    }

    /// How what it carries may travel.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// Whether what it carries, and what is answered to it, may be given to something with that clearance: a model, and whatever else looks
    /// at it, such as a shadow, a judge or a log. Whoever hands it on asks here first.
    ///
    /// # Errors
    /// The part of its label that keeps it from there.
    pub fn may_go_to(&self, clearance: &Clearance) -> Result<(), Part> {
        self.label.flows_to(clearance)
    }

    /// The request in the one language: parsed when first asked for, once.
    ///
    /// # Errors
    /// When the body cannot be read in the caller's dialect.
    pub fn request(&self) -> Result<&Request, Malformed> {
        self.parsed
            .get_or_init(|| self.dialect.read_request(self.operation, &self.body))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// The same request without its head: nothing of the caller's headers goes on with it but the label that they made.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self {
            dialect: self.dialect,
            operation: self.operation,
            body: self.body.clone(),
            envelope: self.envelope.clone(),
            headers: HeaderMap::new(),
            wanted_by: None,
            risk: self.risk,
            reviewed: self.reviewed,
            parsed: OnceLock::new(),
            found: Found::default(),
            label: self.label.clone(),
        }
    }

    /// Limits the output that is asked for.
    ///
    /// # Errors
    /// When the body cannot be read any more with that, which cannot be.
    pub fn limit_output(&mut self, tokens: u64) -> Result<(), Malformed> {
        let limited = Bytes::from(self.envelope.limit(&self.body, tokens).apply(&self.body));
        self.envelope = self.dialect.scan(self.operation, &limited)?;
        self.body = limited;
        self.parsed = OnceLock::new();
        Ok(())
    }

    /// What an answer of that dialect needs beside its events to be written for the caller.
    #[must_use]
    pub fn context(&self, from: &dyn Dialect, record: &Record) -> AnswerContext {
        // A call of the same dialect went on as it was written.
        let renamed = || self.request().map(|request| request.renamed_tools(from)).unwrap_or_default();
        let same = tollgate_wire::dialects::same(from, self.dialect);
        AnswerContext {
            renamed_tools: if same { Vec::new() } else { renamed() },
            id: record.request_id.clone(),
            model: self.envelope.model.clone(),
            created: record.time.as_secs(),
            stream: self.envelope.stream,
            include_usage: self.envelope.include_usage,
        }
    }
}

/// The API of a path. Paths work with and without `/v1`; doubled slashes count as one.
#[must_use]
pub fn door(path: &str) -> Door {
    let path = path.strip_prefix("/v1/").unwrap_or(path).trim_matches('/');
    let known = DIALECTS.iter().find_map(|dialect| {
        let (_, operation) = dialect.routes().iter().find(|(route, _)| route.trim_matches('/') == path)?;
        Some(Door {
            dialect: *dialect,
            operation: Some(*operation),
        })
    });
    known.unwrap_or_else(|| Door {
        dialect: nearest(path),
        operation: None,
    })
}

/// The dialect in which an unknown path is told so: the one whose path it begins with, else the most spoken one.
fn nearest(path: &str) -> &'static dyn Dialect {
    let under = |dialect: &&&'static dyn Dialect| dialect.routes().iter().any(|(route, _)| path.starts_with(route.trim_matches('/')));
    let most_spoken: &'static dyn Dialect = &tollgate_wire::dialects::openai_chat::OpenAiChat;
    DIALECTS.iter().find(under).copied().unwrap_or(most_spoken)
}

/// What a request asks for, by its head alone.
///
/// # Errors
/// NotFound, MethodNotAllowed, UnsupportedMedia.
pub fn operation(door: Door, parts: &Parts) -> Result<Operation, Fault> {
    if let Some(why) = ambiguous(parts.version, &parts.headers) {
        return Err(Fault::client(FaultKind::Malformed, why));
    }
    let operation = known_operation(door, parts)?;
    coding(&parts.headers)?;
    Ok(operation)
}

/// Reads a call whose head is in order, and which carries that label. `bytes_max` bounds the body.
///
/// # Errors
/// TooLarge, Timeout, Malformed.
pub async fn read(
    door: Door,
    operation: Operation,
    (head, mut body): (Parts, Incoming),
    label: Label,
    bytes_max: usize,
) -> Result<Call, Fault> {
    let body = whole_body(&head.headers, &mut body, bytes_max).await?;
    Call::of(door.dialect, operation, head.headers, body, label)
}

/// The whole of a body, unpacked, within its bounds.
///
/// # Errors
/// TooLarge, Timeout, Malformed, UnsupportedMedia.
pub async fn whole_body(headers: &HeaderMap, body: &mut Incoming, bytes_max: usize) -> Result<Bytes, Fault> {
    let read = match tokio::time::timeout(UPLOAD_MAX, read_body(body, bytes_max)).await {
        Ok(read) => read,
        Err(_) => Err(too_slow("took longer than five minutes; send it faster")),
    };
    let body = match read {
        Ok(read) => read,
        Err(fault) => {
            discard(body, headers).await;
            return Err(fault);
        }
    };
    match coding(headers)? {
        Coding::Plain => Ok(body),
        Coding::Gzip => unpack::gzip(&body, bytes_max).await,
    }
}

fn known_operation(door: Door, parts: &Parts) -> Result<Operation, Fault> {
    let path = parts.uri.path();
    let Some(operation) = door.operation else {
        let shown: String = path.chars().take(200).collect();
        return Err(Fault::client(
            FaultKind::NotFound,
            format!("no such path: {shown}; see the README for the paths served here"),
        )
        .with_code("unknown_path"));
    };
    if parts.method != Method::POST {
        let message = format!("{path} answers POST only, not {}", parts.method);
        return Err(Fault::client(FaultKind::MethodNotAllowed, message));
    }
    Ok(operation)
}

/// Whether another reader on the way may see other requests in these bytes than we do (R-E1): the answer must end the connection.
/// What is broken outright, hyper has refused before.
#[must_use]
pub fn ambiguous(version: Version, headers: &HeaderMap) -> Option<&'static str> {
    if version != Version::HTTP_11 && version != Version::HTTP_10 {
        return None;
    }
    let is_chunked = |value: &http::HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if codings.next().is_some_and(|only| !is_chunked(only) || codings.next().is_some()) {
        return Some("a transfer-encoding other than chunked is not read; send chunked alone");
    }
    let hosts = headers.get_all(header::HOST).iter().count();
    if hosts > 1 || (hosts == 0 && version == Version::HTTP_11) {
        return Some("expected one host header; send it once");
    }
    None
}

/// How a body is coded; other ways would be policed as something other than what the provider reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Plain,
    Gzip,
}

fn coding(headers: &HeaderMap) -> Result<Coding, Fault> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter().map(http::HeaderValue::as_bytes);
    match (values.next(), values.next()) {
        (None | Some(b"identity" | b""), None) => Ok(Coding::Plain),
        (Some(value), None) if value.eq_ignore_ascii_case(b"gzip") => Ok(Coding::Gzip),
        _ => Err(Fault::client(
            FaultKind::UnsupportedMedia,
            "this content-encoding is not accepted; send plain JSON, or gzip",
        )),
    }
}

fn wanted_by(headers: &HeaderMap) -> Result<Option<Instant>, Fault> {
    let Some(value) = headers.get(TIMEOUT_MS) else {
        return Ok(None);
    };
    let wanted = value
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse::<u32>().ok())
        .filter(|ms| *ms > 0);
    let Some(wanted) = wanted else {
        return Err(Fault::client(FaultKind::Malformed, "expected a whole number of milliseconds above 0").with_param(TIMEOUT_MS.as_str()));
    };
    Ok(Some(crate::clock::instant() + Duration::from_millis(wanted.into())))
}

async fn read_body(body: &mut Incoming, bytes_max: usize) -> Result<Bytes, Fault> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large(bytes_max));
    }
    let Some(first) = next_chunk(body).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > bytes_max {
        return Err(too_large(bytes_max));
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(0).min(bytes_max);
    let mut whole = BytesMut::with_capacity(first.len() + expected);
    whole.extend_from_slice(&first);
    while let Some(chunk) = next_chunk(body).await? {
        if whole.len() + chunk.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// Reads on after a refusal, for a while: a connection that is closed on a caller in mid-sentence is reset, and the caller never
/// sees why. One that waits for our word before it sends anything is not asked to.
pub async fn discard(body: &mut Incoming, headers: &HeaderMap) {
    // Nor is one asked that announces more than we would read on anyway.
    if headers.contains_key(header::EXPECT) || body.size_hint().lower() > DISCARDED_BYTES_MAX as u64 {
        return;
    }
    let mut left = DISCARDED_BYTES_MAX;
    let rest = async {
        while let Ok(Some(chunk)) = next_chunk(body).await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                return;
            }
        }
    };
    // Whoever sends for longer than that is cut off after all.
    let _ = tokio::time::timeout(DISCARDING, rest).await;
}

async fn next_chunk(body: &mut Incoming) -> Result<Option<Bytes>, Fault> {
    loop {
        let frame = tokio::time::timeout(BODY_IDLE, body.frame())
            .await
            .map_err(|_| too_slow("stopped for 30 seconds; send it without pauses"))?;
        let Some(frame) = frame else { return Ok(None) };
        let frame = frame.map_err(|error| Fault::client(FaultKind::Malformed, format!("the request body broke off: {error}")))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
}

fn too_slow(how: &str) -> Fault {
    Fault::client(FaultKind::Timeout, format!("the request body {how}")).with_code("request_timeout")
}

fn too_large(bytes_max: usize) -> Fault {
    Fault::client(
        FaultKind::TooLarge,
        format!("the request body is larger than {bytes_max} bytes; send less, or raise server.max_body"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_with_and_without_v1() {
        let rows = [
            ("/v1/chat/completions", Some("openai_chat")),
            ("/chat/completions", Some("openai_chat")),
            ("/v1//chat/completions/", Some("openai_chat")),
            ("/v1/messages", Some("anthropic")),
            ("/messages", Some("anthropic")),
            ("/v1/chat/completionsx", None),
            ("/v1/v1/messages", None),
            ("/", None),
        ];
        for (path, expected) in rows {
            let door = door(path);
            assert_eq!(door.operation.map(|_| door.dialect.name()), expected, "{path}");
        }
        assert_eq!(door("/v1/messages/batches").dialect.name(), "anthropic");
        assert_eq!(door("/v1/embeddings").dialect.name(), "openai_chat");
    }
}
