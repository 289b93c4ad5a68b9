//! R-E1: floods of HTTP/2 frames. The connection is closed, and nobody else notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tollgate_tests::http2::{END_HEADERS, END_STREAM, Frame, Frames, frame, head, kind};
use tollgate_tests::rig::CALLER_KEY;
use tollgate_tests::{Dialect, Rig};

/// Frames of a flood.
const FRAMES: usize = 400_000;
/// Bytes that are sent at once.
const BATCH_BYTES: usize = 64 << 10;

fn asking(key: &str) -> Vec<u8> {
    head(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "t"),
        (":path", "/v1/messages"),
        ("authorization", &format!("Bearer {key}")),
    ])
}

/// What begins a flood, and its frames by their number.
fn flood(what: &str, number: usize) -> Vec<u8> {
    let stream = u32::try_from(number * 2 + 1).unwrap();
    match what {
        "rapid reset" => [
            frame(kind::HEADERS, END_HEADERS | END_STREAM, stream, &asking("nobody")),
            frame(kind::RESET, 0, stream, &[0, 0, 0, 8]),
        ]
        .concat(),
        "rapid reset with a key" => [
            frame(kind::HEADERS, END_HEADERS, stream, &asking(CALLER_KEY)),
            frame(kind::RESET, 0, stream, &[0, 0, 0, 8]),
        ]
        .concat(),
        "continuation" if number == 0 => frame(kind::HEADERS, 0, 1, &asking("nobody")),
        "continuation" => frame(kind::CONTINUATION, 0, 1, &head(&[("x-more", &"y".repeat(1000))])),
        "empty continuation" if number == 0 => frame(kind::HEADERS, 0, 1, &asking("nobody")),
        "empty continuation" => frame(kind::CONTINUATION, 0, 1, &[]),
        "empty data" if number == 0 => frame(kind::HEADERS, END_HEADERS, 1, &asking(CALLER_KEY)),
        "empty data" => frame(kind::DATA, 0, 1, &[]),
        "settings" => frame(kind::SETTINGS, 0, 0, &[]),
        "ping" => frame(kind::PING, 0, 0, b"anybody?"),
        "window" => frame(kind::WINDOW, 0, 0, &[0x00, 0xff, 0xff, 0xff]),
        _ => unreachable!("no flood {what}"),
    }
}

/// How a flood ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// With a GOAWAY of this error code (RFC 9113, 7).
    Told(u8),
    /// The socket was closed.
    Closed,
    /// Not at all.
    Never,
}

const FLOW_CONTROL_ERROR: Cut = Cut::Told(3);
const ENHANCE_YOUR_CALM: Cut = Cut::Told(11);

/// Sends it until the gateway closes, reading what comes back.
async fn cut_off(rig: &Rig, what: &str) -> Cut {
    let told = |frame: Frame| Cut::Told(frame.payload[7]);
    let mut peer = Frames::connect(rig.gateway.address, &[]).await;
    let mut batch = Vec::new();
    for number in 0..FRAMES {
        batch.extend(flood(what, number));
        if batch.len() < BATCH_BYTES && number + 1 < FRAMES {
            continue;
        }
        if !peer.send(&batch).await {
            break;
        }
        batch.clear();
        while let Some(frame) = peer.next(Duration::from_millis(1)).await {
            if frame.kind == kind::GOAWAY {
                return told(frame);
            }
        }
    }
    match peer.wait_for(kind::GOAWAY, Duration::from_secs(2)).await {
        Some(frame) => told(frame),
        None if peer.send(&flood(what, FRAMES)).await => Cut::Never,
        None => Cut::Closed,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_e1_floods_of_frames_close_their_connection_and_harm_nobody_else() {
    let rig = Rig::start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut neighbours = JoinSet::new();
    for number in 0..4 {
        let (caller, stop) = (rig.caller.clone(), Arc::clone(&stop));
        neighbours.spawn(async move {
            let mut times = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let answer = caller.ask(Dialect::ALL[number % 2], "openai/echo", number < 2).await;
                assert_eq!((answer.status, answer.broke), (200, None));
                times.push(answer.took);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            times
        });
    }
    for _ in 0..20 {
        rig.caller.ask(Dialect::OpenAi, "openai/echo", false).await;
    }
    rig.gateway.forget_peak();
    let before = rig.gateway.rss_bytes();
    for (what, expected) in [
        ("rapid reset", ENHANCE_YOUR_CALM),
        ("rapid reset with a key", ENHANCE_YOUR_CALM),
        ("continuation", ENHANCE_YOUR_CALM),
        ("empty continuation", ENHANCE_YOUR_CALM),
        ("empty data", ENHANCE_YOUR_CALM),
        ("settings", Cut::Closed),
        ("ping", Cut::Closed),
        ("window", FLOW_CONTROL_ERROR),
    ] {
        let began = Instant::now();
        let cut = cut_off(&rig, what).await;
        println!("r_e1: {what}: {cut:?} after {:?}", began.elapsed());
        assert_eq!(cut, expected, "{what}");
    }
    stop.store(true, Ordering::Relaxed);
    let mut times: Vec<Duration> = neighbours.join_all().await.into_iter().flatten().collect();
    times.sort();
    let worst = times.last().copied().unwrap();
    let grown = rig.gateway.rss_peak_bytes().saturating_sub(before);
    println!(
        "r_e1: {} neighbours' requests, p99 {:?}, worst {worst:?}; + {} KiB",
        times.len(),
        times[times.len() * 99 / 100],
        grown / 1024
    );
    assert!(grown <= 64 << 20, "{grown} bytes");
    assert!(worst < Duration::from_secs(2), "a neighbour waited for {worst:?}");
    assert_eq!(rig.gateway.metric("tollgate_panics_total", "").await, 0.0);
}
