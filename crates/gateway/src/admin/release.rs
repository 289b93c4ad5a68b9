//! Releases: how canaries do, which were switched off by their condition (and how they are switched on again), and how shadows compare.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tollgate_policy::compare::Report;
use tollgate_store::database::BoxFuture;
use tollgate_store::database::objects::Rollback;
use tollgate_store::database::shadows::Shadows;
use utoipa::ToSchema;

use super::ask::{Ask, Reply};
use super::members::NoMore;
use super::problem::Problem;
use super::resource::{self, Resource};
use super::roles::Permission;
use super::routes::{Answer, Route};
use crate::control::now_ms;

/// Hours of a report when nothing is said, and at most.
const HOURS: (i64, i64) = (24 * 7, 24 * 90);

/// A canary that was switched off because its `rollback_if` held.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollbackBody {
    /// Route and model.
    name: String,
    route: String,
    /// `provider/upstream-model`.
    model: String,
    /// What held.
    condition: String,
    /// What the canary, and the stable targets beside it, had shown then.
    figures: Value,
    at_ms: i64,
}

/// How one shadow compares with the callers' answers.
#[derive(Debug, Serialize, ToSchema)]
struct ShadowReport {
    /// `provider/upstream-model`.
    model: String,
    compared: i64,
    /// From 0 to 1.
    similarity_mean: Option<f64>,
    /// Letters of the shadow's answer for one of the caller's.
    length_ratio_mean: Option<f64>,
    /// In milliseconds.
    caller_latency_mean_ms: Option<f64>,
    shadow_latency_mean_ms: Option<f64>,
    caller_cost_nano_usd: i64,
    shadow_cost_nano_usd: i64,
    /// Request ids whose answers differ: at most ten in an hour.
    differing: Vec<String>,
    /// All sums, by name.
    #[schema(value_type = Object)]
    figures: Map<String, Value>,
}

pub(super) fn routes() -> Vec<Route> {
    use Permission::{SwitchesRead, SwitchesWrite};
    use http::Method;
    let mut routes = resource::routes::<Rollback>(
        ("/admin/v1/rollbacks", "/admin/v1/rollbacks/{id}"),
        SwitchesRead,
        SwitchesWrite,
        [
            "list rollbacks",
            "create rollback",
            "get rollback",
            "update rollback",
            "delete rollback",
        ],
    );
    // The gateway alone makes them; deleting one switches the canary on again.
    routes.retain(|route| matches!(route.method, Method::GET | Method::DELETE));
    routes.push(Route::new(
        Method::GET,
        "/admin/v1/routes/{name}/release",
        SwitchesRead,
        "get release",
        |ask| Box::pin(async move { release(&ask) }),
    ));
    routes.push(
        Route::new(
            Method::GET,
            "/admin/v1/routes/{name}/shadow",
            SwitchesRead,
            "list shadow reports",
            |ask| Box::pin(shadow(ask)),
        )
        .query(&[("hours", "the last so many, from 1 to 2160; 168 when absent")])
        .answers(Answer::Page(super::openapi::shape::<ShadowReport>)),
    );
    routes
}

impl Resource for Rollback {
    type Object = Self;
    type Input = RollbackBody;
    type Extra = NoMore;
    const WORD: &'static str = "rollback";

    fn team(_: &Self) -> Option<&str> {
        None
    }

    fn input(object: &Self) -> Result<Value, Problem> {
        resource::members(object, &[])
    }

    fn extra(_: &Self) -> NoMore {
        NoMore {}
    }

    fn check<'a>(_: &'a Ask, input: RollbackBody, _: Option<&'a Self>) -> BoxFuture<'a, Result<Self, Problem>> {
        Box::pin(async move { resource::object(&input) })
    }

    fn may_go<'a>(ask: &'a Ask, _: &'a Self) -> BoxFuture<'a, Result<(), Problem>> {
        Box::pin(async move {
            let reason = ask
                .headers
                .get("x-reason")
                .is_some_and(|reason| !reason.as_bytes().trim_ascii().is_empty());
            let missing = || Problem::flaw("x-reason", "is missing", "say in this header why the canary may be tried again");
            if reason { Ok(()) } else { Err(missing()) }
        })
    }
}

fn release(ask: &Ask) -> Result<Reply, Problem> {
    let found = ask.control.live.release(ask.id());
    found.map_or_else(|| Err(Problem::not_found(&format!("route {}", ask.id()))), Reply::ok)
}

async fn shadow(ask: Ask) -> Result<Reply, Problem> {
    let hours = match ask.param("hours") {
        None => HOURS.0,
        Some(text) => {
            let hours = text.parse().ok().filter(|hours| (1..=HOURS.1).contains(hours));
            hours.ok_or_else(|| Problem::bad_request("bad_query", "hours is not a number from 1 to 2160; correct it"))?
        }
    };
    let since = now_ms() / 3_600_000 - hours;
    let sums = ask.control.database.figures(ask.id(), since).await?;
    let mut reports: Vec<(String, Vec<(String, i64)>)> = Vec::new();
    for sum in sums {
        if reports.last().is_none_or(|(model, _)| *model != sum.model) {
            reports.push((sum.model.clone(), Vec::new()));
        }
        if let Some((_, figures)) = reports.last_mut() {
            figures.push((sum.figure, sum.value));
        }
    }
    let lines = reports.into_iter().map(|(model, figures)| json!(report(model, figures)));
    Reply::page(lines.collect(), None)
}

fn report(model: String, figures: Vec<(String, i64)>) -> ShadowReport {
    let (differing, figures): (Vec<_>, Vec<_>) = figures.into_iter().partition(|(name, _)| name.starts_with("differs."));
    let report = Report::new(figures);
    let share = |name: &str| report.mean(name, "millionths").map(|mean| mean / 1e6);
    ShadowReport {
        model,
        compared: report.figure("compared"),
        similarity_mean: share("similarity"),
        length_ratio_mean: share("length_ratio"),
        caller_latency_mean_ms: report.mean("latency", "caller_ms"),
        shadow_latency_mean_ms: report.mean("latency", "shadow_ms"),
        caller_cost_nano_usd: report.figure("cost.caller_nano_usd"),
        shadow_cost_nano_usd: report.figure("cost.shadow_nano_usd"),
        differing: differing
            .iter()
            .filter_map(|(name, _)| name.strip_prefix("differs.").map(str::to_owned))
            .collect(),
        figures: report.figures().map(|(name, value)| (name.to_owned(), value.into())).collect(),
    }
}
