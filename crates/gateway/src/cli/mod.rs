//! The command line. Exit codes: 0, 1 (refused or failed), 2 (usage).

mod api;
mod audit;
mod check;
mod discover;
mod explain;
mod keys;
mod ledger;
mod mock;
mod openapi;
mod router;
mod run;
mod spend;
mod table;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use discover::FIRST_KEY_ENV;

use crate::telemetry::logs::Format;

/// One endpoint in front of every model provider.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, args_conflicts_with_subcommands = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway (also without a command)
    Run(RunArguments),
    /// Check a config file: every problem at once, each with its place, reason and remedy
    Check(CheckArguments),
    /// Say what would become of a request, without a call; or why a past one went where it went
    Explain(explain::ExplainArguments),
    /// Print the JSON Schema of the config file
    Schema,
    /// Run the simulated providers alone
    Mock(MockArguments),
    /// Make, list, rotate and revoke virtual keys
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Show who spent what
    Spend(spend::SpendArguments),
    /// Check the ledger
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// Check the audit log
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Judge requests as the complexity router does, and fit its weights to your own records
    #[command(subcommand)]
    Router(router::RouterCommand),
    /// Print the OpenAPI document of the admin API
    Openapi,
}

/// Arguments of `run`.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArguments {
    /// The config file; without it `tollgate.yaml` if there is one, else the provider keys found in the environment
    #[arg(long, value_name = "FILE", env = "TOLLGATE_CONFIG")]
    pub config: Option<PathBuf>,
    /// The data folder, instead of the config's `data_dir`
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where callers connect, instead of the config's `listen`
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// The admin plane's address, instead of the config's `admin.listen`
    #[arg(long, value_name = "ADDR")]
    pub admin_listen: Option<SocketAddr>,
    /// How log lines on stderr look; text on a terminal, else JSON
    #[arg(long, value_name = "FORMAT")]
    pub log: Option<Format>,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
struct CheckArguments {
    /// The config file
    #[arg(default_value = "tollgate.yaml")]
    file: PathBuf,
    /// Print the problems as JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `mock`.
#[derive(Debug, Args)]
struct MockArguments {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Faults by rule: which requests, and what happens to them
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
}

/// Runs what the arguments say.
#[must_use]
pub fn main() -> ExitCode {
    // Usage errors exit with 2 from here.
    let cli = Cli::parse();
    let done = match cli.command {
        None => run::run(&cli.run),
        Some(Command::Run(arguments)) => run::run(&arguments),
        Some(Command::Check(arguments)) => check::check(&arguments.file, arguments.json),
        Some(Command::Explain(arguments)) => explain::run(&arguments),
        Some(Command::Schema) => print(&format!("{:#}\n", crate::config::schema())),
        Some(Command::Mock(arguments)) => mock::run(arguments.listen, arguments.script.as_deref()),
        Some(Command::Keys(command)) => keys::run(command),
        Some(Command::Spend(arguments)) => spend::run(&arguments),
        Some(Command::Ledger(command)) => ledger::run(&command),
        Some(Command::Audit(command)) => audit::run(&command),
        Some(Command::Router(command)) => router::run(command),
        Some(Command::Openapi) => openapi::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "tollgate: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Writes to stdout; a reader that has gone is no error.
fn print(text: &str) -> Result<(), String> {
    match std::io::stdout()
        .write_all(text.as_bytes())
        .and_then(|()| std::io::stdout().flush())
    {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(format!("cannot write to stdout: {error}")),
        _ => Ok(()),
    }
}
