//! What a suite needs from outside, from its `needs` file, and its installation into the test folder. Nothing is installed that
//! no suite asked for, and nothing twice.
//!
//! ```text
//! # Debian packages; one that is installed, or a program of that name on the PATH, is enough.
//! apt: python3-venv nodejs
//! # A Python environment: $TOLLGATE_TEST_DIR/SUITE/pip-current/bin/python
//! pip[current]: openai==3.51.0 anthropic==1.2.0
//! # A folder with node_modules: $TOLLGATE_TEST_DIR/SUITE/npm-current/node_modules
//! npm[current]: openai@6.1.0
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;

use super::command::{on_path, quiet};

/// A parsed `needs` file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    apt: Vec<String>,
    environments: Vec<Environment>,
}

/// A folder of packages at fixed versions.
#[derive(Debug, PartialEq, Eq)]
struct Environment {
    kind: Kind,
    label: String,
    packages: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pip,
    Npm,
}

impl Needs {
    /// Reads a `needs` file; the error names the line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut needs = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = || format!("needs, line {}: write `apt: …`, `pip[label]: …` or `npm[label]: …`", number + 1);
            let (key, packages) = line.split_once(": ").ok_or_else(wrong)?;
            let packages = packages.split_whitespace().map(str::to_owned).collect();
            match key.split_once('[').map(|(kind, label)| (kind, label.strip_suffix(']'))) {
                None if key == "apt" => needs.apt.extend(packages),
                Some((kind @ ("pip" | "npm"), Some(label))) if is_label(label) => {
                    let kind = if kind == "pip" { Kind::Pip } else { Kind::Npm };
                    needs.environments.push(Environment {
                        kind,
                        label: label.to_owned(),
                        packages,
                    });
                }
                _ => return Err(wrong()),
            }
        }
        Ok(needs)
    }

    /// Makes everything present; `folder` is the suite's own under the test folder.
    pub(crate) fn install(&self, folder: &Path) -> Result<(), String> {
        install_debian(&self.apt)?;
        self.environments.iter().try_for_each(|environment| environment.install(folder))
    }
}

/// Labels become folder names.
fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

impl Environment {
    fn folder(&self, suite: &Path) -> PathBuf {
        let kind = match self.kind {
            Kind::Pip => "pip",
            Kind::Npm => "npm",
        };
        suite.join(format!("{kind}-{}", self.label))
    }

    /// The stamp, written last, holds what was installed: another list makes the folder anew.
    fn install(&self, suite: &Path) -> Result<(), String> {
        let folder = self.folder(suite);
        let stamp = folder.join("installed");
        let wanted = self.packages.join("\n");
        if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        eprintln!("installing {} into {}", self.packages.join(" "), folder.display());
        let io = |error: std::io::Error| format!("cannot prepare {}: {error}", folder.display());
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(io)?;
        }
        std::fs::create_dir_all(&folder).map_err(io)?;
        self.fetch(&folder)
            .map_err(|error| format!("cannot install {} (is there a network?): {error}", self.packages.join(" ")))?;
        std::fs::write(&stamp, wanted).map_err(io)
    }

    fn fetch(&self, folder: &Path) -> Result<(), String> {
        match self.kind {
            Kind::Pip => {
                quiet(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
                let mut pip = Command::new(folder.join("bin/pip"));
                quiet(pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(&self.packages))
            }
            Kind::Npm => {
                let manifest = folder.join("package.json");
                std::fs::write(&manifest, "{\"private\": true}\n")
                    .map_err(|error| format!("cannot write {}: {error}", manifest.display()))?;
                let mut npm = Command::new("npm");
                quiet(
                    npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error"])
                        .args(&self.packages)
                        .current_dir(folder),
                )
            }
        }
    }
}

/// Installs what is missing with apt-get, as root or through sudo. Elsewhere than on Debian the packages are only named.
pub(super) fn install_debian(packages: &[String]) -> Result<(), String> {
    let missing: Vec<&str> = packages
        .iter()
        .map(String::as_str)
        .filter(|name| !on_path(name) && !is_installed(name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !on_path("apt-get") {
        eprintln!("not a Debian system; make sure that these are installed: {}", missing.join(" "));
        return Ok(());
    }
    eprintln!("installing {} with apt-get", missing.join(" "));
    apt_get(&["update"])?;
    apt_get(&[&["install", "--yes", "--no-install-recommends"], missing.as_slice()].concat())
}

fn is_installed(package: &str) -> bool {
    let query = Command::new("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status}", package])
        .output();
    query.is_ok_and(|output| output.status.success() && output.stdout == b"installed")
}

fn apt_get(arguments: &[&str]) -> Result<(), String> {
    let root = is_root();
    let mut command = Command::new(if root { "apt-get" } else { "sudo" });
    if !root {
        command.args(["--non-interactive", "--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
    }
    quiet(command.arg("--quiet").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
}

pub(super) fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_needs_file_is_read() {
        let text = "# tools\napt: python3-venv nodejs\n\npip[current]: openai==3.51.0 anthropic==1.2.0\nnpm[before]: openai@5\n";
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let expected = Needs {
            apt: own(&["python3-venv", "nodejs"]),
            environments: vec![
                Environment {
                    kind: Kind::Pip,
                    label: "current".to_owned(),
                    packages: own(&["openai==3.51.0", "anthropic==1.2.0"]),
                },
                Environment {
                    kind: Kind::Npm,
                    label: "before".to_owned(),
                    packages: own(&["openai@5"]),
                },
            ],
        };
        assert_eq!(Needs::parse(text), Ok(expected));
    }

    #[test]
    fn a_wrong_line_is_named() {
        for line in [
            "brew: x",
            "pip: openai",
            "pip[]: openai",
            "pip[../x]: openai",
            "apt",
            "pip[a: openai",
        ] {
            let error = Needs::parse(&format!("# first\n{line}")).unwrap_err();
            assert!(error.starts_with("needs, line 2: "), "{error}");
        }
    }

    #[test]
    fn what_is_installed_is_not_installed_again() {
        let suite = std::env::temp_dir().join(format!("tollgate-needs-{}", std::process::id()));
        let environment = Environment {
            kind: Kind::Npm,
            label: "a".to_owned(),
            packages: vec!["x@1".to_owned()],
        };
        let folder = environment.folder(&suite);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("installed"), "x@1").unwrap();
        std::fs::write(folder.join("kept"), "").unwrap();
        let outcome = environment.install(&suite);
        let kept = folder.join("kept").exists();
        std::fs::remove_dir_all(&suite).unwrap();
        assert_eq!((outcome, kept), (Ok(()), true));
    }
}
