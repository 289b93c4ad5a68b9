//! Programs that come as Debian packages: found, or installed when we may (root, apt-get). Their services are not started: `RUNLEVEL=1`
//! keeps a package from doing that when it is installed.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

/// The program's path; installs its package when it is absent.
pub(super) fn program(name: &str, package: &str) -> Result<PathBuf, String> {
    if let Some(found) = find(name) {
        return Ok(found);
    }
    if nix::unistd::geteuid().is_root() && apt_get(&["update", "-qq"]) {
        apt_get(&["install", "-y", "-qq", "--no-install-recommends", package]);
    }
    find(name).ok_or_else(|| format!("{name} is not installed; run `apt-get install {package}` as root"))
}

/// System programs stand outside the search path of ordinary users.
fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn apt_get(arguments: &[&str]) -> bool {
    Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("RUNLEVEL", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The first line of what a program says about its version, on either stream.
pub(super) fn version(program: &PathBuf, flag: &str) -> Result<String, String> {
    let said = Command::new(program)
        .arg(flag)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    let text = [said.stdout, said.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}
