//! `cargo xtask simulate`: the accounts of money, driven from a seed through admission, holds, settlements, crashes, clock jumps, window
//! ends and edits, beside a second book that is kept in the plainest way. After every step both must agree. A seed that fails is printed
//! with the line that repeats it; the same seed does the same each time.

mod book;
mod cast;
mod checks;
mod desk;
mod dice;
mod planted;
#[cfg(test)]
mod tests;
mod world;

use std::process::ExitCode;

use planted::Planted;
use world::World;

/// What `make test` runs.
const SEEDS: u64 = 200;
const STEPS: u32 = 400;

/// Runs what the arguments ask for.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode, String> {
    let (mut seeds, mut planted) = (0..SEEDS, None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("{argument} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{argument} needs a whole number"));
        match argument.as_str() {
            "--seed" => seeds = number()?..number()?.saturating_add(1),
            "--seeds" => seeds = 0..number()?,
            "--planted" => planted = Some(Planted::parse(value).ok_or_else(|| format!("no planted bug is called \"{value}\""))?),
            other => return Err(format!("no option is called \"{other}\"; there are --seed, --seeds and --planted")),
        }
    }
    let mut steps = 0;
    for seed in seeds.clone() {
        match simulate(seed, planted) {
            Ok(run) => {
                steps += u64::from(STEPS);
                if seeds.end - seeds.start == 1 {
                    println!(
                        "seed {seed}: trace {:016x}, {} calls answered, {} crashes",
                        run.trace, run.answered, run.crashes
                    );
                }
            }
            Err(broken) => {
                let option = planted.map_or(String::new(), |bug| format!(" --planted {}", bug.name()));
                println!("seed {seed}, {broken}\nrepeat it: cargo xtask simulate --seed {seed}{option}");
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    println!("{} seeds, {steps} steps: no money lost", seeds.end - seeds.start);
    Ok(ExitCode::SUCCESS)
}

/// What came of a seed.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    /// A hash over everything that happened.
    trace: u64,
    answered: u64,
    crashes: u64,
}

/// Runs a seed; `Err` is the step and what was broken in it.
fn simulate(seed: u64, planted: Option<Planted>) -> Result<Run, String> {
    let mut world = World::new(seed, planted);
    for step in 0..STEPS {
        world.step().map_err(|broken| format!("step {step}: {broken}"))?;
    }
    world.finish().map_err(|broken| format!("at the end: {broken}"))
}
