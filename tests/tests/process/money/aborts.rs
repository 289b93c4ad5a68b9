//! R-C3: callers who leave pay for what was said to them.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use tollgate_tests::rig::Plan;
use tollgate_tests::{Dialect, Rig};

use super::{ledger_of, standing};

/// Tokens of each stream, if anybody stays.
const TOKENS: u64 = 400;
/// Callers at once.
const AT_ONCE: usize = 20;

async fn rig(aborts: usize) -> Rig {
    let mut plan = Plan {
        head: "budgets: [{ name: b, amount: 100 USD, window: never }]".into(),
        ..Plan::default()
    };
    for number in 0..aborts {
        let provider = ["openai", "anthropic"][number % 2];
        // A name of its own, so that the simulator's line and the ledger's row find each other.
        let words = TOKENS + number as u64;
        plan.models +=
            &format!("  m{number}: {{ provider: {provider}, upstream_model: stream-{words}-4ms, price: {{ input: 1, output: 1 }} }}\n");
    }
    plan.models += "  probe: { provider: openai, upstream_model: echo, price: { input: 1, output: 1 } }";
    plan.start().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_c3_every_aborted_stream_is_settled_once_for_no_less_than_was_said() {
    let aborts = if std::env::var_os("TOLLGATE_TESTS_FULL").is_some() {
        1_000
    } else {
        100
    };
    let rig = rig(aborts).await;
    let mut dice = StdRng::seed_from_u64(3);
    let mut next = 0;
    while next < aborts {
        let mut running = JoinSet::new();
        for number in next..aborts.min(next + AT_ONCE) {
            let (caller, bytes) = (rig.caller.clone(), dice.random_range(0..40_000));
            let dialect = Dialect::ALL[dice.random_range(0..2)];
            running.spawn(async move {
                let ask = dialect.ask(&format!("m{number}"), "Tell me a long story.", true).to_string();
                let mut live = caller.open("POST", dialect.path(), ask.into()).await;
                let mut seen = 0;
                while seen < bytes {
                    let Some(Ok(chunk)) = live.next().await else { break };
                    seen += chunk.len();
                }
            });
        }
        running.join_all().await;
        next += AT_ONCE;
    }
    let rows = ledger_of(&rig, aborts).await;
    assert_eq!(rows.len(), aborts, "as many settlements as aborts");
    let mut by_model: BTreeMap<&str, i64> = BTreeMap::new();
    for row in &rows {
        assert!(by_model.insert(&row.model, row.totals.cost).is_none(), "{} twice", row.model);
        assert_eq!(row.ended, "posted");
    }
    let mut early = 0;
    for number in 0..aborts {
        let model = format!("stream-{}-4ms", TOKENS + number as u64);
        let lines = rig.bill(&model);
        assert_eq!(lines.len(), 1, "{lines:?}");
        let tokens = |name: &str| lines[0][name].as_i64().unwrap();
        early += usize::from(lines[0]["outcome"] == "cancelled");
        // A dollar for a million of either: a thousand nano-dollars each.
        let said = (tokens("input_tokens") + tokens("output_tokens")) * 1_000;
        let posted = by_model[format!("{}/{model}", ["openai", "anthropic"][number % 2]).as_str()];
        assert!(said <= posted, "{}: {posted} posted", lines[0]);
    }
    println!("r_c3: {early} of {aborts} cancelled early");
    assert!(aborts / 2 < early, "most of them stayed to the end");
    let sum: i64 = rows.iter().map(|row| row.totals.cost).sum();
    assert_eq!(standing(&rig.caller, "probe").await, (sum, 0));
}
