//! The chores of the repository: `cargo xtask tidy`, `test`, `bench`, `prices`, `router-train` and `simulate`. It knows the shape of the tree and the
//! tools around it, and of the product the pure core alone, which `simulate` drives.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks to its user")]

mod bench;
mod complexity;
mod metadata;
mod prices;
mod simulate;
mod suite;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND

  bench [--help]   measure the gateway beside other proxies, and print a table
  prices --from FILE --date DATE   write catalog/prices.txt from a list of models
  router-train --date DAY | --print
                   fit the complexity router's weights to catalog/complexity/data.toml, or print its prompts
  simulate [--seed N] [--seeds N] [--planted NAME]
                   drive the accounts of money from seeds, and check after every step that none is lost
  tidy [--write]   check the shape of the tree; --write adds the missing `mod` lines
  test [NAME...]   run every test, or only the named suites (cargo, or a folder of tests/), and count them
";

/// One chore per line: its name, and what runs it. A chore prints what it finds itself; `Err` is why it could not do its work.
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = arguments
        .split_first()
        .map_or(("help", &[][..]), |(first, rest)| (first.as_str(), rest));
    let outcome = match command {
        "bench" => bench::run(rest),
        "prices" => prices::run(rest),
        "router-train" => complexity::run(rest),
        "simulate" => simulate::run(rest),
        "tidy" => tidy::run(rest),
        "test" => suite::run(rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        other => {
            eprint!("no chore is called \"{other}\"\n{USAGE}");
            Ok(ExitCode::from(2))
        }
    };
    outcome.unwrap_or_else(|reason| {
        eprintln!("cargo xtask {command}: {reason}");
        ExitCode::FAILURE
    })
}
