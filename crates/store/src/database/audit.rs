//! The audit log: who changed what, when, how they proved who they are, and why. A hash chain, `h_i = SHA-256("audit-v1" ‖ h_{i−1} ‖ canonical
//! bytes)`, in which every attested field counts; and signed checkpoints, made with a key that the database never sees, against whoever can
//! rewrite the whole chain.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::chain::{Link, hex, unhex};
use super::engine::{self, Engine, Tx, binds};
use super::{BoxFuture, Database, Error};

/// What the chain begins with.
const DOMAIN: &str = "audit-v1";
/// What a signature is made over begins with.
const CHECKPOINT_DOMAIN: &[u8] = b"audit-checkpoint-v1";
/// A checkpoint is made after so many records …
const CHECKPOINT_RECORDS: i64 = 1_000;
/// … or so long after the one before, when there is a new record at all.
const CHECKPOINT_EVERY_MS: i64 = 60_000;
/// Records that one page may have, and that are read at once.
const PAGE_RECORDS_MAX: u32 = 1_000;

/// What somebody does: the part of a record that is the same for all changes of a mutation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Act {
    /// Who.
    pub actor: String,
    /// How they proved it: `password`, `token`, `one_time_password`, `local`.
    pub auth: String,
    /// What: `key.rotate`.
    pub action: String,
    /// On what, where no object is changed.
    pub target: String,
    /// Why.
    pub reason: String,
    /// The id of the request that asked for it.
    pub request: String,
    /// How it ended: `done`, `refused`.
    pub outcome: String,
}

/// A record of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Its number, from 1.
    pub seq: i64,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who.
    pub actor: String,
    /// How they proved it.
    pub auth: String,
    /// What.
    pub action: String,
    /// On what: `kind/id`.
    pub target: String,
    /// How it was, as JSON without secrets; empty: it was not there.
    pub before: String,
    /// How it is, as JSON without secrets; empty: it is gone.
    pub after: String,
    /// Why.
    pub reason: String,
    /// The id of the request that asked for it.
    pub request: String,
    /// How it ended.
    pub outcome: String,
    /// The chain's hash after it.
    pub hash: String,
}

/// Which records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditPage {
    /// Only those on this target.
    pub target: Option<String>,
    /// Only those before this number: the last one of the page before.
    pub before: Option<i64>,
    /// How many at most; 1,000 is the most.
    pub limit: u32,
}

/// A signed statement: the log was so long at that time, and ended so. To be kept where the database is not, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The number of the last record.
    pub seq: i64,
    /// Its hash.
    pub head: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Ed25519, in hexadecimal.
    pub signature: String,
}

/// Signs checkpoints.
pub struct Signer(Ed25519KeyPair);

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditVerified {
    /// Records whose hashes were computed.
    pub records: u64,
    /// Checkpoints that hold.
    pub checkpoints: u64,
    /// The first thing that is not as it must be.
    pub flaw: Option<AuditFlaw>,
}

/// Something in the log that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditFlaw {
    /// The record of this number is missing.
    Missing(i64),
    /// The record of this number was changed, or one before it was exchanged.
    Changed(i64),
    /// Records at the end are missing: the last one is this, a checkpoint or the chain says it is the other.
    Truncated(i64, i64),
    /// The checkpoint at this record was not made with our key.
    Signature(i64),
    /// The log at this record is another than the one that the checkpoint was made of.
    Rewritten(i64),
}

/// The audit log. Records are written by `Objects::mutate` alone.
pub trait Audit: Send + Sync {
    /// Records, the youngest first.
    fn records<'a>(&'a self, page: &'a AuditPage) -> BoxFuture<'a, Result<Vec<Record>, Error>>;

    /// Makes a checkpoint when one is due; to be called every second or so.
    fn checkpoint<'a>(&'a self, signer: &'a Signer, now_ms: i64) -> BoxFuture<'a, Result<Option<Checkpoint>, Error>>;

    /// Computes the chain anew and compares it with the checkpoints here and those kept elsewhere.
    fn verify_audit<'a>(&'a self, public_key: &'a [u8], kept: &'a [Checkpoint]) -> BoxFuture<'a, Result<AuditVerified, Error>>;
}

impl Audit for Database {
    fn records<'a>(&'a self, page: &'a AuditPage) -> BoxFuture<'a, Result<Vec<Record>, Error>> {
        Box::pin(records(&self.engine, page))
    }

    fn checkpoint<'a>(&'a self, signer: &'a Signer, now_ms: i64) -> BoxFuture<'a, Result<Option<Checkpoint>, Error>> {
        Box::pin(checkpoint(&self.engine, signer, now_ms))
    }

    fn verify_audit<'a>(&'a self, public_key: &'a [u8], kept: &'a [Checkpoint]) -> BoxFuture<'a, Result<AuditVerified, Error>> {
        Box::pin(async move { verify(&mut self.engine.read_all().await?, public_key, kept).await })
    }
}

/// The columns of a record, in the table's order.
macro_rules! columns {
    () => {
        "seq, at_ms, actor, auth, action, target, before, after, reason, request, outcome, hash"
    };
}

const LOCK: &str = "UPDATE chains SET seq = seq WHERE name = 'audit'";
const END: &str = "SELECT seq, hash FROM chains WHERE name = 'audit'";
const MOVE_END: &str = "UPDATE chains SET seq = $1, hash = $2 WHERE name = 'audit'";
const ADD: &str = concat!(
    "INSERT INTO audit (",
    columns!(),
    ") SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT), value ->> 2, value ->> 3, value ->> 4, value ->> 5,
    value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11 FROM json_each($1)"
);
const NEWEST: &str = concat!("SELECT ", columns!(), " FROM audit WHERE seq < $1 ORDER BY seq DESC LIMIT $2");
const OF_TARGET: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM audit WHERE seq < $1 AND target = $3 ORDER BY seq DESC LIMIT $2"
);
const FORTH: &str = concat!("SELECT ", columns!(), " FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2");
const LAST_CHECKPOINT: &str = "SELECT seq, at_ms FROM checkpoints ORDER BY seq DESC LIMIT 1";
const ADD_CHECKPOINT: &str = "INSERT INTO checkpoints (seq, head, at_ms, signature) VALUES ($1, $2, $3, $4)";
const CHECKPOINTS: &str = "SELECT seq, head, at_ms, signature FROM checkpoints ORDER BY seq";

/// Waits for the mutation before. To be called first in a transaction that appends.
pub(super) async fn lock(tx: &mut Tx) -> Result<(), Error> {
    tx.execute(LOCK, binds![]).await.map(|_| ())
}

async fn end(tx: &mut Tx) -> Result<(i64, Link), Error> {
    let row = tx
        .row(END, binds![])
        .await?
        .ok_or_else(|| Error::Damaged("the audit log's end is not there".into()))?;
    Ok((row.int(0)?, Link::parse(&row.text(1)?)?))
}

/// Gives records their places in the chain; the number of the last.
pub(super) async fn append(tx: &mut Tx, records: Vec<Record>) -> Result<i64, Error> {
    let (mut seq, mut link) = end(tx).await?;
    let mut lines = Vec::with_capacity(records.len());
    for mut record in records {
        seq += 1;
        record.seq = seq;
        link = record.link(link)?;
        record.hash = link.text();
        lines.push(Value::Array(record.columns()));
    }
    tx.execute(ADD, binds![lines]).await?;
    tx.execute(MOVE_END, binds![seq, link.text()]).await?;
    Ok(seq)
}

async fn records(engine: &Engine, page: &AuditPage) -> Result<Vec<Record>, Error> {
    let mut tx = engine.read().await?;
    let (before, limit) = (page.before.unwrap_or(i64::MAX), i64::from(page.limit.min(PAGE_RECORDS_MAX)));
    let rows = match &page.target {
        None => tx.rows(NEWEST, binds![before, limit]).await?,
        Some(target) => tx.rows(OF_TARGET, binds![before, limit, target.as_str()]).await?,
    };
    rows.iter().map(Record::read).collect()
}

async fn checkpoint(engine: &Engine, signer: &Signer, now_ms: i64) -> Result<Option<Checkpoint>, Error> {
    let mut tx = engine.write().await?;
    lock(&mut tx).await?;
    let (seq, link) = end(&mut tx).await?;
    let last = tx.row(LAST_CHECKPOINT, binds![]).await?;
    let (last_seq, last_ms) = last.map_or(Ok((0, i64::MIN)), |row| Ok::<_, Error>((row.int(0)?, row.int(1)?)))?;
    let records = seq - last_seq;
    if records == 0 || (records < CHECKPOINT_RECORDS && now_ms.saturating_sub(last_ms) < CHECKPOINT_EVERY_MS) {
        return Ok(None);
    }
    let checkpoint = Checkpoint {
        seq,
        head: link.text(),
        at_ms: now_ms,
        signature: hex(signer.0.sign(&signed_bytes(seq, link, now_ms)).as_ref()),
    };
    let binds = binds![seq, checkpoint.head.as_str(), now_ms, checkpoint.signature.as_str()];
    tx.execute(ADD_CHECKPOINT, binds).await?;
    tx.commit().await?;
    Ok(Some(checkpoint))
}

fn signed_bytes(seq: i64, head: Link, at_ms: i64) -> Vec<u8> {
    [CHECKPOINT_DOMAIN, &seq.to_be_bytes(), &head.0, &at_ms.to_be_bytes()].concat()
}

/// What `verify_audit` does, in a transaction of the caller's.
pub(super) async fn verify(tx: &mut Tx, public_key: &[u8], kept: &[Checkpoint]) -> Result<AuditVerified, Error> {
    let mut checkpoints = kept.to_vec();
    for row in tx.rows(CHECKPOINTS, binds![]).await? {
        checkpoints.push(Checkpoint {
            seq: row.int(0)?,
            head: row.text(1)?,
            at_ms: row.int(2)?,
            signature: row.text(3)?,
        });
    }
    checkpoints.sort_by_key(|checkpoint| checkpoint.seq);
    let mut verified = AuditVerified {
        records: 0,
        checkpoints: 0,
        flaw: None,
    };
    let forged = checkpoints.iter().find(|checkpoint| !checkpoint.is_signed_by(public_key));
    verified.flaw = match forged {
        Some(forged) => Some(AuditFlaw::Signature(forged.seq)),
        None => walk(tx, &checkpoints, &mut verified).await?,
    };
    Ok(verified)
}

async fn walk(tx: &mut Tx, checkpoints: &[Checkpoint], verified: &mut AuditVerified) -> Result<Option<AuditFlaw>, Error> {
    let mut checkpoints = checkpoints.iter().peekable();
    let (mut seq, mut link) = (0, Link::default());
    loop {
        let rows = tx.rows(FORTH, binds![seq, i64::from(PAGE_RECORDS_MAX)]).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            let record = Record::read(row)?;
            if record.seq != seq + 1 {
                return Ok(Some(AuditFlaw::Missing(seq + 1)));
            }
            link = record.link(link)?;
            if link.text() != record.hash {
                return Ok(Some(AuditFlaw::Changed(record.seq)));
            }
            (seq, verified.records) = (record.seq, verified.records + 1);
            while let Some(checkpoint) = checkpoints.next_if(|checkpoint| checkpoint.seq <= seq) {
                if checkpoint.head != record.hash {
                    return Ok(Some(AuditFlaw::Rewritten(seq)));
                }
                verified.checkpoints += 1;
            }
        }
    }
    let (last, head) = end(tx).await?;
    let longest = checkpoints.map(|checkpoint| checkpoint.seq).max().unwrap_or(last).max(last);
    Ok(match seq == longest {
        true if head == link => None,
        true => Some(AuditFlaw::Changed(seq)),
        false => Some(AuditFlaw::Truncated(seq, longest)),
    })
}

impl Record {
    pub(super) fn new(act: &Act, at_ms: i64, target: &str, before: String, after: String) -> Self {
        let clean = engine::clean;
        Self {
            at_ms,
            actor: clean(&act.actor),
            auth: clean(&act.auth),
            action: clean(&act.action),
            target: clean(target),
            before,
            after,
            reason: clean(&act.reason),
            request: clean(&act.request),
            outcome: clean(&act.outcome),
            ..Self::default()
        }
    }

    fn link(&self, before: Link) -> Result<Link, Error> {
        let mut columns = self.columns();
        columns.pop();
        Ok(before.next(DOMAIN, &serde_json::to_vec(&columns)?))
    }

    /// Its values, in the table's order; their JSON, less the hash, is what is hashed.
    fn columns(&self) -> Vec<Value> {
        let mut columns = vec![json!(self.seq), json!(self.at_ms)];
        let who = [&self.actor, &self.auth, &self.action, &self.target];
        let what = [&self.before, &self.after, &self.reason, &self.request, &self.outcome, &self.hash];
        columns.extend(who.into_iter().chain(what).map(|text| json!(text)));
        columns
    }

    fn read(row: &engine::Row) -> Result<Self, Error> {
        Ok(Self {
            seq: row.int(0)?,
            at_ms: row.int(1)?,
            actor: row.text(2)?,
            auth: row.text(3)?,
            action: row.text(4)?,
            target: row.text(5)?,
            before: row.text(6)?,
            after: row.text(7)?,
            reason: row.text(8)?,
            request: row.text(9)?,
            outcome: row.text(10)?,
            hash: row.text(11)?,
        })
    }
}

impl Checkpoint {
    fn is_signed_by(&self, public_key: &[u8]) -> bool {
        let (Ok(head), Some(signature)) = (Link::parse(&self.head), unhex(&self.signature)) else {
            return false;
        };
        let key = UnparsedPublicKey::new(&ED25519, public_key);
        key.verify(&signed_bytes(self.seq, head, self.at_ms), &signature).is_ok()
    }
}

impl Signer {
    /// From the 32 bytes of a key file.
    ///
    /// # Errors
    /// They are no key.
    pub fn new(seed: &[u8]) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        pair.map(Self)
            .map_err(|_| Error::Refused("the audit log's key is not 32 bytes long; restore its file from a backup".into()))
    }

    /// What its checkpoints are verified with.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }
}
