//! What the figures were taken on. Read from the kernel; nothing here names the host or its user.

use std::{
    fs,
    process::Command,
    thread::{available_parallelism, sleep},
    time::Duration,
};

use serde_json::{Value, json};

/// Facts of the machine, for the JSON.
pub(super) fn facts() -> Value {
    json!({
        "cores": available_parallelism().map_or(0, usize::from),
        "cpu_model": field("/proc/cpuinfo", "model name").unwrap_or_default(),
        "memory_kib": field("/proc/meminfo", "MemTotal").and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok()),
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        "architecture": std::env::consts::ARCH,
    })
}

/// The share of the processors that was in use over so much time, while we do nothing: above 0, others are at work. (A load average
/// would still hold our own build.)
pub(super) fn busy_share(over: Duration) -> Option<f64> {
    let before = Ticks::now()?;
    sleep(over);
    let after = Ticks::now()?;
    let all = after.all.checked_sub(before.all).filter(|all| *all != 0)?;
    Some(1.0 - after.idle.saturating_sub(before.idle) as f64 / all as f64)
}

/// Clock ticks of all processors since boot (proc(5), `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal, …).
struct Ticks {
    idle: u64,
    all: u64,
}

impl Ticks {
    fn now() -> Option<Self> {
        let line = field("/proc/stat", "cpu ")?;
        let ticks: Vec<u64> = line.split_whitespace().take(8).filter_map(|ticks| ticks.parse().ok()).collect();
        Some(Self {
            idle: ticks.iter().skip(3).take(2).sum(),
            all: ticks.iter().sum(),
        })
    }
}

/// The commit that is checked out, where there is one.
pub(super) fn commit(root: &std::path::Path) -> Option<String> {
    let said = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(root)
        .output()
        .ok()
        .filter(|said| said.status.success())?;
    Some(String::from_utf8(said.stdout).ok()?.trim().to_owned())
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(value.trim_start_matches([' ', '\t', ':']).trim().to_owned())
}
