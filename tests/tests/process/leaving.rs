//! F44, R-D4: callers who leave. The provider must learn of it within 100 ms, whatever way they leave in. And R-G5: we leave.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tollgate_tests::{Dialect, Rig, rig};

/// The requirement is 100 ms; the rest is a busy machine's.
const CANCELLED_WITHIN: Duration = Duration::from_millis(500);

/// Sends a request by hand, and reads until the answer holds this text.
async fn ask_by_hand(rig: &Rig, dialect: Dialect, model: &str, stream: bool, until: &str) -> TcpStream {
    let body = dialect.ask(model, "hello", stream).to_string();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        dialect.path(),
        rig::CALLER_KEY,
        body.len()
    );
    let mut socket = TcpStream::connect(rig.gateway.address).await.unwrap();
    socket.write_all((head + &body).as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    while !until.is_empty() && !String::from_utf8_lossy(&seen).contains(until) {
        let count = tokio::time::timeout(Duration::from_secs(10), socket.read(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        assert_ne!(count, 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..count]);
    }
    socket
}

/// Waits until the simulated provider has seen the caller of this model leave; gives how long that took.
async fn cancelled_after(rig: &Rig, model: &str, left: Instant) -> Duration {
    loop {
        let line = rig.bill(model).pop().unwrap();
        if line["outcome"] != "open" {
            assert_eq!(line["outcome"], "cancelled", "{line}");
            return left.elapsed();
        }
        assert!(left.elapsed() < Duration::from_secs(10), "the provider never learnt of it: {line}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f44_a_caller_who_leaves_in_mid_stream_cancels_the_providers_stream() {
    let rig = Rig::start().await;
    let mut slowest = Duration::ZERO;
    let mut number = 0;
    for reset in [false, true] {
        for caller in Dialect::ALL {
            for provider in Dialect::ALL {
                number += 1;
                let model = format!("stream-{}-10ms", 2_000 + number);
                let name = format!("{}/{model}", rig::provider_of(provider));
                let socket = ask_by_hand(&rig, caller, &name, true, "data:").await;
                if reset {
                    socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
                }
                let left = Instant::now();
                drop(socket);
                let took = cancelled_after(&rig, &model, left).await;
                assert!(took < CANCELLED_WITHIN, "{name} reset={reset}: {took:?}");
                slowest = slowest.max(took);
                let record = rig.gateway.line_with(&format!("\"asked\":\"{name}\"")).await;
                assert!(record.contains("\"outcome\":\"aborted\""), "{record}");
            }
        }
    }
    println!("f44: cancelled within {slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f44_a_caller_who_leaves_before_the_answer_cancels_the_try() {
    let rig = Rig::start().await;
    for (number, stream) in [(1, false), (2, true)] {
        for provider in Dialect::ALL {
            let model = format!("lorem-{number}+slow-first-byte-20s");
            let name = format!("{}/{model}", rig::provider_of(provider));
            let before = rig.bill(&model).len();
            let socket = ask_by_hand(&rig, Dialect::OpenAi, &name, stream, "").await;
            while rig.bill(&model).len() == before {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let left = Instant::now();
            drop(socket);
            let took = cancelled_after(&rig, &model, left).await;
            assert!(took < CANCELLED_WITHIN, "{name}: {took:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_d4_many_disconnects_leave_nothing_behind() {
    let rig = Rig::start().await;
    let idle = rig.gateway.sockets();
    for _ in 0..10 {
        let mut running = tokio::task::JoinSet::new();
        for number in 0..20 {
            let caller = rig.caller.clone();
            running.spawn(async move {
                let dialect = Dialect::ALL[number % 2];
                let model = ["openai/stream-2000-10ms", "anthropic/stream-2000-10ms"][number / 2 % 2];
                let mut live = caller
                    .open("POST", dialect.path(), dialect.ask(model, "hi", true).to_string().into())
                    .await;
                live.read_until("data:").await;
            });
        }
        running.join_all().await;
    }
    let began = Instant::now();
    loop {
        let page: serde_json::Value = serde_json::from_str(&rig.mock.bill_json(true)).unwrap();
        if page["total"]["cancelled"] == 200 && page["total"]["open"] == 0 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(2), "orphans: {}", page["total"]);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(rig.gateway.metric("tollgate_open_requests", "").await, 0.0);
    let now = rig.gateway.sockets();
    assert!(now <= idle + 8, "{idle} sockets before, {now} after");
}

/// What a new connection is told by `/readyz`; `None`: there is no connection.
async fn readiness(rig: &Rig) -> Option<u16> {
    let live = rig.caller.try_open("GET", "/readyz", bytes::Bytes::new()).await;
    live.ok().map(|live| live.status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_g5_readiness_flips_before_the_door_shuts_and_open_streams_go_on() {
    let plan = rig::Plan {
        head: "server: { drain_delay: 2s, drain: 30s }".into(),
        ..rig::Plan::default()
    };
    let mut rig = plan.start().await;
    assert_eq!(readiness(&rig).await, Some(200));
    let ask = Dialect::OpenAi.ask("openai/stream-400-10ms", "go", true).to_string();
    let mut streaming = rig.caller.open("POST", "/v1/chat/completions", ask.into()).await;
    streaming.read_until("data:").await;
    let told = Instant::now();
    rig.gateway.terminate();
    rig.gateway.line_with("SIGTERM").await;
    while told.elapsed() < Duration::from_millis(1_500) {
        assert_eq!(readiness(&rig).await, Some(503));
        let answer = rig.caller.ask(Dialect::OpenAi, "openai/echo", false).await;
        assert_eq!(answer.status, 200, "a caller whom the balancer still sends here");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep_until((told + Duration::from_millis(2_500)).into()).await;
    assert_eq!(readiness(&rig).await, None, "the door is still open");
    assert!(rig.gateway.is_alive(), "a stream is open");
    let (rest, broke) = streaming.rest().await;
    assert!(broke.is_none() && String::from_utf8_lossy(&rest).contains("[DONE]"), "{broke:?}");
    while rig.gateway.is_alive() {
        assert!(told.elapsed() < Duration::from_secs(20), "nothing is open, and it does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
