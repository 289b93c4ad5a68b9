//! SIGKILL at random moments, under load.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tollgate_store::database::ledger::Row;

use super::{Site, stop};

/// How often the process is killed; and how often where `TOLLGATE_TESTS_FULL` is set (`make soak`).
const KILLS: u64 = 15;
const KILLS_FULL: u64 = 1_000;

fn kills() -> u64 {
    if std::env::var_os("TOLLGATE_TESTS_FULL").is_some() {
        KILLS_FULL
    } else {
        KILLS
    }
}

/// What a row says of money, without when it was written.
fn said(rows: &[Row]) -> Vec<(String, String, String, i64)> {
    let mut said: Vec<_> = rows
        .iter()
        .map(|row| (row.request.clone(), row.ended.clone(), row.model.clone(), row.totals.cost))
        .collect();
    said.sort();
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_to_i7_no_kill_forgets_or_repeats_what_was_spent() {
    let seed: u64 = rand::random();
    println!("kills: seed {seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let site = Site::new("").await;
    for kill in 0..kills() {
        if kill % 100 == 99 {
            println!("kills: {} so far", kill + 1);
        }
        let gateway = site.start().await;
        let load = site.load(&gateway);
        tokio::time::sleep(Duration::from_millis(dice.random_range(0..1_500))).await;
        drop(gateway);
        load.end().await;
    }
    // The same recovery again on a copy; and once more on the original, killed in between when it had only just recovered.
    let copy = site.copied();
    stop(copy.start().await).await;
    let once = copy.check(&copy.source()).await;
    drop(site.start().await);
    stop(site.start().await).await;
    let twice = site.check(&site.source()).await;
    assert_eq!(said(&once), said(&twice), "two recoveries differ");
    let crashed = once.iter().filter(|row| row.ended == "crashed").count();
    let answered = site.seen.complete.lock().unwrap().len();
    println!("kills: {} requests, {answered} answered, {crashed} crashed", once.len());
    assert!(0 < crashed && 100 < answered, "nothing was under way");
}
