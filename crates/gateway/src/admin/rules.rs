//! Limits and budgets: the members of a body are exactly those of an entry in the config file, and the config's check judges them. And the
//! increases of a budget: more money for a while, each a dated record.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tollgate_store::database::BoxFuture;
use tollgate_store::database::objects::{Budget, Change, Increase, Kind, Limit, Listing, Object, Objects};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::ask::{Ask, Reply};
use super::members::NoMore;
use super::problem::{Problem, flaw};
use super::resource::{self, CONFIG_PREFIX, Resource, check_name, found};
use super::roles::Permission;
use super::routes::{Answer, Route};
use super::{openapi, who};
use crate::control::Usage;

/// Increases that one budget may have, past ones included.
const INCREASES_MAX: usize = 1_000;

/// A limit: the members of an entry of `limits:` in the config file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct LimitBody(Map<String, Value>);

/// A budget: the members of an entry of `budgets:` in the config file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct BudgetBody(Map<String, Value>);

/// More money for a while.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IncreaseBody {
    /// For which values of the budget's `per`, as in `{"team": "support"}`; without: for all.
    #[serde(default)]
    scope: BTreeMap<String, String>,
    /// How much more, in nano-USD.
    #[schema(minimum = 1)]
    amount: i64,
    /// From when, in seconds since 1970.
    from_s: i64,
    /// Until when, in seconds since 1970.
    until_s: i64,
    reason: String,
}

/// An increase of a budget.
pub(crate) struct Increases;

pub(super) fn routes() -> Vec<Route> {
    use http::Method;
    let mut routes = resource::routes::<Limit>(
        ("/admin/v1/limits", "/admin/v1/limits/{id}"),
        Permission::RulesRead,
        Permission::LimitsWrite,
        ["list limits", "create limit", "get limit", "update limit", "delete limit"],
    );
    routes.extend(resource::routes::<Budget>(
        ("/admin/v1/budgets", "/admin/v1/budgets/{id}"),
        Permission::RulesRead,
        Permission::BudgetsWrite,
        ["list budgets", "create budget", "get budget", "update budget", "delete budget"],
    ));
    let increases = "/admin/v1/budgets/{id}/increases";
    routes.extend([
        Route::new(
            Method::GET,
            "/admin/v1/limits/{id}/usage",
            Permission::RulesRead,
            "get limit usage",
            |ask| Box::pin(usage::<Limit>(ask)),
        )
        .answers(Answer::Page(openapi::shape::<Usage>)),
        Route::new(
            Method::GET,
            "/admin/v1/budgets/{id}/usage",
            Permission::RulesRead,
            "get budget usage",
            |ask| Box::pin(usage::<Budget>(ask)),
        )
        .answers(Answer::Page(openapi::shape::<Usage>)),
        Route::new(Method::GET, increases, Permission::RulesRead, "list increases", |ask| {
            Box::pin(increased(ask))
        })
        .answers(Answer::Page(openapi::kept::<Increases>)),
        Route::new(Method::POST, increases, Permission::BudgetsWrite, "create increase", |ask| {
            Box::pin(increase(ask))
        })
        .takes(openapi::shape::<IncreaseBody>)
        .answers(Answer::One(201, openapi::kept::<Increases>))
        .creates(),
        Route::new(
            Method::DELETE,
            "/admin/v1/budgets/{id}/increases/{increase}",
            Permission::BudgetsWrite,
            "delete increase",
            |ask| Box::pin(decrease(ask)),
        )
        .answers(Answer::Empty),
    ]);
    routes
}

impl Resource for Limit {
    type Object = Self;
    type Input = LimitBody;
    type Extra = NoMore;
    const WORD: &'static str = "limit";

    fn team(_: &Self) -> Option<&str> {
        None
    }

    fn input(object: &Self) -> Result<Value, Problem> {
        Ok(object.rule.clone())
    }

    fn extra(_: &Self) -> NoMore {
        NoMore {}
    }

    fn check<'a>(ask: &'a Ask, input: LimitBody, _: Option<&'a Self>) -> BoxFuture<'a, Result<Self, Problem>> {
        Box::pin(async move {
            let (name, rule) = rule(ask, Kind::Limit, input.0).await?;
            Ok(Self { name, rule })
        })
    }
}

impl Resource for Budget {
    type Object = Self;
    type Input = BudgetBody;
    type Extra = NoMore;
    const WORD: &'static str = "budget";

    fn team(_: &Self) -> Option<&str> {
        None
    }

    fn input(object: &Self) -> Result<Value, Problem> {
        Ok(object.rule.clone())
    }

    fn extra(_: &Self) -> NoMore {
        NoMore {}
    }

    fn check<'a>(ask: &'a Ask, input: BudgetBody, _: Option<&'a Self>) -> BoxFuture<'a, Result<Self, Problem>> {
        Box::pin(async move {
            let (name, rule) = rule(ask, Kind::Budget, input.0).await?;
            Ok(Self { name, rule })
        })
    }

    fn may_go<'a>(ask: &'a Ask, object: &'a Self) -> BoxFuture<'a, Result<(), Problem>> {
        Box::pin(async move {
            let left = resource::any::<Increase>(ask, |_, increase| increase.budget == object.name).await?;
            match left {
                None => Ok(()),
                Some(_) => Err(Problem::conflict("in_use", "the budget has increases; delete them first")),
            }
        })
    }
}

impl Resource for Increases {
    type Object = Increase;
    type Input = IncreaseBody;
    type Extra = NoMore;
    const WORD: &'static str = "increase";

    fn team(_: &Increase) -> Option<&str> {
        None
    }

    fn input(object: &Increase) -> Result<Value, Problem> {
        resource::members(object, &["budget"])
    }

    fn extra(_: &Increase) -> NoMore {
        NoMore {}
    }

    fn check<'a>(_: &'a Ask, input: IncreaseBody, _: Option<&'a Increase>) -> BoxFuture<'a, Result<Increase, Problem>> {
        Box::pin(async move {
            let mut flaws = Vec::new();
            if input.amount <= 0 {
                flaws.push(flaw(
                    "amount",
                    "is not more than nothing",
                    "give nano-USD: 1000000000 is one dollar",
                ));
            }
            if input.until_s <= input.from_s {
                flaws.push(flaw("until_s", "is not later than from_s", "correct one of them"));
            }
            if input.reason.trim().is_empty() {
                flaws.push(flaw("reason", "is empty", "say why"));
            }
            if !flaws.is_empty() {
                return Err(Problem::invalid(flaws));
            }
            Ok(Increase {
                budget: String::new(),
                scope: input.scope,
                amount: input.amount,
                from_s: input.from_s,
                until_s: input.until_s,
                reason: input.reason,
            })
        })
    }
}

/// The name and the rule of a body, when the config's check has nothing against it. A name is one rule's, limit or budget.
async fn rule(ask: &Ask, kind: Kind, members: Map<String, Value>) -> Result<(String, Value), Problem> {
    let Some(name) = members.get("name").and_then(Value::as_str).map(str::to_owned) else {
        return Err(Problem::flaw(
            "name",
            "is missing, or not a text",
            "give it one; what is used is remembered by it",
        ));
    };
    check_name("name", &name)?;
    let rule = Value::Object(members);
    ask.control.live.check_rule(kind, &rule).map_err(Problem::invalid)?;
    let other = if kind == Kind::Limit { Kind::Budget } else { Kind::Limit };
    let configured = ask.control.configured(other).iter().any(|other| other["name"] == name.as_str());
    if configured || ask.control.database.named(other, &name).await?.is_some() {
        let detail = "a limit and a budget cannot have the same name, because what is used is remembered by it; choose another";
        return Err(Problem::conflict("taken", detail));
    }
    Ok((name, rule))
}

/// How full it is now, also one that stands in the config file.
async fn usage<R: Resource>(ask: Ask) -> Result<Reply, Problem> {
    let kind = R::Object::KIND;
    let wanted = ask.id().strip_prefix(CONFIG_PREFIX).unwrap_or(ask.id());
    let in_config = ask.control.configured(kind).iter().any(|rule| rule["name"] == wanted);
    let name = match in_config {
        true => wanted.to_owned(),
        false => found::<R>(&ask).await?.1.name().unwrap_or_default().to_owned(),
    };
    let usage = ask.control.live.usage(kind, &name);
    let lines = usage.iter().map(|usage| serde_json::to_value(usage).unwrap_or_default()).collect();
    Reply::page(lines, None)
}

/// The budget that the path names: its name. Budgets of the config file may be increased too.
async fn budget(ask: &Ask) -> Result<String, Problem> {
    let wanted = ask.id().strip_prefix(CONFIG_PREFIX).unwrap_or(ask.id());
    let in_config = ask.control.configured(Kind::Budget).iter().any(|rule| rule["name"] == wanted);
    match in_config {
        true => Ok(wanted.to_owned()),
        false => Ok(found::<Budget>(ask).await?.1.name),
    }
}

async fn increased(ask: Ask) -> Result<Reply, Problem> {
    let lines = increases_of(&ask, &budget(&ask).await?).await?;
    Reply::page(lines, None)
}

async fn increases_of(ask: &Ask, budget: &str) -> Result<Vec<Value>, Problem> {
    let mut lines = Vec::new();
    let mut listing = Listing {
        limit: 1_000,
        ..Listing::default()
    };
    loop {
        let page = ask.control.database.list(Kind::Increase, &listing).await?;
        listing.after = page.last().map(|last| last.id.clone());
        for stored in &page {
            let object: Increase = stored.read()?;
            if object.budget == budget {
                lines.push(resource::view::<Increases>(stored, &object)?);
            }
        }
        if page.len() < listing.limit as usize {
            return Ok(lines);
        }
    }
}

async fn increase(ask: Ask) -> Result<Reply, Problem> {
    let budget = budget(&ask).await?;
    if INCREASES_MAX <= increases_of(&ask, &budget).await?.len() {
        return Err(Problem::conflict(
            "too_many_increases",
            "the budget has 1000 increases; delete past ones",
        ));
    }
    let mut object = Increases::check(&ask, ask.body()?, None).await?;
    object.budget = budget;
    let id = who::random_id();
    let mut act = ask.act("budget.increase".into());
    act.reason.clone_from(&object.reason);
    ask.control.mutate(&[Change::create(&id, &object)?], &act).await?;
    resource::shown::<Increases>(&ask, &id, 201).await
}

async fn decrease(ask: Ask) -> Result<Reply, Problem> {
    let budget = budget(&ask).await?;
    let id = ask.ids.get(1).cloned().unwrap_or_default();
    let stored = ask
        .control
        .database
        .get(Kind::Increase, &id)
        .await?
        .filter(|stored| stored.deleted_ms.is_none());
    let stored = stored.ok_or_else(|| Problem::not_found("increase"))?;
    if stored.read::<Increase>()?.budget != budget {
        return Err(Problem::not_found("increase"));
    }
    let change = Change::Delete {
        kind: Kind::Increase,
        version: Some(resource::expected(&ask, &stored)?),
        id,
    };
    ask.control.mutate(&[change], &ask.act("budget.decrease".into())).await?;
    Ok(Reply::empty())
}

/// What the document says of a rule: the config's schema says the rest.
fn open(words: &str) -> RefOr<Schema> {
    let name = ObjectBuilder::new().schema_type(utoipa::openapi::schema::Type::String);
    ObjectBuilder::new()
        .description(Some(words.to_owned()))
        .property("name", name)
        .required("name")
        .into()
}

impl PartialSchema for LimitBody {
    fn schema() -> RefOr<Schema> {
        open("The members of an entry of `limits:` in the config file; `tollgate schema` prints their schema.")
    }
}

impl ToSchema for LimitBody {
    fn name() -> Cow<'static, str> {
        "LimitBody".into()
    }
}

impl PartialSchema for BudgetBody {
    fn schema() -> RefOr<Schema> {
        open("The members of an entry of `budgets:` in the config file; `tollgate schema` prints their schema.")
    }
}

impl ToSchema for BudgetBody {
    fn name() -> Cow<'static, str> {
        "BudgetBody".into()
    }
}
