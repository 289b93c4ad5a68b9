//! The money path over real sockets (GOVERNANCE 3 to 7, FAULTS 2.C): what is refused and what is not, what is posted, and what callers are
//! told of it. One file per subject.

mod aborts;
mod attempts;
mod cancelled;
mod faults;
mod limits;
mod queue;
mod races;
mod refusals;
mod restart;
mod substitutes;
mod sums;
mod tokens;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate_store::database::ledger::Row;
use tollgate_tests::{Answer, Caller, Dialect, Rig, ledger};

/// How long the shipper may take until a row is in the database.
const SHIPPED_WITHIN: Duration = Duration::from_secs(5);
/// More output than any budget here pays for.
const TOO_MUCH: u64 = 1_000_000_000;

/// One US dollar, in the ledger's unit.
const USD: i64 = 1_000_000_000;

/// How the budget stands that a call of this model meets, in the ledger's unit: what is used, and what is held. It is told by the refusal of
/// a call that is too dear for it.
async fn standing(caller: &Caller, model: &str) -> (i64, i64) {
    let mut body = Dialect::OpenAi.ask(model, "x", false);
    body["max_tokens"] = json!(TOO_MUCH);
    let answer = caller.post("/v1/chat/completions", &body).await;
    assert_eq!(answer.status, 402, "{:?}", answer.body);
    let details = answer.json()["error"]["details"].clone();
    let amount = |name: &str| nano(&format!("{:.9}", details[name].as_f64().unwrap()));
    (amount("used"), amount("reserved"))
}

/// Waits until the ledger in the database has so many rows.
async fn ledger_of(rig: &Rig, rows: usize) -> Vec<Row> {
    let began = Instant::now();
    loop {
        let found = ledger::rows(&rig.gateway.folder.path().join("data")).await;
        if rows <= found.len() || SHIPPED_WITHIN < began.elapsed() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The code of an answer's error; empty: it has none.
fn code(dialect: Dialect, answer: &Answer) -> String {
    serde_json::from_slice::<Value>(&answer.body).map_or_else(|_| String::new(), |body| dialect.error_code(&body))
}

/// A decimal number of dollars in the ledger's unit.
fn nano(text: &str) -> i64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    assert!(part.len() <= 9, "{text} is finer than the ledger");
    whole.parse::<i64>().unwrap() * USD + format!("{part:0<9}").parse::<i64>().unwrap()
}
