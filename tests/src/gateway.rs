//! The product as a process: started with a config in a folder of its own, listening on free ports, watched from outside (stdout,
//! stderr, `/metrics`, `/proc`), and killed when the test lets go of it.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::caller::raw;

/// Log lines kept; older ones are forgotten.
const LINES_MAX: usize = 20_000;
/// How long a start, or a line of the log, is waited for.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// How the process is started.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The config file's text; `None`: none, and the environment decides.
    pub config: Option<String>,
    /// Its environment, beside `PATH`.
    pub env: Vec<(String, String)>,
    /// `--log text` instead of JSON.
    pub text_log: bool,
    /// The limit of open descriptors.
    pub descriptors_max: Option<u32>,
    /// A data folder that was used before.
    pub data: Option<PathBuf>,
    /// What it sees as `/etc/resolv.conf`, in a mount namespace of its own.
    pub resolver: Option<PathBuf>,
    /// No `--data`: the config says where it is.
    pub data_by_config: bool,
}

/// A running gateway.
pub struct Gateway {
    /// Where callers connect.
    pub address: SocketAddr,
    /// The admin plane.
    pub admin: SocketAddr,
    /// Its folder: `tollgate.yaml`, `data`.
    pub folder: Folder,
    child: Child,
    out: Lines,
    err: Lines,
}

/// A folder that vanishes with its owner.
#[derive(Debug)]
pub struct Folder(PathBuf);

type Lines = Arc<Mutex<VecDeque<String>>>;

impl Folder {
    /// A new one.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes a folder: no default value of anything")]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tollgate-tests-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Gateway {
    /// Starts it and waits until it listens.
    #[must_use]
    pub fn start(settings: &Settings) -> Self {
        Self::try_start(settings).unwrap_or_else(|said| panic!("the gateway did not start:\n{said}"))
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// What it said on stderr when it did not start.
    pub fn try_start(settings: &Settings) -> Result<Self, String> {
        let folder = Folder::new();
        let mut command = command(settings, &folder);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = follow(child.stdout.take().unwrap());
        let err = follow(child.stderr.take().unwrap());
        let address = |name: &str| {
            let lines = out.lock().unwrap();
            let line = lines.iter().find_map(|line| line.trim().strip_prefix(name))?;
            line.trim().strip_prefix("http://")?.split('/').next()?.parse::<SocketAddr>().ok()
        };
        let began = Instant::now();
        loop {
            if let (Some(address), Some(admin)) = (address("models"), address("admin")) {
                return Ok(Self {
                    address,
                    admin,
                    folder,
                    child,
                    out,
                    err,
                });
            }
            let ended = child.try_wait().unwrap().is_some();
            if ended || WAIT_MAX < began.elapsed() {
                let _ = child.kill();
                let _ = child.wait();
                std::thread::sleep(Duration::from_millis(50));
                return Err(joined(&err));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Its config file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("tollgate.yaml")
    }

    /// Replaces its config file in one step, as editors do.
    pub fn edit(&self, text: &str) {
        let fresh = self.folder.path().join(".tollgate.yaml.new");
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(fresh, self.config()).unwrap();
    }

    /// All of stdout, and what is kept of stderr.
    #[must_use]
    pub fn output(&self) -> String {
        joined(&self.out) + "\n" + &joined(&self.err)
    }

    /// The lines of the log that hold this text.
    #[must_use]
    pub fn lines_with(&self, text: &str) -> Vec<String> {
        self.err
            .lock()
            .unwrap()
            .iter()
            .filter(|line| line.contains(text))
            .cloned()
            .collect()
    }

    /// Waits for a line of the log that holds this text.
    pub async fn line_with(&self, text: &str) -> String {
        let began = Instant::now();
        while began.elapsed() < WAIT_MAX {
            if let Some(line) = self.lines_with(text).pop() {
                return line;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no line of the log holds {text}");
    }

    /// The record of an exchange.
    pub async fn record(&self, request_id: &str) -> Value {
        assert!(!request_id.is_empty(), "the answer names no request id");
        serde_json::from_str(&self.line_with(&format!("\"request_id\":\"{request_id}\"")).await).unwrap()
    }

    /// `/metrics`.
    pub async fn metrics(&self) -> String {
        let request = b"GET /metrics HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n";
        let answer = raw(self.admin, request, WAIT_MAX).await;
        let text = String::from_utf8(answer).unwrap();
        text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap()
    }

    /// The sum of a metric over its series whose labels hold `labels`.
    pub async fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = self.metrics().await;
        let series = text.lines().filter(|line| !line.starts_with('#') && line.contains(labels));
        let values = series.filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            (series.split('{').next()? == name).then(|| value.parse::<f64>().ok())?
        });
        values.sum()
    }

    /// Waits until a metric has at least this value; false: it did not in time.
    pub async fn metric_reaches(&self, name: &str, value: f64) -> bool {
        let began = Instant::now();
        while began.elapsed() < WAIT_MAX {
            if value <= self.metric(name, "").await {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }

    /// Resident memory, in bytes.
    #[must_use]
    pub fn rss_bytes(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most resident memory since the start or [`Gateway::forget_peak`], in bytes.
    #[must_use]
    pub fn rss_peak_bytes(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// Sets the peak back to what is resident now.
    pub fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }

    fn status(&self, name: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
    }

    /// Processor time so far, user and system.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The name may hold blanks; fields 14 and 15 are counted from the bracket behind it. A tick is 10 ms on Linux.
        let fields = text.rsplit_once(')').unwrap().1.split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Open descriptors.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Open sockets: descriptors less the files, of which the database opens and closes some when it likes.
    #[must_use]
    pub fn sockets(&self) -> usize {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        // One that was closed meanwhile is none.
        let named = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        named.filter(|path| path.to_string_lossy().starts_with("socket:")).count()
    }

    /// Tells it to stop, as an orchestrator does.
    pub fn terminate(&self) {
        let told = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(told.success());
    }

    /// True while it runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(settings: &Settings, folder: &Folder) -> Command {
    let mut command = match (settings.descriptors_max, &settings.resolver) {
        (None, None) => Command::new(binary()),
        (_, Some(resolver)) => {
            let mut shell = Command::new("unshare");
            let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
            shell.args(["--mount", "sh", "-c", script]).arg(resolver).arg(binary());
            shell
        }
        (Some(max), None) => {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(format!("ulimit -n {max} && exec \"$0\" \"$@\"")).arg(binary());
            shell
        }
    };
    if let Some(text) = &settings.config {
        let path = folder.path().join("tollgate.yaml");
        std::fs::write(&path, text).unwrap();
        command.arg("--config").arg(path);
    }
    if !settings.data_by_config {
        let data = settings.data.clone().unwrap_or_else(|| folder.path().join("data"));
        command.arg("--data").arg(data);
    }
    command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.args(["--log", if settings.text_log { "text" } else { "json" }]);
    command.current_dir(folder.path()).env_clear();
    command.envs(settings.env.iter().cloned());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// The program under test: `TOLLGATE_BIN`, else what cargo builds beside this test. Built once per run, so that it is never stale.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(named) = std::env::var_os("TOLLGATE_BIN") {
            return named.into();
        }
        // target/<profile>/deps/<this test>
        let profile = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
        let release = profile.ends_with("release");
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args([
            "build",
            "--quiet",
            "--package",
            "tollgate-gateway",
            "--bin",
            "tollgate",
            "--target-dir",
        ]);
        build.arg(profile.parent().unwrap()).args(release.then_some("--release"));
        build.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
        assert!(build.status().unwrap().success(), "tollgate does not build");
        profile.join("tollgate")
    })
}

fn follow(stream: impl std::io::Read + Send + 'static) -> Lines {
    let lines = Lines::default();
    let kept = Arc::clone(&lines);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let mut lines = kept.lock().unwrap();
            if lines.len() == LINES_MAX {
                lines.pop_front();
            }
            lines.push_back(String::from_utf8_lossy(&line).into_owned());
        }
    });
    lines
}

fn joined(lines: &Lines) -> String {
    lines.lock().unwrap().iter().map(String::as_str).collect::<Vec<_>>().join("\n")
}
