//! Requests that wait for a person: what was asked, and what became of it. Bounded in number and in time; what was asked and answered is
//! taken out when its time is over, the rest a week later. What is in here is not encrypted: whoever reads the database reads it.

use super::audit::{self, Act, Record};
use super::engine::{self, binds};
use super::{BoxFuture, Database, Error};

/// Requests that may be kept at the same time.
pub const KEPT_MAX: i64 = 1_000;
/// The largest body of one, in bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// How long it is known of one that its time is over.
const KNOWN_MS: i64 = 7 * 86_400_000;

/// Where one stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody has decided.
    Pending,
    /// It may be sent once more.
    Approved,
    /// It is being sent.
    Sending,
    /// It was sent, and this is the answer; empty: it went to the caller as a stream.
    Answered,
    /// A person has written the answer.
    Edited,
    /// A person has refused it.
    Refused,
}

const STATES: [(State, &str); 6] = [
    (State::Pending, "pending"),
    (State::Approved, "approved"),
    (State::Sending, "sending"),
    (State::Answered, "answered"),
    (State::Edited, "edited"),
    (State::Refused, "refused"),
];

impl State {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        STATES.iter().find(|(state, _)| *state == self).map_or("", |(_, word)| word)
    }

    fn of(word: &str) -> Result<Self, Error> {
        let found = STATES.iter().find(|(_, known)| *known == word);
        found
            .map(|(state, _)| *state)
            .ok_or_else(|| Error::Damaged(format!("a review is {word:?}")))
    }
}

/// A request that waits for a person, or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Its id: hard to guess.
    pub id: String,
    /// Where it stands.
    pub state: State,
    /// Who may ask for it: whose request it is.
    pub owner: String,
    /// The caller's team.
    pub team: String,
    /// The route.
    pub route: String,
    /// The caller's dialect.
    pub dialect: String,
    /// The label of what was asked: what comes of it may go no further.
    pub label: String,
    /// The id of the request that it came from.
    pub request: String,
    /// What went wrong then.
    pub fault: String,
    /// What was asked, as it was; empty: its time is over.
    pub body: String,
    /// The answer, once there is one.
    pub answer: String,
    /// Why it was decided so.
    pub reason: String,
    /// Who decided.
    pub decided_by: String,
    /// When it came, in milliseconds since 1970.
    pub at_ms: i64,
    /// When its time is over.
    pub expires_ms: i64,
    /// When it was decided; 0: not yet.
    pub decided_ms: i64,
}

/// What a person decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may be sent once more.
    Approve,
    /// This is the answer.
    Edit(String),
    /// It is refused, for a reason.
    Refuse(String),
}

/// Requests that wait for a person.
pub trait Reviews: Send + Sync {
    /// Keeps one; whether there was room.
    fn submit(&self, review: Review) -> BoxFuture<'_, Result<bool, Error>>;

    /// One of them.
    fn review<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Review>, Error>>;

    /// The youngest, without what was asked and answered.
    fn reviews(&self, limit: u32) -> BoxFuture<'_, Result<Vec<Review>, Error>>;

    /// Decides one that is pending, with its audit record.
    fn decide<'a>(&'a self, id: &'a str, decision: Decision, act: &'a Act, now_ms: i64) -> BoxFuture<'a, Result<(), Error>>;

    /// Takes one that stands there on; whether it stood there. The answer is kept with it.
    fn advance<'a>(&'a self, id: &'a str, step: (State, State), answer: &'a str) -> BoxFuture<'a, Result<bool, Error>>;

    /// Takes out what was asked and answered where its time is over.
    fn expire(&self, now_ms: i64) -> BoxFuture<'_, Result<(), Error>>;
}

/// The columns of a review, in the order that `read` takes them.
macro_rules! columns {
    ($body:literal, $answer:literal) => {
        concat!(
            "id, state, owner, team, route, dialect, label, request, fault, ",
            $body,
            ", ",
            $answer,
            ", reason, decided_by, at_ms, expires_ms, decided_ms"
        )
    };
}

const COUNT: &str = "SELECT count(*) FROM reviews WHERE body <> ''";
const SUBMIT: &str = concat!(
    "INSERT INTO reviews (",
    columns!("body", "answer"),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', '', '', $11, $12, 0)"
);
const ONE: &str = concat!("SELECT ", columns!("body", "answer"), " FROM reviews WHERE id = $1");
const LIST: &str = concat!("SELECT ", columns!("''", "''"), " FROM reviews ORDER BY at_ms DESC, id LIMIT $1");
const DECIDE: &str = "
    UPDATE reviews SET state = $2, answer = $3, reason = $4, decided_by = $5, decided_ms = $6
    WHERE id = $1 AND state = 'pending' AND expires_ms > $6";
const ADVANCE: &str = "UPDATE reviews SET state = $3, answer = $4 WHERE id = $1 AND state = $2";
const EMPTY: &str = "UPDATE reviews SET body = '', answer = '' WHERE expires_ms <= $1 AND (body <> '' OR answer <> '')";
const FORGET: &str = "DELETE FROM reviews WHERE expires_ms <= $1";

impl Reviews for Database {
    fn submit(&self, review: Review) -> BoxFuture<'_, Result<bool, Error>> {
        Box::pin(async move {
            let mut tx = self.engine.write().await?;
            tx.execute(EMPTY, binds![review.at_ms]).await?;
            let kept = tx.row(COUNT, binds![]).await?.map_or(Ok(0), |row| row.int(0))?;
            if kept >= KEPT_MAX || review.body.len() > BODY_BYTES_MAX {
                return Ok(false);
            }
            let binds = binds![
                review.id,
                review.state.word(),
                review.owner,
                review.team,
                review.route,
                review.dialect,
                review.label,
                review.request,
                review.fault,
                review.body,
                review.at_ms,
                review.expires_ms
            ];
            tx.execute(SUBMIT, binds).await?;
            tx.commit().await?;
            Ok(true)
        })
    }

    fn review<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Review>, Error>> {
        Box::pin(async move {
            let row = self.engine.read().await?.row(ONE, binds![id]).await?;
            row.as_ref().map(Review::read).transpose()
        })
    }

    fn reviews(&self, limit: u32) -> BoxFuture<'_, Result<Vec<Review>, Error>> {
        Box::pin(async move {
            let rows = self.engine.read().await?.rows(LIST, binds![i64::from(limit)]).await?;
            rows.iter().map(Review::read).collect()
        })
    }

    fn decide<'a>(&'a self, id: &'a str, decision: Decision, act: &'a Act, now_ms: i64) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let (state, answer, reason) = match decision {
                Decision::Approve => (State::Approved, String::new(), act.reason.clone()),
                Decision::Edit(answer) => (State::Edited, answer, act.reason.clone()),
                Decision::Refuse(reason) => (State::Refused, String::new(), reason),
            };
            let what = ["review/", id].concat();
            let mut tx = self.engine.write().await?;
            audit::lock(&mut tx).await?;
            let binds = binds![id, state.word(), answer, reason.as_str(), act.actor.as_str(), now_ms];
            if tx.execute(DECIDE, binds).await? == 0 {
                let known = tx.row(ONE, binds![id]).await?.is_some();
                return Err(if known {
                    Error::Taken {
                        what: format!("{what}: it is decided, or its time is over; that"),
                    }
                } else {
                    Error::NotFound { what }
                });
            }
            // What was asked and answered is not for the log.
            let text = |state: State| format!(r#"{{"state":"{}"}}"#, state.word());
            let mut act = act.clone();
            act.reason = reason;
            let record = Record::new(&act, now_ms, &what, text(State::Pending), text(state));
            audit::append(&mut tx, vec![record]).await?;
            tx.commit().await
        })
    }

    fn advance<'a>(&'a self, id: &'a str, (from, to): (State, State), answer: &'a str) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            let mut tx = self.engine.write().await?;
            let moved = tx.execute(ADVANCE, binds![id, from.word(), to.word(), answer]).await?;
            tx.commit().await?;
            Ok(moved > 0)
        })
    }

    fn expire(&self, now_ms: i64) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let mut tx = self.engine.write().await?;
            tx.execute(EMPTY, binds![now_ms]).await?;
            tx.execute(FORGET, binds![now_ms.saturating_sub(KNOWN_MS)]).await?;
            tx.commit().await
        })
    }
}

impl Review {
    fn read(row: &engine::Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.text(0)?,
            state: State::of(&row.text(1)?)?,
            owner: row.text(2)?,
            team: row.text(3)?,
            route: row.text(4)?,
            dialect: row.text(5)?,
            label: row.text(6)?,
            request: row.text(7)?,
            fault: row.text(8)?,
            body: row.text(9)?,
            answer: row.text(10)?,
            reason: row.text(11)?,
            decided_by: row.text(12)?,
            at_ms: row.int(13)?,
            expires_ms: row.int(14)?,
            decided_ms: row.int(15)?,
        })
    }
}
