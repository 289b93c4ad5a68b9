//! Many threads append at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

#[test]
fn what_many_threads_append_is_all_there_each_threads_in_its_order() {
    const THREADS: u64 = 8;
    const EACH: u64 = 150;
    let folder = Folder::new();
    let settings = Settings {
        segment_bytes: 40_000,
        ..SMALL
    };
    let (journal, _) = Journal::open(&folder.0, settings).unwrap();
    let stop = AtomicBool::new(false);
    let read_on = || {
        // A reader sees whole records only, while they are written.
        let (mut reader, mut read) = (journal.read(Position::START).unwrap(), 0);
        loop {
            let is_last = stop.load(Ordering::Acquire);
            read += rest(&mut reader).unwrap().len() as u64;
            if is_last {
                return read;
            }
        }
    };
    let read = thread::scope(|scope| {
        let reading = scope.spawn(read_on);
        let journal = &journal;
        let write = |thread: u64| {
            move || {
                for number in thread * EACH..(thread + 1) * EACH {
                    journal.append(&[hold(number), settlement(number)]).unwrap();
                }
            }
        };
        let writing: Vec<_> = (0..THREADS).map(|number| scope.spawn(write(number))).collect();
        for thread in writing {
            thread.join().unwrap();
        }
        stop.store(true, Ordering::Release);
        reading.join().unwrap()
    });
    assert_eq!(read, 2 * THREADS * EACH);
    drop(journal);
    let mut next: Vec<u64> = (0..THREADS).map(|number| number * EACH).collect();
    let entries = read_offline(&folder.0).unwrap();
    for pair in entries.chunks(2) {
        let Entry::Hold(found) = &pair[0] else { panic!("{pair:?}") };
        let number: u64 = found.request.strip_prefix("req_").unwrap().parse().unwrap();
        let thread = usize::try_from(number / EACH).unwrap();
        assert_eq!(number, next[thread]);
        assert_eq!(pair, [hold(number), settlement(number)]);
        next[thread] += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sleeps_until_there_is_more() {
    let folder = Folder::new();
    let journal = std::sync::Arc::new(open(&folder));
    let before = journal.written();
    let waiting = {
        let journal = std::sync::Arc::clone(&journal);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { journal.wait_beyond(before).await });
        tasks
    };
    journal.append(&[opened(1)]).unwrap();
    waiting.join_all().await;
    journal.wait_beyond(before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_power_everybody_waits_for_the_disk_and_many_share_a_sync() {
    let folder = Folder::new();
    let disk = std::sync::Arc::new(failing::Faulty::default());
    let settings = Settings {
        durability: Durability::Power,
        ..SMALL
    };
    let (journal, _) = Journal::open_on(disk.clone(), &folder.0, settings).unwrap();
    let journal = std::sync::Arc::new(journal);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200 {
        let (journal, disk) = (std::sync::Arc::clone(&journal), disk.clone());
        tasks.spawn(async move {
            let position = journal.append(&[hold(number)]).unwrap();
            journal.durable(position).await.unwrap();
            assert!(position <= disk.synced(), "{position} {}", disk.synced());
        });
    }
    assert_eq!(tasks.join_all().await.len(), 200);
}
