//! From a config file to the snapshot in use, at the start and whenever the file changes. An invalid edit changes nothing but a
//! counter and a log line; the last good text is kept on disk for the next start.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::AccessKind;
use notify::{Event, EventKind, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};
use tollgate_policy::key::Peppers;
use tollgate_store::files::DataDir;
use tollgate_upstream::providers::Catalog;

use super::current::Current;
use super::providers::Providers;
use super::snapshot::{Parts, Snapshot};
use super::stored::Stored;
use super::{Checked, Problem, Raw, Vendor, World, read};
use crate::cli::FIRST_KEY_ENV;
use crate::telemetry::Telemetry;

/// Editors write a file in several steps: looked at when it has been quiet for this long.
const SETTLE: Duration = Duration::from_millis(100);
/// The largest file that a secret is read from.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// What a config is read against, for the life of the process.
pub struct Surroundings {
    /// The built-in catalog.
    pub catalog: &'static Catalog,
    /// For the digests of keys.
    pub peppers: Peppers,
    /// Where the simulated providers listen.
    pub mock: Option<std::net::SocketAddr>,
    /// Relative paths in the config start here.
    pub folder: PathBuf,
    /// The key of a gateway without a config file.
    pub first_key: Option<String>,
}

/// What a snapshot takes over from what was before it.
#[derive(Clone, Copy)]
pub struct State<'a> {
    /// What the database keeps.
    pub stored: &'a Stored,
    /// The snapshot in use until now.
    pub before: Option<&'a Snapshot>,
    /// Grows with each build.
    pub version: u64,
}

impl Surroundings {
    /// Checks a config's text.
    #[must_use]
    pub fn check(&self, text: &str) -> Checked {
        self.with_world(|world| read(text, world))
    }

    /// What a reference of a checked config stands for.
    ///
    /// # Errors
    /// When it stands for nothing any more.
    pub fn secret(&self, reference: &super::units::SecretRef) -> Result<String, String> {
        let secret = self.with_world(|world| reference.resolve(world));
        secret
            .map(|secret| secret.expose().to_owned())
            .map_err(|complaint| complaint.to_string())
    }

    /// Builds a checked config.
    ///
    /// # Errors
    /// A reason, when it turns out to be unusable after all.
    pub fn build(&self, raw: &Raw, text: &str, state: State<'_>) -> Result<Snapshot, String> {
        let parts = self.parts(state);
        self.with_world(|world| Snapshot::build(raw, revision(text), world, &parts))
            .map_err(|error| error.to_string())
    }

    /// Builds what depends on the database anew.
    ///
    /// # Errors
    /// A reason, when it turns out to be unusable.
    pub fn rebuild(&self, before: &Snapshot, raw: &Raw, state: State<'_>) -> Result<Snapshot, String> {
        let parts = self.parts(state);
        self.with_world(|world| before.with_stored(raw, world, &parts))
            .map_err(|error| error.to_string())
    }

    fn parts<'a>(&'a self, state: State<'a>) -> Parts<'a> {
        Parts {
            providers: Providers {
                catalog: self.catalog,
                mock: self.mock,
                healths: state.before.map(Snapshot::healths).unwrap_or_default(),
            },
            peppers: &self.peppers,
            stored: state.stored,
            issuers: state.before.map(|before| &*before.issuers),
            memory: state.before.map(|before| Arc::clone(&before.memory)),
            version: state.version,
        }
    }

    /// Runs something with the world that configs are read against.
    pub fn with_world<T>(&self, use_world: impl FnOnce(&World<'_>) -> T) -> T {
        let vendors: Vec<Vendor<'_>> = self
            .catalog
            .rows()
            .iter()
            .map(|row| Vendor {
                name: &row.name,
                key_env: row.credential_env.first().filter(|_| !row.local).map(String::as_str),
            })
            .collect();
        let file = |path: &Path| read_secret(&self.folder.join(path));
        let env = |name: &str| match &self.first_key {
            Some(key) if name == FIRST_KEY_ENV => Some(key.clone()),
            _ => std::env::var(name).ok(),
        };
        use_world(&World {
            env: &env,
            file: &file,
            now: jiff_now(),
            vendors: &vendors,
        })
    }
}

fn jiff_now() -> jiff::Timestamp {
    let seconds = i64::try_from(crate::clock::now().unix.as_secs()).unwrap_or(0);
    jiff::Timestamp::from_second(seconds).unwrap_or_default()
}

fn read_secret(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?.take(SECRET_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// The name of a config: the first 12 hex digits of its text's SHA-256.
#[must_use]
pub fn revision(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The data folder that a broken text names, as far as that can be told from its line: it is where the last good config lies.
#[must_use]
pub fn data_dir_of(text: &str) -> Option<PathBuf> {
    const QUOTES: [char; 2] = ['"', '\''];
    let named = |line: &str| {
        let key = line
            .trim_start_matches(['{', ' '])
            .trim_start_matches(QUOTES)
            .strip_prefix("data_dir")?;
        let value = key.trim_start_matches(QUOTES).trim_start().strip_prefix(':')?.trim_start();
        let value = match value.strip_prefix(QUOTES) {
            Some(quoted) => quoted.split(QUOTES).next()?,
            None => value.split(" #").next()?.trim_end().trim_end_matches([',', '}']).trim_end(),
        };
        (!value.is_empty() && !value.starts_with('#')).then(|| PathBuf::from(value))
    };
    text.lines().find_map(named)
}

/// Follows a config file.
pub struct Reloader {
    path: PathBuf,
    data: DataDir,
    current: Arc<Current>,
    started_with: Started,
}

/// What the process was started with.
pub struct Started {
    /// The config's text.
    pub text: String,
    /// And what it said.
    pub raw: Raw,
}

impl Reloader {
    /// Follows that file into that snapshot, which was built from the text `started_with`.
    #[must_use]
    pub fn new(path: PathBuf, data: DataDir, current: Arc<Current>, started_with: Started) -> Self {
        Self {
            path,
            data,
            current,
            started_with,
        }
    }

    /// Starts a thread that watches the file, for the life of the process.
    ///
    /// # Errors
    /// When the file's folder cannot be watched.
    pub fn watch(self) -> Result<Watching, String> {
        let folder = self
            .path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
            .to_owned();
        // One waiting change is enough: a look reads whatever is there by then.
        let (changed, changes) = std::sync::mpsc::sync_channel::<()>(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // Our own look opens the file: it must not be what makes us look again.
            if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(AccessKind::Open(_)))) {
                let _ = changed.try_send(());
            }
        })
        .map_err(|error| format!("cannot watch the config file: {error}"))?;
        // The folder, because editors and Kubernetes replace the file or a link beside it.
        watcher
            .watch(&folder, RecursiveMode::NonRecursive)
            .map_err(|error| format!("cannot watch {}: {error}", folder.display()))?;
        // Weights of its own folder are followed as well; those that a later config names elsewhere, from the next start on.
        let weights = self.started_with.raw.router.weights.as_ref().and_then(|file| {
            let path = folder.join(&file.0);
            path.parent().map(Path::to_owned)
        });
        if let Some(weights) = weights.filter(|path| *path != folder) {
            watcher
                .watch(&weights, RecursiveMode::NonRecursive)
                .map_err(|error| format!("cannot watch {}: {error}", weights.display()))?;
        }
        let thread = std::thread::Builder::new().name("config".into()).spawn(move || {
            let mut seen = Some((self.started_with.text.clone(), self.weights()));
            // The first look is for an edit between the start and the watch.
            loop {
                let text = super::text_of(&self.path);
                let found = text.as_ref().ok().map(|text| (text.clone(), self.weights()));
                if found != seen {
                    self.take(text);
                    // Asked again: another text may name another file.
                    seen = found.map(|(text, _)| (text, self.weights()));
                }
                if changes.recv().is_err() {
                    return;
                }
                std::thread::sleep(SETTLE);
                while changes.try_recv().is_ok() {}
            }
        });
        thread.map_err(|error| format!("cannot start the thread that watches the config file: {error}"))?;
        Ok(Watching { _watcher: watcher })
    }

    /// What the file of weights holds that the config in use names; `None`: it names none.
    fn weights(&self) -> Option<String> {
        let file = self.current.raw().router.weights?;
        self.current.with_world(|world| file.text(world).ok())
    }

    /// Takes a text into use, or says why not.
    fn take(&self, text: Result<String, Problem>) {
        let shared = self.current.shared();
        let Telemetry { metrics, log, .. } = &*shared.telemetry;
        match text.map_err(|problem| problem.to_string()).and_then(|text| self.swap(&text)) {
            Ok(revision) => {
                metrics.config_reloads.inc();
                metrics.config_current.set(1);
                log.event("info", &format!("config {revision} is in use"));
            }
            Err(problems) => {
                metrics.config_refusals.inc();
                metrics.config_current.set(0);
                let revision = shared.config.load().revision.clone();
                log.event(
                    "error",
                    &format!("the config file was changed and is not valid; {revision} stays in use\n{problems}"),
                );
            }
        }
    }

    fn swap(&self, text: &str) -> Result<String, String> {
        let (raw, revision) = self.current.take_text(text)?;
        let telemetry = &self.current.shared().telemetry;
        let waiting = self.started_with.needs_restart(&raw);
        if !waiting.is_empty() {
            let message = format!(
                "{} changed in the config file; that takes effect with a restart",
                waiting.join(", ")
            );
            telemetry.log.event("warn", &message);
        }
        if let Err(error) = self.data.keep_config(text) {
            let message = format!("config {revision} is in use, but could not be kept for the next start: {error}");
            telemetry.log.event("warn", &message);
        }
        Ok(revision)
    }
}

impl Started {
    /// The settings that differ now and are only looked at when the process starts.
    fn needs_restart(&self, now: &Raw) -> Vec<&'static str> {
        let then = &self.raw;
        let differ = [
            ("listen", then.listen != now.listen),
            ("admin", then.admin != now.admin),
            ("data_dir", then.data_dir != now.data_dir),
            ("database", then.database != now.database),
            ("ledger", then.ledger != now.ledger),
            ("server.drain_delay", then.server.drain_delay != now.server.drain_delay),
            ("server.drain", then.server.drain != now.server.drain),
            ("server.workers", then.server.workers != now.server.workers),
        ];
        differ.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}

/// All problems as text.
#[must_use]
pub fn listed(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Keeps the watch alive.
pub struct Watching {
    _watcher: notify::RecommendedWatcher,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f41_the_data_folder_of_a_broken_text_is_read_from_its_line() {
        let rows = [
            ("data_dir: /var/lib/tollgate\nroutes: [broken\n", Some("/var/lib/tollgate")),
            ("routes: [broken\ndata_dir: ./data # here\n", Some("./data")),
            ("data_dir : \"a b#c\" # quoted", Some("a b#c")),
            ("'data_dir': 'x'", Some("x")),
            ("{\"data_dir\": \"x\", \"listen\": 7}", Some("x")),
            ("{ data_dir: x }", Some("x")),
            ("data_dir: x#y\r\n", Some("x#y")),
            ("data_dir:\n", None),
            ("data_dir: # nothing\n", None),
            ("data_dir: \"\"\n", None),
            ("# data_dir: x\n", None),
            ("data_dirs: x\n", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(data_dir_of(text), expected.map(PathBuf::from), "{text}");
        }
    }
}
