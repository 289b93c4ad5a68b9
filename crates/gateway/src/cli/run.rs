//! `tollgate run`: config, sockets, threads, welcome; then it waits for the word to stop.

mod background;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tollgate_mock::{Mock, MockSettings};
use tollgate_policy::key::{Pepper, Peppers};
use tollgate_store::database::Source;
use tollgate_store::files::DataDir;
use tollgate_upstream::tls::Tls;

use super::{RunArguments, discover};
use crate::admin::Admin;
use crate::clock;
use crate::config::current::Current;
use crate::config::reload::{Reloader, Started, State, Surroundings, data_dir_of, listed};
use crate::config::{MOCK, Raw, raw, text_of};
use crate::declassify::Declassifications;
use crate::exchange::Shared;
use crate::explain::keep::Decisions;
use crate::ledger;
use crate::overload::Pressure;
use crate::overload::memory::Bound;
use crate::server::{Server, ServerSettings, listen};
use crate::switchboard::Switchboard;
use crate::tail::Drains;
use crate::telemetry::Telemetry;
use crate::telemetry::logs::{Format, Log};
use crate::telemetry::metrics::Metrics;
use background::Background;

/// The config file that is taken when none is named.
const USUAL_CONFIG: &str = "tollgate.yaml";

/// A config that the process starts with.
struct Start {
    text: String,
    raw: Raw,
    surroundings: Surroundings,
    data: DataDir,
    /// The file, where there is one.
    path: Option<PathBuf>,
    /// The key to show, where it is ours.
    first_key: Option<FirstKey>,
    /// Vendors found by their keys.
    found: Vec<String>,
    /// What is to be said about the config: warnings, or that it is an older one.
    remarks: Vec<String>,
}

/// What is shown at the start.
struct Shown<'a> {
    path: Option<&'a Path>,
    first_key: Option<&'a FirstKey>,
    found: &'a [String],
    password: Option<&'a str>,
}

struct FirstKey {
    text: String,
    file: PathBuf,
}

/// Runs the gateway until it is told to stop.
///
/// # Errors
/// When it cannot start.
pub(super) fn run(arguments: &RunArguments) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let mut start = start(arguments)?;
    let mock = runtime.block_on(simulated(&start.raw))?;
    start.surroundings.mock = mock.as_ref().map(Mock::addr);
    let source = source(&start)?;
    let opened = runtime.block_on(ledger::open(&start.raw, &source, &start.data, clock::now()))?;
    let state = State {
        stored: &opened.stored,
        before: None,
        version: 1,
    };
    let snapshot = start.surroundings.build(&start.raw, &start.text, state)?;
    if start.path.is_some() {
        // Good enough to be built: good enough to fall back to.
        start.data.keep_config(&start.text).map_err(|error| error.to_string())?;
    }
    // Before anybody can know that it runs: a signal that nobody listens for ends a process as it stands.
    let told = {
        let _inside = runtime.enter();
        told()
    };
    let log = Log::start(arguments.log.unwrap_or_else(Format::usual), Box::new(std::io::stderr()));
    let telemetry = Arc::new(Telemetry {
        log,
        metrics: Metrics::default(),
        decisions: Decisions::new(Some(opened.database.clone())),
    });
    telemetry
        .metrics
        .config_current
        .set(i64::from(start.remarks.is_empty() || start.path.is_none()));
    let switches = start.data.switches().map_err(|error| error.to_string())?;
    let shared = Arc::new(Shared {
        config: ArcSwap::from_pointee(snapshot),
        books: Arc::clone(&opened.books),
        switches: Switchboard::new(switches),
        database: opened.database.clone(),
        pressure: Pressure::new(&start.raw.server.overload),
        telemetry: Arc::clone(&telemetry),
        replays: Arc::default(),
        declassifications: Declassifications::new(Some(opened.database.clone())),
        drains: Drains::room(),
    });
    let current = Current::new(Arc::clone(&shared), start.surroundings, start.raw.clone(), opened.stored);
    let background = Background::start(&runtime, &current, &opened.database, &start.data)?;
    let own = start.raw.server.overload.memory.map(raw::Size::bytes);
    background.watch_memory(&runtime, Bound::find(Path::new("/"), own), &shared);
    let server = serve(&start.raw, arguments, &shared)?;
    let admin_listener = bound(arguments.admin_listen.unwrap_or(start.raw.admin.listen.get()), "admin.listen")?;
    let control = Some(Arc::clone(&background.control));
    let admin = Admin::start(admin_listener, Arc::clone(&telemetry), control).map_err(|error| error.to_string())?;
    for remark in start.remarks.iter().chain(&opened.remarks) {
        telemetry.log.event("warn", remark);
    }
    let shown = Shown {
        path: start.path.as_deref(),
        first_key: start.first_key.as_ref(),
        found: &start.found,
        password: background.prepared.one_time_password.as_deref(),
    };
    super::print(&welcome(&shown, server.address, admin.address))?;
    let watching = start.path.clone().map(|path| {
        let started = Started {
            text: start.text,
            raw: start.raw,
        };
        Reloader::new(path, start.data, Arc::clone(&current), started).watch()
    });
    let watching = watching.transpose().unwrap_or_else(|reason| {
        telemetry
            .log
            .event("warn", &format!("{reason}; changes of the config need a restart"));
        None
    });
    let signal = runtime.block_on(told);
    telemetry
        .log
        .event("info", &format!("{signal}: not ready any more; waiting for open exchanges"));
    drop(watching);
    stop(&runtime, server, mock);
    drop(admin);
    // Behind the last exchange: what it cost is in the journal now.
    runtime.block_on(background.stop(&opened.database));
    Ok(())
}

/// Where durable state lives.
fn source(start: &Start) -> Result<Source, String> {
    Ok(match &start.raw.database {
        raw::Database::Embedded => Source::Folder(start.data.path().to_owned()),
        raw::Database::Postgres(url) => Source::Url(url.to_string()),
        raw::Database::Reference(reference) => Source::Url(start.surroundings.secret(reference)?),
    })
}

/// Waits for open exchanges; a second signal ends them, each with its record.
fn stop(runtime: &tokio::runtime::Runtime, server: Server, mock: Option<Mock>) {
    let cut = server.cut();
    let stopping = std::thread::spawn(move || server.stop());
    runtime.block_on(async {
        let mut again = std::pin::pin!(until_told(|_| ()));
        while !stopping.is_finished() {
            let pause = tokio::time::sleep(Duration::from_millis(20));
            tokio::select! {
                () = &mut again, if !cut.is_cancelled() => cut.cancel(),
                () = pause => {}
            }
        }
        if let Some(mock) = mock {
            mock.stop().await;
        }
    });
}

fn start(arguments: &RunArguments) -> Result<Start, String> {
    let usual = || Path::new(USUAL_CONFIG).exists().then(|| PathBuf::from(USUAL_CONFIG));
    match arguments.config.clone().or_else(usual) {
        Some(path) => from_file(&path, arguments),
        None => from_environment(arguments),
    }
}

fn from_file(path: &Path, arguments: &RunArguments) -> Result<Start, String> {
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let mut surroundings = surroundings(folder)?;
    let text = text_of(path);
    let checked = text.as_ref().ok().map(|text| surroundings.check(text));
    let problems = match (&text, &checked) {
        (Err(problem), _) => problem.to_string(),
        (Ok(_), Some(checked)) => listed(&checked.problems),
        (Ok(_), None) => String::new(),
    };
    let broken = text.as_ref().ok().cloned();
    if let (Ok(text), Some(raw)) = (text, checked.and_then(|checked| checked.raw)) {
        let data = data_dir(arguments, &raw)?;
        surroundings.peppers = data.peppers().map_err(|error| error.to_string())?;
        let remarks = if problems.is_empty() { Vec::new() } else { vec![problems] };
        return Ok(Start {
            text,
            raw,
            surroundings,
            data,
            path: Some(path.to_owned()),
            first_key: None,
            found: Vec::new(),
            remarks,
        });
    }
    let named = broken.as_deref().and_then(data_dir_of);
    last_good(path, arguments.data.clone().or(named), surroundings, &problems)
}

/// A broken config at the start: the last good one serves, when the data folder has one.
fn last_good(path: &Path, data_dir: Option<PathBuf>, mut surroundings: Surroundings, problems: &str) -> Result<Start, String> {
    let refused = || format!("{} is not valid\n{problems}", path.display());
    let folder = data_dir.unwrap_or_else(|| Raw::default().data_dir);
    let known = folder.is_dir().then(|| DataDir::open(&folder).ok()).flatten();
    let Some((data, text)) = known.and_then(|data| Some((data.clone(), data.last_good_config()?))) else {
        return Err(refused());
    };
    let raw = surroundings.check(&text).raw.ok_or_else(refused)?;
    surroundings.peppers = data.peppers().map_err(|error| error.to_string())?;
    let remark = format!("{}; the last good config of {} is used instead", refused(), folder.display());
    Ok(Start {
        text,
        raw,
        surroundings,
        data,
        path: Some(path.to_owned()),
        first_key: None,
        found: Vec::new(),
        remarks: vec![remark],
    })
}

fn from_environment(arguments: &RunArguments) -> Result<Start, String> {
    let mut surroundings = surroundings(PathBuf::new())?;
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let (text, found) = discover::config(surroundings.catalog, set);
    let data = data_dir(arguments, &Raw::default())?;
    let (key, file) = data.first_key().map_err(|error| error.to_string())?;
    surroundings.first_key = Some(key.clone());
    let checked = surroundings.check(&text);
    let raw = checked.raw.ok_or_else(|| listed(&checked.problems))?;
    surroundings.peppers = data.peppers().map_err(|error| error.to_string())?;
    let first_key = Some(FirstKey { text: key, file });
    Ok(Start {
        text,
        raw,
        surroundings,
        data,
        path: None,
        first_key,
        found,
        remarks: Vec::new(),
    })
}

fn surroundings(folder: PathBuf) -> Result<Surroundings, String> {
    Ok(Surroundings {
        catalog: super::check::catalog()?,
        peppers: Peppers::new(Pepper::new(&[0; 32])),
        mock: None,
        folder,
        first_key: None,
    })
}

fn data_dir(arguments: &RunArguments, raw: &Raw) -> Result<DataDir, String> {
    DataDir::open(arguments.data.as_ref().unwrap_or(&raw.data_dir)).map_err(|error| error.to_string())
}

/// The simulated providers, when the config has them.
async fn simulated(raw: &Raw) -> Result<Option<Mock>, String> {
    if raw.providers.get(MOCK).is_none_or(|mock| mock.base_url.is_some()) {
        return Ok(None);
    }
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let mock = Mock::start(MockSettings {
        listen,
        ..MockSettings::default()
    })
    .await;
    mock.map(Some)
        .map_err(|error| format!("cannot start the simulated providers: {error}"))
}

fn serve(raw: &Raw, arguments: &RunArguments, shared: &Arc<Shared>) -> Result<Server, String> {
    let address = arguments.listen.unwrap_or(raw.listen.get());
    if !address.ip().to_canonical().is_loopback() && shared.config.load().directory.is_empty() {
        return Err(format!(
            "{address} is reachable from outside and there are no keys; add one under keys, or make one with tollgate keys create while it \
             listens on 127.0.0.1"
        ));
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let settings = ServerSettings {
        listener: bound(address, "listen")?,
        workers: raw.server.workers.map_or(cores, usize::from),
        drain_delay: raw.server.drain_delay.get(),
        drain: raw.server.drain.get(),
        tls: Arc::new(Tls::new(None).map_err(|error| error.to_string())?),
    };
    warm(&settings.tls, raw);
    Server::start(Arc::clone(shared), settings).map_err(|error| format!("cannot start: {error}"))
}

/// Reads the trusted roots beside the start, so that the first call over TLS does not wait for them.
fn warm(tls: &Arc<Tls>, raw: &Raw) {
    if raw
        .providers
        .iter()
        .any(|(name, provider)| name != MOCK && provider.base_url.as_ref().is_none_or(|url| url.get().scheme() == "https"))
    {
        let tls = Arc::clone(tls);
        // Without the thread the first call waits; nothing else depends on it.
        let _ = std::thread::Builder::new().name("roots".into()).spawn(move || tls.warm());
    }
}

fn bound(address: SocketAddr, key: &str) -> Result<std::net::TcpListener, String> {
    listen(address).map_err(|error| format!("cannot listen on {address}: {error}; choose another address with {key}"))
}

/// What a person sees first: where it listens, what it found, and a line to paste.
fn welcome(start: &Shown<'_>, data: SocketAddr, admin: SocketAddr) -> String {
    use std::fmt::Write;
    let mut text = format!(
        "Tollgate {}\n\n  models   http://{data}\n  admin    http://{admin}/admin/v1 and /metrics\n",
        env!("CARGO_PKG_VERSION")
    );
    // Writing to a String cannot fail.
    if let Some(password) = start.password {
        let _ = writeln!(text, "  login    admin, with the one-time password {password}");
    }
    if let Some(path) = start.path {
        let _ = writeln!(text, "  config   {}", path.display());
    }
    let Some(key) = start.first_key else { return text + "\n" };
    let found = if start.found.is_empty() {
        "no provider keys in the environment".to_owned()
    } else {
        start.found.join(", ")
    };
    let _ = writeln!(text, "  found    {found}; and mock, the simulated provider");
    let _ = writeln!(text, "  key      {}\n           (kept in {})\n", key.text, key.file.display());
    let _ = writeln!(text, "Try it:\n");
    let _ = writeln!(
        text,
        "  curl -s http://{data}/v1/chat/completions -H 'content-type: application/json' \\"
    );
    let _ = writeln!(text, "    -H 'authorization: Bearer {}' \\", key.text);
    let _ = writeln!(
        text,
        "    -d '{{\"model\":\"mock/echo\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello, Tollgate!\"}}]}}'\n"
    );
    text
}

/// Waits for SIGTERM or SIGINT; says which.
pub(super) async fn until_told(say: impl FnOnce(&str)) {
    say(told().await);
}

/// The same, listening from now on and not from when it is first waited for. Made within a runtime.
fn told() -> impl Future<Output = &'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    }
}
