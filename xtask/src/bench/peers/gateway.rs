//! Our gateway: keys checked, metrics counted, one record line per request written to a file. Twice: bare, with nothing switched on, its
//! spend counted in memory alone; and governed, with holds and settlements in the journal and the ledger, with limits, budgets and prices
//! that every call meets and none exhausts. Built here with the release profile unless a ready binary was named.

use std::{
    env, fs,
    io::ErrorKind,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use super::{BENCH_KEY, GOVERNED, Peer, Prepared, SUBJECT, Site, debian, free_address, write};
use crate::bench::process::Launch;

pub(super) const PEER: Peer = Peer {
    name: SUBJECT,
    prefix: "bench/",
    translating_prefix: Some("bench-anthropic/"),
    rests: SHIPS_WITHIN,
    prepare: |site| prepare(site, SUBJECT, BARE),
};

pub(super) const GOVERNED_PEER: Peer = Peer {
    name: GOVERNED,
    prefix: "priced-",
    translating_prefix: None,
    rests: SHIPS_WITHIN,
    prepare: |site| prepare(site, GOVERNED, RULES),
};

/// The journal's entries are on their way to the database by then.
const SHIPS_WITHIN: Duration = Duration::from_millis(1_200);

/// Nothing switched on; and nobody knows what the bench provider's models cost.
const BARE: &str = "
spending: { allow_unpriced: true }
ledger: { durability: none }
";

/// Every call meets six meters of five rules and has a price.
const RULES: &str = r#"
models:
  priced-bench-1024: { provider: bench, upstream_model: bench-1024, price: { input: 2.50, output: 10 } }
  priced-stream-60-500ms: { provider: bench, upstream_model: stream-60-500ms, price: { input: 2.50, output: 10 } }
limits:
  - { name: user requests, per: [user], requests: 1000000000/hour }
  - { name: team tokens, per: [team], tokens: 1000000000000/hour }
  - { name: everybody, per: [], requests: 1000000000/minute, concurrent: 100000 }
budgets:
  - { name: team month, per: [team], amount: 1000000 USD, window: month }
  - { name: user day, per: [user], amount: 1000000 USD, window: day, time_zone: Europe/Berlin }
"#;

fn prepare(site: &Site, name: &str, rules: &str) -> Result<Prepared, String> {
    let program = match &site.gateway {
        Some(ready) => ready.clone(),
        None => build(site)?,
    };
    // In a folder of its own: that is watched, and the log is written to all the time.
    let config = site.folder().join(name).join("tollgate.yaml");
    let data = site.folder().join(format!("{name}-data"));
    // A ledger of earlier runs would be measured too.
    match fs::remove_dir_all(&data) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(format!("cannot empty {}: {error}", data.display())),
        _ => {}
    }
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
teams:
  bench: {{ models: [\"*\"] }}
keys:
  - {{ name: bench, team: bench, user: ada@example.com, secret: env:BENCH_KEY }}
{rules}"
        ),
    )?;
    let arguments = ["run", "--config", &config.to_string_lossy()].map(str::to_owned).to_vec();
    let version = debian::version(&program, "--version")?;
    let log = site.folder().join(format!("{name}.log"));
    let environment = vec![("BENCH_KEY", BENCH_KEY.to_owned())];
    Ok(Prepared {
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

/// Builds into the target directory that this program came from; cargo's own output is shown.
fn build(site: &Site) -> Result<PathBuf, String> {
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "-p", "tollgate-gateway", "--bin", "tollgate", "--target-dir"])
        .arg(&site.target)
        .current_dir(&site.root)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if status.success() {
        Ok(site.target.join("release/tollgate"))
    } else {
        Err("it does not build".to_owned())
    }
}
