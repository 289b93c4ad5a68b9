//! One request of the admin API, whose caller is known and may make it; and what is answered.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::header::{ETAG, HeaderMap, HeaderValue, IF_MATCH, SET_COOKIE};
use serde::de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use tollgate_store::database::audit::Act;

use super::problem::Problem;
use super::who::Principal;
use crate::control::Control;

/// Lines of a page when nothing is said.
const PAGE_DEFAULT: u32 = 50;
/// Lines of a page at most.
const PAGE_MAX: u32 = 1_000;
/// Letters of a reason.
const REASON_CHARS_MAX: usize = 500;

/// A request.
pub(crate) struct Ask {
    pub(crate) control: Arc<Control>,
    pub(crate) who: Principal,
    /// What the path names, in its order.
    pub(crate) ids: Vec<String>,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The request's id.
    pub(crate) request: String,
    pub(crate) address: IpAddr,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) etag: Option<String>,
    pub(crate) cookie: Option<String>,
    pub(crate) body: Option<Value>,
}

/// A page of a list.
#[derive(Serialize)]
struct Page {
    data: Vec<Value>,
    next: Option<String>,
}

impl Ask {
    /// What the path names first.
    pub(crate) fn id(&self) -> &str {
        self.ids.first().map_or("", String::as_str)
    }

    /// The body, which may have no member that is not known.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        serde_json::from_slice::<Unambiguous>(body).map_err(|error| unreadable(&error))?;
        serde_json::from_slice(body).map_err(|error| unreadable(&error))
    }

    /// A parameter of the query.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// How many lines the page may have.
    pub(crate) fn limit(&self) -> Result<u32, Problem> {
        let Some(text) = self.param("limit") else { return Ok(PAGE_DEFAULT) };
        let limit = text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
        limit.ok_or_else(|| Problem::bad_request("bad_query", "limit is not a number from 1 to 1000; correct it"))
    }

    /// The number behind which the page begins.
    pub(crate) fn after(&self) -> Result<Option<i64>, Problem> {
        let number = |text: &str| {
            let ill = || Problem::bad_request("bad_query", "after is not what next was; take next from the page before");
            text.parse::<i64>().map_err(|_| ill())
        };
        self.param("after").map(number).transpose()
    }

    /// Which version is meant to be changed; none: whichever there is.
    pub(crate) fn if_match(&self) -> Result<Option<i64>, Problem> {
        let Some(header) = self.headers.get(IF_MATCH) else {
            return Ok(None);
        };
        let text = header.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(None);
        }
        // A version that cannot be one matches none.
        let version = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .and_then(|text| text.parse().ok());
        Ok(Some(version.unwrap_or(-1)))
    }

    /// What is written into the audit log about it.
    pub(crate) fn act(&self, action: String) -> Act {
        let reason = self
            .headers
            .get("x-reason")
            .map(|reason| String::from_utf8_lossy(reason.as_bytes()).into_owned());
        Act {
            actor: self.who.name.clone(),
            auth: self.who.auth.into(),
            action,
            target: String::new(),
            reason: reason.unwrap_or_default().chars().take(REASON_CHARS_MAX).collect(),
            request: self.request.clone(),
            outcome: "done".into(),
        }
    }
}

/// Any JSON in which no object has a member twice: of two, nobody knows which one is meant.
struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Unambiguous {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = members.next_key::<String>()? {
            members.next_value::<Self>()?;
            if let Some(twice) = names.replace(name) {
                return Err(A::Error::custom(format!("the member {twice:?} comes twice")));
            }
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self, A::Error> {
        while values.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }
}

/// Why a body cannot be read. What serde says names the member and what was expected.
pub(crate) fn unreadable(error: &serde_json::Error) -> Problem {
    let code = if error.is_data() { "bad_body" } else { "bad_json" };
    Problem::bad_request(
        code,
        format!("the body cannot be read: {error}; see /admin/v1/openapi.json for its form"),
    )
}

impl Reply {
    /// 200, with a body.
    pub(crate) fn ok(body: impl Serialize) -> Result<Self, Problem> {
        Self::with(StatusCode::OK, body)
    }

    pub(crate) fn with(status: StatusCode, body: impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_value(body);
        let body = body.map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string()))?;
        Ok(Self {
            status,
            etag: None,
            cookie: None,
            body: Some(body),
        })
    }

    /// 204.
    pub(crate) fn empty() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            etag: None,
            cookie: None,
            body: None,
        }
    }

    /// A page; `next` goes into `after` of the request for the next one.
    pub(crate) fn page(data: Vec<Value>, next: Option<String>) -> Result<Self, Problem> {
        Self::ok(Page { data, next })
    }

    pub(crate) fn tagged(mut self, version: i64) -> Self {
        self.etag = Some(format!("\"{version}\""));
        self
    }

    /// The headers that are its own.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let value = |text: &Option<String>| text.as_ref().and_then(|text| HeaderValue::from_str(text).ok());
        if let Some(etag) = value(&self.etag) {
            headers.insert(ETAG, etag);
        }
        if let Some(cookie) = value(&self.cookie) {
            headers.insert(SET_COOKIE, cookie);
        }
    }
}
