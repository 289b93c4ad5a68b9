//! A PostgreSQL for the tests that need one: installed if it is missing, started on a port of its own with its data in a temporary folder, and
//! gone with the tests. One that `TOLLGATE_POSTGRES` names is used instead. Where there is none, its tests say that they were skipped.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::command::{on_path, quiet};
use super::needs::{install_debian, is_root};

/// The variable with its address.
const VARIABLE: &str = "TOLLGATE_POSTGRES";
/// How often it is asked whether it is ready, and how long we wait in between.
const ASKED_MAX: u32 = 150;
const ASKED_EVERY: Duration = Duration::from_millis(200);

/// A running server; it ends when this is dropped.
pub(super) struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    server: Child,
}

impl Postgres {
    /// Starts one, unless the environment names one already.
    pub(super) fn start() -> Option<Self> {
        if std::env::var_os(VARIABLE).is_some() {
            return None;
        }
        let started = Self::try_start();
        if let Err(reason) = &started {
            eprintln!("no PostgreSQL, and what needs it is skipped: {reason}");
        }
        started.ok()
    }

    fn try_start() -> Result<Self, String> {
        let programs = match programs() {
            Some(programs) => programs,
            None => {
                install_debian(&["postgresql".to_owned()])?;
                programs().ok_or("its programs are not there; install it, or name one by TOLLGATE_POSTGRES")?
            }
        };
        let io = |error: std::io::Error| format!("cannot prepare its folder: {error}");
        let folder = std::env::temp_dir().join(format!("tollgate-postgres-{}", std::process::id()));
        std::fs::create_dir(&folder).map_err(io)?;
        if is_root() {
            quiet(Command::new("chown").arg("postgres").arg(&folder))?;
        }
        let data = folder.join("data");
        let mut initdb = as_owner(&programs.join("initdb"));
        initdb.arg("--pgdata").arg(&data);
        initdb.args(["--username=tollgate", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]);
        quiet(initdb.current_dir(&folder))?;

        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .map_err(io)?
            .port();
        let mut server = as_owner(&programs.join("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(&folder).arg("-p").arg(port.to_string());
        // A test's data need not outlive the machine.
        server.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=300"]);
        server
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir(&folder);
        let server = server.spawn().map_err(|error| format!("it cannot be started: {error}"))?;
        let postgres = Self {
            programs,
            folder,
            port,
            server,
        };
        postgres.wait()?;
        Ok(postgres)
    }

    fn wait(&self) -> Result<(), String> {
        let ready = || {
            let mut asked = Command::new(self.programs.join("pg_isready"));
            asked.args(["--quiet", "--host=127.0.0.1"]).arg(format!("--port={}", self.port));
            asked.status().is_ok_and(|status| status.success())
        };
        for _ in 0..ASKED_MAX {
            if ready() {
                return Ok(());
            }
            sleep(ASKED_EVERY);
        }
        Err("it did not become ready".to_owned())
    }

    /// Tells a test where it is.
    pub(super) fn prepare(&self, command: &mut Command) {
        command.env(VARIABLE, format!("postgres://tollgate@127.0.0.1:{}/postgres", self.port));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut stop = as_owner(&self.programs.join("pg_ctl"));
        stop.arg("stop")
            .arg("--pgdata")
            .arg(self.folder.join("data"))
            .arg("--mode=immediate");
        if let Err(error) = quiet(stop.current_dir(&self.folder)) {
            eprintln!("PostgreSQL did not stop: {error}");
            let _ = self.server.kill();
        }
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The folder with its programs: Debian keeps one per version, none of them on the PATH.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |folder: &Path| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions
        .map(|entry| entry.path())
        .filter(|folder| folder.join("bin/initdb").is_file())
        .max_by_key(|folder| number(folder));
    let on_the_path = || {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&folders).find(|folder| folder.join("initdb").is_file())
    };
    newest.map(|folder| folder.join("bin")).or_else(on_the_path)
}

/// It refuses to run as root; then it runs as the user that its package made.
fn as_owner(program: &Path) -> Command {
    if !is_root() || !on_path("runuser") {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_server_ends_with_its_owner() {
        if programs().is_none() {
            println!("skipped: PostgreSQL is not installed");
            return;
        }
        let postgres = Postgres::try_start().unwrap();
        let (port, folder) = (postgres.port, postgres.folder.clone());
        let mut told = Command::new("true");
        postgres.prepare(&mut told);
        let address = told.get_envs().find_map(|(_, value)| value).unwrap().to_owned();
        assert_eq!(address, *format!("postgres://tollgate@127.0.0.1:{port}/postgres"));
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        drop(postgres);
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
        assert!(!folder.exists());
    }
}
