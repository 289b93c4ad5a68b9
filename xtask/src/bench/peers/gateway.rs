//! Our gateway, as a user runs it: keys checked, metrics counted, one record line per request written to a file. Built here with the
//! release profile unless a ready binary was named.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

use super::{BENCH_KEY, Peer, Prepared, SUBJECT, Site, debian, free_address, write};
use crate::bench::process::Launch;

pub(super) const PEER: Peer = Peer {
    name: SUBJECT,
    prefix: "bench/",
    translating_prefix: Some("bench-anthropic/"),
    prepare,
};

fn prepare(site: &Site) -> Result<Prepared, String> {
    let program = match &site.gateway {
        Some(ready) => ready.clone(),
        None => build(site)?,
    };
    let config = site.folder().join("tollgate.yaml");
    let data = site.folder().join("tollgate-data");
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
  - {{ name: bench, team: bench, secret: env:BENCH_KEY }}
"
        ),
    )?;
    let arguments = ["run", "--config", &config.to_string_lossy()].map(str::to_owned).to_vec();
    let version = debian::version(&program, "--version")?;
    let log = site.folder().join("tollgate.log");
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
