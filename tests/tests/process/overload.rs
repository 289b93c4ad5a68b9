//! Too much to do (L4, F43): whom the gateway cannot serve it turns away at once and with a time to come back, the least urgent first.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tollgate_tests::gate::Gate;
use tollgate_tests::rig::Plan;
use tollgate_tests::{Answer, Caller, Dialect, Rig};

const URGENT: &str = "key-of-the-urgent-ones";

async fn rig(gate: Option<&Gate>, server: &str) -> Rig {
    let mut plan = Plan {
        head: format!("server: {server}"),
        keys: "  - { name: u, team: all, secret: env:KEY_U, priority_max: 9 }".into(),
        ..Plan::default()
    };
    if let Some(gate) = gate {
        plan.providers = format!(
            "  gate: {{ base_url: \"http://{}/v1\", dialect: openai_chat, auth: none }}\n",
            gate.address
        );
    }
    plan.settings.env.push(("KEY_U".into(), URGENT.into()));
    plan.start().await
}

fn is_turned_away(answer: &Answer) {
    let at = format!("{:?} {:?}", answer.headers, answer.body);
    assert_eq!(answer.status, 503, "{at}");
    assert!((1..=3).contains(&answer.header("retry-after").parse::<u64>().unwrap()), "{at}");
    assert_eq!(answer.header("x-should-retry"), "true", "{at}");
    assert!(String::from_utf8_lossy(&answer.body).contains("overloaded"), "{at}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l4_places_run_out_for_the_others_before_they_do_for_critical_calls_and_health_is_always_told() {
    let gate = Gate::start().await;
    let rig = rig(Some(&gate), "{ overload: { calls: 10 } }").await;
    let critical = Caller::new(rig.gateway.address, URGENT).with("x-tollgate-priority", "8");
    // A priority that the key does not give counts for nothing.
    let pushy = rig.caller.clone().with("x-tollgate-priority", "9");
    let mut running = JoinSet::new();
    let mut fill = |caller: &Caller| {
        let caller = caller.clone();
        running.spawn(async move { caller.ask(Dialect::OpenAi, "gate/m", false).await.status });
    };
    for number in 0..8 {
        fill(if number % 2 == 0 { &rig.caller } else { &critical });
    }
    while gate.seen() < 8 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for dialect in Dialect::ALL {
        let answer = pushy.ask(dialect, "gate/m", true).await;
        is_turned_away(&answer);
        assert!(answer.took < Duration::from_millis(250), "{:?}", answer.took);
    }
    fill(&critical);
    fill(&critical);
    while gate.seen() < 10 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    is_turned_away(&critical.ask(Dialect::Anthropic, "gate/m", false).await);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(rig.caller.send("GET", path, "").await.status, 200, "{path}");
    }
    gate.open();
    assert_eq!(running.join_all().await, [200; 10]);
    assert_eq!(pushy.ask(Dialect::OpenAi, "gate/m", false).await.status, 200, "there is room again");
    assert_eq!(rig.gateway.metric("tollgate_turned_away_total", "").await as u64, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f43_without_memory_nothing_new_is_begun_and_the_process_stays() {
    // Less than any process takes that has started.
    let rig = rig(None, "{ overload: { memory: 16MiB } }").await;
    rig.gateway.line_with("95% of the memory is taken").await;
    for dialect in Dialect::ALL {
        let answer = rig.caller.ask(dialect, "openai/echo", true).await;
        is_turned_away(&answer);
        assert_eq!(answer.header("connection"), "close");
    }
    assert_eq!(rig.caller.send("GET", "/readyz", "").await.status, 200);
}

/// As many callers as it takes to keep the process busy: it turns some away quickly, and serves the critical ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l4_under_load_beyond_its_processors_the_critical_are_served_and_the_rest_hear_no_at_once() {
    let (peak, _) = storm(&rig(None, "{ workers: 1, overload: { shed: false } }").await, 3).await;
    println!("without turning anybody away: {} served a second", (peak[0].0 + peak[1].0) / 3);
    let ([(served, refused), (critical, critical_refused)], slowest) = storm(&rig(None, "{ workers: 1 }").await, 6).await;
    println!(
        "{} served a second ({critical} critical ones); {refused} turned away, and {critical_refused} critical ones; the 99th of 100 refusals took {slowest:?}",
        (served + critical) / 6
    );
    assert!(
        critical_refused * 100 <= critical + critical_refused,
        "{critical} served, {critical_refused} turned away"
    );
    assert!(served > 0, "the others go hungry");
}

/// Two hundred callers without a pause, one in twenty of them critical: who was served and who turned away (others first), and how long the
/// 99th of a hundred refusals took.
async fn storm(rig: &Rig, seconds: u64) -> ([(u32, u32); 2], Duration) {
    let critical = Caller::new(rig.gateway.address, URGENT).with("x-tollgate-priority", "9");
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut running = JoinSet::new();
    for number in 0..200 {
        let is_critical = number % 20 == 0;
        let caller = if is_critical { critical.clone() } else { rig.caller.clone() };
        running.spawn(async move {
            let (mut served, mut refused) = (0_u32, Vec::new());
            while Instant::now() < end {
                let answer = caller.ask(Dialect::OpenAi, "openai/echo", false).await;
                if answer.status == 200 {
                    served += 1;
                } else {
                    is_turned_away(&answer);
                    refused.push(answer.took);
                    // As the head of the answer asks for, though shorter: to stay a storm.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            (is_critical, served, refused)
        });
    }
    let (mut sums, mut took) = ([(0, 0); 2], Vec::new());
    for (is_critical, served, refused) in running.join_all().await {
        let sum = &mut sums[usize::from(is_critical)];
        (sum.0, sum.1) = (sum.0 + served, sum.1 + u32::try_from(refused.len()).unwrap());
        took.extend(refused);
    }
    took.sort();
    (sums, took.get(took.len() * 99 / 100).copied().unwrap_or_default())
}
