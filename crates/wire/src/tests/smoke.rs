//! The fuzz targets with seeded input for a few seconds, so that they run on a stable compiler and in every test run. Finding new
//! bugs is the fuzzer's work; this one shows that the targets work and that what they hold still holds.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use super::dice::Dice;
use super::fuzzed::{CHECKS, Check};

/// Inputs for each target.
const ROUNDS: usize = 4_000;
/// What mutations put in: the bytes that mean something to a scanner or a framer.
const TELLING: &[u8] = b"{}[]\":,\\u0123-+.eEtfn \n\r\xff\x00dxyz";

/// The seed corpus of the fuzzer: small documents of our own.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// A seed, mutated up to eight times: bytes replaced, put in, taken out, pieces repeated or joined to another seed's.
fn mutate(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut data = dice.pick(seeds).clone();
    for _ in 0..dice.below(8) {
        let at = dice.below(data.len() + 1);
        match dice.below(6) {
            0 => data.insert(at, *dice.pick(TELLING)),
            1 if at < data.len() => data[at] = *dice.pick(TELLING),
            2 if at < data.len() => drop(data.remove(at)),
            3 => drop(data.drain(at..(at + dice.below(9)).min(data.len()))),
            4 => {
                let end = (at + dice.below(40)).min(data.len());
                let piece = data[at..end].to_vec();
                let to = dice.below(data.len() + 1);
                data.splice(to..to, piece);
            }
            _ => {
                let other = dice.pick(seeds);
                let from = dice.below(other.len() + 1);
                data.truncate(at);
                data.extend_from_slice(&other[from..]);
            }
        }
    }
    data
}

fn run(target: &str, check: Check, rounds: usize) {
    let seeds = seeds(target);
    let mut dice = Dice::new(11);
    seeds.iter().for_each(|seed| check(seed));
    for _ in 0..rounds {
        let data = mutate(&seeds, &mut dice);
        let held = catch_unwind(AssertUnwindSafe(|| check(&data)));
        assert!(held.is_ok(), "{target}: {:?}", String::from_utf8_lossy(&data));
    }
}

fn check(target: &str) -> Check {
    CHECKS.iter().find(|(name, _)| *name == target).unwrap().1
}

#[test]
fn the_scanner_agrees_with_a_full_parser() {
    run("scan", check("scan"), ROUNDS * 4);
}

#[test]
fn frames_are_the_same_however_cut() {
    run("sse", check("sse"), ROUNDS * 2);
}

#[test]
fn every_request_that_is_read_can_be_written() {
    run("request", check("request"), ROUNDS);
}

#[test]
fn every_answer_that_is_read_can_be_written() {
    run("answer", check("answer"), ROUNDS);
}

#[test]
fn patches_edit_what_they_should_and_nothing_else() {
    run("patch", check("patch"), ROUNDS * 2);
}

#[test]
fn the_canary_is_found() {
    let found = catch_unwind(|| run("canary", check("canary"), ROUNDS));
    assert!(found.is_err(), "the planted bug was not found: the harness finds nothing");
}
