//! R-C10: the ledger's sum is the provider's bill at the price, to the nano-dollar, and every other place says the same.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use tollgate_tests::Dialect;
use tollgate_tests::rig::Plan;

use super::{ledger_of, nano, standing};

/// Models, each with counts of its own; and calls of each.
const MODELS: usize = 40;
const CALLS: usize = 6;
/// Pico-dollars for a token in, one of those that were cached, and one out: 0.15, 0.0375 and 0.61 dollars a million.
const PRICES: (i64, i64, i64) = (150_000, 37_500, 610_000);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_c10_the_ledger_is_the_bill_to_the_nano_dollar() {
    let mut dice = StdRng::seed_from_u64(10);
    let mut plan = Plan {
        head: "budgets: [{ name: b, amount: 100 USD, window: month }]".into(),
        ..Plan::default()
    };
    let mut names = Vec::new();
    for number in 0..MODELS {
        let input = dice.random_range(1..90_000);
        let name = format!("usage-{input}-{}-{}", dice.random_range(1..3_000), dice.random_range(0..=input));
        let provider = ["openai", "anthropic"][number % 2];
        plan.models += &format!(
            "  m{number}: {{ provider: {provider}, upstream_model: {name}, price: {{ input: 0.15, output: 0.61, cache_read: 0.0375 }} }}\n"
        );
        names.push(name);
    }
    let rig = plan.start().await;
    let mut told = Vec::new();
    for _ in 0..CALLS {
        let mut running = JoinSet::new();
        for number in 0..MODELS {
            let (caller, dialect, stream) = (rig.caller.clone(), Dialect::ALL[dice.random_range(0..2)], dice.random_bool(0.5));
            running.spawn(async move { caller.ask(dialect, &format!("m{number}"), stream).await });
        }
        told.extend(running.join_all().await);
    }
    let (input, cached, output) = PRICES;
    let by_hand: i64 = names
        .iter()
        .flat_map(|name| rig.bill(name))
        .map(|line| {
            let tokens = |what: &str| line[what].as_i64().unwrap();
            let (all, read) = (tokens("input_tokens"), tokens("cached_tokens"));
            let picos = (all - read) * input + read * cached + tokens("output_tokens") * output;
            (picos + 999) / 1_000 // rounded up, once for each call
        })
        .sum();
    let rows = ledger_of(&rig, MODELS * CALLS).await;
    assert_eq!(rows.len(), MODELS * CALLS);
    assert_eq!(rows.iter().map(|row| row.totals.cost).sum::<i64>(), by_hand);
    assert_eq!(standing(&rig.caller, "m0").await, (by_hand, 0));
    let mut recorded = 0;
    for answer in &told {
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        recorded += rig.gateway.record(answer.id()).await["cost_usd"].as_str().map_or(0, nano);
    }
    assert_eq!(recorded, by_hand);
    println!("r_c10: {} calls, {by_hand} nano-dollars", told.len());
}
