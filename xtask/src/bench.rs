//! `cargo xtask bench`: our gateway beside other proxies on this machine, in one run. A provider, the proxies and the load generator share
//! its cores; only the processor time of the proxy is counted. It prints a table, writes JSON, and never fails because of a timing.

mod answers;
mod book;
mod contender;
mod figures;
mod load;
mod machine;
mod peers;
mod process;
mod provider;
mod report;
mod rounds;
mod scenarios;

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, SystemTime},
};

use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;

use self::{
    book::Book,
    peers::{Loads, PEERS, Peer, Prepared, Site},
    scenarios::{SCENARIOS, Scenario},
};

/// Files a run needs open at once, per process: a thousand streams, both sides of each.
const OPEN_FILES: u64 = 8192;

/// For so long we look whether the machine is ours, and say so when more than this share of it is not.
const BUSY_OVER: Duration = Duration::from_millis(500);
const BUSY_SHARE: f64 = 0.1;

/// What stands under every table.
const NOTES: [&str; 7] = [
    "Medians of interleaved rounds; ratios are medians of each round's ratio. Differences under 15 % are noise.",
    "CPU is user + system time of the proxy's processes. Provider and load generator share the cores but are not counted.",
    "tollgate checks a key, journals a hold and its settlement, ships both to SQLite, counts metrics and writes a record line for each request; the others are plain proxies, access log off.",
    "routed is governed, asked for a weighted route with two fallbacks instead of a model.",
    "grown (--big) is governed with a million rows in its ledger and 10,000 keys.",
    "governed is tollgate with its key from the store, three limits, two budgets and a price, which every request meets and none exhausts. What is shipped later is waited for and counted.",
    "Times at 300/s count from the moment a request was meant to leave. Memory is resident size, mapped files counted once per proxy.",
];

/// Compare the gateway with other proxies on this machine
#[derive(Parser)]
#[command(name = "bench", bin_name = "cargo xtask bench", disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    /// One round, a third of the time per load: under 45 seconds, and rough
    #[arg(long)]
    quick: bool,
    /// Rounds; the table shows their medians
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=9), conflicts_with = "quick", default_value_t = 3)]
    rounds: u32,
    /// Where the figures go [default: bench.json in the target directory]
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also the governed gateway with a million rows in its ledger and 10,000 keys, which takes a minute to fill
    #[arg(long)]
    big: bool,
    /// Only these proxies
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    peers: Vec<String>,
    /// Only these loads
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    scenarios: Vec<String>,
    /// A ready gateway binary, instead of building one
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
}

#[derive(clap::Subcommand)]
enum Role {
    /// The provider alone; it ends when its standard input does
    Provider {
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
}

/// One run.
struct Plan {
    scenarios: Vec<&'static Scenario>,
    rounds: u32,
    quick: bool,
    provider: SocketAddr,
}

/// Runs the bench, or one part of it. `Err`: it could not measure anything.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode, String> {
    let arguments = std::iter::once("bench").chain(arguments.iter().map(String::as_str));
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(problem) => {
            let code = u8::try_from(problem.exit_code()).unwrap_or(2);
            problem.print().map_err(|error| error.to_string())?;
            return Ok(ExitCode::from(code));
        }
    };
    match &arguments.role {
        Some(Role::Provider { listen }) => provider::run(*listen)?,
        None => compare(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn compare(arguments: &Arguments) -> Result<(), String> {
    let chosen_peers = chosen("proxy", PEERS, |peer| peer.name, &arguments.peers)?;
    let scenarios = chosen("load", SCENARIOS, |scenario| scenario.name, &arguments.scenarios)?;
    raise_open_files()?;
    let own = env::current_exe().map_err(|error| format!("where am I: {error}"))?;
    let target = own
        .parent()
        .and_then(Path::parent)
        .ok_or("not run from a target directory")?
        .to_owned();
    let provider = Provider::start(&own)?;
    let root = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("."), |xtask| Path::new(&xtask).join(".."));
    let site = Site {
        root,
        target,
        provider: provider.address,
        gateway: arguments.gateway.clone(),
    };
    fs::create_dir_all(site.folder()).map_err(|error| format!("cannot make {}: {error}", site.folder().display()))?;
    let (mut book, mut peers) = (Book::default(), Vec::new());
    let asked = |peer: &&Peer| peer.loads != Loads::GovernedIfBig || arguments.big;
    for peer in chosen_peers.into_iter().filter(asked) {
        progress(&format!("{}: preparing", peer.name));
        match (peer.prepare)(&site) {
            Ok(prepared) => peers.push((peer, prepared)),
            Err(reason) => book.note(format!("{} is left out: {reason}", peer.name)),
        }
    }
    let rounds = if arguments.quick { 1 } else { arguments.rounds };
    let plan = Plan {
        scenarios,
        rounds,
        quick: arguments.quick,
        provider: provider.address,
    };
    let busy = machine::busy_share(BUSY_OVER);
    if let Some(share) = busy.filter(|share| BUSY_SHARE < *share) {
        book.note(format!(
            "Others used {:.0} % of the processors before the run: trust the ratios, not the times.",
            share * 100.0
        ));
    }
    let versions = measure(&plan, &peers, &mut book)?;
    let names: Vec<&'static str> = versions.iter().map(|(name, _)| *name).collect();
    let run = json!({
        "schema": 1,
        "ended_unix_s": SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_secs()),
        "commit": machine::commit(&site.root),
        "machine": machine::facts(),
        "busy_share_before": busy,
        "rounds": plan.rounds,
        "quick": plan.quick,
        "contenders": versions.iter().map(|(name, version)| json!({ "name": name, "version": version })).collect::<Vec<_>>(),
        "figures": report::figures(&book, &names),
        "notes": notes(&book).collect::<Vec<_>>(),
    });
    let output = arguments.json.clone().unwrap_or_else(|| site.target.join("bench.json"));
    fs::write(&output, format!("{run:#}\n")).map_err(|error| format!("cannot write {}: {error}", output.display()))?;
    println!("\n{}", report::table(&book, &names));
    notes(&book).for_each(|note| println!("- {note}"));
    println!("\nEvery round: {}", output.display());
    Ok(())
}

fn notes(book: &Book) -> impl Iterator<Item = &str> {
    NOTES.iter().copied().chain(book.notes.iter().map(String::as_str))
}

fn measure(plan: &Plan, peers: &[(&'static Peer, Prepared)], book: &mut Book) -> Result<Vec<(&'static str, String)>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start a runtime: {error}"))?;
    Ok(runtime.block_on(rounds::run(plan, peers, book)))
}

/// What was named, in our order; everything when nothing was.
fn chosen<T>(kind: &str, all: &'static [T], name: impl Fn(&T) -> &'static str, wanted: &[String]) -> Result<Vec<&'static T>, String> {
    if let Some(unknown) = wanted.iter().find(|wanted| all.iter().all(|one| name(one) != wanted.as_str())) {
        let known: Vec<&str> = all.iter().map(name).collect();
        return Err(format!("no {kind} is called \"{unknown}\"; there are: {}", known.join(", ")));
    }
    Ok(all
        .iter()
        .filter(|one| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name(one)))
        .collect())
}

/// Programs that we start inherit the limit.
fn raise_open_files() -> Result<(), String> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| format!("cannot read the limit of open files: {error}"))?;
    let wanted = OPEN_FILES.min(hard);
    if soft < wanted {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).map_err(|error| format!("cannot raise the limit of open files: {error}"))?;
    }
    Ok(())
}

/// What is being done now; on standard error, so that the table can be redirected.
fn progress(step: &str) {
    eprintln!("bench: {step}");
}

/// The bench provider in a process of its own.
struct Provider {
    child: Child,
    address: SocketAddr,
}

impl Provider {
    fn start(own: &Path) -> Result<Self, String> {
        let problem = |error: &dyn std::fmt::Display| format!("cannot start the provider: {error}");
        let mut child = Command::new(own)
            .args(["bench", "provider", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| problem(&error))?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line).map_err(|error| problem(&error))?;
        }
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .ok_or_else(|| problem(&"it did not say where it listens"))?;
        let address = address.parse().map_err(|error| problem(&error))?;
        Ok(Self { child, address })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}
