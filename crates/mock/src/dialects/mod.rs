//! The registry of dialects: what the simulator speaks. A dialect is a folder and a line here.
//! A dialect reads a request as strictly as its vendor does and writes answers as its vendor does; it decides nothing.

mod anthropic;
mod json;
mod openai_chat;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

use crate::{answer::Frame, question::Question, reply::Reply};

/// Every dialect.
pub(crate) static DIALECTS: &[&dyn Dialect] = &[&openai_chat::OpenAiChat, &anthropic::Anthropic];

/// The dialect of a path, and the path after the dialect's prefix.
pub(crate) fn find(path: &str) -> (Option<&'static dyn Dialect>, &str) {
    DIALECTS
        .iter()
        .find_map(|dialect| {
            let rest = path.strip_prefix(dialect.prefix())?;
            rest.starts_with('/').then_some((Some(*dialect), rest))
        })
        .unwrap_or((None, path))
}

/// One vendor's way of speaking.
pub(crate) trait Dialect: Sync + std::fmt::Debug {
    /// Its name on the bill.
    fn name(&self) -> &'static str;
    /// Where its paths begin, e.g. `/openai`.
    fn prefix(&self) -> &'static str;
    /// Its paths, for the manual.
    fn paths(&self) -> &'static [&'static str];
    /// What a path after the prefix asks for.
    fn route(&self, method: &Method, path: &str) -> Route;
    /// Checks credentials and required headers.
    fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal>;
    /// Reads and checks a request.
    fn read(&self, headers: &HeaderMap, body: &Value) -> Result<Question, Refusal>;
    /// Reads a request whose tokens are only to be counted.
    fn read_for_count(&self, headers: &HeaderMap, body: &Value) -> Result<Question, Refusal> {
        self.read(headers, body)
    }
    /// Writes a whole answer.
    fn whole(&self, reply: &Reply, question: &Question, stamp: &Stamp) -> Vec<u8>;
    /// Writes an answer as the events of a stream.
    fn frames(&self, reply: &Reply, question: &Question, stamp: &Stamp) -> Vec<Frame>;
    /// Bytes of JSON around the text of a whole answer, about.
    fn envelope_bytes(&self) -> u64;
    /// The refusal of a prompt that is longer than the model's context; every vendor words it differently (WIRE E4).
    fn too_long(&self) -> Refusal;
    /// The headers that the vendor sends with an answer or an error, but for the content type.
    fn headers(&self, stamp: &Stamp, refusal: Option<&Refusal>) -> HeaderMap;
    /// The body of an error.
    fn error(&self, refusal: &Refusal, stamp: &Stamp) -> String;
    /// An error as an event of a stream that has begun.
    fn error_event(&self, refusal: &Refusal, stamp: &Stamp) -> Bytes;
}

/// A map of headers that never change; an empty value keeps a place for one that does.
fn fixed_headers(headers: &[(&'static str, &'static str)]) -> HeaderMap {
    // Room for what an answer adds, so that a clone does not grow.
    let mut map = HeaderMap::with_capacity(headers.len() + 12);
    for (name, value) in headers {
        map.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    map
}

/// What a path asks for.
#[derive(Debug)]
pub(crate) enum Route {
    /// An answer of the model.
    Generate,
    /// Something that is there already.
    Page(Page),
    /// Nothing that this dialect has.
    Unknown,
}

/// Something that is not generated.
#[derive(Debug)]
pub(crate) enum Page {
    /// This JSON.
    Fixed(Value),
    /// The tokens of the request.
    CountTokens,
}

/// What makes an answer unique.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    /// Seed of identifiers.
    pub(crate) seed: u64,
    /// Milliseconds since 1970.
    pub(crate) now_ms: u64,
}

impl Stamp {
    /// Seconds since 1970.
    pub(crate) fn now_s(&self) -> u64 {
        self.now_ms / 1000
    }
}

/// A request that is not answered, in the words of no vendor.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refusal {
    /// The status.
    pub(crate) status: u16,
    /// What is said about it.
    pub(crate) message: String,
    /// The parameter at fault.
    pub(crate) param: Option<String>,
    /// A code, where the dialect has codes.
    pub(crate) code: Option<&'static str>,
    /// Seconds to wait.
    pub(crate) retry_after_s: Option<u64>,
}

impl Refusal {
    /// A refusal of which the status says everything.
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            ..Self::default()
        }
    }

    /// A request that breaks a rule.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// Names the parameter at fault.
    pub(crate) fn at(self, param: impl Into<String>) -> Self {
        Self {
            param: Some(param.into()),
            ..self
        }
    }

    /// Adds a code.
    pub(crate) fn code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// A body that is not JSON.
    pub(crate) fn unparsable(error: &serde_json::Error) -> Self {
        Self::bad(format!("We could not parse the JSON body of your request: {error}"))
    }

    /// A model name with a segment that is neither a behaviour nor a fault.
    pub(crate) fn unknown_model(model: &str, segment: &str) -> Self {
        let message = format!(
            "The model `{model}` does not exist or you do not have access to it. (Simulator: `{segment}` is no behaviour or fault; GET / lists them.)"
        );
        Self::new(404, message).code("model_not_found")
    }

    /// A path that the dialect does not have.
    pub(crate) fn unknown_path(method: &Method, path: &str) -> Self {
        Self::new(404, format!("Invalid URL ({method} {path})"))
    }
}
