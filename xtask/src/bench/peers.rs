//! The proxies that can be compared: one file each, and a line here. A peer says how it is started, where it listens and which model
//! names reach the bench provider through it; it takes no part in the measuring.

mod debian;
mod gateway;
mod haproxy;
mod nginx;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use super::process::Launch;

/// The key that callers send, and that the gateway knows as `env:BENCH_KEY`, where it has none in its store. It opens nothing but a bench.
pub(super) const BENCH_KEY: &str = "tollgate-bench-caller";

/// A proxy under test.
pub(super) struct Peer {
    pub(super) name: &'static str,
    /// What stands before the provider's model name in a request of the provider's own dialect.
    pub(super) prefix: &'static str,
    /// The same for a provider of another dialect; `None` when the peer cannot translate.
    pub(super) translating_prefix: Option<&'static str>,
    /// Which loads it is put under.
    pub(super) loads: Loads,
    /// How long at most it leaves work for later that belongs to answers already given; zero: it never does.
    pub(super) rests: Duration,
    /// Writes its config, installs or builds it if need be. `Err`: why it is left out.
    pub(super) prepare: fn(&Site) -> Result<Prepared, String>,
}

/// Which loads a peer is put under.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Loads {
    /// All that it can bear.
    All,
    /// Those that tell what rules cost.
    Governed,
    /// The same, but only when that is asked for: it takes long to prepare.
    GovernedIfBig,
}

/// A peer that can be started.
pub(super) struct Prepared {
    /// What callers send as their key.
    pub(super) key: String,
    pub(super) launch: Launch,
    /// As the program itself says.
    pub(super) version: String,
}

/// What a peer needs to know.
pub(super) struct Site {
    /// The root of the workspace.
    pub(super) root: PathBuf,
    /// The target directory that this program was built into.
    pub(super) target: PathBuf,
    pub(super) provider: SocketAddr,
    /// A ready gateway binary to take instead of building one.
    pub(super) gateway: Option<PathBuf>,
}

impl Site {
    /// `target/bench`, where everything is written.
    pub(super) fn folder(&self) -> PathBuf {
        self.target.join("bench")
    }
}

/// In the order of the table.
pub(super) static PEERS: &[Peer] = &[
    nginx::PEER,
    haproxy::PEER,
    gateway::PEER,
    gateway::GOVERNED_PEER,
    gateway::ROUTED_PEER,
    gateway::GROWN_PEER,
];

/// The name of the peer that ratios are taken of.
pub(super) const YARDSTICK: &str = "nginx";
/// The name of the peer whose figures have targets.
pub(super) const SUBJECT: &str = "tollgate";
/// The same with limits, budgets and prices; it takes part in the loads that compare the two.
pub(super) const GOVERNED: &str = "governed";
/// The governed one asked for a route instead of a model.
pub(super) const ROUTED: &str = "routed";
/// The governed one with the keys and the ledger of a year.
pub(super) const GROWN: &str = "grown";

/// An address that was free a moment ago.
fn free_address() -> Result<SocketAddr, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("no free port on 127.0.0.1: {error}"))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}
