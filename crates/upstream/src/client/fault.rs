//! What can go wrong between here and a provider, before anything was understood of its answer.
//!
//! Only transport: a status, a body or an error object is the dialect's business. Details name the cause and never hold
//! a header or a body, so that no secret can be in them.

use std::error::Error;
use std::fmt;
use std::io;

/// A failure to send a request or to receive its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportFault {
    /// What kind of failure.
    pub kind: TransportFaultKind,
    /// The cause, without secrets, for the log and the operator.
    pub detail: String,
    /// Whether any byte of this answer had arrived (over HTTP/2: whether its head had).
    pub response_bytes: bool,
}

/// The kinds of failure that callers treat differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransportFaultKind {
    /// The connection was refused or its network is unreachable (F01).
    Refused,
    /// The host has no address, or none we may connect to (F02).
    Dns,
    /// The TLS handshake failed or stalled: expired, wrong host, unknown issuer (F03).
    Tls,
    /// No connection within the connect timer (F04).
    ConnectTimeout,
    /// No response head within the first-byte timer (F09).
    FirstByteTimeout,
    /// Silence between two chunks of the body for longer than the idle timer (F10).
    IdleTimeout,
    /// The exchange's deadline passed (F11).
    TotalTimeout,
    /// The connection ended before the response head, or was reset (F05, F06).
    Reset,
    /// The body ended before its announced end (F06).
    Truncated,
    /// A head that is malformed or too large, or a body in an encoding that was not asked for (F26, F27).
    BadResponse,
    /// The body is longer than its cap.
    TooLarge,
    /// This side has no connection to give: descriptors, ports or the connection cap are used up, or the client is
    /// closed (F42). The only kind that is the gateway's own fault.
    Exhausted,
}

impl TransportFault {
    pub(crate) fn new(kind: TransportFaultKind, detail: impl Into<String>) -> TransportFault {
        TransportFault {
            kind,
            detail: detail.into(),
            response_bytes: false,
        }
    }

    pub(crate) fn received(mut self, response_bytes: bool) -> TransportFault {
        self.response_bytes = response_bytes;
        self
    }

    /// A connect that failed in the kernel.
    pub(super) fn of_connect(error: &io::Error) -> TransportFault {
        // 23 ENFILE, 24 EMFILE, 99 EADDRNOTAVAIL, 105 ENOBUFS: std has no stable kinds for the first two.
        let kind = match error.raw_os_error() {
            Some(23 | 24 | 99 | 105) => TransportFaultKind::Exhausted,
            _ if error.kind() == io::ErrorKind::TimedOut => TransportFaultKind::ConnectTimeout,
            _ if error.kind() == io::ErrorKind::ConnectionReset => TransportFaultKind::Reset,
            _ => TransportFaultKind::Refused,
        };
        TransportFault::new(kind, causes(error))
    }

    /// A request that ended without a response head.
    pub(super) fn of_head(error: &hyper::Error) -> TransportFault {
        let kind = if error.is_parse() || is_h2_protocol(error) {
            TransportFaultKind::BadResponse
        } else {
            TransportFaultKind::Reset
        };
        TransportFault::new(kind, causes(error))
    }

    /// A body that broke after its head.
    pub(super) fn of_body(error: &hyper::Error) -> TransportFault {
        let io_kind = source::<io::Error>(error).map(io::Error::kind);
        let kind = match io_kind {
            _ if error.is_incomplete_message() => TransportFaultKind::Truncated,
            Some(io::ErrorKind::UnexpectedEof) => TransportFaultKind::Truncated,
            Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => TransportFaultKind::BadResponse,
            _ if is_h2_protocol(error) => TransportFaultKind::BadResponse,
            _ => TransportFaultKind::Reset,
        };
        TransportFault::new(kind, causes(error)).received(true)
    }
}

/// Whether HTTP/2 says that the server did nothing with this stream (RFC 9113, 8.7), so that it may be sent again: it
/// refused the stream, or it is going away in good order and the stream is none of those it still serves.
pub(super) fn is_untouched_stream(error: &hyper::Error) -> bool {
    source::<h2::Error>(error).is_some_and(|h2| match h2.reason() {
        Some(h2::Reason::REFUSED_STREAM) => h2.is_remote(),
        Some(h2::Reason::NO_ERROR) => h2.is_go_away() && h2.is_remote(),
        _ => false,
    })
}

/// A frame or length that breaks the protocol, found by our side.
fn is_h2_protocol(error: &hyper::Error) -> bool {
    source::<h2::Error>(error).is_some_and(|h2| !h2.is_remote() && !h2.is_io() && h2.reason().is_some())
}

fn source<E: Error + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(found) = inner.downcast_ref::<E>() {
            return Some(found);
        }
        cause = inner.source();
    }
    None
}

/// The chain of causes in one line.
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

impl fmt::Display for TransportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            TransportFaultKind::Refused => "connection refused",
            TransportFaultKind::Dns => "name not resolved",
            TransportFaultKind::Tls => "tls failed",
            TransportFaultKind::ConnectTimeout => "connect timed out",
            TransportFaultKind::FirstByteTimeout => "no response in time",
            TransportFaultKind::IdleTimeout => "response went silent",
            TransportFaultKind::TotalTimeout => "exchange took too long",
            TransportFaultKind::Reset => "connection lost",
            TransportFaultKind::Truncated => "response cut short",
            TransportFaultKind::BadResponse => "response malformed",
            TransportFaultKind::TooLarge => "response too large",
            TransportFaultKind::Exhausted => "no connection available on this side",
        };
        write!(f, "{kind}: {}", self.detail)
    }
}

impl Error for TransportFault {}
