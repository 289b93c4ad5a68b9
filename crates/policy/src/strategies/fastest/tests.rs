//! The figures of `fastest`, in virtual time: calls come at a rate, take what their target takes, and report when they end.

#![expect(clippy::disallowed_methods, reason = "a test is who passes the time in")]

use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use super::*;
use crate::plan::DeploymentId;
use crate::strategies::tests::{Seen, candidates};
use crate::vitals::{Vital, Vitals, Waiting};

/// How a target answers at that moment: how long it takes, and whether it succeeds.
type Behaviour = fn(since_start: Duration, dice: &mut Dice) -> (Duration, bool);

struct World {
    start: Instant,
    now: Instant,
    targets: Vec<(Vitals, Behaviour)>,
    /// When, in ns from the start and negative, so that the heap gives the next; the target, and the call.
    ends: BinaryHeap<(i64, usize, usize)>,
    calls: Vec<(Waiting, bool)>,
    dice: Dice,
}

impl World {
    fn new(behaviours: &[Behaviour], seed: u64) -> Self {
        let start = Instant::now();
        Self {
            start,
            now: start,
            targets: behaviours.iter().map(|behaviour| (Vitals::new(start), *behaviour)).collect(),
            ends: BinaryHeap::new(),
            calls: Vec::new(),
            dice: Dice::new(seed),
        }
    }

    /// One call now; the number of its target.
    fn call(&mut self) -> usize {
        let sight = Seen {
            vitals: self.targets.iter().map(|(vitals, _)| vitals.at(self.now)).collect(),
            ..Seen::default()
        };
        let mut ranked = candidates(&vec![1; self.targets.len()]);
        Fastest.rank(&sight, &mut ranked, &mut self.dice);
        let at = usize::try_from(ranked[0].deployment.0).unwrap_or(0);
        let (vitals, behaviour) = &self.targets[at];
        let since = self.now - self.start;
        let (takes, well) = behaviour(since, &mut self.dice);
        self.calls.push((vitals.begin(self.now), well));
        let end_ns = i64::try_from((since + takes).as_nanos()).unwrap_or(i64::MAX);
        self.ends.push((-end_ns, at, self.calls.len() - 1));
        at
    }

    /// Lets so much time pass, and the calls end that end in it.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some((end_ns, at, call)) = self.ends.peek().copied() {
            let end = self.start + Duration::from_nanos(end_ns.unsigned_abs());
            if until < end {
                break;
            }
            self.ends.pop();
            let (vitals, _) = &self.targets[at];
            let (waiting, well) = self.calls[call];
            if well {
                vitals.answered(waiting, end);
            } else {
                vitals.failed(waiting, end);
            }
            vitals.ended();
        }
        self.now = until;
    }

    /// So many calls, at that distance; how many went to each target.
    fn run(&mut self, calls: usize, distance: Duration) -> Vec<usize> {
        let mut counts = vec![0; self.targets.len()];
        for _ in 0..calls {
            counts[self.call()] += 1;
            self.pass(distance);
        }
        counts
    }
}

/// A log-normal-like spread around a median: half to twice.
fn about(median_ms: u64, dice: &mut Dice) -> Duration {
    Duration::from_millis(median_ms / 2 + dice.below(median_ms * 3 / 2))
}

fn fast(_: Duration, dice: &mut Dice) -> (Duration, bool) {
    (about(250, dice), true)
}

/// 95 % of its answers take up to 10 s: some of them are quick.
fn slow(_: Duration, dice: &mut Dice) -> (Duration, bool) {
    (Duration::from_millis(500 + dice.below(10_000)), true)
}

fn failing(_: Duration, _: &mut Dice) -> (Duration, bool) {
    (Duration::from_millis(2), false)
}

fn hanging(_: Duration, _: &mut Dice) -> (Duration, bool) {
    (Duration::from_secs(30), false)
}

const RECOVERS_AFTER: Duration = Duration::from_secs(120);

fn recovering(since: Duration, dice: &mut Dice) -> (Duration, bool) {
    if since < RECOVERS_AFTER {
        slow(since, dice)
    } else {
        fast(since, dice)
    }
}

#[test]
fn a_slow_a_failing_and_a_hanging_target_lose_95_percent_within_50_requests() {
    let rows: [(&str, Behaviour); 3] = [("slow", slow), ("failing", failing), ("hanging", hanging)];
    for (what, behaviour) in rows {
        for per_second in [2, 10, 100] {
            for seed in 0..50 {
                let mut world = World::new(&[fast, behaviour], seed);
                let distance = Duration::from_secs(1) / per_second;
                let first = world.run(50, distance);
                let then = world.run(1000, distance);
                assert!(then[0] >= 950, "{what} at {per_second}/s, seed {seed}: {first:?}, then {then:?}");
                // At 100/s fifty calls have come before the first answer that could tell anything.
                if per_second <= 10 {
                    assert!(
                        first[0] >= 47,
                        "{what} at {per_second}/s, seed {seed}: {first:?} within the first 50"
                    );
                }
            }
        }
    }
}

#[test]
fn who_recovers_is_back_within_a_minute() {
    for per_second in [2, 10, 100] {
        for seed in 0..20 {
            let mut world = World::new(&[fast, recovering], seed);
            let distance = Duration::from_secs(1) / per_second;
            let per_minute = usize::try_from(per_second * 60).unwrap_or(0);
            world.run(2 * per_minute, distance);
            let minute = world.run(per_minute, distance);
            let later = world.run(per_minute, distance);
            assert!(
                minute[1] > 1,
                "{per_second}/s, seed {seed}: {minute:?} in the minute of its recovery"
            );
            assert!(
                later[1] * 100 >= per_minute * 20,
                "{per_second}/s, seed {seed}: {later:?} afterwards"
            );
        }
    }
}

#[test]
fn equals_share_the_calls() {
    for seed in 0..20 {
        let counts = World::new(&[fast, fast, fast], seed).run(6000, Duration::from_millis(20));
        assert!(counts.iter().all(|count| *count > 1000), "seed {seed}: {counts:?}");
    }
}

#[test]
fn the_others_stand_by_the_quicker_first() {
    let sight = Seen {
        vitals: [900, 20, 300, 40]
            .map(|ms| Vital {
                latency: Duration::from_millis(ms),
                ..Vital::default()
            })
            .into(),
        ..Seen::default()
    };
    let mut firsts = [0; 4];
    for seed in 0..2000 {
        let mut ranked = candidates(&[1; 4]);
        Fastest.rank(&sight, &mut ranked, &mut Dice::new(seed));
        let ids: Vec<usize> = ranked.iter().map(|one| usize::try_from(one.deployment.0).unwrap_or(0)).collect();
        firsts[ids[0]] += 1;
        let expected: Vec<usize> = [1, 3, 2, 0].into_iter().filter(|id| *id != ids[0]).collect();
        assert_eq!(ids[1..], expected);
    }
    // Of six pairs the quickest wins three, the slowest none.
    assert!(
        firsts[1] > 900 && firsts[3] > 550 && firsts[2] > 250 && firsts[0] == 0,
        "{firsts:?}"
    );
    let mut one = candidates(&[1]);
    assert_eq!(Fastest.rank(&sight, &mut one, &mut Dice::new(0)), "fastest: 900 ms expected");
    assert_eq!(one[0].deployment, DeploymentId(0));
}
