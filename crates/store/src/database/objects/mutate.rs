//! A mutation: changes and their audit records in one transaction. The lock of the audit chain is taken first, so mutations come one after
//! the other on every database, and what is read here is still true when it is written.

use serde_json::{Value, json};

use super::super::audit::{self, Act, Record};
use super::super::engine::{Engine, Tx, binds};
use super::super::error::Error;
use super::{Change, Draft, Kind, Receipt, Session};

const CURRENT: &str = "SELECT version, body FROM objects WHERE kind = $1 AND id = $2 AND deleted_ms = 0";
const CREATE: &str = "
    INSERT INTO objects (kind, id, name, body, version, created_ms, updated_ms, deleted_ms) VALUES ($1, $2, $3, $4, 1, $5, $5, 0)";
const UPDATE: &str = "
    UPDATE objects SET name = $3, body = $4, version = version + 1, updated_ms = $5 WHERE kind = $1 AND id = $2 AND deleted_ms = 0";
const DELETE: &str = "
    UPDATE objects SET body = $3, version = version + 1, updated_ms = $4, deleted_ms = $4 WHERE kind = $1 AND id = $2 AND deleted_ms = 0";
const START_SESSION: &str = "INSERT INTO sessions (digest, admin, created_ms, expires_ms) VALUES ($1, $2, $3, $4)";
const OLD_SESSIONS: &str = "DELETE FROM sessions WHERE expires_ms <= $1";
const END_SESSION: &str = "DELETE FROM sessions WHERE digest = $1";
const END_SESSIONS: &str = "DELETE FROM sessions WHERE admin = $1";
const GROW: &str = "UPDATE revision SET value = value + $1";
const REVISION: &str = "SELECT value FROM revision";

/// What a change did.
struct Done {
    target: String,
    before: Value,
    after: Value,
    version: i64,
}

pub(super) async fn mutate(engine: &Engine, changes: &[Change], act: &Act, now_ms: i64) -> Result<Receipt, Error> {
    let mut tx = engine.write().await?;
    audit::lock(&mut tx).await?;
    let mut records = Vec::with_capacity(changes.len().max(1));
    let mut versions = Vec::with_capacity(changes.len());
    for change in changes {
        let done = make(&mut tx, change, now_ms).await?;
        versions.push(done.version);
        let text = |value: Value| if value.is_null() { String::new() } else { value.to_string() };
        records.push(Record::new(act, now_ms, &done.target, text(done.before), text(done.after)));
    }
    if records.is_empty() {
        records.push(Record::new(act, now_ms, &act.target, String::new(), String::new()));
    }
    let audit_seq = audit::append(&mut tx, records).await?;
    tx.execute(GROW, binds![!changes.is_empty()]).await?;
    let revision = tx.row(REVISION, binds![]).await?.map_or(Ok(0), |row| row.int(0))?;
    tx.commit().await?;
    Ok(Receipt {
        versions,
        revision,
        audit_seq,
    })
}

async fn make(tx: &mut Tx, change: &Change, now_ms: i64) -> Result<Done, Error> {
    match change {
        Change::Create(draft) => create(tx, draft, now_ms).await,
        Change::Update(draft, version) => update(tx, draft, *version, now_ms).await,
        Change::Delete { kind, id, version } => delete(tx, (*kind, id), *version, now_ms).await,
        Change::StartSession(session) => start(tx, session, now_ms).await,
        Change::EndSession { digest } => {
            let ended = tx.execute(END_SESSION, binds![digest.as_str()]).await?;
            Ok(Done::session("", json!({"ended": ended})))
        }
        Change::EndSessionsOf { admin } => {
            let ended = tx.execute(END_SESSIONS, binds![admin.as_str()]).await?;
            Ok(Done::session(admin, json!({"ended": ended})))
        }
    }
}

async fn create(tx: &mut Tx, draft: &Draft, now_ms: i64) -> Result<Done, Error> {
    let binds = binds![
        draft.kind.word(),
        draft.id.as_str(),
        draft.name.as_str(),
        draft.body.to_string(),
        now_ms
    ];
    tx.execute(CREATE, binds).await.map_err(|error| taken(error, draft))?;
    Ok(Done {
        target: target(draft.kind, &draft.id),
        before: Value::Null,
        after: redacted(draft.kind, draft.body.clone()),
        version: 1,
    })
}

async fn update(tx: &mut Tx, draft: &Draft, version: Option<i64>, now_ms: i64) -> Result<Done, Error> {
    let (current, before) = current(tx, (draft.kind, &draft.id), version).await?;
    let binds = binds![
        draft.kind.word(),
        draft.id.as_str(),
        draft.name.as_str(),
        draft.body.to_string(),
        now_ms
    ];
    tx.execute(UPDATE, binds).await.map_err(|error| taken(error, draft))?;
    Ok(Done {
        target: target(draft.kind, &draft.id),
        before: redacted(draft.kind, before),
        after: redacted(draft.kind, draft.body.clone()),
        version: current + 1,
    })
}

async fn delete(tx: &mut Tx, object: (Kind, &str), version: Option<i64>, now_ms: i64) -> Result<Done, Error> {
    let (kind, id) = object;
    let (current, body) = current(tx, object, version).await?;
    let before = redacted(kind, body);
    // What is deleted keeps no digest: nobody can bring it back to life.
    let kept = without_secrets(kind, before.clone());
    tx.execute(DELETE, binds![kind.word(), id, kept.to_string(), now_ms]).await?;
    Ok(Done {
        target: target(kind, id),
        before,
        after: Value::Null,
        version: current + 1,
    })
}

async fn start(tx: &mut Tx, session: &Session, now_ms: i64) -> Result<Done, Error> {
    tx.execute(OLD_SESSIONS, binds![now_ms]).await?;
    let binds = binds![
        session.digest.as_str(),
        session.admin.as_str(),
        session.created_ms,
        session.expires_ms
    ];
    tx.execute(START_SESSION, binds).await?;
    Ok(Done::session(&session.admin, json!({"expires_ms": session.expires_ms})))
}

/// The version and the body of an object that must be there, with that version.
async fn current(tx: &mut Tx, object: (Kind, &str), version: Option<i64>) -> Result<(i64, Value), Error> {
    let (kind, id) = object;
    let row = tx.row(CURRENT, binds![kind.word(), id]).await?;
    let row = row.ok_or_else(|| Error::NotFound { what: target(kind, id) })?;
    let current = row.int(0)?;
    if version.is_some_and(|version| version != current) {
        return Err(Error::Changed {
            what: target(kind, id),
            version: current,
        });
    }
    Ok((current, serde_json::from_str(&row.text(1)?)?))
}

fn taken(error: Error, draft: &Draft) -> Error {
    match error {
        Error::Taken { .. } => Error::Taken {
            what: target(draft.kind, &draft.name),
        },
        error => error,
    }
}

fn target(kind: Kind, id: &str) -> String {
    [kind.word(), "/", id].concat()
}

/// A body as an audit record may have it.
fn redacted(kind: Kind, mut body: Value) -> Value {
    for secret in kind.secrets() {
        if let Some(member) = body.get_mut(*secret).filter(|member| !member.is_null()) {
            *member = json!("[redacted]");
        }
    }
    body
}

/// A body without the members that are secret.
fn without_secrets(kind: Kind, mut body: Value) -> Value {
    if let Some(members) = body.as_object_mut() {
        for secret in kind.secrets() {
            members.shift_remove(*secret);
        }
    }
    body
}

impl Done {
    fn session(admin: &str, after: Value) -> Self {
        Self {
            target: ["session/", admin].concat(),
            before: Value::Null,
            after,
            version: 0,
        }
    }
}
