//! A process that is killed while it writes: all that it acknowledged is there.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write, stdout};
use std::process::{Command, Stdio};
use std::thread;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

const FOLDER: &str = "TOLLGATE_TEST_JOURNAL";
const ROUNDS: u64 = 12;

#[test]
fn f37_all_that_a_killed_process_acknowledged_is_read_back() {
    let (folder, mut dice) = (Folder::new(), StdRng::seed_from_u64(4));
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        #[expect(clippy::disallowed_methods, reason = "the test starts itself as the process to kill")]
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command
            .args(["--exact", "journal::tests::killed::append_until_killed", "--nocapture"])
            .env(FOLDER, &folder.0)
            .env("TOLLGATE_TEST_ROUND", round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let number = |line: String| line.strip_prefix("wrote ")?.strip_suffix('.')?.parse::<u64>().ok();
        acknowledged.extend(lines.by_ref().filter_map(number).take(dice.random_range(1..400)));
        child.kill().unwrap();
        acknowledged.extend(lines.filter_map(number));
        child.wait().unwrap();
        let (journal, _) = Journal::open(&folder.0, SMALL).unwrap();
        let mut found = BTreeSet::new();
        for entry in rest(&mut journal.read(Position::START).unwrap()).unwrap() {
            let Entry::Hold(hold) = entry else { panic!("{entry:?}") };
            let number = hold.request.strip_prefix("req_").unwrap().parse().unwrap();
            assert!(found.insert(number), "{number} stands there twice");
        }
        assert!(
            acknowledged.is_subset(&found),
            "round {round}: lost {:?}",
            acknowledged.difference(&found)
        );
    }
    assert!(ROUNDS <= acknowledged.len() as u64);
}

#[test]
#[expect(clippy::print_stdout, reason = "its acknowledgements")]
fn append_until_killed() {
    let Some(dir) = std::env::var_os(FOLDER) else {
        println!("skipped: the process that the test above starts and kills");
        return;
    };
    let round: u64 = std::env::var("TOLLGATE_TEST_ROUND").unwrap().parse().unwrap();
    let (journal, _) = Journal::open(Path::new(&dir), SMALL).unwrap();
    println!();
    thread::scope(|scope| {
        for thread in 0..3_u64 {
            let journal = &journal;
            scope.spawn(move || {
                for each in 0..100_000 {
                    let number = (round * 3 + thread) * 100_000 + each;
                    journal.append(&[hold(number)]).unwrap();
                    // A line that is cut by the kill has no end mark.
                    let line = format!("wrote {number}.\n");
                    stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}
