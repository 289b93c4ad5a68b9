//! How the command line speaks to a running gateway: the admin API, with a token. On the machine itself the gateway's `admin-token` file is
//! enough.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{Method, Request};
use serde_json::Value;
use tollgate_upstream::client::{Client, ClientSettings, HttpVersion, Origin, Timeouts, collect};
use tollgate_upstream::tls::Tls;
use url::{Host, Url};

use crate::admin::TOKEN_FILE;
use crate::clock;

/// How long an answer may take: a ledger of many millions of rows is computed in that time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Which gateway, and how to prove who one is.
#[derive(Debug, Clone, Args)]
pub(super) struct ApiArguments {
    /// The gateway's admin plane
    #[arg(long, value_name = "URL", env = "TOLLGATE_ADMIN_URL", default_value = "http://127.0.0.1:8081")]
    admin: String,
    /// A session's or ak- token; without it the admin-token file of the data folder
    #[arg(long, value_name = "TOKEN", env = "TOLLGATE_ADMIN_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The data folder
    #[arg(long, value_name = "DIR", default_value = "./tollgate-data")]
    pub(super) data: PathBuf,
    /// Print the answer as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Why nothing came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// Nobody listens there, or there is no token to ask with.
    NoGateway(String),
    /// It was refused, or the answer was none.
    Refused(String),
}

impl From<Failed> for String {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::NoGateway(reason) | Failed::Refused(reason) => reason,
        }
    }
}

/// Asks the admin API; its answer, null when it has none.
pub(super) async fn ask(arguments: &ApiArguments, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failed> {
    let refused = |reason: String| Failed::Refused(reason);
    let origin = origin(&arguments.admin).map_err(refused)?;
    let token = token(arguments).map_err(Failed::NoGateway)?;
    let key: [u8; 16] = rand::random();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", ["Bearer ", &token].concat())
        .header("content-type", "application/json")
        .header("idempotency-key", u128::from_be_bytes(key).to_string())
        .body(body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string())));
    let request = request.map_err(|_| refused("the token or the path has characters that no request may have; correct it".into()))?;
    let tls = Tls::new(None).map_err(|error| refused(error.to_string()))?;
    let client = Client::new(ClientSettings::new(Arc::new(tls)));
    let timeouts = Timeouts {
        connect: CONNECT_TIMEOUT,
        first_byte: ANSWER_TIMEOUT,
        idle: CONNECT_TIMEOUT,
        total: ANSWER_TIMEOUT,
        min_rate: None,
    };
    let unreachable = |error: &dyn std::fmt::Display| {
        let reason = format!(
            "no gateway answers at {} ({error}); start it, or name it with --admin",
            arguments.admin
        );
        Failed::NoGateway(reason)
    };
    let sent = client.send(&origin, request, &timeouts, clock::instant() + ANSWER_TIMEOUT).await;
    let answer = sent.map_err(|fault| unreachable(&fault))?;
    let status = answer.status();
    let bytes = collect(answer.into_body(), ANSWER_BYTES_MAX).await;
    let bytes = bytes.map_err(|fault| refused(fault.to_string()))?;
    let body = if bytes.is_empty() {
        Ok(Value::Null)
    } else {
        serde_json::from_slice(&bytes)
    };
    match body {
        Ok(body) if status.is_success() => Ok(body),
        Ok(problem) => Err(refused(said(status.as_u16(), &problem))),
        Err(_) => Err(refused(format!(
            "{} answers {status}, and not as a gateway does; check --admin",
            arguments.admin
        ))),
    }
}

/// All pages of a list.
pub(super) async fn ask_all(arguments: &ApiArguments, path: &str) -> Result<Vec<Value>, Failed> {
    let (mut lines, mut after) = (Vec::new(), String::new());
    loop {
        let page = [path, "?limit=1000&after=", &escaped(&after)].concat();
        let page = ask(arguments, Method::GET, &page, None).await?;
        lines.extend(page["data"].as_array().cloned().unwrap_or_default());
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => return Ok(lines),
        }
    }
}

/// Runs something that waits for answers.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(work)
}

/// A text as a part of a path or query.
pub(super) fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

/// A token goes over TLS, or does not leave the machine.
fn origin(admin: &str) -> Result<Origin, String> {
    let url = Url::parse(admin).map_err(|error| format!("--admin {admin} is not a URL ({error}); write http://127.0.0.1:8081"))?;
    let local = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() != "https" && !local {
        return Err(format!("--admin {admin} would send the token in clear text; use https"));
    }
    Origin::from_url(&url, HttpVersion::Http1).map_err(|error| format!("--admin {admin}: {error}"))
}

fn token(arguments: &ApiArguments) -> Result<String, String> {
    if let Some(token) = &arguments.token {
        return Ok(token.trim().to_owned());
    }
    let file = arguments.data.join(TOKEN_FILE);
    let read = std::fs::read_to_string(&file);
    let remedy = "start the gateway with this data folder, name it with --data, or give --token";
    read.map(|text| text.trim().to_owned())
        .map_err(|error| format!("{} cannot be read ({error}); {remedy}", file.display()))
}

/// A problem's words.
fn said(status: u16, problem: &Value) -> String {
    match problem["detail"].as_str() {
        Some(detail) => detail.to_owned(),
        None => format!("the gateway answers {status}"),
    }
}

/// Whether there is a database to be read without a gateway.
pub(super) fn has_database(folder: &Path) -> bool {
    folder.join("tollgate.db").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leaves_the_machine_over_tls_alone() {
        let cases = [
            ("http://127.0.0.1:8081", true),
            ("http://[::1]:8081", true),
            ("http://localhost:8081", true),
            ("https://gateway.example", true),
            ("http://gateway.example", false),
            ("http://10.0.0.1:8081", false),
            ("http://localhost.example", false),
            ("ftp://127.0.0.1", false),
            ("127.0.0.1:8081", false),
            ("", false),
        ];
        for (url, good) in cases {
            assert_eq!(origin(url).is_ok(), good, "{url}");
        }
    }
}
