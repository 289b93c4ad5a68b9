//! Figures, by hand: `TOLLGATE_FIGURES=1 cargo test --release -p tollgate-store figures -- --nocapture`.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures, and tells")]

use std::time::Instant;

use super::*;

#[test]
fn append_and_recover() {
    const EXCHANGES: u64 = 500_000;
    if std::env::var_os("TOLLGATE_FIGURES").is_none() {
        println!("skipped: it measures, when TOLLGATE_FIGURES is set");
        return;
    }
    let folder = Folder::new();
    let (journal, _) = Journal::open(&folder.0, Settings::default()).unwrap();
    let entries: Vec<(Entry, Entry)> = (0..1_000).map(|number| (hold(number), settlement(number))).collect();
    let begun = Instant::now();
    for (hold, settlement) in entries.iter().cycle().take(usize::try_from(EXCHANGES).unwrap()) {
        journal.append(std::slice::from_ref(hold)).unwrap();
        journal.append(std::slice::from_ref(settlement)).unwrap();
    }
    let taken = begun.elapsed();
    let state = journal.state();
    println!(
        "append: {} ns each, {} bytes each",
        taken.as_nanos() / u128::from(2 * EXCHANGES),
        state.bytes / (2 * EXCHANGES)
    );
    drop(journal);
    let begun = Instant::now();
    let (journal, _) = Journal::open(&folder.0, Settings::default()).unwrap();
    let mut count = 0;
    let open = journal.recover(Position::START, |_| count += 1).unwrap();
    println!("recover: {count} records in {:?}, {} open", begun.elapsed(), open.len());
}
