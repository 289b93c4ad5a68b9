//! The two listeners and the process's own bounds: nothing is opened to a network that is not guarded.

use std::net::SocketAddr;
use std::time::Duration;

use super::super::document::Path;
use super::Context;

/// Less than what any process takes that has started.
const MEMORY_BYTES_MIN: u64 = 16 << 20;
/// The longest time for a load balancer to notice.
const DRAIN_DELAY_MAX: Duration = Duration::from_secs(300);
/// The longest time for open exchanges.
const DRAIN_MAX: Duration = Duration::from_secs(86_400);

pub(super) fn check(context: &mut Context<'_>) {
    let (data, admin) = (context.raw.listen, context.raw.admin.listen);
    let (data_path, admin_path) = (Path::of("listen"), Path::of("admin").key("listen"));
    if data.is_public() && !context.names.any_key {
        let reason = format!("{data} is open to a network, and no keys stand here; without one in the database either it will not start");
        context.warning(
            &data_path,
            reason,
            format!(
                "make one with tollgate keys create, add an entry under keys, or listen on 127.0.0.1:{}",
                data.get().port()
            ),
        );
    }
    if admin.is_public() {
        let reason = format!("{admin} is open to a network, and passwords go to it unencrypted");
        let remedy = format!(
            "put something that speaks TLS in front, or listen on 127.0.0.1:{}",
            admin.get().port()
        );
        context.warning(&admin_path, reason, remedy);
    }
    if collide(data.get(), admin.get()) {
        let written = if context.document.has(&admin_path) {
            &admin_path
        } else {
            &data_path
        };
        let reason = format!("listen and admin.listen both take port {}", data.get().port());
        context.error(written, reason, "give each a port of its own");
    }
    if context.raw.data_dir.as_os_str().is_empty() {
        context.error(&Path::of("data_dir"), "the path is empty", "write for example ./tollgate-data");
    }
    let server = Path::of("server");
    let (body_bytes_min, body_bytes_max) = (1 << 10, 1 << 30);
    if !(body_bytes_min..=body_bytes_max).contains(&context.raw.server.max_body.bytes()) {
        context.error(
            &server.key("max_body"),
            format!("{} is out of range", context.raw.server.max_body),
            "use 1KiB to 1GiB",
        );
    }
    if let Some(memory) = context.raw.server.overload.memory
        && memory.bytes() < MEMORY_BYTES_MIN
    {
        let path = server.key("overload").key("memory");
        context.error(&path, format!("{memory} is out of range"), "use 16MiB or more");
    }
    for (key, period, max, range) in [
        ("drain_delay", context.raw.server.drain_delay, DRAIN_DELAY_MAX, "0s to 5m"),
        ("drain", context.raw.server.drain, DRAIN_MAX, "0s to 24h"),
    ] {
        if max < period.get() {
            context.error(&server.key(key), format!("{period} is out of range"), format!("use {range}"));
        }
    }
}

/// Whether two listeners want the same port. Port 0 asks for any free one.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let same_ip = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && same_ip
}
