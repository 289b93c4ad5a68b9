//! F11, R-D2: an exchange ends at its route's deadline, whether or not its caller takes anything of the answer.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tollgate_tests::http2::{END_STREAM, Frames, INITIAL_WINDOW, frame, kind};
use tollgate_tests::provider::Endless;
use tollgate_tests::rig::{CALLER_KEY, Plan};
use tollgate_tests::{Dialect, Rig};

/// The deadline of the routes here.
const TOTAL: Duration = Duration::from_secs(2);
/// Until when the exchange must be over: a second of grace for callers who do read, and a busy machine's time.
const OVER: Duration = Duration::from_secs(5);

/// The record of the exchange on that route, and when it was written.
async fn ended(rig: &Rig, route: &str, began: Instant) -> serde_json::Value {
    let line = rig.gateway.line_with(&format!("\"route\":\"{route}\"")).await;
    let took = began.elapsed();
    assert!(TOTAL <= took && took < OVER, "over after {took:?}: {line}");
    serde_json::from_str(&line).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f11_a_caller_who_reads_nothing_does_not_hold_an_exchange_beyond_its_deadline() {
    let endless = Endless::start().await;
    let plan = Plan {
        providers: format!(
            "  endless: {{ base_url: \"http://{}/v1\", dialect: openai_chat, auth: none }}",
            endless.address
        ),
        routes: "  bounded: { targets: [{ model: endless/m }], timeouts: { total: 2s } }".into(),
        ..Plan::default()
    };
    let rig = plan.start().await;
    let body = Dialect::OpenAi.ask("bounded", "go", true).to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {CALLER_KEY}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let mut socket = socket.connect(rig.gateway.address).await.unwrap();
    let began = Instant::now();
    socket.write_all((head + &body).as_bytes()).await.unwrap();
    socket.read_exact(&mut [0; 16]).await.unwrap();
    assert_eq!(endless.open(), 1);
    let record = ended(&rig, "bounded", began).await;
    assert_ne!(record["outcome"], "completed", "{record}");
    assert_eq!(record["fault"]["kind"], "timeout", "{record}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(endless.open(), 0, "the provider's stream goes on");
    assert_eq!(rig.gateway.metric("tollgate_open_requests", "").await, 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f11_pings_over_a_shut_window_do_not_hold_an_exchange_beyond_its_deadline() {
    let rig = Rig::with_routes(
        "  slow: { targets: [{ model: openai/stream-5000-10ms }], timeouts: { total: 2s } }\n  \
           whole: { targets: [{ model: openai/echo }], timeouts: { total: 2s } }",
    )
    .await;
    // A whole answer is the connection's to deliver, once it has been made.
    for (route, stream, outcome) in [("slow", true, "aborted"), ("whole", false, "completed")] {
        let mut caller = Frames::connect(rig.gateway.address, &[(INITIAL_WINDOW, 0)]).await;
        let began = Instant::now();
        let body = Dialect::OpenAi.ask(route, "go", stream).to_string();
        assert!(caller.ask(1, "/v1/chat/completions", CALLER_KEY, &body).await);
        caller.wait_for(kind::HEADERS, Duration::from_secs(5)).await.expect("a head");
        let mut reset = None;
        while began.elapsed() < OVER && reset.is_none() {
            assert!(
                caller.send(&frame(kind::PING, 0, 0, b"and yet.")).await,
                "the whole connection was closed"
            );
            reset = caller.wait_for(kind::RESET, Duration::from_millis(100)).await;
        }
        assert_eq!(reset.map(|frame| frame.stream), Some(1), "{route}: the stream is still open");
        assert_eq!(ended(&rig, route, began).await["outcome"], outcome);
        // Other exchanges of the connection go on.
        let window = frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]);
        assert!(caller.send(&window).await);
        let body = Dialect::OpenAi.ask("openai/echo", "still here", false).to_string();
        assert!(caller.ask(3, "/v1/chat/completions", CALLER_KEY, &body).await);
        let data = caller.wait_for(kind::DATA, Duration::from_secs(5)).await.expect("an answer");
        assert_eq!((data.stream, data.flags & END_STREAM), (3, END_STREAM));
        assert!(String::from_utf8_lossy(&data.payload).contains("still here"));
    }
    let mocked = rig.bill("stream-5000-10ms").pop().unwrap();
    assert_eq!(mocked["outcome"], "cancelled", "{mocked}");
}
