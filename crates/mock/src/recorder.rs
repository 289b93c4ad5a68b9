//! The last requests as they came, for tests of what crossed the gateway.
//! Credentials are kept and shown: this is a simulator, its keys are fake. It keeps nothing on disk.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::request::Parts;
use serde_json::{Value, json};

/// Requests kept.
const REQUESTS_MAX: usize = 64;
/// Bytes of bodies kept, all together.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Received {
    /// Method, target and headers.
    pub(crate) head: Parts,
    /// The body.
    pub(crate) body: Bytes,
}

/// The last requests.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    requests: VecDeque<Arc<Received>>,
    bytes: usize,
}

impl Recorder {
    /// Keeps a request, and drops the oldest ones that no longer fit.
    pub(crate) fn keep(&self, request: &Arc<Received>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += request.body.len();
        kept.requests.push_back(Arc::clone(request));
        while REQUESTS_MAX < kept.requests.len() || BYTES_MAX < kept.bytes {
            let Some(oldest) = kept.requests.pop_front() else { break };
            kept.bytes -= oldest.body.len();
        }
    }

    /// The last `n` requests, the newest first: `{"requests":[{method, target, version, headers: [[name, value]], body}]}`.
    /// A body that is not UTF-8 stands under `body_hex` instead.
    pub(crate) fn json(&self, n: usize) -> String {
        let requests: Vec<Arc<Received>> = {
            let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.requests.iter().rev().take(n).cloned().collect()
        };
        json!({ "requests": requests.iter().map(|request| describe(request)).collect::<Vec<_>>() }).to_string()
    }

    /// Forgets everything.
    pub(crate) fn reset(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Kept::default();
    }
}

fn describe(request: &Received) -> Value {
    let headers: Vec<_> = request
        .head
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    let mut described = json!({
        "method": request.head.method.as_str(),
        "target": request.head.uri.to_string(),
        "version": format!("{:?}", request.head.version),
        "headers": headers,
    });
    if let Some(object) = described.as_object_mut() {
        match std::str::from_utf8(&request.body) {
            Ok(text) => object.insert("body".to_owned(), text.into()),
            Err(_) => object.insert("body_hex".to_owned(), hex(&request.body).into()),
        };
    }
    described
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}
