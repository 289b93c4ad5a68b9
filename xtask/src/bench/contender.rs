//! A contender of one run: a started proxy, or nothing at all ("direct"). It is started a few times first: for the time to its first
//! answer, and for its memory while idle and with many streams open, which only a fresh process shows.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    load::{Calm, held, lane::Lane},
    peers::{BENCH_KEY, Loads, Peer, Prepared},
    process::{Launch, Process},
    scenarios::call,
};

/// How long a proxy may take to its first answer.
const READY_WITHIN: Duration = Duration::from_secs(15);
const ASK_AGAIN: Duration = Duration::from_millis(1);
/// Idle memory is read when start-up work has calmed down.
const IDLE_AFTER: Duration = Duration::from_millis(500);
/// Streams that stay open long enough to look at all of them.
const HELD_MODEL: &str = "stream-60-500ms";
const OPEN_WITHIN: Duration = Duration::from_secs(20);
/// Streams held open to see what one costs in memory.
pub(super) const HELD_STREAMS: usize = 1000;

/// A proxy that answers, or the provider itself.
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) version: String,
    pub(super) address: SocketAddr,
    pub(super) prefix: &'static str,
    pub(super) translating_prefix: Option<&'static str>,
    pub(super) key: String,
    pub(super) loads: Loads,
    rests: Duration,
    process: Option<Process>,
}

/// What a fresh process showed.
pub(super) struct Fresh {
    /// From starting the process to the last byte of its first answer.
    pub(super) start: Duration,
    pub(super) idle_bytes: u64,
    /// Growth of its memory per open stream.
    pub(super) stream_bytes: Option<f64>,
}

impl Contender {
    /// The provider without a proxy.
    pub(super) fn direct(provider: SocketAddr) -> Self {
        Self {
            name: "direct",
            version: String::new(),
            address: provider,
            prefix: "",
            translating_prefix: None,
            key: BENCH_KEY.to_owned(),
            loads: Loads::All,
            rests: Duration::ZERO,
            process: None,
        }
    }

    /// Starts a peer and waits for its first answer.
    pub(super) async fn start(peer: &Peer, prepared: &Prepared) -> Result<(Self, Duration), String> {
        let Prepared { key, launch, version } = prepared;
        let started = Instant::now();
        let mut contender = Self {
            name: peer.name,
            version: version.clone(),
            address: launch.address,
            prefix: peer.prefix,
            translating_prefix: peer.translating_prefix,
            key: key.clone(),
            loads: peer.loads,
            rests: peer.rests,
            process: Some(Process::start(launch)?),
        };
        contender.answers(launch, started).await?;
        Ok((contender, started.elapsed()))
    }

    async fn answers(&mut self, launch: &Launch, started: Instant) -> Result<(), String> {
        let call = call(self, &format!("{}bench-1024", self.prefix), 100)?;
        loop {
            let mut drivers = JoinSet::new();
            let asked = async { Lane::open(launch.address, &mut drivers).await?.send(&call).await };
            let last = match timeout(READY_WITHIN, asked).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(problem)) => problem,
                Err(_) => "no answer".to_owned(),
            };
            let Some(process) = &mut self.process else { return Err(last) };
            process.check()?;
            if READY_WITHIN < started.elapsed() {
                return Err(format!("it does not answer ({last}); its log ends: {}", process.log_tail()));
            }
            sleep(ASK_AGAIN).await;
        }
    }

    /// Starts a peer for a look at its fresh process, and stops it. `held`: also with many streams open.
    pub(super) async fn look(peer: &Peer, prepared: &Prepared, held: bool) -> Result<Fresh, String> {
        let (contender, start) = Self::start(peer, prepared).await?;
        sleep(IDLE_AFTER).await;
        let idle_bytes = contender.rss_bytes()?.unwrap_or_default();
        let stream_bytes = if held {
            Some(contender.stream_bytes(idle_bytes).await?)
        } else {
            None
        };
        Ok(Fresh {
            start,
            idle_bytes,
            stream_bytes,
        })
    }

    async fn stream_bytes(&self, idle_bytes: u64) -> Result<f64, String> {
        let call = call(self, &format!("{}{HELD_MODEL}", self.prefix), 700)?;
        let loaded = timeout(OPEN_WITHIN, held::run(&call, HELD_STREAMS, || self.rss_bytes()));
        let loaded = loaded.await.map_err(|_| "its streams did not open in time")??.unwrap_or_default();
        Ok(loaded.saturating_sub(idle_bytes) as f64 / HELD_STREAMS as f64)
    }

    /// How it calms down after a load.
    pub(super) fn calm(&self) -> Calm {
        Calm { rests: self.rests }
    }

    pub(super) fn is_proxy(&self) -> bool {
        self.process.is_some()
    }

    /// Reads the processor time of its processes; always zero without a proxy.
    pub(super) fn cpu_meter(&self) -> Result<impl Fn() -> Result<Duration, String> + use<>, String> {
        let tree = self.process.as_ref().map(Process::tree).transpose()?;
        Ok(move || tree.as_ref().map_or(Ok(Duration::ZERO), super::process::Tree::cpu))
    }

    /// Resident memory of its processes; `None` without a proxy.
    pub(super) fn rss_bytes(&self) -> Result<Option<u64>, String> {
        self.process.as_ref().map(|process| process.tree()?.rss_bytes()).transpose()
    }

    pub(super) fn forget_log(&self) -> Result<(), String> {
        self.process.as_ref().map_or(Ok(()), Process::forget_log)
    }
}
