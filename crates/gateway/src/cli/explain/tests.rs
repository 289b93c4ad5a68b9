//! The command without a gateway, against a config file; and with one.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::admin::Admin;
use crate::admin::tests::Stage;

const CONFIG: &str = "
providers:
  lab: { base_url: \"http://127.0.0.1:1/v1\", dialect: openai_chat, auth: none }
  den: { base_url: \"http://127.0.0.1:1\", dialect: anthropic, auth: none }
models:
  large: { provider: lab, upstream_model: llama-70b, price: { input: 2.5, output: 10 } }
  small: { provider: lab, upstream_model: llama-8b, price: { input: 0.05, output: 0.08 } }
  ghost: { provider: den, upstream_model: ghost }
routes:
  chat:
    purpose: tests
    owner: tests
    strategy: weighted
    targets: [{ model: large, weight: 90 }, { model: small, weight: 10 }]
    fallbacks: [ghost]
limits:
  - { name: fair use, per: [user], requests: 1000/hour }
  - { name: triage, when: 'task == \"triage\"', requests: 10/hour }
budgets:
  - { name: team month, per: [team], amount: 20 USD, window: month }
teams:
  support: { routes: [chat], models: [] }
keys:
  - { name: backend, team: support, user: ada, secret: env:TOLLGATE_TEST_KEY_OF_NOBODY }
";

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: ExplainArguments,
}

fn parsed(words: &[&str]) -> ExplainArguments {
    Line::try_parse_from(std::iter::once("explain").chain(words.iter().copied()))
        .unwrap()
        .arguments
}

/// A config file of this test's own, and a request beside it.
fn files(name: &str) -> (PathBuf, PathBuf) {
    let folder = std::env::temp_dir().join(format!("tollgate-cli-explain-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    // Nobody calls with it: its key is not resolved here.
    let config = CONFIG.replace("env:TOLLGATE_TEST_KEY_OF_NOBODY", "file:key");
    std::fs::write(folder.join("key"), "a-key-of-backend-01").unwrap();
    std::fs::write(folder.join("tollgate.yaml"), config).unwrap();
    let request =
        json!({ "model": "chat", "max_tokens": 100, "messages": [{ "role": "user", "content": "Hello" }], "logit_bias": { "1": 2 } });
    std::fs::write(folder.join("request.json"), request.to_string()).unwrap();
    (folder.join("tollgate.yaml"), folder.join("request.json"))
}

/// What is printed, with trailing blanks cut and the config's revision and folder hidden.
async fn check(name: &str, words: &[&str], expected: &Expect) {
    let (config, request) = files(name);
    let paths = [config.to_str().unwrap(), request.to_str().unwrap()];
    let mut all = vec!["--config", paths[0]];
    all.extend(words.iter().map(|word| if *word == "REQUEST" { paths[1] } else { word }));
    let text = text(&parsed(&all)).await.unwrap_or_else(|refused| format!("error: {refused}\n"));
    let folder = config.parent().unwrap();
    let shown: String = text
        .replace(&folder.display().to_string(), "FOLDER")
        .lines()
        .map(|line| {
            let line = line.trim_end();
            let cut = line.find(", config ").map_or(line, |at| line.get(..at).unwrap());
            format!("{cut}\n")
        })
        .collect();
    expected.assert_eq(&shown);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_person_sees_who_answers_why_and_what_is_left() {
    check(
        "person",
        &[
            "--route",
            "chat",
            "--as",
            "team=support,user=ada",
            "--header",
            "x-tollgate-task: triage",
        ],
        &expect![[r#"
            chat for team support, user ada (openai_chat
            → lab/llama-70b

             #  model          role               USD                      why
             1  lab/llama-70b  target, weight 90  0.000265 to 0.041225     weighted
             2  lab/llama-8b   target, weight 10  0.0000053 to 0.00033298  stands by
             -  den/ghost      fallback                                    unpriced

            first by dice: 90 % lab/llama-70b, 10 % lab/llama-8b

             limit or budget  left   of     unit      whose         when
             fair use         1000   1000   requests  user=ada
             triage           10     10     requests                task == "triage"
             team month       20.00  20.00  usd       team=support

            holds 106 tokens of input, 4096 of output, 0.041225 USD
            note: from FOLDER/tollgate.yaml alone: what the admin API keeps, what is spent, and how providers do is not known
        "#]],
    )
    .await;
}

#[tokio::test]
async fn with_an_id_the_dice_fall_as_they_do_for_it() {
    // The two falls of a ten-sided die that tell the two apart.
    check(
        "seed-large",
        &["REQUEST", "--key", "backend", "--request-id", "0000000000000000"],
        &expect![[r#"
            as 0000000000000000: chat for team support, user ada, key backend (openai_chat
            → lab/llama-70b

             #  model          role               USD                     why
             1  lab/llama-70b  target, weight 90  0.000305 to 0.001305    weighted
             2  lab/llama-8b   target, weight 10  0.0000061 to 0.0000141  stands by
             -  den/ghost      fallback                                   unpriced

             limit or budget  left   of     unit      whose         when
             fair use         1000   1000   requests  user=ada
             team month       20.00  20.00  usd       team=support

            holds 122 tokens of input, 100 of output, 0.001305 USD
            note: from FOLDER/tollgate.yaml alone: what the admin API keeps, what is spent, and how providers do is not known
        "#]],
    )
    .await;
    check(
        "seed-small",
        &["REQUEST", "--key", "a-key-of-backend-01", "--seed", "0000000000000017"],
        &expect![[r#"
            as 0000000000000017: chat for team support, user ada, key backend (openai_chat
            → lab/llama-8b

             #  model          role               USD                     why
             1  lab/llama-8b   target, weight 10  0.0000061 to 0.0000141  weighted
             2  lab/llama-70b  target, weight 90  0.000305 to 0.001305    stands by
             -  den/ghost      fallback                                   unpriced

             limit or budget  left   of     unit      whose         when
             fair use         1000   1000   requests  user=ada
             team month       20.00  20.00  usd       team=support

            holds 122 tokens of input, 100 of output, 0.001305 USD
            note: from FOLDER/tollgate.yaml alone: what the admin API keeps, what is spent, and how providers do is not known
        "#]],
    )
    .await;
}

#[tokio::test]
async fn refusals_and_mistakes_are_told_with_their_remedy() {
    check(
        "refused",
        &["--route", "large", "--key", "backend"],
        &expect![[r#"
        large for team support, user ada, key backend (openai_chat
        → refused, model_not_allowed: the key "backend" may not call "large"; ask its team's owner to allow it
        note: from FOLDER/tollgate.yaml alone: what the admin API keeps, what is spent, and how providers do is not known
    "#]],
    )
    .await;
    check(
        "nobody",
        &["--route", "large", "--key", "nobody"],
        &expect![[r#"
        error: as.key: there is no key "nobody"; list them to see which there are
    "#]],
    )
    .await;
    check(
        "list",
        &["--route", "chat", "--as", "colour=red"],
        &expect![[r#"
        error: --as does not know "colour"; known are team, user, feature, key and tag.NAME
    "#]],
    )
    .await;
    check(
        "header",
        &["--route", "chat", "--header", "x"],
        &expect![[r#"
        error: --header x is no header; write "NAME: VALUE"
    "#]],
    )
    .await;
    check(
        "seed",
        &["--route", "chat", "--request-id", "7"],
        &expect![[r#"
        error: --request-id is no request id, and no seed of 16 hex digits; take it from x-request-id
    "#]],
    )
    .await;
    check(
        "nothing",
        &[],
        &expect![[r#"
        error: nothing is asked; name a REQUEST.json, - for stdin, a past request's id, or a --route
    "#]],
    )
    .await;
    check(
        "file",
        &["nowhere.json"],
        &expect![[r#"
        error: nowhere.json cannot be read: No such file or directory (os error 2)
    "#]],
    )
    .await;
}

#[tokio::test]
async fn json_is_the_same_document_as_the_apis() {
    let (config, request) = files("json");
    let words = [
        request.to_str().unwrap(),
        "--config",
        config.to_str().unwrap(),
        "--json",
        "--as",
        "team=support",
    ];
    let printed: Value = serde_json::from_str(&text(&parsed(&words)).await.unwrap()).unwrap();
    crate::admin::tests::valid(&json!({ "$ref": "#/components/schemas/Explanation" }), &printed);
    assert_eq!(printed["shares"][0], json!({ "model": "lab/llama-70b", "percent": 90.0 }));
    assert_eq!(serde_json::to_value(read(printed.clone()).unwrap()).unwrap(), printed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_runs_is_asked_and_is_not_given_the_secret() {
    let stage = Stage::new("cli-explain").await;
    let listener = crate::server::listen(std::net::SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let admin = Admin::start(listener, Arc::clone(&stage.telemetry), Some(Arc::clone(&stage.control))).unwrap();
    let (url, data) = (format!("http://{}", admin.address), stage.folder.display().to_string());
    let key = tollgate_policy::key::make([1; 9], [2; 32]);
    let words = ["--admin", &url, "--data", &data, "--json", "--route", "chat", "--key", &key];
    let printed = text(&parsed(&words)).await.unwrap();
    let told: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(told["caller"]["key"].as_str().unwrap(), key.get(6..18).unwrap());
    assert!(
        !printed.contains(&key) && told["asked"].as_str().unwrap().contains("\"model\":\"chat\""),
        "{printed}"
    );
    let past = text(&parsed(&["--admin", &url, "--data", &data, "req_1"])).await.unwrap();
    assert!(past.contains("nobody was asked"), "{past}");
    let gone = text(&parsed(&["--admin", "http://127.0.0.1:1", "--data", &data, "req_1"]))
        .await
        .unwrap_err();
    assert!(gone.contains("no gateway answers"), "{gone}");
}
