//! Waiting in a limit's queue (GOVERNANCE section 6): served when room comes, in turn by team, gone when the caller is, and not for ever.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tollgate_tests::gate::Gate;
use tollgate_tests::rig::{CALLER_KEY, Plan};
use tollgate_tests::{Caller, Dialect, Rig};

use super::code;

const OTHER: &str = "key-of-the-other-team";

async fn rig(gate: &Gate, rules: &str) -> Rig {
    let mut plan = Plan {
        head: format!("{rules}\nspending: {{ allow_unpriced: true }}"),
        providers: format!(
            "  gate: {{ base_url: \"http://{}/v1\", dialect: openai_chat, auth: none }}\n",
            gate.address
        ),
        teams: "  other: { routes: [\"*\"], models: [\"*\"] }".into(),
        keys: "  - { name: o, team: other, secret: env:KEY_O }".into(),
        ..Plan::default()
    };
    plan.settings.env.push(("KEY_O".into(), OTHER.into()));
    plan.start().await
}

async fn reach(gate: &Gate, seen: usize) {
    while gate.seen() < seen {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_waits_and_is_served_when_room_comes() {
    let gate = Gate::start().await;
    let rig = rig(&gate, "limits: [{ name: l, concurrent: 1, on_exceed: { queue: 20s } }]").await;
    let mut running = JoinSet::new();
    for number in 0..6 {
        let caller = rig.caller.clone();
        running.spawn(async move { caller.ask(Dialect::ALL[number % 2], "gate/m", number % 3 == 0).await });
    }
    reach(&gate, 1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(gate.seen(), 1, "one at a time");
    gate.open();
    let mut waited = 0;
    for answer in running.join_all().await {
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let record = rig.gateway.record(answer.id()).await;
        let told = answer.header("x-tollgate-queued-ms").parse::<f64>().ok();
        assert_eq!(record["queued_ms"].as_f64(), told, "{record}");
        waited += usize::from(told.is_some_and(|ms| ms >= 100.0));
        // Waiting is not our work.
        assert!(record["overhead_ms"].as_f64().unwrap() < 100.0, "{record}");
    }
    assert_eq!((gate.seen(), waited), (6, 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_of_requests_and_of_tokens_is_waited_for_too() {
    let gate = Gate::start().await;
    gate.open();
    for rule in ["requests: 2/second", "output_tokens: 5000/second"] {
        let rig = rig(&gate, &format!("limits: [{{ name: l, {rule}, on_exceed: {{ queue: 20s }} }}]")).await;
        let mut running = JoinSet::new();
        for _ in 0..5 {
            let caller = rig.caller.clone();
            running.spawn(async move { caller.ask(Dialect::OpenAi, "gate/m", false).await.status });
        }
        assert_eq!(running.join_all().await, [200; 5], "{rule}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_something_else_by_now_keeps_nobody_from_what_is_free() {
    let gate = Gate::start().await;
    let everybody = "{ name: everybody, requests: 1/second, on_exceed: { queue: 20s } }";
    let each = "{ name: each, per: [team], concurrent: 1, on_exceed: { queue: 20s } }";
    let rig = rig(&gate, &format!("limits: [{everybody}, {each}]")).await;
    let other = Caller::new(rig.gateway.address, OTHER);
    let mut running = JoinSet::new();
    let ask = |caller: &Caller| {
        let caller = caller.clone();
        async move { caller.ask(Dialect::OpenAi, "gate/m", false).await.status }
    };
    running.spawn(ask(&rig.caller));
    reach(&gate, 1).await;
    // The second waits for the rate first, and then for its team's first one, which does not end.
    running.spawn(ask(&rig.caller));
    tokio::time::sleep(Duration::from_millis(200)).await;
    running.spawn(ask(&other));
    let served = tokio::time::timeout(Duration::from_secs(10), reach(&gate, 2)).await;
    assert!(served.is_ok(), "the other team waits behind a call that could not go on anyway");
    gate.open();
    assert_eq!(running.join_all().await, [200; 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_too_long_is_told_so() {
    let gate = Gate::start().await;
    let rig = rig(&gate, "limits: [{ name: l, concurrent: 1, on_exceed: { queue: 200ms } }]").await;
    let first = rig.caller.clone();
    let first = tokio::spawn(async move { first.ask(Dialect::OpenAi, "gate/m", false).await.status });
    reach(&gate, 1).await;
    for caller in Dialect::ALL {
        let answer = rig.caller.ask(caller, "gate/m", true).await;
        assert_eq!(
            (answer.status, code(caller, &answer).as_str()),
            (429, "queue_timeout"),
            "{:?}",
            answer.body
        );
        assert_eq!(
            (answer.header("x-should-retry"), answer.header("retry-after").is_empty()),
            ("true", false)
        );
        assert!(Duration::from_millis(200) <= answer.took);
        assert_eq!(answer.json()["error"]["details"]["rule"], "l");
    }
    gate.open();
    assert_eq!(first.await.unwrap(), 200);
    assert_eq!(gate.seen(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_is_not_waited_for() {
    let gate = Gate::start().await;
    let rig = rig(&gate, "limits: [{ name: l, concurrent: 1, on_exceed: { queue: 20s } }]").await;
    let ask = || {
        let caller = rig.caller.clone();
        tokio::spawn(async move { caller.ask(Dialect::OpenAi, "gate/m", false).await.status })
    };
    let first = ask();
    reach(&gate, 1).await;
    let leaves = ask();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let last = ask();
    tokio::time::sleep(Duration::from_millis(100)).await;
    leaves.abort();
    tokio::time::sleep(Duration::from_millis(100)).await;
    gate.open();
    assert_eq!((first.await.unwrap(), last.await.unwrap()), (200, 200));
    assert_eq!(gate.seen(), 2, "the call of one who had left was sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn teams_take_turns() {
    let gate = Gate::start().await;
    let rig = rig(&gate, "limits: [{ name: l, concurrent: 1, on_exceed: { queue: 20s } }]").await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut running = JoinSet::new();
    // One that runs, four of the same team behind it, and one of another team behind those.
    for (team, key) in [
        ("a", CALLER_KEY),
        ("a", CALLER_KEY),
        ("a", CALLER_KEY),
        ("a", CALLER_KEY),
        ("a", CALLER_KEY),
        ("b", OTHER),
    ] {
        let (caller, order) = (Caller::new(rig.gateway.address, key), Arc::clone(&order));
        running.spawn(async move {
            let status = caller.ask(Dialect::OpenAi, "gate/m", false).await.status;
            order.lock().unwrap().push(team);
            status
        });
        reach(&gate, 1).await;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    gate.open();
    assert_eq!(running.join_all().await, [200; 6]);
    let order = order.lock().unwrap().clone();
    let place = order.iter().position(|team| *team == "b").unwrap();
    assert!(place <= 3, "{order:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_limit_and_then_has_no_money_is_told_at_once() {
    for measure in ["concurrent: 1", "output_tokens: 4000/second"] {
        let gate = Gate::start().await;
        let plan = Plan {
            head: format!(
                "limits: [{{ name: l, {measure}, on_exceed: {{ queue: 20s }} }}]\n\
                 budgets: [{{ name: b, amount: 0.01 USD, window: never }}]\nspending: {{ allow_unpriced: true }}"
            ),
            providers: format!(
                "  gate: {{ base_url: \"http://{}/v1\", dialect: openai_chat, auth: none }}\n",
                gate.address
            ),
            models: "  cent: { provider: gate, upstream_model: m, price: { input: 0, output: 0, requests: 10000 } }".into(),
            ..Plan::default()
        };
        let rig = plan.start().await;
        let ask = || {
            let caller = rig.caller.clone();
            tokio::spawn(async move { caller.ask(Dialect::OpenAi, "cent", false).await })
        };
        let first = ask();
        reach(&gate, 1).await;
        let second = ask();
        tokio::time::sleep(Duration::from_millis(100)).await;
        gate.open();
        assert_eq!(first.await.unwrap().status, 200);
        let second = second.await.unwrap();
        let said = (second.status, code(Dialect::OpenAi, &second));
        assert_eq!(said, (402, "budget_exceeded".to_owned()), "{measure}");
        assert!(!second.header("x-tollgate-queued-ms").is_empty(), "{measure}: {:?}", second.headers);
        assert!(second.took < Duration::from_secs(10), "{:?}", second.took);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_later_does_not_overtake_who_waits() {
    let gate = Gate::start().await;
    let rig = rig(&gate, "limits: [{ name: l, concurrent: 1, on_exceed: { queue: 20s } }]").await;
    let mut late = JoinSet::new();
    let waiting = {
        let caller = rig.caller.clone();
        let first = rig.caller.clone();
        late.spawn(async move { first.ask(Dialect::OpenAi, "gate/m", false).await.status });
        reach(&gate, 1).await;
        tokio::spawn(async move { caller.ask(Dialect::OpenAi, "gate/m", false).await.status })
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    gate.open();
    // A crowd that asks again and again.
    let done = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    for _ in 0..8 {
        let (caller, done) = (Caller::new(rig.gateway.address, OTHER), Arc::clone(&done));
        late.spawn(async move {
            for _ in 0..10 {
                assert_eq!(caller.ask(Dialect::OpenAi, "gate/m", false).await.status, 200);
                done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            200
        });
    }
    assert_eq!(waiting.await.unwrap(), 200);
    let before = done.load(std::sync::atomic::Ordering::SeqCst);
    late.join_all().await;
    println!("overtaken by {before} of 80");
    assert!(before < 8, "{before} of 80 came later and were served before it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_alone_makes_room_for_who_waits() {
    for rule in ["output_tokens: 300/second", "tokens: 500/second", "requests: 1/second"] {
        let rig = Plan {
            head: format!(
                "limits: [{{ name: l, per: [model], {rule}, on_exceed: {{ queue: 8s }} }}]\nspending: {{ allow_unpriced: true }}"
            ),
            ..Plan::default()
        }
        .start()
        .await;
        for number in 0..3 {
            let caller = Dialect::ALL[number % 2];
            let mut ask = caller.ask("openai/usage-100-200", "x", false);
            ask["max_tokens"] = serde_json::json!(150);
            let answer = rig.caller.post(caller.path(), &ask).await;
            assert_eq!(answer.status, 200, "{rule} {number}: {:?}", answer.body);
            assert_eq!(answer.header("x-tollgate-queued-ms").is_empty(), number == 0, "{rule} {number}");
        }
    }
}

/// Whoever asked while nobody was looking got the room that the first in the queue had waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_does_not_overtake_who_already_waits() {
    let gate = Gate::start().await;
    gate.open();
    // A window of ten: the room of each is back a second after it was taken.
    for rule in ["requests: 3/second", "output_tokens: 12288/second"] {
        let rig = rig(&gate, &format!("limits: [{{ name: l, {rule}, on_exceed: {{ queue: 20s }} }}]")).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut running = JoinSet::new();
        for number in 0..24 {
            let (caller, order) = (rig.caller.clone(), Arc::clone(&order));
            running.spawn(async move {
                let status = caller.ask(Dialect::OpenAi, "gate/m", false).await.status;
                order.lock().unwrap().push(number);
                status
            });
            tokio::time::sleep(Duration::from_millis(130)).await;
        }
        assert_eq!(running.join_all().await, [200; 24], "{rule}");
        let order = order.lock().unwrap();
        // Answers may pass each other on their way; whole places in the queue they may not.
        let overtakes = order
            .iter()
            .enumerate()
            .filter(|(place, number)| place.abs_diff(**number) > 2)
            .count();
        assert_eq!(overtakes, 0, "{rule}: {order:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_says_what_a_limit_means_where_the_limit_only_refuses() {
    let gate = Gate::start().await;
    gate.open();
    let mut plan = Plan {
        head: "limits: [{ name: l, per: [route], requests: 1/minute }, { name: own, when: 'team == \"other\"', requests: 100/minute }]\n\
               spending: { allow_unpriced: true }"
            .into(),
        routes: "  waits: { targets: [{ model: gate/m }], on_limit: { queue: 300ms } }\n  \
                 weaker: { targets: [{ model: gate/m }], on_limit: { downgrade: [gate/m, openai/echo] } }\n  \
                 refuses: { targets: [{ model: gate/m }], on_limit: reject }"
            .into(),
        ..Plan::default()
    };
    plan.providers = format!(
        "  gate: {{ base_url: \"http://{}/v1\", dialect: openai_chat, auth: none }}\n",
        gate.address
    );
    plan.teams = "  other: { routes: [\"*\"] }".into();
    let rig = plan.start().await;
    for caller in Dialect::ALL {
        let ask = |route| rig.caller.ask(caller, route, false);
        let (waits, weaker, refuses) = (ask("waits").await, ask("weaker").await, ask("refuses").await);
        if caller == Dialect::ALL[0] {
            assert_eq!([waits.status, weaker.status, refuses.status], [200; 3]);
            assert_eq!(weaker.header("x-tollgate-downgraded"), "");
            continue;
        }
        assert_eq!(
            (waits.status, code(caller, &waits).as_str()),
            (429, "queue_timeout"),
            "{:?}",
            waits.body
        );
        assert_eq!(
            (
                weaker.status,
                weaker.header("x-tollgate-model"),
                weaker.header("x-tollgate-downgraded")
            ),
            (200, "openai/echo", "from=gate/m; reason=limit"),
            "{:?}",
            weaker.body
        );
        assert_eq!((refuses.status, code(caller, &refuses).as_str()), (429, "rate_limit_exceeded"));
    }
}
