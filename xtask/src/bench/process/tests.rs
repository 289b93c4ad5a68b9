//! Processor time and memory are read from real processes, children included, and a program is gone when it is dropped.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use super::*;

fn shell(script: &str, name: &str) -> Process {
    let log = std::env::temp_dir().join(format!("tollgate-bench-{}-{name}.log", std::process::id()));
    let launch = Launch {
        program: "/bin/sh".into(),
        arguments: vec!["-c".to_owned(), script.to_owned()],
        environment: vec![("WORD", "hello".to_owned())],
        address: "127.0.0.1:1".parse().unwrap(),
        log: log.clone(),
    };
    let process = Process::start(&launch).unwrap();
    fs::remove_file(log).unwrap();
    process
}

fn wait_until(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_processor_time_of_children_counts() {
    // The shell only waits; what is used is used by its child.
    let process = shell("trap 'kill $!' TERM; (while :; do :; done) & wait", "busy");
    wait_until(|| process.tree().unwrap().pids.len() == 2);
    let tree = process.tree().unwrap();
    wait_until(|| Duration::from_millis(50) < tree.cpu().unwrap());
    let own = Tree {
        pids: vec![process.child.id()],
    };
    assert!(own.cpu().unwrap() < Duration::from_millis(50), "{:?}", own.cpu());
    assert!(own.rss_bytes().unwrap() <= tree.rss_bytes().unwrap());
    let pids = tree.pids.clone();
    drop(process);
    wait_until(|| pids.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()));
    assert!(tree.cpu().is_err(), "what is gone has no figure");
}

#[test]
fn a_program_that_ends_shows_the_end_of_its_log() {
    let mut process = shell("echo $WORD; exit 3", "ended");
    wait_until(|| process.check().is_err());
    let reason = process.check().unwrap_err();
    assert!(reason.contains('3') && reason.contains("hello"), "{reason}");
}

#[test]
fn an_emptied_log_is_written_from_its_beginning() {
    let mut process = shell("echo one; read never; echo two", "log");
    wait_until(|| process.log_tail().contains("two"));
    process.forget_log().unwrap();
    assert_eq!(process.log_tail(), "(empty)");
}
