//! A million calls of random labels, clearances, routes and failures: nothing is sent where it is not cleared to go. The order is worked out
//! here a second time, on bits, and the planted mistake shows that it would be found.

use std::time::Duration;

use tollgate_wire::fault::{Fault, FaultKind};

use super::super::*;
use crate::plan::{Candidate, Choices, Dice, Plan};
use crate::retry::{self, Next, Standing, Trigger};

use crate::strategies::{self, Settings, Strategy, by_name};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const CASES: u64 = 1_000_000;
/// Calls in one world of routes and clearances.
const CALLS_PER_WORLD: u64 = 40;

/// A label or a clearance as bits; `None`: any.
#[derive(Clone, Copy)]
struct Bits {
    level: usize,
    compartments: u64,
    regions: Option<u64>,
    processors: Option<u64>,
}

impl Bits {
    /// A label: most have few bounds, so that calls of every kind happen.
    fn label(dice: &mut Dice) -> Self {
        let some = |dice: &mut Dice| (dice.below(5) == 0).then(|| 1 + dice.below(15));
        Self {
            level: usize::try_from(dice.below(4).min(dice.below(4))).unwrap(),
            compartments: if dice.below(4) > 0 { 0 } else { dice.below(16) },
            regions: some(dice),
            processors: some(dice),
        }
    }

    /// A clearance. A place that stands nowhere cannot be declared.
    fn place(dice: &mut Dice) -> Self {
        let some = |dice: &mut Dice| (dice.below(2) == 0).then(|| 1 + dice.below(15));
        Self {
            level: usize::try_from(dice.below(4).max(dice.below(4))).unwrap(),
            compartments: dice.below(16),
            regions: some(dice),
            processors: some(dice),
        }
    }

    fn may_go_to(self, place: Self) -> bool {
        const ALL: u64 = 1 << 4 | 0b1111; // the four, and all that have no name here
        let within = |part: u64, whole: u64| part & !whole == 0;
        self.level <= place.level
            && within(self.compartments, place.compartments)
            && within(place.regions.unwrap_or(ALL), self.regions.unwrap_or(ALL))
            && within(place.processors.unwrap_or(ALL), self.processors.unwrap_or(ALL))
    }

    fn bounds(self) -> Bounds {
        let names = |bits: u64| Names::new(NAMES.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, name)| name));
        Bounds {
            compartments: names(self.compartments),
            regions: self.regions.map(names),
            processors: self.processors.map(names),
        }
    }

    fn level(self) -> Level {
        Level::ALL[self.level]
    }
}

struct World {
    places: Vec<(Bits, Clearance)>,
    candidates: Vec<Candidate>,
    fallbacks: Vec<DeploymentId>,
    strategy: Box<dyn Strategy>,
    on: Vec<Trigger>,
}

impl World {
    fn roll(dice: &mut Dice) -> Self {
        let count = 1 + dice.below(6);
        let places = (0..count).map(|_| {
            let bits = Bits::place(dice);
            (bits, Clearance::new(bits.level(), bits.bounds()))
        });
        let places: Vec<_> = places.collect();
        let any = |dice: &mut Dice| DeploymentId(u32::try_from(dice.below(count)).unwrap());
        let names = ["pinned", "weighted", "cheapest", "fastest", "least_busy"];
        let name = names[usize::try_from(dice.below(5)).unwrap()];
        Self {
            candidates: (0..=dice.below(3))
                .map(|_| Candidate {
                    deployment: any(dice),
                    weight: u32::try_from(dice.below(3)).unwrap(),
                })
                .collect(),
            fallbacks: (0..dice.below(4)).map(|_| any(dice)).collect(),
            strategy: (by_name(name).unwrap().build)(&Settings::default()),
            on: Trigger::ALL.iter().map(|(_, on)| *on).filter(|_| dice.below(4) > 0).collect(),
            places,
        }
    }
}

type Filter = fn(&mut Choices, &Label, &World);

fn as_built(choices: &mut Choices, label: &Label, world: &World) {
    withhold(choices, label, |id| {
        world.places.get(usize::try_from(id.0).unwrap()).map(|(_, clearance)| clearance)
    });
}

/// The planted mistake: fallbacks are not looked at (QuillCode PR #1549).
fn targets_alone(choices: &mut Choices, label: &Label, world: &World) {
    let fallbacks = choices.fallbacks.clone();
    as_built(choices, label, world);
    choices.fallbacks = fallbacks;
}

/// What a million calls came to.
#[derive(Default, Debug)]
struct Seen {
    dispatched: u64,
    forbidden: u64,
    /// Calls for which nothing was cleared.
    refused: u64,
    /// Of these, with something cleared after all.
    refused_wrongly: u64,
    fell_back: u64,
}

fn run(seed: u64, cases: u64, filter: Filter) -> Seen {
    let mut seen = Seen::default();
    let mut dice = Dice::new(seed);
    for _ in 0..cases / CALLS_PER_WORLD {
        let world = World::roll(&mut dice);
        for _ in 0..CALLS_PER_WORLD {
            let bits = Bits::label(&mut dice);
            call(&world, bits, (filter, &mut dice), &mut seen);
        }
    }
    seen
}

/// One call, made by the functions that the product makes it by: choices, strategy, plan, retry.
fn call(world: &World, bits: Bits, (filter, dice): (Filter, &mut Dice), seen: &mut Seen) {
    let label = Label::new(bits.level(), bits.bounds());
    let place = |id: DeploymentId| world.places[usize::try_from(id.0).unwrap()].0;
    let mut choices = Choices::new(world.candidates.clone(), world.fallbacks.clone());
    filter(&mut choices, &label, world);
    if choices.is_empty() {
        seen.refused += 1;
        let mut all = world
            .candidates
            .iter()
            .map(|one| one.deployment)
            .chain(world.fallbacks.iter().copied());
        seen.refused_wrongly += u64::from(all.any(|id| bits.may_go_to(place(id))));
        return;
    }
    let reason = world.strategy.rank(&strategies::tests::Seen::default(), &mut choices.targets, dice);
    let Some(mut plan) = Plan::of(choices, reason) else { return };
    let ill = dice.roll();
    plan.prefer("unavailable", |id| ill >> id.0 & 1 == 0);
    let narrowed = if dice.below(4) == 0 {
        plan.clone().only("over_limit", |id| ill >> (8 + id.0) & 1 == 0)
    } else {
        None
    };
    let plan = narrowed.unwrap_or(plan);
    let mut made = 0;
    'plan: for (at, id) in plan.attempts().iter().enumerate() {
        loop {
            made += 1;
            seen.dispatched += 1;
            seen.fell_back += u64::from(at > 0);
            seen.forbidden += u64::from(!bits.may_go_to(place(*id)));
            if dice.below(4) == 0 {
                return;
            }
            let kind = FaultKind::ALL[usize::try_from(dice.below(FaultKind::ALL.len() as u64)).unwrap()];
            let standing = Standing {
                made,
                allowed: 4,
                has_next: at + 1 < plan.attempts().len(),
                has_other_credential: dice.below(8) == 0,
                fallback_on: &world.on,
                time_left: Duration::from_secs(60),
            };
            match retry::next(&Fault::provider(kind, "x"), &standing, dice, || true) {
                Next::Again(_) => {}
                Next::Advance => continue 'plan,
                Next::Stop => return,
            }
        }
    }
}

#[test]
fn nothing_is_sent_where_it_is_not_cleared_in_a_million_cases() {
    let all = run(1, CASES, as_built);
    assert_eq!((all.forbidden, all.refused_wrongly), (0, 0), "{all:?}");
    // There is something to be seen: calls that go through, that are refused, that fall back.
    assert!(
        all.dispatched > CASES / 4 && all.refused > CASES / 10 && all.fell_back > CASES / 20,
        "{all:?}"
    );
}

#[test]
fn fallbacks_that_are_not_looked_at_are_found() {
    let seen = run(1, 10_000, targets_alone);
    assert!(seen.forbidden > 100, "{seen:?}");
}
