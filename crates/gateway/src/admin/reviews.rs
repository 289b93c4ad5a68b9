//! Requests that wait for a person: a list of them, one with what was asked (each look at that is audited), and the decision: send it once
//! more, write the answer, or refuse it with a reason.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tollgate_store::database::objects::Objects;
use tollgate_store::database::reviews::{Decision, Review, Reviews};
use utoipa::ToSchema;

use super::ask::{Ask, Reply};
use super::openapi;
use super::problem::Problem;
use super::roles::Permission;
use super::routes::{Answer, Route};
use crate::control::now_ms;

/// The longest answer that a person may write, in bytes.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// The longest reason, in characters.
const REASON_CHARS_MAX: usize = 500;

/// A review.
#[derive(Debug, Serialize, ToSchema)]
struct ReviewLine {
    id: String,
    /// `pending`, `approved`, `sending`, `answered`, `edited`, `refused`, or `expired`.
    state: &'static str,
    team: String,
    route: String,
    dialect: String,
    /// The id of the request that it came from.
    request: String,
    /// What went wrong then.
    fault: String,
    reason: String,
    decided_by: String,
    at_ms: i64,
    expires_ms: i64,
    decided_ms: Option<i64>,
}

/// A review with what was asked and answered.
#[derive(Debug, Serialize, ToSchema)]
struct WholeReview {
    #[serde(flatten)]
    line: ReviewLine,
    /// The request's body, as it was sent; null: its time is over.
    body: Value,
    /// The answer, once there is one.
    answer: Option<String>,
}

/// The answer that a person writes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Written {
    answer: String,
}

/// Why a request is refused: its caller is told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Refused {
    reason: String,
}

pub(super) fn routes() -> Vec<Route> {
    use Permission::{ReviewsDecide, ReviewsRead};
    use http::Method;
    let decided = Answer::One(200, openapi::shape::<ReviewLine>);
    vec![
        Route::new(Method::GET, "/admin/v1/reviews", ReviewsRead, "list reviews", |ask| {
            Box::pin(list(ask))
        })
        .query(&[
            ("limit", "how many of the youngest, from 1 to 1000"),
            ("state", "only those that stand there"),
        ])
        .answers(Answer::Page(openapi::shape::<ReviewLine>)),
        Route::new(Method::GET, "/admin/v1/reviews/{id}", ReviewsDecide, "get review", |ask| {
            Box::pin(get(ask))
        })
        .answers(Answer::One(200, openapi::shape::<WholeReview>)),
        Route::new(
            Method::POST,
            "/admin/v1/reviews/{id}/approve",
            ReviewsDecide,
            "approve review",
            |ask| Box::pin(async move { decide(&ask, Decision::Approve, "review.approve").await }),
        )
        .answers(decided),
        Route::new(Method::POST, "/admin/v1/reviews/{id}/edit", ReviewsDecide, "edit review", |ask| {
            Box::pin(edit(ask))
        })
        .takes(openapi::shape::<Written>)
        .answers(decided),
        Route::new(
            Method::POST,
            "/admin/v1/reviews/{id}/refuse",
            ReviewsDecide,
            "refuse review",
            |ask| Box::pin(refuse(ask)),
        )
        .takes(openapi::shape::<Refused>)
        .answers(decided),
    ]
}

async fn list(ask: Ask) -> Result<Reply, Problem> {
    let now = now_ms();
    let reviews = ask.control.database.reviews(ask.limit()?).await?;
    let lines = reviews.iter().map(|review| ReviewLine::of(review, now));
    let wanted = lines.filter(|line| ask.param("state").is_none_or(|state| line.state == state));
    Reply::page(wanted.map(|line| serde_json::to_value(line).unwrap_or_default()).collect(), None)
}

async fn get(ask: Ask) -> Result<Reply, Problem> {
    let review = found(&ask).await?;
    // Whoever reads what people wrote is written down first (GOVERNANCE section 9).
    let mut act = ask.act("review.read".into());
    act.target = ["review/", ask.id()].concat();
    ask.control.database.mutate(&[], &act, now_ms()).await?;
    Reply::ok(WholeReview {
        line: ReviewLine::of(&review, now_ms()),
        body: serde_json::from_str(&review.body).unwrap_or(Value::Null),
        answer: Some(review.answer).filter(|answer| !answer.is_empty()),
    })
}

async fn edit(ask: Ask) -> Result<Reply, Problem> {
    let written: Written = ask.body()?;
    if written.answer.trim().is_empty() || ANSWER_BYTES_MAX < written.answer.len() {
        return Err(Problem::flaw(
            "answer",
            "says nothing, or too much",
            "write 1 byte to 256 KiB of text",
        ));
    }
    decide(&ask, Decision::Edit(written.answer), "review.edit").await
}

async fn refuse(ask: Ask) -> Result<Reply, Problem> {
    let refused: Refused = ask.body()?;
    if refused.reason.trim().is_empty() || REASON_CHARS_MAX < refused.reason.chars().count() {
        return Err(Problem::flaw(
            "reason",
            "says nothing, or too much",
            "say why in 1 to 500 characters; the caller is told",
        ));
    }
    decide(&ask, Decision::Refuse(refused.reason), "review.refuse").await
}

async fn decide(ask: &Ask, decision: Decision, action: &str) -> Result<Reply, Problem> {
    let act = ask.act(action.into());
    ask.control.database.decide(ask.id(), decision, &act, now_ms()).await?;
    Reply::ok(ReviewLine::of(&found(ask).await?, now_ms()))
}

async fn found(ask: &Ask) -> Result<Review, Problem> {
    let review = ask.control.database.review(ask.id()).await?;
    review.ok_or_else(|| Problem::not_found(&format!("review/{}", ask.id())))
}

impl ReviewLine {
    fn of(review: &Review, now_ms: i64) -> Self {
        let is_over = review.expires_ms <= now_ms;
        Self {
            id: review.id.clone(),
            state: if is_over { "expired" } else { review.state.word() },
            team: review.team.clone(),
            route: review.route.clone(),
            dialect: review.dialect.clone(),
            request: review.request.clone(),
            fault: review.fault.clone(),
            reason: review.reason.clone(),
            decided_by: review.decided_by.clone(),
            at_ms: review.at_ms,
            expires_ms: review.expires_ms,
            decided_ms: Some(review.decided_ms).filter(|at| *at != 0),
        }
    }
}
