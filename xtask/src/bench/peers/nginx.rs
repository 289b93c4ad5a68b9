//! nginx as a plain reverse proxy, at its best: a worker per core, keep-alive on both sides, no access log, prompts kept in memory,
//! answers passed on as they come. It checks no key, counts nothing and records nothing.

use std::time::Duration;

use super::{BENCH_KEY, Loads, Peer, Prepared, Site, debian, free_address, write};
use crate::bench::process::Launch;

pub(super) const PEER: Peer = Peer {
    name: "nginx",
    prefix: "",
    translating_prefix: None,
    loads: Loads::All,
    rests: Duration::ZERO,
    prepare,
};

fn prepare(site: &Site) -> Result<Prepared, String> {
    let program = debian::program("nginx", "nginx-light")?;
    let folder = site.folder().join("nginx");
    let address = free_address()?;
    let config = folder.join("nginx.conf");
    let (folder_text, provider) = (folder.display(), site.provider);
    write(
        &config,
        &format!(
            r#"daemon off;
worker_processes auto;
worker_rlimit_nofile 16384;
pid "{folder_text}/nginx.pid";
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path "{folder_text}/body";
    proxy_temp_path "{folder_text}/proxy";
    fastcgi_temp_path "{folder_text}/fastcgi";
    uwsgi_temp_path "{folder_text}/uwsgi";
    scgi_temp_path "{folder_text}/scgi";
    client_max_body_size 16m;
    client_body_buffer_size 256k;
    keepalive_requests 100000000;
    tcp_nodelay on;
    upstream provider {{
        server {provider};
        keepalive 2048;
        keepalive_requests 100000000;
    }}
    server {{
        listen {address} backlog=4096;
        location / {{
            proxy_pass http://provider;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"#
        ),
    )?;
    let arguments = ["-p", &folder.to_string_lossy(), "-c", &config.to_string_lossy(), "-e", "stderr"]
        .map(str::to_owned)
        .to_vec();
    let version = debian::version(&program, "-v")?;
    let log = site.folder().join("nginx.log");
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
