//! A program under test: started in the foreground, its processor time and memory read from outside, stopped at the end. Linux only.
//! Processor time comes from the kernel's clock of each process (nanoseconds; all its threads, ended ones included): the same sum as
//! utime + stime of `/proc/PID/stat`, which is cut to 10 ms.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

/// How long a program may take to end after SIGTERM before it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// What is shown of the log of a program that does not start.
const LOG_TAIL_BYTES: u64 = 600;

/// How to start a program that listens on one address.
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) address: SocketAddr,
    /// Where its standard output and error go: to a file, as in a real deployment, so that what it logs is paid for.
    pub(super) log: PathBuf,
}

/// A running program; stopped when dropped.
pub(super) struct Process {
    child: Child,
    log: File,
}

impl Process {
    pub(super) fn start(launch: &Launch) -> Result<Self, String> {
        let problem = |error: std::io::Error| format!("cannot start {}: {error}", launch.program.display());
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(&launch.log)
            .map_err(problem)?;
        log.set_len(0).map_err(problem)?;
        let child = Command::new(&launch.program)
            .args(&launch.arguments)
            .envs(launch.environment.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(problem)?)
            .stderr(log.try_clone().map_err(problem)?)
            .spawn()
            .map_err(problem)?;
        Ok(Self { child, log })
    }

    /// `Err` with the end of its log when it is no longer running.
    pub(super) fn check(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("it ended with {status}; its log ends: {}", self.log_tail())),
            Err(error) => Err(format!("cannot see whether it runs: {error}")),
        }
    }

    /// Empties its log: one scenario at full speed writes a hundred megabytes of it.
    pub(super) fn forget_log(&self) -> Result<(), String> {
        self.log.set_len(0).map_err(|error| format!("cannot empty a log: {error}"))
    }

    pub(super) fn log_tail(&mut self) -> String {
        let length = self.log.metadata().map_or(0, |data| data.len());
        let mut tail = Vec::new();
        let read = self
            .log
            .seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))
            .and_then(|_| self.log.read_to_end(&mut tail));
        if read.is_err() || tail.is_empty() {
            "(empty)".to_owned()
        } else {
            String::from_utf8_lossy(&tail).trim_end().to_owned()
        }
    }

    /// The process and all its descendants now.
    pub(super) fn tree(&self) -> Result<Tree, String> {
        let parents = parents()?;
        let mut pids = vec![self.child.id()];
        let mut next = 0;
        while let Some(parent) = pids.get(next).copied() {
            pids.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
            next += 1;
        }
        Ok(Tree { pids })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _gone = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let asked = Instant::now();
        while asked.elapsed() < STOP_WITHIN && matches!(self.child.try_wait(), Ok(None)) {
            sleep(Duration::from_millis(5));
        }
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// A process and its descendants at one moment.
pub(super) struct Tree {
    pids: Vec<u32>,
}

impl Tree {
    /// Processor time used since they started, user and system.
    pub(super) fn cpu(&self) -> Result<Duration, String> {
        let mut total = Duration::ZERO;
        for pid in &self.pids {
            let clock = i32::try_from(*pid)
                .ok()
                .and_then(|pid| clock_getcpuclockid(Pid::from_raw(pid)).ok());
            let time = clock.and_then(|clock| clock_gettime(clock).ok());
            total += time.map(Duration::from).ok_or_else(|| format!("process {pid} is gone"))?;
        }
        Ok(total)
    }

    /// Resident memory in bytes: what is each process's own, and the largest share of mapped files and shared memory, which workers of
    /// one program have in common. For a single process that is its `VmRSS`.
    pub(super) fn rss_bytes(&self) -> Result<u64, String> {
        let (mut own_kib, mut mapped_kib) = (0, 0);
        for pid in &self.pids {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).map_err(|_| format!("process {pid} is gone"))?;
            let kib = |name| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
                    .ok_or_else(|| format!("no {name} in /proc/{pid}/status"))
            };
            own_kib += kib("RssAnon:")?;
            mapped_kib = mapped_kib.max(kib("RssFile:")? + kib("RssShmem:")?);
        }
        Ok((own_kib + mapped_kib) * 1024)
    }
}

/// Every process with its parent, from `/proc/PID/stat` (proc(5): the fourth field; the second is in brackets and may hold anything).
fn parents() -> Result<Vec<(u32, u32)>, String> {
    let entries = fs::read_dir("/proc").map_err(|error| format!("cannot read /proc: {error}"))?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids
        .filter_map(|pid: u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let (_, after_name) = stat.rsplit_once(')')?;
            Some((pid, after_name.split_whitespace().nth(1)?.parse().ok()?))
        })
        .collect())
}

#[cfg(test)]
mod tests;
