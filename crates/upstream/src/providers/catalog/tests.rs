//! Checks the vendors' file row by row, and against the addresses of recorded exchanges. Does not check the vendors.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use super::*;

const DIALECTS: [&str; 2] = ["openai_chat", "anthropic"];

fn lower(text: &str, extra: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || extra.contains(c))
}

fn check_endpoint(row: &Row, endpoint: &Endpoint) {
    let name = &row.name;
    assert!(
        DIALECTS.contains(&endpoint.dialect.as_str()),
        "{name}: dialect {}",
        endpoint.dialect
    );
    assert!(
        endpoint.base_url.is_some() != endpoint.template.is_some(),
        "{name}: one of base_url and template"
    );
    if let Some(text) = &endpoint.base_url {
        let url = url::Url::parse(text).unwrap();
        let loopback = url.host_str() == Some("127.0.0.1");
        assert_eq!(
            (url.scheme(), loopback),
            if row.local { ("http", true) } else { ("https", false) },
            "{name}: {text}"
        );
        assert!(
            !text.ends_with('/') && url.query().is_none() && url.username().is_empty(),
            "{name}: {text}"
        );
        let version = url.path_segments().is_some_and(|mut parts| parts.any(|part| part == "v1"));
        assert!(
            endpoint.dialect != "anthropic" || !version,
            "{name}: the Anthropic SDK appends /v1 itself: {text}"
        );
    }
    if let Some(text) = &endpoint.template {
        let filled = text.replace("{account}", "acme").replace("{workspace}", "acme.example");
        assert!(filled != *text && !filled.contains('{'), "{name}: {text}");
        assert_eq!(url::Url::parse(&filled).unwrap().scheme(), "https", "{name}: {text}");
        assert!(!row.autodetect, "{name}: a key alone does not tell the account");
    }
    if let Auth::Header(header) = &endpoint.auth {
        assert!(lower(header, "-"), "{name}: header {header}");
    }
    for header in endpoint.headers.keys() {
        assert!(lower(header, "-"), "{name}: header {header}");
    }
    let needs_version = endpoint.dialect == "anthropic";
    assert_eq!(
        endpoint.headers.contains_key("anthropic-version"),
        needs_version,
        "{name}: {}",
        endpoint.dialect
    );
    check_quirks(name, endpoint);
}

fn check_quirks(name: &str, endpoint: &Endpoint) {
    let quirks = &endpoint.quirks;
    assert!(!quirks.betas || endpoint.dialect == "anthropic", "{name}: betas are Anthropic's");
    for field in quirks.rename.keys() {
        assert!(!quirks.drop.contains(field), "{name}: {field} is both dropped and renamed");
    }
    for essential in ["model", "messages", "stream", "tools"] {
        assert!(!quirks.drop.iter().any(|field| field == essential), "{name} drops {essential}");
    }
    assert!(
        quirks.temperature_max.is_none_or(|max| (0.5..=2.0).contains(&max)),
        "{name}: temperature_max"
    );
    assert!(quirks.n_max.is_none_or(|max| max >= 1), "{name}: n_max");
    if quirks.reasoning_replay == ReasoningReplay::Required {
        assert!(
            quirks.reasoning_field.is_some(),
            "{name}: reasoning must be sent back, but in which field"
        );
    }
    for choice in &quirks.tool_choices {
        assert!(
            ["auto", "none", "required", "named"].contains(&choice.as_str()),
            "{name}: tool_choice {choice}"
        );
    }
    for format in &quirks.response_formats {
        assert!(
            ["text", "json_object", "json_schema"].contains(&format.as_str()),
            "{name}: format {format}"
        );
    }
}

#[test]
fn every_row_is_valid() {
    for row in providers().unwrap() {
        let name = &row.name;
        assert!(lower(name, "-") && !row.label.is_empty(), "{name}");
        assert_eq!(url::Url::parse(&row.docs).unwrap().scheme(), "https", "{name}: docs");
        assert!(row.local || !row.credential_env.is_empty(), "{name}: a vendor needs a key");
        for variable in &row.credential_env {
            let good = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            assert!(variable.contains('_') && variable.chars().all(good), "{name}: {variable}");
        }
        assert!(!row.endpoints.is_empty(), "{name}: no endpoint");
        let dialects: BTreeSet<_> = row.dialects().collect();
        assert_eq!(dialects.len(), row.endpoints.len(), "{name}: a dialect twice");
        for endpoint in &row.endpoints {
            check_endpoint(&row, endpoint);
        }
    }
}

#[test]
fn names_are_unique_and_a_key_found_enables_one_vendor() {
    let rows = providers().unwrap();
    assert!(rows.len() >= 45, "{} rows", rows.len());
    let names: BTreeSet<_> = rows.iter().map(|row| &row.name).collect();
    assert_eq!(names.len(), rows.len());
    let mut variables = BTreeSet::new();
    for row in rows.iter().filter(|row| row.autodetect) {
        for variable in &row.credential_env {
            assert!(variables.insert(variable), "{} shares {variable}", row.name);
        }
    }
}

#[test]
fn a_row_is_found_by_name_and_its_endpoint_by_dialect() {
    let catalog = Catalog::built_in().unwrap();
    let deepseek = catalog.row("deepseek").unwrap();
    assert_eq!(deepseek.dialects().collect::<Vec<_>>(), ["openai_chat", "anthropic"]);
    let anthropic = deepseek.endpoint("anthropic").unwrap();
    assert_eq!(anthropic.base_url.as_deref(), Some("https://api.deepseek.com/anthropic"));
    assert_eq!(anthropic.auth, Auth::Header("x-api-key".to_owned()));
    assert_eq!(deepseek.endpoint("gemini"), None);
    assert_eq!(catalog.row("deepsek"), None);
    assert_eq!(catalog.names().count(), catalog.rows().len());
}

#[test]
fn an_absent_quirk_is_the_dialect_itself() {
    let openai = Catalog::built_in()
        .unwrap()
        .row("openai")
        .unwrap()
        .endpoint("openai_chat")
        .unwrap()
        .clone();
    assert_eq!((openai.auth, &openai.quirks), (Auth::Bearer, &Quirks::default()));
    assert!(openai.quirks.done_marker && openai.quirks.stream_usage == StreamUsage::Ask);
    let empty: Quirks = toml::from_str("").unwrap();
    assert_eq!(empty, Quirks::default());
}

#[test]
fn quirks_are_read_as_written_and_unknown_ones_are_refused() {
    let text = r#"
        stream_usage = "never"
        content = "string"
        reasoning_replay = "refused"
        billing_on_cancel = "partial"
        done_marker = false
        rename = { max_completion_tokens = "max_tokens" }
    "#;
    let quirks: Quirks = toml::from_str(text).unwrap();
    assert_eq!(quirks.stream_usage, StreamUsage::Never);
    assert_eq!(quirks.content, ContentForm::String);
    assert_eq!(quirks.reasoning_replay, ReasoningReplay::Refused);
    assert_eq!(quirks.billing_on_cancel, Some(BillingOnCancel::Partial));
    assert!(!quirks.done_marker);
    assert_eq!(quirks.rename.get("max_completion_tokens").map(String::as_str), Some("max_tokens"));
    for wrong in ["dropp = []", "stream_usage = \"sometimes\"", "n_max = -1"] {
        assert!(toml::from_str::<Quirks>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn auth_is_one_of_three_forms() {
    let parse = |text: &str| Auth::try_from(text.to_owned());
    assert_eq!(parse("bearer"), Ok(Auth::Bearer));
    assert_eq!(parse("none"), Ok(Auth::None));
    assert_eq!(parse("header:api-key"), Ok(Auth::Header("api-key".to_owned())));
    for wrong in ["", "Bearer", "header:", "header", "basic"] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

/// Both files, in a dev build, within the 3 ms that a start of the program can spare. The best of several, because other
/// processes share the machine; a slow parser is slow each time.
#[test]
#[expect(clippy::print_stderr, reason = "the figure is wanted in the log of the test")]
fn parsing_takes_less_than_three_milliseconds() {
    let best = (0..20).map(|_| {
        let start = Instant::now();
        assert!(Catalog::built_in().is_ok());
        start.elapsed()
    });
    let best = best.min().unwrap();
    eprintln!("parsed both catalog files in {best:?}");
    assert!(best < Duration::from_millis(3), "{best:?}");
}

/// Rows whose recordings must come from the address of the row. Azure, Bedrock and the like have no row.
const RECORDED: [(&str, &str, &str); 15] = [
    ("anthropic", "messages", "/v1/messages"),
    ("cerebras", "chat", "/chat/completions"),
    ("crusoe", "chat", "/chat/completions"),
    ("deepseek", "chat", "/chat/completions"),
    ("groq", "chat", "/chat/completions"),
    ("huggingface", "chat", "/chat/completions"),
    ("mistral", "chat", "/chat/completions"),
    ("ollama-cloud", "chat", "/chat/completions"),
    ("openai", "chat", "/chat/completions"),
    ("openrouter", "chat", "/chat/completions"),
    ("perplexity", "chat", "/chat/completions"),
    ("together", "chat", "/chat/completions"),
    ("xai", "chat", "/chat/completions"),
    ("zai", "chat", "/chat/completions"),
    ("zai-coding", "chat", "/chat/completions"),
];

#[test]
#[expect(clippy::print_stderr, reason = "says that it was skipped")]
fn recorded_exchanges_come_from_the_rows_addresses() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let corpus = std::env::var_os("TOLLGATE_CORPUS").map_or(beside, Into::into);
    let exchanges = corpus.join("exchanges");
    if !exchanges.is_dir() {
        eprintln!("skipped: corpus absent");
        return;
    }
    let catalog = Catalog::built_in().unwrap();
    for (name, api, path) in RECORDED {
        let dialect = if api == "messages" { "anthropic" } else { "openai_chat" };
        let base = catalog.row(name).unwrap().endpoint(dialect).unwrap().base_url.clone().unwrap();
        let file = name.trim_end_matches("-coding").trim_end_matches("-cloud");
        let text = std::fs::read_to_string(exchanges.join(file).with_extension("jsonl")).unwrap();
        let hits = text.lines().filter(|line| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            let part = |key: &str| record.get(key).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
            part("api") == api && format!("https://{}{}", part("host"), part("path")) == format!("{base}{path}")
        });
        assert!(hits.count() > 0, "no recording of {name} at {base}{path}");
    }
}
