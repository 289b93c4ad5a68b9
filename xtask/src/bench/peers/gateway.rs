//! Our gateway: keys checked, metrics counted, one record line per request written to a file. Bare: nothing is switched on, and
//! its spend is counted in memory alone. Governed: a key from the store, holds and settlements in the journal and the ledger, with limits,
//! budgets and prices that every call meets and none exhausts; also asked for a route, and with a store that has grown. Built here with the release profile unless a ready binary was named.

use std::{
    env, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use super::{BENCH_KEY, GOVERNED, GROWN, Loads, Peer, Prepared, ROUTED, SUBJECT, Site, debian, free_address, write};
use crate::bench::process::Launch;

pub(super) const PEER: Peer = Peer {
    name: SUBJECT,
    prefix: "bench/",
    translating_prefix: Some("bench-anthropic/"),
    loads: Loads::All,
    rests: SHIPS_WITHIN,
    prepare: |site| prepare(site, SUBJECT, BARE, None),
};

pub(super) const GOVERNED_PEER: Peer = Peer {
    name: GOVERNED,
    prefix: "priced-",
    translating_prefix: None,
    loads: Loads::Governed,
    rests: SHIPS_WITHIN,
    prepare: |site| prepare(site, GOVERNED, RULES, Some(Filling { keys: 1, rows: 0 })),
};

pub(super) const ROUTED_PEER: Peer = Peer {
    name: ROUTED,
    prefix: "routed-",
    prepare: |site| prepare(site, ROUTED, &format!("{RULES}{ROUTES}"), Some(Filling { keys: 1, rows: 0 })),
    ..GOVERNED_PEER
};

pub(super) const GROWN_PEER: Peer = Peer {
    name: GROWN,
    loads: Loads::GovernedIfBig,
    prepare: |site| prepare(site, GROWN, RULES, Some(GROWN_FILLING)),
    ..GOVERNED_PEER
};

/// What a store holds before the first start.
#[derive(Clone, Copy)]
struct Filling {
    keys: u32,
    rows: u32,
}

/// What a gateway has gathered that is used a lot.
const GROWN_FILLING: Filling = Filling {
    keys: 10_000,
    rows: 1_000_000,
};

/// The journal's entries are on their way to the database by then.
const SHIPS_WITHIN: Duration = Duration::from_millis(1_200);

/// A key from the file. Nothing switched on; and nobody knows what the bench provider's models cost.
const BARE: &str = "
teams:
  bench: { models: [\"*\"] }
keys:
  - { name: bench, team: bench, user: ada@example.com, secret: env:BENCH_KEY }
spending: { allow_unpriced: true }
ledger: { durability: none, decisions: 0s }
";

/// A key from the store. Every call meets six meters of five rules and has a price.
const RULES: &str = r#"
models:
  priced-bench-1024: { provider: bench, upstream_model: bench-1024, price: { input: 2.50, output: 10 } }
  other-bench-1024: { provider: bench, upstream_model: bench-1024, price: { input: 3, output: 12 } }
  third-bench-1024: { provider: bench-anthropic, upstream_model: bench-1024, price: { input: 3, output: 15 } }
  fourth-bench-1024: { provider: bench, upstream_model: bench-1024, price: { input: 1, output: 4 } }
  priced-stream-60-500ms: { provider: bench, upstream_model: stream-60-500ms, price: { input: 2.50, output: 10 } }
limits:
  - { name: user requests, per: [user], requests: 1000000000/hour }
  - { name: team tokens, per: [team], tokens: 1000000000000/hour }
  - { name: everybody, per: [], requests: 1000000000/minute, concurrent: 100000 }
budgets:
  - { name: team month, per: [team], amount: 1000000 USD, window: month }
  - { name: user day, per: [user], amount: 1000000 USD, window: day, time_zone: Europe/Berlin }
"#;

/// Callers ask for a route: two shares and two fallbacks, of which none is needed.
const ROUTES: &str = r#"
routes:
  routed-bench-1024:
    purpose: the bench
    owner: bench
    strategy: weighted
    targets: [{ model: priced-bench-1024, weight: 95 }, { model: other-bench-1024, weight: 5 }]
    fallbacks: [third-bench-1024, fourth-bench-1024]
  routed-stream-60-500ms: { purpose: the bench, owner: bench, targets: [{ model: priced-stream-60-500ms }] }
"#;

fn prepare(site: &Site, name: &str, rules: &str, filling: Option<Filling>) -> Result<Prepared, String> {
    let program = match &site.gateway {
        Some(ready) => ready.clone(),
        None => build(site, &["-p", "tollgate-gateway", "--bin", "tollgate"], "tollgate")?,
    };
    // In a folder of its own: that is watched, and the log is written to all the time.
    let config = site.folder().join(name).join("tollgate.yaml");
    let data = site.folder().join(format!("{name}-data"));
    // A ledger of earlier runs would be measured too.
    match fs::remove_dir_all(&data) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(format!("cannot empty {}: {error}", data.display())),
        _ => {}
    }
    let key = filling.map(|filling| filled(site, &data, filling)).transpose()?;
    let (address, admin) = (free_address()?, free_address()?);
    let provider = site.provider;
    write(
        &config,
        &format!(
            "listen: {address}
admin: {{ listen: {admin} }}
data_dir: {data:?}
providers:
  bench: {{ base_url: http://{provider}/v1, dialect: openai_chat, auth: none }}
  bench-anthropic: {{ base_url: http://{provider}, dialect: anthropic, auth: none }}
{rules}"
        ),
    )?;
    let arguments = ["run", "--config", &config.to_string_lossy()].map(str::to_owned).to_vec();
    let version = debian::version(&program, "--version")?;
    let log = site.folder().join(format!("{name}.log"));
    let environment = vec![("BENCH_KEY", BENCH_KEY.to_owned())];
    Ok(Prepared {
        key: key.unwrap_or_else(|| BENCH_KEY.to_owned()),
        launch: Launch {
            program,
            arguments,
            environment,
            address,
            log,
        },
        version,
    })
}

/// Fills the store of a gateway that has never run; the text of a key in it.
fn filled(site: &Site, data: &Path, filling: Filling) -> Result<String, String> {
    let program = build(site, &["-p", "tollgate-store", "--example", "fill"], "examples/fill")?;
    let filled = Command::new(&program)
        .arg(data)
        .args([filling.keys.to_string(), filling.rows.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    if filled.status.success() {
        Ok(String::from_utf8_lossy(&filled.stdout).trim().to_owned())
    } else {
        Err("its store cannot be filled".to_owned())
    }
}

/// Builds into the target directory that this program came from; cargo's own output is shown.
fn build(site: &Site, what: &[&str], made: &str) -> Result<PathBuf, String> {
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--target-dir"])
        .arg(&site.target)
        .args(what)
        .current_dir(&site.root)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if status.success() {
        Ok(site.target.join("release").join(made))
    } else {
        Err("it does not build".to_owned())
    }
}
