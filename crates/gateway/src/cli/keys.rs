//! `tollgate keys`: makes, lists, rotates and revokes virtual keys.

use clap::Subcommand;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::{ApiArguments, ask, ask_all, block_on, escaped};
use super::table::table;
use crate::clock;

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make a key; it is shown once
    Create(CreateArguments),
    /// List keys
    List {
        #[command(flatten)]
        api: ApiArguments,
    },
    /// Make another secret for a key; the one before keeps working for the grace
    Rotate {
        /// The key's id or name
        id: String,
        /// How long, such as 24h; 7d at most, 0 for not at all
        #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = seconds)]
        grace: u64,
        #[command(flatten)]
        api: ApiArguments,
    },
    /// Revoke a key, for ever and at once
    Revoke {
        /// The key's id or name
        id: String,
        #[command(flatten)]
        api: ApiArguments,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct CreateArguments {
    /// The team that pays
    #[arg(long)]
    team: String,
    /// Whose it is; without: a service key
    #[arg(long)]
    user: Option<String>,
    /// What it is used for; several times: the caller chooses
    #[arg(long)]
    feature: Vec<String>,
    /// What it is called; without: after team, user and feature
    #[arg(long)]
    name: Option<String>,
    /// How long it works, such as 90d
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    expires: Option<u64>,
    #[command(flatten)]
    api: ApiArguments,
}

/// Runs it.
///
/// # Errors
/// What the gateway said.
pub(super) fn run(command: KeysCommand) -> Result<(), String> {
    super::print(&block_on(text(command))?)
}

/// What is printed.
pub(super) async fn text(command: KeysCommand) -> Result<String, String> {
    match command {
        KeysCommand::Create(arguments) => create(&arguments).await,
        KeysCommand::List { api } => list(&api).await,
        KeysCommand::Rotate { id, grace, api } => {
            let path = format!("/admin/v1/keys/{}/rotate", escaped(&id));
            let made = ask(&api, Method::POST, &path, Some(&json!({ "grace_s": grace }))).await?;
            Ok(shown(&made, &api))
        }
        KeysCommand::Revoke { id, api } => {
            let path = format!("/admin/v1/keys/{}/revoke", escaped(&id));
            ask(&api, Method::POST, &path, None).await?;
            let said = json!({ "revoked": id });
            Ok(if api.json {
                format!("{said:#}\n")
            } else {
                format!("{id} is revoked\n")
            })
        }
    }
}

async fn create(arguments: &CreateArguments) -> Result<String, String> {
    let parts = [Some(&arguments.team), arguments.user.as_ref(), arguments.feature.first()];
    let mut name = parts.into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
    name.push_str(&format!(" {:06x}", rand::random::<u32>() & 0x00ff_ffff));
    let now_s = clock::now().unix.as_secs();
    let body = json!({
        "name": arguments.name.as_ref().unwrap_or(&name),
        "team": arguments.team, "user": arguments.user, "features": arguments.feature,
        "expires_s": arguments.expires.map(|expires| now_s.saturating_add(expires)),
    });
    let made = ask(&arguments.api, Method::POST, "/admin/v1/keys", Some(&body)).await?;
    Ok(shown(&made, &arguments.api))
}

/// The secret alone on stdout's last line, so that it can be taken from there.
fn shown(made: &Value, api: &ApiArguments) -> String {
    if api.json {
        return format!("{made:#}\n");
    }
    let text = |member: &str| made[member].as_str().unwrap_or_default().to_owned();
    format!("{} ({}); it is shown only now:\n{}\n", text("id"), text("name"), text("secret"))
}

async fn list(api: &ApiArguments) -> Result<String, String> {
    let lines = ask_all(api, "/admin/v1/keys").await?;
    if api.json {
        return Ok(format!("{:#}\n", json!({ "data": lines })));
    }
    let lines: Vec<Value> = lines.into_iter().map(readable).collect();
    Ok(table(&lines, &["id", "name", "team", "user", "features", "expires", "state"]))
}

/// With a date and a word in the place of seconds and flags.
fn readable(mut line: Value) -> Value {
    let expires = line["expires_s"].as_i64().and_then(|at| Timestamp::from_second(at).ok());
    let expired = line["expires_s"].as_u64().is_some_and(|at| at <= clock::now().unix.as_secs());
    let state = match (line["disabled"].as_bool().unwrap_or(false), expired) {
        (true, _) => "disabled",
        (_, true) => "expired",
        _ => "",
    };
    line["expires"] = expires.map(|at| at.to_string()).into();
    line["state"] = state.into();
    line
}

/// `90s`, `30m`, `24h`, `90d`, `2w`, or 0.
fn seconds(text: &str) -> Result<u64, String> {
    let ill = || format!("{text:?} is not a duration; write 30m, 24h, 90d or 2w");
    if text == "0" {
        return Ok(0);
    }
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(ill)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(ill()),
    };
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number
        .parse::<u64>()
        .ok()
        .filter(|_| digits)
        .and_then(|number| number.checked_mul(unit));
    number.ok_or_else(ill)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let cases = [
            ("0", Some(0)),
            ("90s", Some(90)),
            ("24h", Some(86_400)),
            ("90d", Some(7_776_000)),
            ("2w", Some(1_209_600)),
            ("", None),
            ("d", None),
            ("90", None),
            ("-1d", None),
            ("+1d", None),
            ("1é", None),
            ("99999999999999999999d", None),
        ];
        for (text, expected) in cases {
            assert_eq!(seconds(text).ok(), expected, "{text}");
        }
    }
}
