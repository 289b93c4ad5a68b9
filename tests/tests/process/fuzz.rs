//! Bad input, in bulk: random and mutated requests over many kept connections, through the real process. Whatever is sent, an answer
//! comes in time, in the caller's dialect; the process does not panic and serves on. Seeded: a failure names its request.
//! `TOLLGATE_FUZZ_REQUESTS` sets the number per dialect, `TOLLGATE_FUZZ_SEED` the seed.

mod mutate;
mod seeds;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tollgate_tests::rig::CALLER_KEY;
use tollgate_tests::{Dialect, Rig};

const REQUESTS: usize = 100_000;
const CONNECTIONS: usize = 16;
/// Longer, and it hangs.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Failures shown.
const SHOWN_MAX: usize = 5;

fn setting(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_chat_requests_of_any_kind_are_answered() {
    storm(Dialect::OpenAi).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropic_requests_of_any_kind_are_answered() {
    storm(Dialect::Anthropic).await;
}

/// What came of a storm.
#[derive(Default)]
struct Tally {
    answered: AtomicUsize,
    refused: AtomicUsize,
}

async fn storm(dialect: Dialect) {
    let (requests, seed) = (setting("TOLLGATE_FUZZ_REQUESTS", REQUESTS), setting("TOLLGATE_FUZZ_SEED", 1));
    let mut rig = Rig::start().await;
    let (began, tally) = (Instant::now(), Arc::new(Tally::default()));
    let mut running = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let (to, tally) = (rig.gateway.address, Arc::clone(&tally));
        let count = requests / CONNECTIONS + usize::from(connection < requests % CONNECTIONS);
        running.spawn(async move {
            let mut rng = StdRng::seed_from_u64((seed * CONNECTIONS + connection) as u64);
            let mut failures = Vec::new();
            let mut line = None;
            for number in 0..count {
                let body = mutate::next(&mut rng, seeds::of(dialect));
                if let Err(failure) = one(to, &mut line, dialect, &body, &tally).await {
                    line = None;
                    let body: String = String::from_utf8_lossy(&body).chars().take(600).collect();
                    failures.push(format!(
                        "seed {seed}, connection {connection}, request {number}: {failure}\n    {body}"
                    ));
                    if failures.len() == SHOWN_MAX {
                        break;
                    }
                }
            }
            failures
        });
    }
    let failures: Vec<String> = running.join_all().await.into_iter().flatten().collect();
    let (answered, refused) = (tally.answered.load(Ordering::Relaxed), tally.refused.load(Ordering::Relaxed));
    let name = dialect.name();
    println!(
        "fuzz {name}: {answered} answered, {refused} refused, {} failures, in {:?}",
        failures.len(),
        began.elapsed()
    );
    assert!(
        failures.is_empty(),
        "{}",
        failures.into_iter().take(SHOWN_MAX).collect::<Vec<_>>().join("\n")
    );
    assert!(rig.gateway.is_alive());
    assert_eq!(rig.gateway.metric("tollgate_panics_total", "").await, 0.0);
    assert_eq!(rig.gateway.metric("tollgate_requests_total", "outcome=\"internal\"").await, 0.0);
    assert_eq!(rig.caller.ask(dialect, "openai/echo", true).await.status, 200);
    // Both sides of the door were seen.
    assert!(
        requests < 1_000 || (requests / 50 < answered && requests / 10 < refused),
        "{answered} {refused}"
    );
}

type Line = Option<(SendRequest<Full<Bytes>>, JoinSet<()>)>;

/// Sends one request and judges its answer.
async fn one(to: std::net::SocketAddr, line: &mut Line, dialect: Dialect, body: &[u8], tally: &Tally) -> Result<(), String> {
    let usable = line.as_ref().is_some_and(|(sender, _)| !sender.is_closed());
    if !usable {
        let stream = TcpStream::connect(to).await.map_err(|error| format!("no connection: {error}"))?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let mut running = JoinSet::new();
        running.spawn(async move {
            let _ = connection.await;
        });
        *line = Some((sender, running));
    }
    let Some((sender, _)) = line else { return Ok(()) };
    sender.ready().await.map_err(|error| format!("the connection ended: {error}"))?;
    let request = http::Request::post(dialect.path())
        .header("host", "t")
        .header("authorization", format!("Bearer {CALLER_KEY}"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::copy_from_slice(body)))
        .map_err(|error| error.to_string())?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| format!("no answer: {error}"))?;
        let (head, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| format!("the answer broke off: {error}"))?
            .to_bytes();
        Ok::<_, String>((head, body))
    };
    let (head, answer) = tokio::time::timeout(ANSWER_WITHIN, exchange)
        .await
        .map_err(|_| "it hangs".to_owned())??;
    let streamed = head.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
    judge(dialect, head.status.as_u16(), streamed, &answer, tally).map_err(|what| {
        let shown: String = String::from_utf8_lossy(&answer).chars().take(600).collect();
        format!("{what}: {} {shown}", head.status)
    })
}

fn judge(dialect: Dialect, status: u16, streamed: bool, body: &[u8], tally: &Tally) -> Result<(), String> {
    if streamed {
        tally.answered.fetch_add(1, Ordering::Relaxed);
        let seen = dialect.stream(body);
        let ended = seen.terminated || seen.error.is_some();
        return (status == 200 && ended && seen.unreadable.is_empty())
            .then_some(())
            .ok_or_else(|| "a stream that is none".to_owned());
    }
    let said: Value = serde_json::from_slice(body).map_err(|error| format!("no JSON: {error}"))?;
    if status == 200 {
        tally.answered.fetch_add(1, Ordering::Relaxed);
        return dialect.text(&said).map(drop).ok_or_else(|| "an answer that is none".to_owned());
    }
    tally.refused.fetch_add(1, Ordering::Relaxed);
    match dialect.error_code(&said) {
        code if code.starts_with("no error of") => Err("an error in another shape".to_owned()),
        code if code.starts_with("internal") => Err("a fault of ours".to_owned()),
        _ if 500 <= status => Err("a fault that is not the caller's".to_owned()),
        _ => Ok(()),
    }
}
