//! Spend, ledger rows and alerts, of money that was spent.

use tollgate_policy::ledger::{AccountId, Charge, Ended, Entry, Opened, Party, Posting, Settlement, UsageSource};
use tollgate_policy::money::NanoUsd;
use tollgate_store::database::ledger::{Ledger, Position, Watch};
use tollgate_wire::usage::Usage;

use super::*;

/// 2026-11-20T13:00:00Z.
const START_MS: u64 = 1_795_179_600_000;
const HOUR_MS: u64 = 3_600_000;

fn settlement(request: &str, at_ms: u64, team: &str, cost: i64) -> Entry {
    let party = Party {
        team: team.into(),
        user: None,
        key: None,
        feature: Some("chat".into()),
        route: "main".into(),
    };
    let usage = Usage {
        input: 100,
        output: 20,
        ..Usage::default()
    };
    Entry::Settlement(Settlement {
        request: request.into(),
        at_ms,
        party,
        ended: Ended::Posted,
        postings: vec![Posting {
            attempt: 1,
            provider: "acme".into(),
            model: "acme/large".into(),
            usage,
            source: UsageSource::Provider,
            cost: NanoUsd(cost),
            price_version: "p1".into(),
        }],
        charges: vec![Charge {
            account: AccountId(7),
            window: 0,
            amount: cost,
        }],
        overrun: false,
        late: false,
    })
}

/// Two teams that spent, and a budget that was passed.
async fn spent(stage: &Stage) {
    let opened = Entry::Opened(Opened {
        account: AccountId(7),
        rule: "all".into(),
        scope: vec![("team".into(), "red".into())],
    });
    let entries = [
        opened,
        settlement("r1", START_MS, "red", 1_500_000_000),
        settlement("r2", START_MS + HOUR_MS, "red", 1),
        settlement("r3", START_MS, "blue", 250_000_000),
    ];
    let batch: Vec<_> = entries.into_iter().zip(1..).map(|(entry, at)| (Position(0, at), entry)).collect();
    let watch = |_: &Opened, _: i64| {
        Some(Watch {
            limit: 1_000_000_000,
            percents: vec![100],
            rolling_s: None,
        })
    };
    stage.control.database.apply("here", &batch, &watch).await.unwrap();
}

#[tokio::test]
async fn spend_is_split_cut_and_filtered_and_teams_see_their_own() {
    let stage = Stage::new("spent").await;
    spent(&stage).await;
    let owner = stage.local();
    let day = "from=2026-11-20&to=2026-11-21";
    let by_team = stage.done(&owner, &format!("GET /admin/v1/spend?by=team&{day}"), Value::Null).await;
    let costs = |answer: &Value| -> Vec<(String, i64)> {
        let line = |line: &Value| (line["team"].as_str().unwrap().to_owned(), line["cost"].as_i64().unwrap());
        answer["data"].as_array().unwrap().iter().map(line).collect()
    };
    assert_eq!(costs(&by_team), [("blue".into(), 250_000_000), ("red".into(), 1_500_000_001)]);
    assert_eq!(
        (&by_team["total"]["cost_usd"], &by_team["total"]["requests"]),
        (&json!("1.750000001"), &json!(3))
    );
    let hours = stage
        .done(
            &owner,
            &format!("GET /admin/v1/spend?by=team&interval=hour&team=red&{day}"),
            Value::Null,
        )
        .await;
    let at: Vec<&Value> = hours["data"].as_array().unwrap().iter().map(|line| &line["at_ms"]).collect();
    assert_eq!(at, [&json!(START_MS), &json!(START_MS + HOUR_MS)]);
    let red = stage.token(Role::TeamAdmin, Some("red")).await;
    for query in ["by=team", "by=team&team=red", "by=team,model&interval=day"] {
        let own = stage.done(&red, &format!("GET /admin/v1/spend?{query}&{day}"), Value::Null).await;
        assert_eq!(costs(&own), [("red".into(), 1_500_000_001)], "{query}");
    }
    for query in ["team=blue", "team=red,blue"] {
        let got = stage.ask(&red, &format!("GET /admin/v1/spend?{query}&{day}"), Value::Null).await;
        assert_eq!(got.code(), (403, "other_team"), "{query}");
    }
}

#[tokio::test]
async fn rows_of_the_ledger_come_in_pages_and_are_verified() {
    let stage = Stage::new("rows").await;
    spent(&stage).await;
    let owner = stage.local();
    let (mut requests, mut after) = (Vec::new(), String::new());
    loop {
        let page = stage
            .done(&owner, &format!("GET /admin/v1/ledger?limit=2&after={after}"), Value::Null)
            .await;
        requests.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["request"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(requests, ["r3", "r2", "r1"]);
    let one = stage.done(&owner, "GET /admin/v1/ledger?request=r1", Value::Null).await;
    assert_eq!(
        (one["data"].as_array().unwrap().len(), &one["data"][0]["cost"]),
        (1, &json!(1_500_000_000))
    );
    let verified = stage.done(&owner, "POST /admin/v1/ledger/verify", Value::Null).await;
    assert_eq!(verified, json!({"valid": true, "checked": 3, "flaw": null}));
    let alerts = stage.done(&owner, "GET /admin/v1/alerts", Value::Null).await;
    let alert = &alerts["data"][0];
    assert_eq!(
        (&alert["budget"], &alert["scope"], &alert["percent"]),
        (&json!("all"), &json!({"team": "red"}), &json!(100))
    );
}
