//! F01–F04, F44: providers that are never reached: refused, unknown, not to be trusted, silent; or that take what they get and are gone.

use std::time::{Duration, Instant};

use tollgate_tests::provider::{Authority, Canned, Full, Names, Stalled, json_reply, small_answer};
use tollgate_tests::rig::Plan;
use tollgate_tests::{Dialect, Rig};

/// Asks in every dialect, whole and streamed, and expects the same refusal within that time.
async fn refused_by(rig: &Rig, model: &str, status: u16, code: &str, within: Duration) {
    for dialect in Dialect::ALL {
        for stream in [false, true] {
            let answer = rig.caller.ask(dialect, model, stream).await;
            let said = String::from_utf8_lossy(&answer.body);
            assert_eq!(answer.status, status, "{model} {said}");
            assert_eq!(dialect.error_code(&answer.json()), code, "{model} {said}");
            assert!(answer.took < within, "{model} {:?}", answer.took);
            let record = rig.gateway.record(answer.id()).await;
            assert_eq!(record["attempts"].as_array().map(Vec::len), Some(1), "{record}");
        }
    }
}

/// Two providers at that address, one in each dialect, and a route that falls back from it.
fn plan(name: &str, base_url: &str, connect: &str) -> Plan {
    let timeouts = format!("timeouts: {{ connect: {connect}, first_byte: 2s }}");
    Plan {
        providers: format!(
            "  {name}-o: {{ base_url: \"{base_url}/v1\", dialect: openai_chat, auth: none }}\n  \
             {name}-a: {{ base_url: \"{base_url}\", dialect: anthropic, auth: none }}"
        ),
        routes: format!(
            "  alone-o: {{ targets: [{{ model: {name}-o/m }}], {timeouts} }}\n  \
             alone-a: {{ targets: [{{ model: {name}-a/m }}], {timeouts} }}\n  \
             backed: {{ targets: [{{ model: {name}-o/n }}], fallbacks: [anthropic/echo], {timeouts} }}"
        ),
        ..Plan::default()
    }
}

/// The other one answers, and the caller is told.
async fn falls_back(rig: &Rig, reason: &str, within: Duration) {
    for dialect in Dialect::ALL {
        let answer = rig.caller.ask(dialect, "backed", true).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        assert!(dialect.stream(&answer.body).terminated);
        assert!(answer.took < within, "{:?}", answer.took);
        assert_eq!(answer.header("x-tollgate-model"), "anthropic/echo");
        assert!(
            answer.header("x-tollgate-fallback").ends_with(&format!("reason={reason}")),
            "{:?}",
            answer.headers
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f01_a_refused_connection_is_a_fallback_or_a_503_at_once() {
    let nobody = tollgate_mock::refusing_address().await.unwrap();
    let rig = plan("nobody", &format!("http://{nobody}"), "1s").start().await;
    // 50 ms are the requirement's; a busy machine needs more.
    let at_once = Duration::from_millis(500);
    refused_by(&rig, "alone-o", 503, "upstream_unavailable", at_once).await;
    refused_by(&rig, "alone-a", 503, "upstream_unavailable", at_once).await;
    falls_back(&rig, "unavailable", at_once).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f02_a_name_without_an_address_is_a_fallback_or_a_503() {
    let rig = plan("unknown", "http://no-such-host.invalid:4000", "2s").start().await;
    let within = Duration::from_secs(4);
    refused_by(&rig, "alone-o", 503, "upstream_unavailable", within).await;
    falls_back(&rig, "unavailable", within).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f02_a_name_server_that_fails_or_is_slow_is_bounded() {
    let Ok(names) = Names::start().await else {
        println!("f02: not tried: only root may be a name server");
        return;
    };
    let folder = tollgate_tests::gateway::Folder::new();
    let file = folder.path().join("resolv.conf");
    std::fs::write(&file, format!("nameserver {}\noptions timeout:20 attempts:1\n", names.address)).unwrap();
    let good = Canned::start(json_reply("200 OK", &small_answer())).await;
    let port = good.address.port();
    let mut plan = Plan::default();
    plan.settings.resolver = Some(file);
    for name in ["good", "slow", "failing"] {
        plan.providers += &format!("  {name}: {{ base_url: \"http://{name}.test:{port}/v1\", dialect: openai_chat, auth: none }}\n");
        plan.routes += &format!("  to-{name}: {{ targets: [{{ model: {name}/m }}], timeouts: {{ connect: 1s }} }}\n");
    }
    let mut rig = plan.start().await;
    refused_by(&rig, "to-failing", 503, "upstream_unavailable", Duration::from_millis(800)).await;
    refused_by(&rig, "to-slow", 503, "upstream_unavailable", Duration::from_secs(2)).await;
    let answer = rig.caller.ask(Dialect::OpenAi, "to-good", false).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert!(answer.took < Duration::from_millis(800), "behind the slow one: {:?}", answer.took);
    // Nor does the end wait for look-ups that were given up.
    rig.gateway.terminate();
    let told = Instant::now();
    while rig.gateway.is_alive() {
        assert!(told.elapsed() < Duration::from_secs(5), "it waits for the name server");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f44_a_provider_that_is_gone_without_a_word_ends_at_the_first_byte_timer() {
    // The kernel takes the connection, and of the request what its buffers hold; nobody reads or answers, and no FIN comes.
    let stalled = Stalled::start().await;
    let rig = plan("gone", &format!("http://{}", stalled.address), "1s").start().await;
    let idle = rig.gateway.sockets();
    refused_by(&rig, "alone-o", 504, "upstream_timeout", Duration::from_millis(3_500)).await;
    for dialect in Dialect::ALL {
        let large = dialect.ask("alone-a", &"y".repeat(24 << 20), true);
        let answer = rig.caller.post(dialect.path(), &large).await;
        assert_eq!(answer.status, 504, "{:?}", answer.body);
        assert!(answer.took < Duration::from_secs(8), "{:?}", answer.took);
    }
    falls_back(&rig, "timeout", Duration::from_millis(3_500)).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let now = rig.gateway.sockets();
    assert!(now <= idle + 4, "{idle} sockets before, {now} after");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f03_tls_that_cannot_be_trusted_is_a_502_and_nothing_is_sent() {
    let authority = Authority::new();
    let folder = tollgate_tests::gateway::Folder::new();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, authority.pem()).unwrap();
    let reply = || json_reply("200 OK", &small_answer());
    let good = Canned::start_tls(reply(), authority.server("localhost", 2099)).await;
    let expired = Canned::start_tls(reply(), authority.server("localhost", 2020)).await;
    let other = Canned::start_tls(reply(), authority.server("another.test", 2099)).await;
    let stranger = Canned::start_tls(reply(), Authority::new().server("localhost", 2099)).await;
    let plain = Canned::start(reply()).await;
    let stalled = Stalled::start().await;
    let servers = [
        ("good", good.address),
        ("expired", expired.address),
        ("other", other.address),
        ("stranger", stranger.address),
        ("plain", plain.address),
        ("stalled", stalled.address),
    ];
    let mut plan = Plan::default();
    for (name, address) in servers {
        let port = address.port();
        plan.providers += &format!("  {name}: {{ base_url: \"https://localhost:{port}/v1\", dialect: openai_chat, auth: none }}\n");
        plan.routes += &format!("  to-{name}: {{ targets: [{{ model: {name}/m }}], timeouts: {{ connect: 1s }} }}\n");
    }
    plan.settings.env.push(("SSL_CERT_FILE".into(), roots.display().to_string()));
    let rig = plan.start().await;
    let answer = rig.caller.ask(Dialect::OpenAi, "to-good", false).await;
    assert_eq!(answer.status, 200, "the tests' own authority is trusted: {:?}", answer.body);
    for name in ["expired", "other", "stranger", "plain", "stalled"] {
        refused_by(&rig, &format!("to-{name}"), 502, "upstream_tls", Duration::from_secs(3)).await;
    }
    let reached = [&expired, &other, &stranger, &plain].map(Canned::requests);
    assert_eq!(reached, [0; 4], "nothing may be sent to whom is not trusted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f04_a_connection_that_nobody_takes_ends_at_the_connect_timer() {
    let full = Full::start().await;
    let rig = plan("full", &format!("http://{}", full.address), "300ms").start().await;
    let within = Duration::from_millis(1_500);
    refused_by(&rig, "alone-o", 503, "upstream_unavailable", within).await;
    falls_back(&rig, "unavailable", within).await;
}
