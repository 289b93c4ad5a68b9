//! `tollgate explain`: what would happen, without a call. Asked of a running gateway, which knows what is spent and how providers do; or of
//! the config file alone. And why a past request went where it went.

mod shown;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use http::Method;
use serde_json::{Value, json};
use tollgate_policy::accounts::Accounts;
use tollgate_policy::key::Presented;
use tollgate_policy::switches::Switches;

use super::api::{ApiArguments, Failed, ask, block_on, escaped};
use crate::books::Books;
use crate::clock;
use crate::config::reload::{State, listed};
use crate::config::stored::Stored;
use crate::config::text_of;
use crate::explain::{self, As, Asked, Explanation, Question};
use crate::switchboard::Switchboard;

/// Where the config is when it is not said.
const USUAL_CONFIG: &str = "tollgate.yaml";
/// The longest request that is read.
const REQUEST_BYTES_MAX: u64 = 64 << 20;

#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// A request's body as JSON (- reads it from stdin), or the id of a past request; without it the smallest request for --route
    #[arg(value_name = "REQUEST.json|-|req_…")]
    request: Option<String>,
    /// Ask as this key: its id, its name, or the key itself
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Ask as somebody: team=support,user=u1,feature=chat,tag.tier=free; without: as nobody in particular, who may do everything
    #[arg(long = "as", value_name = "LIST", conflicts_with = "key")]
    caller: Option<String>,
    /// The route or model, in place of the one in the request
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// The request's dialect; without: the one that it looks like
    #[arg(long, value_name = "NAME")]
    dialect: Option<String>,
    /// A header that the request would come with, such as "x-tollgate-task: classification"; may come several times
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Let dice fall as for this request id, or for the 16 hex digits at its end
    #[arg(long, value_name = "ID", alias = "seed")]
    request_id: Option<String>,
    /// Explain from this config file alone, without asking a gateway
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    api: ApiArguments,
}

/// Asks and prints.
///
/// # Errors
/// Why there is no explanation.
pub(super) fn run(arguments: &ExplainArguments) -> Result<(), String> {
    super::print(&block_on(text(arguments))?)
}

/// What is printed.
pub(super) async fn text(arguments: &ExplainArguments) -> Result<String, String> {
    let explanation = explained(arguments).await?;
    if arguments.api.json {
        let json = serde_json::to_value(&explanation).map_err(|error| error.to_string())?;
        return Ok(format!("{json:#}\n"));
    }
    Ok(shown::text(&explanation))
}

async fn explained(arguments: &ExplainArguments) -> Result<Explanation, String> {
    if let Some(id) = arguments.request.as_deref().filter(|request| request.starts_with("req_")) {
        let path = ["/admin/v1/records/", &escaped(id), "/explain"].concat();
        return read(ask(&arguments.api, Method::GET, &path, None).await?);
    }
    let body = body(arguments)?;
    let caller = caller(arguments)?;
    if let Some(config) = &arguments.config {
        return offline(arguments, config, (body, caller));
    }
    let asked = json!({
        "request": body, "dialect": arguments.dialect, "as": online(&caller), "headers": headers(arguments)?, "request_id": arguments.request_id,
    });
    match ask(&arguments.api, Method::POST, "/admin/v1/explain", Some(&asked)).await {
        Ok(answer) => read(answer),
        Err(Failed::NoGateway(_)) if Path::new(USUAL_CONFIG).is_file() => offline(arguments, Path::new(USUAL_CONFIG), (body, caller)),
        Err(Failed::NoGateway(reason)) => Err(format!("{reason}; or explain from a config file alone with --config FILE")),
        Err(failed) => Err(failed.into()),
    }
}

fn read(answer: Value) -> Result<Explanation, String> {
    serde_json::from_value(answer).map_err(|error| format!("the gateway's answer cannot be read: {error}; use a tollgate of its version"))
}

/// The request, as it would be sent.
fn body(arguments: &ExplainArguments) -> Result<Value, String> {
    let text = match (arguments.request.as_deref(), &arguments.route) {
        (None, Some(route)) => String::from_utf8_lossy(&explain::smallest(route)).into_owned(),
        (None, None) => return Err("nothing is asked; name a REQUEST.json, - for stdin, a past request's id, or a --route".into()),
        (Some("-"), _) => whole(std::io::stdin(), "stdin")?,
        (Some(file), _) => whole(
            std::fs::File::open(file).map_err(|error| format!("{file} cannot be read: {error}"))?,
            file,
        )?,
    };
    let mut body: Value = serde_json::from_str(&text).map_err(|error| format!("the request is not JSON: {error}"))?;
    if let (Some(route), Some(members)) = (&arguments.route, body.as_object_mut()) {
        members.insert("model".into(), route.as_str().into());
    }
    Ok(body)
}

fn whole(from: impl Read, name: &str) -> Result<String, String> {
    let mut text = String::new();
    let read = from.take(REQUEST_BYTES_MAX).read_to_string(&mut text);
    read.map(|_| text).map_err(|error| format!("{name} cannot be read: {error}"))
}

fn caller(arguments: &ExplainArguments) -> Result<As, String> {
    let mut caller = As {
        key: arguments.key.clone(),
        ..As::default()
    };
    for part in arguments.caller.iter().flat_map(|list| list.split(',')) {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| format!("--as {part} does not say what; write --as team=support,user=u1"))?;
        let (name, value) = (name.trim(), value.trim().to_owned());
        match (name, name.strip_prefix("tag.")) {
            ("team", _) => caller.team = Some(value),
            ("user", _) => caller.user = Some(value),
            ("feature", _) => caller.feature = Some(value),
            ("key", _) => caller.key = Some(value),
            (_, Some(tag)) => {
                caller.tags.insert(tag.to_owned(), value);
            }
            _ => {
                return Err(format!(
                    "--as does not know \"{name}\"; known are team, user, feature, key and tag.NAME"
                ));
            }
        }
    }
    Ok(caller)
}

/// The same for a gateway: of a key of ours only its id leaves.
fn online(caller: &As) -> As {
    let id = caller.key.as_deref().map(|key| match Presented::parse(key) {
        Some(Presented::Ours { id, .. }) => id.to_owned(),
        _ => key.to_owned(),
    });
    As { key: id, ..caller.clone() }
}

fn headers(arguments: &ExplainArguments) -> Result<Value, String> {
    let pairs = arguments.headers.iter().map(|header| {
        let (name, value) = header
            .split_once(':')
            .ok_or_else(|| format!("--header {header} is no header; write \"NAME: VALUE\""))?;
        Ok((name.trim().to_owned(), Value::from(value.trim())))
    });
    Ok(Value::Object(pairs.collect::<Result<_, String>>()?))
}

/// From the config file alone.
fn offline(arguments: &ExplainArguments, path: &Path, (body, caller): (Value, As)) -> Result<Explanation, String> {
    let surroundings = super::check::surroundings(path)?;
    let text = text_of(path).map_err(|problem| problem.to_string())?;
    let checked = surroundings.check(&text);
    let raw = checked
        .raw
        .ok_or_else(|| format!("{} is not valid\n{}", path.display(), listed(&checked.problems)))?;
    let stored = Stored::default();
    let state = State {
        stored: &stored,
        before: None,
        version: 1,
    };
    let config = surroundings.build(&raw, &text, state)?;
    let mut headers_of = http::HeaderMap::new();
    for (name, value) in headers(arguments)?.as_object().into_iter().flatten() {
        let name = http::HeaderName::try_from(name).map_err(|_| format!("--header {name} is no header's name"))?;
        let value = http::HeaderValue::try_from(value.as_str().unwrap_or_default())
            .map_err(|_| format!("--header {name} has no value of one line"))?;
        headers_of.insert(name, value);
    }
    let seed = arguments.request_id.as_deref().map(explain::seed_of).transpose();
    let question = Question {
        body: body.to_string().into(),
        dialect: arguments.dialect.clone(),
        headers: headers_of,
        caller,
        seed: seed.map_err(|fault| format!("--request-id {}", fault.message))?,
    };
    let asked = Asked {
        config: &config,
        books: &Books::new(Accounts::new(), None, false),
        switches: &Switchboard::new(Switches::default()),
        now: clock::now(),
    };
    let answer = question.answer(asked);
    let mut explanation = answer.map_err(|fault| match &fault.param {
        Some(param) => format!("{param}: {}", fault.message),
        None => fault.message,
    })?;
    explanation.request_id.clone_from(&arguments.request_id);
    explanation.notes.push(format!(
        "from {} alone: what the admin API keeps, what is spent, and how providers do is not known",
        path.display()
    ));
    Ok(explanation)
}
