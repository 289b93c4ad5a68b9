//! What may stand in a data folder after a crash, or after somebody has laid hands on it.

use std::io::Write;

use super::{Site, last_segment, stop};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_end_of_the_journal_is_cut_and_told() {
    let site = Site::new("").await;
    let gateway = site.start().await;
    site.answers(&gateway, 5).await;
    drop(gateway);
    // The head of a record whose rest never came.
    let segment = last_segment(site.data.path());
    let record = std::fs::read(&segment).unwrap()[72..90].to_vec();
    std::fs::OpenOptions::new()
        .append(true)
        .open(&segment)
        .unwrap()
        .write_all(&record)
        .unwrap();
    let gateway = site.start().await;
    let line = gateway.line_with("torn bytes").await;
    assert!(line.contains("18 torn bytes") && line.contains("\"level\":\"warn\""), "{line}");
    site.answers(&gateway, 5).await;
    stop(gateway).await;
    assert_eq!(site.check(&site.source()).await.len(), 10);
}

/// A power cut may take what was not synced yet, also when the database has it already: what it has stays, and what follows is new.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_ends_before_the_database_goes_on_behind_it() {
    let site = Site::new("").await;
    let gateway = site.start().await;
    site.answers(&gateway, 5).await;
    stop(gateway).await;
    let segment = last_segment(site.data.path());
    let bytes = std::fs::metadata(&segment).unwrap().len();
    std::fs::OpenOptions::new()
        .write(true)
        .open(&segment)
        .unwrap()
        .set_len(bytes - 30)
        .unwrap();
    for round in 1..=2 {
        let gateway = site.start().await;
        if round == 1 {
            let line = gateway.line_with("the database has more of the journal").await;
            assert!(line.contains("\"level\":\"warn\""), "{line}");
        }
        site.answers(&gateway, 5).await;
        drop(gateway);
    }
    stop(site.start().await).await;
    assert_eq!(site.check(&site.source()).await.len(), 15);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_in_the_middle_of_the_journal_is_named_and_nothing_is_skipped() {
    let site = Site::new("").await;
    let gateway = site.start().await;
    site.answers(&gateway, 5).await;
    drop(gateway);
    let segment = last_segment(site.data.path());
    let whole = std::fs::read(&segment).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0x10;
    std::fs::write(&segment, damaged).unwrap();
    let said = site.try_start().await.err().unwrap();
    let names = said.contains("00000001.seg") && said.contains("damaged at byte");
    assert!(names && said.contains("restore the file from a backup"), "{said}");
    // With the file from the backup all is there.
    std::fs::write(&segment, whole).unwrap();
    stop(site.start().await).await;
    assert_eq!(site.check(&site.source()).await.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_the_same_data_folder_is_refused() {
    let site = Site::new("").await;
    let gateway = site.start().await;
    let said = site.try_start().await.err().unwrap();
    assert!(said.contains("another tollgate process") && said.contains("data_dir"), "{said}");
    site.answers(&gateway, 2).await;
    stop(gateway).await;
    assert_eq!(site.check(&site.source()).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn durability_that_survives_a_power_cut_works_and_survives_a_kill() {
    let site = Site::new("ledger: { durability: power }").await;
    let gateway = site.start().await;
    let load = site.load(&gateway);
    site.answers(&gateway, 20).await;
    drop(gateway);
    load.end().await;
    stop(site.start().await).await;
    assert!(20 <= site.check(&site.source()).await.len());
}
