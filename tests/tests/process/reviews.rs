//! Human review: what nobody could answer is kept for a person, and only whose request it is learns what became of it.

use http::HeaderValue;
use serde_json::{Value, json};
use tollgate_tests::gateway::Folder;
use tollgate_tests::rig::Plan;
use tollgate_tests::{Answer, Caller, Dialect, Rig};

const OTHER: &str = "key-of-somebody-else";

struct Stage {
    rig: Rig,
    admin: Caller,
    other: Caller,
    _data: Folder,
}

/// Its model fails twice, each time with all of a call's tries, and answers from then on.
async fn stage() -> Stage {
    let data = Folder::new();
    let mut plan = Plan {
        routes: "  r: { targets: [{ model: openai/lorem-9 }], retry: { attempts: 1 }, last_resort: { review: { expires: 1h } } }".into(),
        keys: "  - { name: o, team: all, secret: env:KEY_O }".into(),
        script: "[[rule]]\nmodel = \"lorem-9\"\nfirst = 4\nfault = \"status-503\"\n".into(),
        ..Plan::default()
    };
    plan.settings.data = Some(data.path().to_owned());
    plan.settings.env.push(("KEY_O".into(), OTHER.into()));
    let rig = plan.start().await;
    let token = std::fs::read_to_string(data.path().join("admin-token")).unwrap();
    Stage {
        admin: Caller::new(rig.gateway.admin, token.trim()),
        other: Caller::new(rig.gateway.address, OTHER),
        rig,
        _data: data,
    }
}

impl Stage {
    /// A request that ends in a review; the review's address.
    async fn asked(&self, dialect: Dialect) -> String {
        let answer = self.rig.caller.ask(dialect, "r", false).await;
        assert_eq!(answer.status, 202, "{:?}", answer.body);
        let (body, at) = (answer.json(), answer.header("location").to_owned());
        assert_eq!((&body["status"], &body["url"]), (&json!("pending"), &json!(at)), "{body}");
        assert_eq!(
            answer.header("x-tollgate-fallback"),
            "from=openai/lorem-9; reason=last_resort_review"
        );
        assert_eq!(at, format!("/v1/reviews/{}", body["id"].as_str().unwrap()));
        assert_eq!(self.get(&at).await.status, 202);
        assert_eq!(self.other.send("GET", &at, "").await.status, 404, "another key's");
        at
    }

    async fn get(&self, at: &str) -> Answer {
        self.rig.caller.send("GET", at, "").await
    }

    async fn decide(&self, at: &str, how: &str, body: Value) -> Answer {
        self.admin
            .post(&format!("/admin/v1{}/{how}", at.trim_start_matches("/v1")), &body)
            .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_refuses_writes_the_answer_or_lets_the_request_go_once_more() {
    let stage = stage().await;
    let (refused, edited, approved) = (
        stage.asked(Dialect::OpenAi).await,
        stage.asked(Dialect::Anthropic).await,
        stage.asked(Dialect::Anthropic).await,
    );
    let page = stage.admin.send("GET", "/admin/v1/reviews?state=pending", "").await.json();
    assert_eq!(page["data"].as_array().unwrap().len(), 3, "{page}");
    assert!(!page.to_string().contains("Say something"), "a list has no prompts");
    let one = stage.admin.send("GET", &format!("/admin{refused}"), "").await;
    assert!(String::from_utf8_lossy(&one.body).contains("Say something"), "{:?}", one.body);

    assert_eq!(stage.decide(&refused, "refuse", json!({"reason": " "})).await.status, 422);
    assert_eq!(
        stage.decide(&refused, "refuse", json!({"reason": "not for machines"})).await.status,
        200
    );
    assert_eq!(stage.decide(&refused, "approve", json!({})).await.status, 409, "it is decided");
    let answer = stage.get(&refused).await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(
        answer.status == 403 && text.contains("review_refused") && text.contains("not for machines"),
        "{text}"
    );

    assert_eq!(stage.decide(&edited, "edit", json!({"answer": "From a person."})).await.status, 200);
    for _ in 0..2 {
        let answer = stage.get(&edited).await;
        let body = answer.json();
        assert_eq!(
            (answer.status, &body["content"][0]["text"]),
            (200, &json!("From a person.")),
            "{body}"
        );
        assert_eq!(
            (&body["model"], &body["stop_reason"]),
            (&json!("tollgate/reviewer"), &json!("end_turn")),
            "{body}"
        );
        assert_eq!(answer.header("x-tollgate-fallback"), "from=r; reason=review_edited");
    }

    assert_eq!(stage.decide(&approved, "approve", json!({})).await.status, 200);
    // The provider fails once more, and the approval stays; nor does a review lead to another one.
    let answer = stage.get(&approved).await;
    assert_eq!(answer.status, 503, "{:?}", answer.body);
    let answer = stage.get(&approved).await;
    let body = answer.json();
    assert_eq!(
        (answer.status, answer.header("x-tollgate-model")),
        (200, "openai/lorem-9"),
        "{body}"
    );
    assert_eq!(body["type"], "message", "in the dialect of who asked: {body}");
    assert_eq!(
        stage.get(&approved).await.json()["content"],
        body["content"],
        "the same answer, not another call"
    );
    // Three that led to a review, and two goes of what was approved: whoever asks again gets the answer that is kept.
    assert_eq!(stage.rig.bill("lorem-9").len(), 5);

    let audit = stage.admin.send("GET", "/admin/v1/audit", "").await;
    let text = String::from_utf8_lossy(&audit.body).into_owned();
    for action in ["review.read", "review.refuse", "review.edit", "review.approve"] {
        assert!(text.contains(action), "{action}: {text}");
    }
    assert!(!text.contains("From a person") && !text.contains("Say something"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_review_is_closed_to_whom_it_does_not_concern() {
    let stage = stage().await;
    let at = stage.asked(Dialect::OpenAi).await;
    let mut nobody = stage.rig.caller.clone();
    nobody.headers.remove(http::header::AUTHORIZATION);
    assert_eq!(nobody.send("GET", &at, "").await.status, 401);
    assert_eq!(stage.rig.caller.send("POST", &at, "{}").await.status, 405);
    for id in ["rev_0", "%2e%2e", "rev_' OR '1'='1"] {
        assert_eq!(
            stage.get(&format!("/v1/reviews/{}", id.replace(' ', "%20"))).await.status,
            404,
            "{id}"
        );
    }
    let mut with_a_callers_key = stage.admin.clone();
    let key = HeaderValue::from_static("Bearer test-caller-key-0001");
    with_a_callers_key.headers.insert(http::header::AUTHORIZATION, key);
    assert_eq!(with_a_callers_key.send("GET", "/admin/v1/reviews", "").await.status, 401);
}
