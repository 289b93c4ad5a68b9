//! The thread that accepts connections and hands each to the worker with the fewest. When descriptors run out it waits instead of
//! spinning; those connections stay in the kernel's queue (FAULTS F42).

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use super::State;
use super::worker::Worker;

/// Connections that the kernel keeps for us while we are busy.
const BACKLOG: i32 = 4096;
/// How long to wait when a connection cannot be accepted.
const PAUSE: Duration = Duration::from_millis(50);
/// A peer that does not acknowledge our bytes for this long is gone (FAULTS F44).
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(60);

/// Opens a listening socket.
///
/// # Errors
/// When the address cannot be bound.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // [::] serves IPv4 too, as users expect of it.
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Starts the thread.
///
/// # Errors
/// When it, or its runtime, cannot be made.
pub(super) fn start(listener: TcpListener, workers: Vec<Worker>, state: Arc<State>) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("accept".into()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                () = accept(listener, &workers, &state) => {}
                () = leave_taken(&state) => {}
            }
        });
        // Only now: whoever was accepted before this is served.
        state.stop.cancel();
    })
}

/// Waits for the word to stop, and then until load balancers have noticed that we are not ready (R-G5).
async fn leave_taken(state: &State) {
    state.told.cancelled().await;
    let _ = tokio::time::timeout(state.drain_delay, state.cut.cancelled()).await;
}

async fn accept(listener: TcpListener, workers: &[Worker], state: &State) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let metrics = &state.shared.telemetry.metrics;
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let _ = prepare(&stream);
                let worker = workers.iter().min_by_key(|worker| worker.connections());
                // Into the worker's own reactor: this thread never reads it.
                if let (Some(worker), Ok(stream)) = (worker, stream.into_std()) {
                    worker.take(stream, from).await;
                }
            }
            Err(_) => {
                metrics.accept_failures.inc();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn prepare(stream: &tokio::net::TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(Duration::from_secs(60))
            .with_interval(Duration::from_secs(10)),
    )?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
    Ok(())
}
