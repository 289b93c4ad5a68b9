//! The simulator is not stricter than the vendors: what they accepted on record is accepted here.
//! Signed thinking is the exception: signatures of the real vendor are not ours.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{ANTHROPIC, OPENAI, mock, post};

/// Refusals that are right: foreign signatures, and one recording whose tool result answers another call.
const RIGHT: [&str; 3] = [
    "Invalid `signature` in `thinking`",
    "Invalid `data` in `redacted_thinking`",
    "toolu_01DYJo37oETVsCdLTTcCWcdq",
];

fn corpus() -> Option<PathBuf> {
    let named = std::env::var_os("TOLLGATE_CORPUS").map(PathBuf::from);
    let beside = || {
        Some(
            std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                .ancestors()
                .nth(3)?
                .join("shared/corpus"),
        )
    };
    named.or_else(beside).filter(|folder| folder.is_dir())
}

#[tokio::test]
async fn recorded_requests_are_accepted() {
    let Some(corpus) = corpus() else {
        println!("skipped: corpus absent");
        return;
    };
    let mock = mock().await;
    for (provider, api, path) in [
        ("openai", "chat", OPENAI),
        ("azure", "chat", OPENAI),
        ("anthropic", "messages", ANTHROPIC),
    ] {
        let (mut tried, mut accepted) = (0, 0);
        for line in std::fs::read_to_string(corpus.join(format!("exchanges/{provider}.jsonl")))
            .unwrap()
            .lines()
        {
            let mut record: Value = serde_json::from_str(line).unwrap();
            if record["api"] != api || record["status"] != 200 || !record["request_body"].is_object() {
                continue;
            }
            record["request_body"]["model"] = "lorem-3".into();
            let got = post(&mock, path, &record["request_body"]).await.unwrap();
            tried += 1;
            accepted += usize::from(got.status == 200);
            let refused_rightly = RIGHT.iter().any(|right| got.text().contains(right));
            assert!(got.status == 200 || refused_rightly, "{}: {}", record["id"], got.text());
        }
        println!("{provider}: {accepted} of {tried} recorded requests accepted");
        assert!(tried < accepted * 11 / 10, "{provider}: {accepted} of {tried}");
    }
}
