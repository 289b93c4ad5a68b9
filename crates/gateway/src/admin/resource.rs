//! What all editable things of the API have in common: a page of them, one, make, change (RFC 7396 merge), delete. What stands in the config
//! file is listed too, and is not changed here. Every look-up goes through [`found`], which knows whose team may see it (R-A6).

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tollgate_store::database::BoxFuture;
use tollgate_store::database::objects::{Change, Kind, Listing, Object, Objects, Stored};
use utoipa::ToSchema;

use super::ask::{Ask, Reply, unreadable};
use super::problem::Problem;
use super::roles::Permission;
use super::routes::{Answer, Route};
use super::{openapi, who};
use crate::control::now_ms;

/// What the id of a thing of the config file begins with.
pub(crate) const CONFIG_PREFIX: &str = "config:";
/// Letters of a name.
const NAME_CHARS_MAX: usize = 128;
/// Objects that are read at once when all of a kind are looked through.
const SCAN: u32 = 1_000;

/// Parameters of every list.
pub(crate) const LIST: &[(&str, &str)] = &[
    ("limit", "how many, from 1 to 1000; 50 when absent"),
    ("after", "next of the page before"),
    ("search", "only those with this in their names, at least three characters"),
    ("deleted", "true: deleted ones too"),
];

/// A kind of thing that the API edits. Its body's members are those of its object, less what is secret.
pub(crate) trait Resource: 'static {
    type Object: Object + Send + Sync + Clone;
    /// What a caller writes. Unknown members are refused.
    type Input: DeserializeOwned + Serialize + ToSchema + Send;
    /// Members that are only read.
    type Extra: Serialize + ToSchema;
    /// In paths and messages.
    const WORD: &'static str;
    /// Whether a change of its name is refused, because others know it by its name.
    const NAMED: bool = true;

    /// The team that it belongs to.
    fn team(object: &Self::Object) -> Option<&str>;

    /// The body's members.
    fn input(object: &Self::Object) -> Result<Value, Problem>;

    /// What is only read.
    fn extra(object: &Self::Object) -> Self::Extra;

    /// The object that a body makes, when it makes sense.
    fn check<'a>(ask: &'a Ask, input: Self::Input, before: Option<&'a Self::Object>) -> BoxFuture<'a, Result<Self::Object, Problem>>;

    /// Whether it may be deleted.
    fn may_go<'a>(ask: &'a Ask, object: &'a Self::Object) -> BoxFuture<'a, Result<(), Problem>> {
        let _ = (ask, object);
        Box::pin(async { Ok(()) })
    }
}

/// The five routes of a resource.
pub(crate) fn routes<R: Resource>(
    paths: (&'static str, &'static str),
    read: Permission,
    write: Permission,
    about: [&'static str; 5],
) -> Vec<Route> {
    use http::Method;
    let (all, one) = paths;
    let [listed, made, got, changed, deleted] = about;
    vec![
        Route::new(Method::GET, all, read, listed, |ask| Box::pin(list::<R>(ask)))
            .query(LIST)
            .answers(Answer::Page(openapi::kept::<R>)),
        Route::new(Method::POST, all, write, made, |ask| Box::pin(create::<R>(ask)))
            .takes(openapi::shape::<R::Input>)
            .answers(Answer::One(201, openapi::kept::<R>))
            .creates(),
        Route::new(Method::GET, one, read, got, |ask| Box::pin(get::<R>(ask))).answers(Answer::One(200, openapi::kept::<R>)),
        Route::new(Method::PATCH, one, write, changed, |ask| Box::pin(update::<R>(ask)))
            .takes(openapi::part::<R::Input>)
            .answers(Answer::One(200, openapi::kept::<R>)),
        Route::new(Method::DELETE, one, write, deleted, |ask| Box::pin(delete::<R>(ask))).answers(Answer::Empty),
    ]
}

/// A page: what stands in the config file first, by name, then the objects, by id.
async fn list<R: Resource>(ask: Ask) -> Result<Reply, Problem> {
    let limit = ask.limit()?;
    let wanted = limit as usize;
    let after = ask.param("after");
    if ask.param("search").is_some() {
        let busy = |wait| Problem::too_many(wait, "too many searches; wait a second");
        ask.control.state.search(now_ms()).map_err(busy)?;
    }
    let mut data: Vec<(String, Value)> = Vec::new();
    if after.is_none_or(|after| after.starts_with(CONFIG_PREFIX)) {
        data = configured::<R>(&ask);
        let word = ask.param("search").map(str::to_lowercase);
        data.retain(|(id, _)| after.is_none_or(|after| after < id.as_str()));
        data.retain(|(id, _)| word.as_ref().is_none_or(|word| id.to_lowercase().contains(word.as_str())));
    }
    let mut listing = Listing {
        search: ask.param("search").map(str::to_owned),
        after: after.filter(|after| !after.starts_with(CONFIG_PREFIX)).map(str::to_owned),
        limit: if ask.who.team.is_some() { SCAN } else { SCAN.min(limit + 1) },
        deleted: ask.param("deleted") == Some("true"),
    };
    // Those of other teams are passed over; the page is filled with those behind them.
    while data.len() <= wanted {
        let stored = ask.control.database.list(R::Object::KIND, &listing).await?;
        let all = stored.len() < listing.limit as usize;
        listing.after = stored.last().map(|last| last.id.clone());
        for one in &stored {
            let object: R::Object = one.read()?;
            if ask.who.reaches(R::team(&object)) {
                data.push((one.id.clone(), view::<R>(one, &object)?));
            }
        }
        if all {
            break;
        }
    }
    let more = wanted < data.len();
    data.truncate(wanted);
    let next = data.last().filter(|_| more).map(|(id, _)| id.clone());
    Reply::page(data.into_iter().map(|(_, view)| view).collect(), next)
}

async fn get<R: Resource>(ask: Ask) -> Result<Reply, Problem> {
    let wanted = ask.id();
    if let Some((_, view)) = configured::<R>(&ask)
        .into_iter()
        .find(|(id, view)| id == wanted || named(view) == Some(wanted))
    {
        return Reply::ok(view);
    }
    let (stored, object) = found::<R>(&ask).await?;
    Ok(Reply::ok(view::<R>(&stored, &object)?)?.tagged(stored.version))
}

async fn create<R: Resource>(ask: Ask) -> Result<Reply, Problem> {
    let object = checked::<R>(&ask, ask.body()?, None).await?;
    let id = who::random_id();
    let act = ask.act([R::WORD, ".create"].concat());
    ask.control.mutate(&[Change::create(&id, &object)?], &act).await?;
    shown::<R>(&ask, &id, 201).await
}

async fn update<R: Resource>(ask: Ask) -> Result<Reply, Problem> {
    let (stored, before) = found::<R>(&ask).await?;
    let version = expected(&ask, &stored)?;
    let object = merged::<R>(&ask, &before).await?;
    let change = Change::update(&stored.id, &object, Some(version))?;
    ask.control.mutate(&[change], &ask.act([R::WORD, ".update"].concat())).await?;
    shown::<R>(&ask, &stored.id, 200).await
}

/// The object that the body makes of another.
pub(crate) async fn merged<R: Resource>(ask: &Ask, before: &R::Object) -> Result<R::Object, Problem> {
    let mut merged = R::input(before)?;
    merge(&mut merged, ask.body::<Map<String, Value>>()?);
    let input = serde_json::from_str(&merged.to_string()).map_err(|error| unreadable(&error))?;
    let object = checked::<R>(ask, input, Some(before)).await?;
    if R::NAMED && object.name() != before.name() {
        let detail = format!(
            "the name of a {} cannot change, because others know it by its name; make a new one",
            R::WORD
        );
        return Err(Problem::conflict("name_is_fixed", detail));
    }
    Ok(object)
}

async fn delete<R: Resource>(ask: Ask) -> Result<Reply, Problem> {
    let (stored, object) = found::<R>(&ask).await?;
    let version = expected(&ask, &stored)?;
    R::may_go(&ask, &object).await?;
    let change = Change::Delete {
        kind: R::Object::KIND,
        id: stored.id,
        version: Some(version),
    };
    ask.control.mutate(&[change], &ask.act([R::WORD, ".delete"].concat())).await?;
    Ok(Reply::empty())
}

/// The object that the path names, by its id or its name, when its team is the caller's.
pub(crate) async fn found<R: Resource>(ask: &Ask) -> Result<(Stored, R::Object), Problem> {
    let (kind, wanted) = (R::Object::KIND, ask.id());
    let what = [R::WORD, " ", wanted].concat();
    let name = wanted.strip_prefix(CONFIG_PREFIX).unwrap_or(wanted);
    let in_config = configured::<R>(ask).iter().any(|(_, view)| named(view) == Some(name));
    if in_config {
        let detail = format!("{what} stands in the config file; change it there");
        return Err(Problem::conflict("in_config", detail));
    }
    let by_id = ask
        .control
        .database
        .get(kind, wanted)
        .await?
        .filter(|stored| stored.deleted_ms.is_none());
    let stored = match by_id {
        Some(stored) => Some(stored),
        None => ask.control.database.named(kind, wanted).await?,
    };
    let stored = stored.ok_or_else(|| Problem::not_found(&what))?;
    let object: R::Object = stored.read()?;
    if !ask.who.reaches(R::team(&object)) {
        return Err(Problem::not_found(&what));
    }
    Ok((stored, object))
}

/// The version that a change is made to: the one that was read, which `If-Match` must name when it is there.
pub(crate) fn expected(ask: &Ask, stored: &Stored) -> Result<i64, Problem> {
    match ask.if_match()? {
        Some(version) if version != stored.version => Err(Problem::new(
            http::StatusCode::PRECONDITION_FAILED,
            "changed",
            format!("it is now at version {}; read it again", stored.version),
        )),
        _ => Ok(stored.version),
    }
}

/// What was written, read back.
pub(crate) async fn shown<R: Resource>(ask: &Ask, id: &str, status: u16) -> Result<Reply, Problem> {
    let stored = ask.control.database.get(R::Object::KIND, id).await?;
    let stored = stored.ok_or_else(|| Problem::not_found(R::WORD))?;
    let view = view::<R>(&stored, &stored.read()?)?;
    let status = http::StatusCode::from_u16(status).unwrap_or_default();
    Ok(Reply::with(status, view)?.tagged(stored.version))
}

/// The object of a body, in the caller's reach.
pub(crate) async fn checked<R: Resource>(ask: &Ask, input: R::Input, before: Option<&R::Object>) -> Result<R::Object, Problem> {
    let object = R::check(ask, input, before).await?;
    if !ask.who.reaches(R::team(&object)) {
        let detail = "that is another team's; you may change your own team's things alone";
        return Err(Problem::new(http::StatusCode::FORBIDDEN, "other_team", detail));
    }
    let taken = configured::<R>(ask)
        .iter()
        .any(|(_, view)| object.name().is_some() && named(view) == object.name());
    if taken {
        let detail = format!("a {} of that name stands in the config file; choose another name", R::WORD);
        return Err(Problem::conflict("in_config", detail));
    }
    Ok(object)
}

/// What is shown of an object.
pub(crate) fn view<R: Resource>(stored: &Stored, object: &R::Object) -> Result<Value, Problem> {
    let mut view = json!({
        "id": stored.id, "source": "api", "version": stored.version,
        "created_ms": stored.created_ms, "updated_ms": stored.updated_ms, "deleted_ms": stored.deleted_ms,
    });
    add(&mut view, R::input(object)?);
    add(&mut view, serde_json::to_value(R::extra(object)).unwrap_or_default());
    Ok(view)
}

/// What the config file has, by id.
fn configured<R: Resource>(ask: &Ask) -> Vec<(String, Value)> {
    let kind = R::Object::KIND;
    let values = ask.control.configured(kind).into_iter();
    let team = |value: &Value| {
        let member = if kind == Kind::Team { "name" } else { "team" };
        value.get(member).and_then(Value::as_str).map(str::to_owned)
    };
    let seen = values.filter(|value| ask.who.reaches(team(value).as_deref()));
    let mut list: Vec<(String, Value)> = seen
        .map(|value| {
            let id = [CONFIG_PREFIX, named(&value).unwrap_or_default()].concat();
            let mut view = json!({
                "id": id, "source": "config", "version": null, "created_ms": null, "updated_ms": null, "deleted_ms": null,
            });
            add(&mut view, value);
            (id, view)
        })
        .collect();
    list.sort_by(|one, other| one.0.cmp(&other.0));
    list
}

fn named(view: &Value) -> Option<&str> {
    view.get("name").and_then(Value::as_str)
}

fn add(to: &mut Value, from: Value) {
    if let (Some(to), Value::Object(from)) = (to.as_object_mut(), from) {
        to.extend(from);
    }
}

/// RFC 7396, one level deep: a member is replaced; null takes it away. Members of ours have no members that are edited one by one.
fn merge(to: &mut Value, patch: Map<String, Value>) {
    let Some(to) = to.as_object_mut() else { return };
    for (name, value) in patch {
        match value {
            Value::Null => {
                to.shift_remove(&name);
            }
            value => {
                to.insert(name, value);
            }
        }
    }
}

/// An object as its body's members, without those that are secret.
pub(crate) fn members(object: &impl Serialize, secret: &[&str]) -> Result<Value, Problem> {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        for name in secret {
            members.shift_remove(*name);
        }
    }
    Ok(value)
}

/// A body as an object: the same members.
pub(crate) fn object<T: DeserializeOwned>(input: &impl Serialize) -> Result<T, Problem> {
    let text = serde_json::to_string(input).unwrap_or_default();
    serde_json::from_str(&text).map_err(|error| unreadable(&error))
}

/// A name that people and rules can use.
pub(crate) fn check_name(path: &str, name: &str) -> Result<(), Problem> {
    let ill = |reason, remedy| Err(Problem::flaw(path, reason, remedy));
    if name.is_empty() || name.trim() != name {
        return ill("is empty, or begins or ends with a space", "give a name");
    }
    if NAME_CHARS_MAX < name.chars().count() || name.chars().any(char::is_control) {
        return ill(
            "is longer than 128 characters, or has a control character in it",
            "give a shorter, plain one",
        );
    }
    if name.starts_with(CONFIG_PREFIX) {
        return ill("begins with config:", "choose another name");
    }
    Ok(())
}

/// Whether a team of that name is there, in the database or in the config file.
pub(crate) async fn check_team(ask: &Ask, name: &str) -> Result<(), Problem> {
    exists(ask, Kind::Team, "team", name).await
}

/// Whether a thing of that name is there.
pub(crate) async fn exists(ask: &Ask, kind: Kind, path: &str, name: &str) -> Result<(), Problem> {
    let configured = ask.control.configured(kind).iter().any(|value| named(value) == Some(name));
    if configured || ask.control.database.named(kind, name).await?.is_some() {
        return Ok(());
    }
    let reason = format!("there is no {path} {name:?}");
    let remedy = format!("make it first, with POST /admin/v1/{path}s or in the config file");
    Err(Problem::flaw(path, &reason, &remedy))
}

/// The first object of a kind that is so.
pub(crate) async fn any<T: Object>(ask: &Ask, so: impl Fn(&Stored, &T) -> bool) -> Result<Option<Stored>, Problem> {
    let mut listing = Listing {
        limit: SCAN,
        ..Listing::default()
    };
    loop {
        let page = ask.control.database.list(T::KIND, &listing).await?;
        let all = page.len() < SCAN as usize;
        listing.after = page.last().map(|last| last.id.clone());
        for stored in page {
            if so(&stored, &stored.read()?) {
                return Ok(Some(stored));
            }
        }
        if all {
            return Ok(None);
        }
    }
}
