//! What outlives the process: holds that a kill left open, and rates. And what an edit of the config changes while calls are open.

use std::time::{Duration, Instant};

use tollgate_tests::gate::Gate;
use tollgate_tests::gateway::Folder;
use tollgate_tests::rig::Plan;
use tollgate_tests::{Dialect, Rig};

use super::{USD, code, ledger_of, nano, standing};

fn plan(gate: &Gate, rules: &str) -> Plan {
    Plan {
        head: format!("{rules}\nspending: {{ allow_unpriced: true }}"),
        providers: format!(
            "  gate: {{ base_url: \"http://{}/v1\", dialect: openai_chat, auth: none }}\n",
            gate.address
        ),
        models: "  cent: { provider: gate, upstream_model: m, price: { input: 0, output: 0, requests: 10000 } }\n  \
                 probe: { provider: gate, upstream_model: n, price: { input: 1, output: 1 } }"
            .into(),
        ..Plan::default()
    }
}

/// Sends so many calls that the provider does not answer.
async fn hang(rig: &Rig, gate: &Gate, calls: usize) -> tokio::task::JoinSet<u16> {
    let mut running = tokio::task::JoinSet::new();
    let before = gate.seen();
    for number in 0..calls {
        let (caller, dialect) = (rig.caller.clone(), Dialect::ALL[number % 2]);
        running.spawn(async move {
            let body = dialect.ask("cent", "x", number % 3 == 0).to_string();
            caller
                .try_open("POST", dialect.path(), body.into())
                .await
                .map_or(0, |live| live.status)
        });
    }
    while gate.seen() < before + calls {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_what_was_held_is_posted_and_nothing_is_held() {
    for durability in ["process", "power"] {
        let folder = Folder::new();
        let gate = Gate::start().await;
        let mut plan = plan(
            &gate,
            &format!("budgets: [{{ name: b, amount: 1 USD, window: month }}]\nledger: {{ durability: {durability} }}"),
        );
        plan.settings.data = Some(folder.path().to_owned());
        let rig = plan.start().await;
        let running = hang(&rig, &gate, 7).await;
        assert_eq!(standing(&rig.caller, "probe").await, (0, nano("0.07")));
        let Rig { gateway, .. } = rig;
        drop(gateway); // SIGKILL
        assert_eq!(running.join_all().await, [0; 7], "nobody was answered");
        gate.open();
        let rig = plan.start().await;
        assert_eq!(standing(&rig.caller, "probe").await, (nano("0.07"), 0), "{durability}");
        assert_eq!(rig.caller.ask(Dialect::OpenAi, "cent", false).await.status, 200);
        let mut rows = Vec::new();
        let began = Instant::now();
        while rows.len() < 8 && began.elapsed() < Duration::from_secs(5) {
            rows = tollgate_tests::ledger::rows(folder.path()).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let ended = |word: &str| rows.iter().filter(|row| row.ended == word).count();
        assert_eq!((ended("crashed"), ended("posted")), (7, 1), "{rows:?}");
        assert!(
            rows.iter()
                .filter(|row| row.ended == "crashed")
                .all(|row| row.source == "reservation")
        );
        assert_eq!(rows.iter().map(|row| row.totals.cost).sum::<i64>(), nano("0.08"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_while_calls_are_open_keeps_what_they_hold_and_applies_at_once() {
    let gate = Gate::start().await;
    let plan = plan(&gate, "budgets: [{ name: b, amount: 1 USD, window: month }]");
    let rig = plan.start().await;
    let running = hang(&rig, &gate, 5).await;
    let lowered = plan.config(rig.mock.addr()).replace("amount: 1 USD", "amount: 0.06 USD");
    let before = rig
        .caller
        .ask(Dialect::OpenAi, "nothing", false)
        .await
        .header("x-tollgate-config")
        .to_owned();
    rig.gateway.edit(&lowered);
    while rig.caller.ask(Dialect::OpenAi, "nothing", false).await.header("x-tollgate-config") == before {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(standing(&rig.caller, "probe").await, (0, nano("0.05")));
    let mut more = hang(&rig, &gate, 1).await;
    let refused = rig.caller.ask(Dialect::OpenAi, "cent", false).await;
    assert_eq!((refused.status, code(Dialect::OpenAi, &refused).as_str()), (429, "budget_reserved"));
    gate.open();
    assert_eq!(running.join_all().await, [200; 5]);
    assert_eq!(more.join_next().await.unwrap().unwrap(), 200);
    let refused = rig.caller.ask(Dialect::OpenAi, "cent", false).await;
    assert_eq!((refused.status, code(Dialect::OpenAi, &refused).as_str()), (402, "budget_exceeded"));
    assert_eq!(standing(&rig.caller, "probe").await, (nano("0.06"), 0));
    let rows = ledger_of(&rig, 6).await;
    assert!(rows.len() == 6 && rows.iter().map(|row| row.totals.cost).sum::<i64>() < USD);
}
