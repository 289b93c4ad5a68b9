//! A question: a request that is not sent, and as whom it is asked. Read from the data plane's body, the admin API's or the command line's.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use tollgate_policy::identity::issuer::Subject;
use tollgate_policy::identity::{Features, KeyRefusal, Opened, Tags, VirtualKey};
use tollgate_policy::key::Presented;
use tollgate_wire::dialects::{self, DIALECTS, Dialect, Operation};
use tollgate_wire::fault::{Fault, FaultKind};
use utoipa::ToSchema;

use super::document::Explanation;
use super::{Reader, forecast};
use crate::admit::Desk;
use crate::books::Books;
use crate::clock::Now;
use crate::config::snapshot::Snapshot;
use crate::identify::{Bearer, Caller};
use crate::ingress::Call;
use crate::switchboard::Switchboard;

/// Where a request's id has the seed of its dice: its last hex digits.
const SEED_DIGITS: usize = 16;

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// The request's body.
    pub body: Bytes,
    /// Its dialect's name; none: the one that it looks like.
    pub dialect: Option<String>,
    /// The headers that it would come with.
    pub headers: HeaderMap,
    /// As whom.
    pub caller: As,
    /// The seed of its dice.
    pub seed: Option<u64>,
}

/// As whom a question is asked. Without any member: as nobody in particular, who may do everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct As {
    /// A key, by its id or its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub key: Option<String>,
    /// A team, as by a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub team: Option<String>,
    /// A user of that team.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub user: Option<String>,
    /// A feature that the token is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub feature: Option<String>,
    /// Tags of the token.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false)]
    pub tags: BTreeMap<String, String>,
}

/// The gateway that is asked, as it is now.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The config.
    pub config: &'a Snapshot,
    /// The accounts.
    pub books: &'a Arc<Books>,
    /// The kill switches.
    pub switches: &'a Switchboard,
    /// When.
    pub now: Now,
}

impl Question {
    /// What would become of it.
    ///
    /// # Errors
    /// Malformed, for a body or headers that cannot be read; Unauthorized or NotFound, for a caller who is none.
    pub fn answer(&self, asked: Asked<'_>) -> Result<Explanation, Fault> {
        let caller = match self.caller.caller(asked.config, &self.headers, asked.now) {
            Err(fault) if matches!(fault.kind, FaultKind::Unauthorized | FaultKind::Forbidden) => {
                return Ok(super::not_let_in(&fault, asked.config, asked.now));
            }
            caller => caller?,
        };
        let dialect = dialect(self.dialect.as_deref(), &self.headers, &self.body)?;
        let label = caller.label().clone();
        let call = Call::of(dialect, Operation::Chat, self.headers.clone(), self.body.clone(), label)?;
        // What cannot be read is told here, with its place: on its way it would be told by whoever has to read it.
        call.request()?;
        let desk = Desk {
            config: asked.config,
            books: asked.books,
            switches: asked.switches,
            caller: &caller,
            now: asked.now,
        };
        Ok(forecast(desk, &call, self.seed, Reader::Admin))
    }
}

impl As {
    /// The caller that is meant.
    ///
    /// # Errors
    /// NotFound: no such key, team or user. Unauthorized: its calls are refused, and why.
    fn caller(&self, config: &Snapshot, headers: &HeaderMap, now: Now) -> Result<Caller, Fault> {
        let directory = &config.directory;
        if let Some(named) = &self.key {
            if self.team.is_some() || self.user.is_some() || self.feature.is_some() || !self.tags.is_empty() {
                return Err(wrong(
                    "as",
                    "a key has a team, a user, features and tags of its own; name the key alone",
                ));
            }
            return of_key(config, named, headers, now);
        }
        if self.team.is_none() && (self.user.is_some() || self.feature.is_some() || !self.tags.is_empty()) {
            return Err(wrong("as.team", "a user, a feature or tags belong to a team; name it too"));
        }
        let tags = self.tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let tags = Tags::new(tags).map_err(|_| wrong("as.tags", "these cannot be tags; see x-tollgate-tags in the manual"))?;
        let Some(team) = &self.team else {
            return Caller::of_token(Arc::new(Bearer::nobody()), headers, &config.features);
        };
        let subject = Subject {
            team: team.clone(),
            user: self.user.clone(),
            features: Features::new(self.feature.iter()),
            scopes: None,
            tags,
        };
        if directory.team(team).is_none() {
            return Err(missing("team", team));
        }
        let bearer = Bearer::link(&subject, directory)?;
        // Addresses are not asked about: nobody calls from anywhere.
        match bearer.verify(ANYWHERE) {
            Ok(()) | Err(KeyRefusal::Address) => Caller::of_token(Arc::new(bearer), headers, &config.features),
            Err(refusal) => Err(crate::identify::refused(refusal, "token")),
        }
    }
}

const ANYWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The holder of the key with that id or name, or of that secret.
fn of_key(config: &Snapshot, named: &str, headers: &HeaderMap, now: Now) -> Result<Caller, Fault> {
    let directory = &config.directory;
    let by_secret = Presented::parse(named).and_then(|presented| directory.find(presented));
    let mut opened = Opened { deprecated_until: None };
    let key: &Arc<VirtualKey> = match by_secret {
        Some((key, digests)) => {
            match key.verify(&digests, now.unix.as_secs(), ANYWHERE) {
                Ok(by) => opened = by,
                Err(KeyRefusal::Address) => {}
                Err(refusal) => return Err(crate::identify::refused(refusal, "key")),
            }
            key
        }
        None => directory.called(named).ok_or_else(|| missing("key", named))?,
    };
    match key.valid(now.unix.as_secs(), ANYWHERE) {
        Ok(()) | Err(KeyRefusal::Address) => Caller::of_key(Arc::clone(key), opened, headers, &config.features),
        Err(refusal) => Err(crate::identify::refused(refusal, "key")),
    }
}

/// The dialect of a request: the one that is named, or whose headers are there, or that knows most of the body.
///
/// # Errors
/// Malformed: there is no such dialect, or none can read the body.
pub(super) fn dialect(named: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Result<&'static dyn Dialect, Fault> {
    if let Some(name) = named {
        return dialects::by_name(name).ok_or_else(|| {
            let known = DIALECTS.iter().map(|dialect| dialect.name()).collect::<Vec<_>>().join(", ");
            wrong("dialect", &format!("there is no such dialect; known are: {known}"))
        });
    }
    let headed = |dialect: &&&'static dyn Dialect| dialect.headers().version.iter().any(|name| headers.contains_key(*name));
    if let Some(dialect) = DIALECTS.iter().find(headed) {
        return Ok(*dialect);
    }
    // The most spoken one comes last in the registry, and is meant where nothing tells.
    let unknown = |dialect: &&'static dyn Dialect| {
        let request = dialect.read_request(Operation::Chat, body).ok()?;
        Some(request.extra.fields.len())
    };
    let read = DIALECTS
        .iter()
        .rev()
        .copied()
        .filter_map(|dialect| Some((unknown(&dialect)?, dialect)));
    if let Some((_, dialect)) = read.min_by_key(|(unknown, _)| *unknown) {
        return Ok(dialect);
    }
    let most_spoken = DIALECTS.last().copied();
    most_spoken.ok_or_else(|| wrong("dialect", "no dialect is spoken here"))
}

/// The seed that a request id ends with.
///
/// # Errors
/// Malformed: it is no request id.
pub(crate) fn seed_of(request_id: &str) -> Result<u64, Fault> {
    let digits = request_id.strip_prefix("req_").unwrap_or(request_id);
    let start = digits.len().checked_sub(SEED_DIGITS);
    let seed = start
        .and_then(|start| digits.get(start..))
        .and_then(|hex| u64::from_str_radix(hex, 16).ok());
    seed.ok_or_else(|| {
        wrong(
            "request_id",
            "is no request id, and no seed of 16 hex digits; take it from x-request-id",
        )
    })
}

/// The smallest request for a model.
#[must_use]
pub fn smallest(model: &str) -> Bytes {
    let body = serde_json::json!({ "model": model, "messages": [{ "role": "user", "content": "Hello" }] });
    Bytes::from(body.to_string())
}

/// A request with another model.
///
/// # Errors
/// Malformed: it is not one JSON object.
pub(crate) fn with_model(body: &[u8], model: &str) -> Result<Bytes, Fault> {
    let mut members: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(body).map_err(|error| wrong("request", &format!("is not one JSON object: {error}")))?;
    members.insert("model".to_owned(), model.into());
    Ok(Bytes::from(serde_json::Value::Object(members).to_string()))
}

fn missing(what: &str, name: &str) -> Fault {
    let shown: String = name.chars().take(100).collect();
    Fault::client(
        FaultKind::NotFound,
        format!("there is no {what} \"{shown}\"; list them to see which there are"),
    )
    .with_param(format!("as.{what}"))
}

pub(super) fn wrong(place: &str, what: &str) -> Fault {
    Fault::client(FaultKind::Malformed, what.to_owned()).with_param(place)
}
