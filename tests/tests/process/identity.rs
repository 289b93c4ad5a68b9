//! Who may call, and what: keys in every header and every wrong form (GOVERNANCE section 2), rights of teams and keys.

use http::HeaderMap;
use tollgate_tests::rig::{CALLER_KEY, Plan};
use tollgate_tests::{Caller, Dialect, Rig, Settings};

/// Keys of our form: `sk-tg_` id, `_`, secret and checksum (CRC-32 of what stands before it, in base62).
fn our_key(id: &str, secret: char) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let signed = format!("sk-tg_{id}_{}", secret.to_string().repeat(43));
    let mut rest = !signed.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    });
    let mut checksum = [0; 6];
    for slot in checksum.iter_mut().rev() {
        *slot = DIGITS[rest as usize % 62];
        rest /= 62;
    }
    signed + std::str::from_utf8(&checksum).unwrap()
}

const ID: &str = "abcdefghijkl";

async fn rig() -> Rig {
    let keys = [
        ("ours", "", our_key(ID, 'a')),
        ("disabled", "disabled: true", "disabled-key-0001".into()),
        ("expired", "expires: 2026-01-01", "expired-key-00001".into()),
        ("later", "not_before: 2099-01-01", "later-key-0000001".into()),
        (
            "elsewhere",
            "allow_ips: [10.0.0.0/8, \"2001:db8::/32\"]",
            "elsewhere-key-0001".into(),
        ),
        ("here", "allow_ips: [127.0.0.0/8]", "here-key-00000001".into()),
        ("some", "team: some", "some-key-000000001".into()),
        (
            "less",
            "team: some, routes: [r1], models: [\"openai/lorem-*\"]",
            "less-key-000000001".into(),
        ),
        ("more", "team: some, models: [\"*\"]", "more-key-000000001".into()),
    ];
    let mut plan = Plan {
        routes: "  r1: { targets: [{ model: openai/echo }] }\n  r2: { targets: [{ model: anthropic/echo }] }\n  \
                 s1: { targets: [{ model: anthropic/echo }] }"
            .into(),
        models: "  short: { provider: openai, upstream_model: echo }".into(),
        teams: "  some: { routes: [\"r*\"], models: [\"openai/*\", short] }".into(),
        settings: Settings::default(),
        ..Plan::default()
    };
    for (name, rules, secret) in keys {
        let team = if rules.starts_with("team") { "" } else { "team: all, " };
        let comma = if rules.is_empty() { "" } else { ", " };
        plan.keys += &format!("  - {{ name: {name}, {team}secret: env:KEY_{name}{comma}{rules} }}\n");
        plan.settings.env.push((format!("KEY_{name}"), secret));
    }
    plan.start().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_taken_from_the_header_of_every_sdk() {
    let rig = rig().await;
    let ours = our_key(ID, 'a');
    for key in [CALLER_KEY, &ours, "here-key-00000001"] {
        let headers = [
            ("authorization", format!("Bearer {key}")),
            ("authorization", format!("bearer  {key}")),
            ("x-api-key", key.to_owned()),
            ("api-key", key.to_owned()),
            ("x-goog-api-key", key.to_owned()),
        ];
        for (name, value) in headers {
            for dialect in Dialect::ALL {
                let caller = anonymous(&rig).with(name, &value);
                let answer = caller.ask(dialect, "openai/echo", false).await;
                assert_eq!(answer.status, 200, "{name}: {value}: {:?}", answer.body);
            }
        }
    }
}

fn anonymous(rig: &Rig) -> Caller {
    Caller {
        to: rig.gateway.address,
        headers: HeaderMap::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_with_a_key_is_the_same_401() {
    let rig = rig().await;
    let right = our_key(ID, 'a');
    let mut bad_checksum = right.clone();
    bad_checksum.replace_range(right.len() - 1.., if right.ends_with('0') { "1" } else { "0" });
    let wrong = [
        "x".into(),
        "unknown-key-00001".into(),
        "sk-tg_".into(),
        "sk-tg_abc_def".into(),
        bad_checksum,
        our_key(ID, 'b'),
        our_key("zzzzzzzzzzzz", 'a'),
        right.replace("sk-tg_", "sk-TG_"),
        format!("{CALLER_KEY}x"),
        CALLER_KEY[..CALLER_KEY.len() - 1].to_owned(),
        CALLER_KEY.to_uppercase(),
        "y".repeat(600),
        format!("{CALLER_KEY},{CALLER_KEY}"),
        "provider-key-of-openai".into(),
        "' OR 1=1 --".into(),
        "../../etc/passwd".into(),
    ];
    for dialect in Dialect::ALL {
        let mut bodies: Vec<String> = Vec::new();
        for key in &wrong {
            let answer = anonymous(&rig).with("x-api-key", key).ask(dialect, "openai/echo", false).await;
            assert_eq!(answer.status, 401, "{key}");
            assert_eq!(dialect.error_code(&answer.json()), "invalid_api_key", "{key}");
            assert_eq!(answer.header("x-should-retry"), "false");
            let body = String::from_utf8(answer.body.to_vec()).unwrap();
            assert!(!body.contains(key.as_str()) || key.len() < 3, "the key stands in the answer");
            bodies.push(body.replace(answer.id(), "ID"));
        }
        bodies.dedup();
        assert_eq!(bodies.len(), 1, "{bodies:#?}");
        let none = anonymous(&rig).ask(dialect, "openai/echo", false).await;
        assert_eq!((none.status, dialect.error_code(&none.json()).as_str()), (401, "invalid_api_key"));
        for scheme in ["Basic", "Token"] {
            let caller = anonymous(&rig).with("authorization", &format!("{scheme} {CALLER_KEY}"));
            assert_eq!(caller.ask(dialect, "openai/echo", false).await.status, 401, "{scheme}");
        }
    }
    assert!(rig.mock.bill_json(true).contains("\"requests\":0"), "{}", rig.mock.bill_json(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owner_of_a_right_secret_is_told_why_it_is_refused() {
    let rig = rig().await;
    let rows = [
        ("disabled-key-0001", "disabled"),
        ("expired-key-00001", "expired"),
        ("later-key-0000001", "not valid yet"),
        ("elsewhere-key-0001", "address"),
    ];
    for (key, why) in rows {
        for dialect in Dialect::ALL {
            let answer = Caller::new(rig.gateway.address, key).ask(dialect, "openai/echo", true).await;
            assert_eq!(
                (answer.status, dialect.error_code(&answer.json()).as_str()),
                (401, "invalid_api_key")
            );
            assert!(
                answer.json()["error"]["message"].as_str().unwrap().contains(why),
                "{:?}",
                answer.body
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_may_call_what_its_team_and_itself_allow() {
    let rig = rig().await;
    // Key, model or route, status. What a key may not call is a 403 whether or not it exists: nobody learns what does.
    let rows = [
        ("some-key-000000001", "r1", 200),
        ("some-key-000000001", "r2", 200),
        ("some-key-000000001", "s1", 403),
        ("some-key-000000001", "short", 200),
        ("some-key-000000001", "openai/echo", 200),
        ("some-key-000000001", "anthropic/echo", 403),
        ("some-key-000000001", "nothing", 403),
        ("some-key-000000001", "nobody/echo", 403),
        ("less-key-000000001", "r1", 200),
        ("less-key-000000001", "r2", 403),
        ("less-key-000000001", "openai/lorem-5", 200),
        ("less-key-000000001", "openai/echo", 403),
        ("less-key-000000001", "short", 403),
        // A key cannot give itself more than its team has.
        ("more-key-000000001", "anthropic/echo", 403),
        ("more-key-000000001", "openai/echo", 200),
        ("more-key-000000001", "R1", 403),
    ];
    for (key, model, status) in rows {
        for dialect in Dialect::ALL {
            let answer = Caller::new(rig.gateway.address, key).ask(dialect, model, false).await;
            assert_eq!(answer.status, status, "{key} {model} {:?}", answer.body);
            if status != 200 {
                let code = if status == 403 { "model_not_allowed" } else { "model_not_found" };
                assert_eq!(dialect.error_code(&answer.json()), code);
                assert_eq!(answer.header("x-tollgate-attempts"), "0");
                assert_eq!(answer.header("x-should-retry"), "false");
                let record = rig.gateway.record(answer.id()).await;
                assert_eq!((&record["team"], &record["asked"]), (&"some".into(), &model.into()), "{record}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_the_data_plane_open_nothing_on_the_admin_plane() {
    let rig = rig().await;
    for path in ["/admin/v1/keys", "/v1/chat/completions", "/"] {
        let caller = Caller::new(rig.gateway.admin, CALLER_KEY);
        assert_ne!(caller.send("GET", path, "").await.status, 200, "{path}");
        assert_ne!(
            caller.post(path, &Dialect::OpenAi.ask("openai/echo", "hi", false)).await.status,
            200,
            "{path}"
        );
    }
    assert_eq!(
        Caller::new(rig.gateway.address, CALLER_KEY)
            .send("GET", "/metrics", "")
            .await
            .status,
        404
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_a4_no_path_and_no_host_goes_around_the_key() {
    let rig = rig().await;
    let paths = [
        "/v1/chat/completions",
        "/v1/messages",
        "//v1/chat/completions",
        "/v1/chat/completions/",
        "/v1/chat//completions",
        "/v1/./chat/completions",
        "/v1/x/../chat/completions",
        "/healthz/../v1/messages",
        "/v1/%63hat/completions",
        "/v1/chat%2fcompletions",
        "/V1/CHAT/COMPLETIONS",
        "/v1/messages;x=1",
        "/v1/messages?key=x",
        "/v1/messages#x",
        "/metrics/../v1/messages",
        "/admin/v1/../../v1/messages",
        "/v1/messages/.",
        "/v1/messages%00",
        "/readyz",
        "/",
    ];
    let hosts = [
        "t",
        "localhost",
        "127.0.0.1",
        "admin",
        "",
        "t:0",
        "a@b",
        "[::1]",
        "metadata.google.internal",
        "x y",
    ];
    let body = Dialect::OpenAi.ask("openai/echo", "hi", false).to_string();
    for path in paths {
        for host in hosts {
            let length = body.len();
            let request = format!(
                "POST {path} HTTP/1.1\r\nhost: {host}\r\nx-forwarded-for: 127.0.0.1\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            let answer = tollgate_tests::caller::raw(rig.gateway.address, request.as_bytes(), std::time::Duration::from_secs(5)).await;
            let status = String::from_utf8_lossy(answer.get(9..12).unwrap_or_default()).into_owned();
            let open = matches!(path, "/readyz");
            assert!(
                open || ["400", "401", "404", "405"].contains(&status.as_str()),
                "{path} {host}: {status}"
            );
        }
    }
    assert!(rig.mock.bill_json(true).contains("\"requests\":0"), "{}", rig.mock.bill_json(true));
}
