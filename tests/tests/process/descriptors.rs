//! F42: the process runs out of descriptors: it waits instead of spinning, what is open goes on, and it recovers.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tollgate_tests::rig::Plan;
use tollgate_tests::{Dialect, Settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f42_without_descriptors_accepting_pauses_and_streams_go_on() {
    let plan = Plan {
        settings: Settings {
            descriptors_max: Some(256),
            ..Settings::default()
        },
        ..Plan::default()
    };
    let rig = plan.start().await;
    let mut streams = Vec::new();
    for dialect in Dialect::ALL {
        for provider in ["openai", "anthropic"] {
            let body = dialect.ask(&format!("{provider}/stream-100-30ms"), "hi", true);
            let mut live = rig.caller.open("POST", dialect.path(), body.to_string().into()).await;
            live.read_until("data:").await;
            streams.push((dialect, live));
        }
    }
    let mut crowd = Vec::new();
    for _ in 0..600 {
        crowd.push(TcpStream::connect(rig.gateway.address).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(
        240 <= rig.gateway.descriptors(),
        "{} descriptors: no shortage",
        rig.gateway.descriptors()
    );
    let (cpu, began) = (rig.gateway.cpu(), Instant::now());
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let busy = rig.gateway.cpu().saturating_sub(cpu).as_secs_f64() / began.elapsed().as_secs_f64();
    println!("f42: {:.0} % of a core while out of descriptors", busy * 100.0);
    assert!(busy < 0.5, "it spins: {busy}");
    for (dialect, live) in &mut streams {
        let (rest, broke) = live.rest().await;
        assert_eq!(broke, None);
        let seen = dialect.stream(&rest);
        assert!(seen.terminated && seen.error.is_none(), "{seen:?}");
    }
    drop(crowd);
    let began = Instant::now();
    let answer = rig.caller.ask(Dialect::OpenAi, "openai/echo", false).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    println!("f42: serves again after {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(0.0 < rig.gateway.metric("tollgate_accept_failures_total", "").await);
}
