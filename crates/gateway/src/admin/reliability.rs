//! Breakers: how they stand, and holding one open or closed by hand. What is held stays held over changes of the config, until somebody lets
//! go of it or the gateway restarts.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tollgate_policy::health::Override;
use utoipa::ToSchema;

use super::ask::{Ask, Reply};
use super::openapi;
use super::problem::Problem;
use super::roles::Permission;
use super::routes::{Answer, Route};
use crate::control::now_ms;
use crate::reliability::Standing;
use tollgate_store::database::objects::Objects;

/// How a breaker is to be held.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Hold {
    /// The deployment is not called.
    Open,
    /// The deployment is called whatever happens.
    Closed,
    /// The breaker decides.
    Auto,
}

/// What is done with a breaker by hand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HoldBody {
    /// `provider/upstream-model`, as it is listed.
    deployment: String,
    state: Hold,
    /// Why: whoever finds it held will want to know.
    reason: String,
}

pub(super) fn routes() -> Vec<Route> {
    use http::Method;
    let (all, one) = ("/admin/v1/reliability", "/admin/v1/reliability/override");
    vec![
        Route::new(Method::GET, all, Permission::SwitchesRead, "list breakers", |ask| {
            Box::pin(async move {
                let standings = ask.control.live.reliability();
                Reply::page(standings.iter().map(|line| json!(line)).collect(), None)
            })
        })
        .answers(Answer::Page(openapi::shape::<Standing>)),
        Route::new(Method::POST, one, Permission::SwitchesWrite, "override breaker", |ask| {
            Box::pin(hold(ask))
        })
        .takes(openapi::shape::<HoldBody>)
        .answers(Answer::One(200, openapi::shape::<Standing>)),
    ]
}

async fn hold(ask: Ask) -> Result<Reply, Problem> {
    let body: HoldBody = ask.body()?;
    if body.reason.trim().is_empty() {
        let remedy = "say why; whoever finds it held will want to know";
        return Err(Problem::flaw("reason", "is empty", remedy));
    }
    let known = ask.control.live.reliability();
    if known.iter().all(|line| line.deployment != body.deployment) {
        let remedy = "take one that GET /admin/v1/reliability lists";
        return Err(Problem::flaw("deployment", "is no deployment that is known", remedy));
    }
    let (held, word) = match body.state {
        Hold::Open => (Override::Open, "open"),
        Hold::Closed => (Override::Closed, "closed"),
        Hold::Auto => (Override::Auto, "auto"),
    };
    let mut act = ask.act(format!("breaker.{word}"));
    act.target = format!("deployment/{}", body.deployment);
    act.reason.clone_from(&body.reason);
    // What cannot be written down is not done.
    ask.control.database.mutate(&[], &act, now_ms()).await?;
    let standing = ask.control.live.hold(&body.deployment, held);
    Reply::ok(standing.ok_or_else(|| Problem::not_found("deployment"))?)
}
