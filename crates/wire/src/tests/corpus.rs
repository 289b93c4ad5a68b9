//! The recorded exchanges with real providers, where they are at hand. Reads them, and says what it skipped; proves nothing.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::{DIALECTS, Dialect};

/// One exchange of a dialect that we speak.
pub(crate) struct Exchange {
    /// Its id in the corpus.
    pub(crate) id: String,
    /// The dialect that it is in.
    pub(crate) dialect: &'static dyn Dialect,
    /// The request, where it was recorded.
    pub(crate) request: Option<Value>,
    /// The answer, where it came as a stream of events.
    pub(crate) stream: Option<String>,
}

#[derive(Deserialize)]
struct Record {
    id: String,
    api: String,
    request_body: Option<Value>,
    response_body: Option<String>,
    status: Option<u16>,
    stream: bool,
}

/// Every exchange of a dialect in the registry, told by its API. `None`, and a line, where there is no corpus.
pub(crate) fn exchanges() -> Option<Vec<Exchange>> {
    let folder = folder().join("exchanges");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: corpus absent");
        return None;
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "jsonl")) {
        let text = std::fs::read_to_string(path).unwrap();
        found.extend(text.lines().filter_map(exchange));
    }
    Some(found)
}

fn exchange(line: &str) -> Option<Exchange> {
    let record: Record = serde_json::from_str(line).unwrap();
    // The corpus names an API as our routes begin: `chat`, `messages`.
    let api = Some(record.api.as_str());
    let speaks = |dialect: &&&dyn Dialect| dialect.routes().iter().any(|(route, _)| route.split('/').nth(1) == api);
    let dialect = *DIALECTS.iter().find(speaks)?;
    let streamed = record.stream && record.status == Some(200);
    Some(Exchange {
        id: record.id,
        dialect,
        request: record.request_body.filter(Value::is_object),
        stream: record.response_body.filter(|_| streamed),
    })
}

fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("TOLLGATE_CORPUS") {
        return PathBuf::from(folder);
    }
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    workspace.join("../shared/corpus")
}
