//! HAProxy as a plain reverse proxy, at its best: a thread per core, keep-alive on both sides, no log. `option http-no-delay` is needed:
//! without it the first chunk of a stream is held back for 200 ms.

use std::{thread::available_parallelism, time::Duration};

use super::{BENCH_KEY, Loads, Peer, Prepared, Site, debian, free_address, write};
use crate::bench::process::Launch;

pub(super) const PEER: Peer = Peer {
    name: "haproxy",
    prefix: "",
    translating_prefix: None,
    loads: Loads::All,
    rests: Duration::ZERO,
    prepare,
};

fn prepare(site: &Site) -> Result<Prepared, String> {
    let program = debian::program("haproxy", "haproxy")?;
    let config = site.folder().join("haproxy").join("haproxy.cfg");
    let address = free_address()?;
    let (provider, threads) = (site.provider, available_parallelism().map_or(1, usize::from));
    write(
        &config,
        &format!(
            "global
    maxconn 4096
    nbthread {threads}
defaults
    mode http
    option http-no-delay
    http-reuse always
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend callers
    bind {address} backlog 4096
    default_backend provider
backend provider
    server provider {provider} pool-max-conn -1
"
        ),
    )?;
    let arguments = ["-db", "-f", &config.to_string_lossy()].map(str::to_owned).to_vec();
    let version = debian::version(&program, "-v")?;
    let log = site.folder().join("haproxy.log");
    Ok(Prepared {
        key: BENCH_KEY.to_owned(),
        launch: Launch {
            program,
            arguments,
            environment: Vec::new(),
            address,
            log,
        },
        version,
    })
}
