//! The seeds of `make test`, and the planted bugs that they must find.

use super::planted::ALL;
use super::{SEEDS, simulate};

#[test]
fn f37_no_seed_loses_money() {
    for seed in 0..SEEDS {
        if let Err(broken) = simulate(seed, None) {
            unreachable!("seed {seed}, {broken}; repeat it: cargo xtask simulate --seed {seed}");
        }
    }
}

#[test]
fn f37_a_seed_does_the_same_each_time() {
    let traces: Vec<_> = (0..10).map(|seed| (simulate(seed, None), simulate(seed, None))).collect();
    for (first, second) in &traces {
        assert_eq!(first, second);
    }
    assert!(
        traces.windows(2).all(|pair| matches!(pair, [one, other] if one != other)),
        "another seed does something else"
    );
}

#[test]
fn f38_every_planted_bug_is_found() {
    assert!(ALL.len() >= 25);
    let missed: Vec<_> = ALL
        .iter()
        .filter(|(bug, ..)| (0..SEEDS).all(|seed| simulate(seed, Some(*bug)).is_ok()))
        .map(|row| row.1)
        .collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}
