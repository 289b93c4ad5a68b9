//! R-C1: many at once, and one budget.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tollgate_tests::gate::Gate;
use tollgate_tests::rig::Plan;
use tollgate_tests::{Dialect, Rig};

use super::{USD, code, ledger_of, nano, standing};

/// Who calls at once.
const CALLERS: usize = 2_000;
/// What one budget pays for.
const PAID_FOR: usize = 100;
/// Callers that have a connection open at once before they send.
const PENDING_WITHIN: Duration = Duration::from_secs(5);

async fn rig(gate: &Gate) -> Rig {
    Plan {
        head: "budgets: [{ name: dollar, amount: 1 USD, window: never }]".into(),
        providers: format!(
            "  gate: {{ base_url: \"http://{}/v1\", dialect: openai_chat, auth: none }}\n",
            gate.address
        ),
        // A cent each, whatever is said: reserved and posted alike.
        models: "  cent: { provider: gate, upstream_model: m, price: { input: 0, output: 0, requests: 10000 } }\n  \
                 dear: { provider: gate, upstream_model: n, price: { input: 1, output: 1 } }"
            .into(),
        routes: "  cents: { targets: [{ model: cent }], timeouts: { first_byte: 60s } }".into(),
        ..Plan::default()
    }
    .start()
    .await
}

/// One round. `patient`: the provider answers nobody until everybody is admitted or refused.
async fn race(seed: u64, patient: bool) {
    let gate = Gate::start().await;
    let rig = rig(&gate).await;
    let mut dice = StdRng::seed_from_u64(seed);
    let refused = Arc::new(AtomicUsize::new(0));
    let together = Arc::new(Barrier::new(CALLERS));
    let mut calls = JoinSet::new();
    for _ in 0..CALLERS {
        let dialect = Dialect::ALL[dice.random_range(0..2)];
        let (stream, pause) = (dice.random_bool(0.5), dice.random_range(0..if patient { 20 } else { 500 }));
        let (caller, refused, together) = (rig.caller.clone(), Arc::clone(&refused), Arc::clone(&together));
        calls.spawn(async move {
            together.wait().await;
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let answer = caller.ask(dialect, "cents", stream).await;
            if answer.status != 200 {
                refused.fetch_add(1, Ordering::SeqCst);
            }
            (dialect, answer)
        });
    }
    let began = Instant::now();
    let early = if patient {
        CALLERS - PAID_FOR
    } else {
        dice.random_range(0..CALLERS / 10)
    };
    while refused.load(Ordering::SeqCst) < early {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{} refused, {} at the provider",
            refused.load(Ordering::SeqCst),
            gate.seen()
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    gate.open();
    let mut said: BTreeMap<(u16, String), usize> = BTreeMap::new();
    let mut cost = 0;
    while let Some(done) = calls.join_next().await {
        let (dialect, answer) = done.unwrap();
        if answer.status == 200 {
            cost += nano(answer.header("x-tollgate-cost-usd"));
            *said.entry((200, String::new())).or_default() += 1;
        } else {
            *said.entry((answer.status, code(dialect, &answer))).or_default() += 1;
        }
    }
    println!("r_c1 seed {seed}: {said:?} in {:?}", began.elapsed());
    let ended = Instant::now();
    let of = |status: u16, code: &str| said.get(&(status, code.to_owned())).copied().unwrap_or(0);
    assert_eq!(of(200, ""), PAID_FOR, "{said:?}");
    assert_eq!(
        of(429, "budget_reserved") + of(402, "budget_exceeded"),
        CALLERS - PAID_FOR,
        "{said:?}"
    );
    assert!(
        !patient || of(402, "budget_exceeded") == 0,
        "refused for good while nothing was spent: {said:?}"
    );
    assert_eq!(
        (gate.seen(), cost),
        (PAID_FOR, USD),
        "what the provider served, and what callers were told"
    );
    assert_eq!(standing(&rig.caller, "dear").await, (USD, 0));
    assert!(ended.elapsed() < PENDING_WITHIN);
    let rows = ledger_of(&rig, PAID_FOR).await;
    let posted: i64 = rows.iter().map(|row| row.totals.cost).sum();
    assert_eq!((rows.len(), posted), (PAID_FOR, USD));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_c1_one_dollar_pays_for_exactly_a_hundred_of_two_thousand_at_once() {
    let all = std::env::var_os("TOLLGATE_TESTS_FULL").is_some();
    for seed in 0..if all { 50 } else { 3 } {
        race(seed, seed % 2 == 0).await;
    }
}
