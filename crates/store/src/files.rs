//! The few files of the data folder: the peppers, the first key, the last good config, the kill switches. Written whole (a new file, synced, then
//! renamed over the old one) and readable by their owner only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tollgate_policy::key::{self, Pepper, PepperVersion, Peppers, Presented};
use tollgate_policy::switches::Switches;

/// The data folder of one gateway.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

/// A file of the data folder that cannot be used.
#[derive(Debug)]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, and the remedy.
    pub reason: String,
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for FileError {}

impl DataDir {
    /// Opens the folder, making it (for its owner only) when it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| failed(path, "cannot be made", &error))?;
        Ok(Self(path.to_owned()))
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The secret that key digests depend on; made at the first start.
    ///
    /// # Errors
    /// When it cannot be read or written, or is damaged.
    pub fn pepper(&self) -> Result<Pepper, FileError> {
        let path = self.0.join("pepper");
        match fs::read(&path) {
            Ok(bytes) => {
                let bytes: [u8; 32] = bytes.try_into().map_err(|_| FileError {
                    path,
                    reason: "is not 32 bytes long; restore it from a backup, or delete it (stored keys then stop working)".into(),
                })?;
                Ok(Pepper::new(&bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let bytes: [u8; 32] = rand::random();
                self.write("pepper", &bytes)?;
                Ok(Pepper::new(&bytes))
            }
            Err(error) => Err(failed(&path, "cannot be read", &error)),
        }
    }

    /// All versions of the secret that key digests depend on: the file `pepper` is version 1, and `pepper.2` and so on are those
    /// after it. The newest one is for new secrets.
    ///
    /// # Errors
    /// When one cannot be read or written, or is damaged.
    pub fn peppers(&self) -> Result<Peppers, FileError> {
        let mut peppers = Peppers::new(self.pepper()?);
        for (version, path) in self.later_peppers()? {
            let bytes = fs::read(&path).map_err(|error| failed(&path, "cannot be read", &error))?;
            let bytes: [u8; 32] = bytes.try_into().map_err(|_| FileError {
                path,
                reason: "is not 32 bytes long; restore it from a backup, or delete it (keys made since it exists then stop working)".into(),
            })?;
            peppers = peppers.with(version, Pepper::new(&bytes));
        }
        Ok(peppers)
    }

    /// Makes a new version of the pepper, for secrets made from now on. Older secrets keep working by the older ones.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add_pepper(&self) -> Result<PepperVersion, FileError> {
        let newest = self.later_peppers()?.into_iter().map(|(version, _)| version).max().unwrap_or(1);
        let version = newest.saturating_add(1);
        let bytes: [u8; 32] = rand::random();
        self.write(&format!("pepper.{version}"), &bytes)?;
        Ok(version)
    }

    fn later_peppers(&self) -> Result<Vec<(PepperVersion, PathBuf)>, FileError> {
        let unreadable = |error: io::Error| failed(&self.0, "cannot be read", &error);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            let version = name.to_str().and_then(|name| name.strip_prefix("pepper.")?.parse().ok());
            found.extend(version.filter(|version| 1 < *version).map(|version| (version, entry.path())));
        }
        Ok(found)
    }

    /// The kill switches that were on; none when there is no file.
    ///
    /// # Errors
    /// When the file cannot be read. A switch must not go off because of that: whoever reads it should not start.
    pub fn switches(&self) -> Result<Switches, FileError> {
        let path = self.0.join("switches.json");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Switches::default()),
            Err(error) => return Err(failed(&path, "cannot be read", &error)),
        };
        serde_json::from_slice(&bytes).map_err(|error| FileError {
            path,
            reason: format!("is not a list of kill switches ({error}); correct it, or delete it (all switches are then off)"),
        })
    }

    /// Keeps the kill switches, so that they are on after a restart, whatever happens to the database.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep_switches(&self, switches: &Switches) -> Result<(), FileError> {
        let mut bytes =
            serde_json::to_vec_pretty(switches).map_err(|error| failed(&self.0, "switches cannot be written", &error.into()))?;
        bytes.push(b'\n');
        self.write("switches.json", &bytes)
    }

    /// The first key of a gateway without a config file, and the file in which it stands; made at the first start, so that
    /// a restart does not lock out who pasted it.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn first_key(&self) -> Result<(String, PathBuf), FileError> {
        let path = self.0.join("first-key");
        match fs::read_to_string(&path) {
            Ok(text) if matches!(Presented::parse(text.trim()), Some(Presented::Ours { .. })) => return Ok((text.trim().to_owned(), path)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&path, "cannot be read", &error)),
        }
        let text = key::make(rand::random(), rand::random());
        self.write("first-key", format!("{text}\n").as_bytes())?;
        Ok((text, path))
    }

    /// Keeps a config that was good.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_config(&self, text: &str) -> Result<(), FileError> {
        self.write("last-good.yaml", text.as_bytes())
    }

    /// The last config that was good; `None`: there is none.
    #[must_use]
    pub fn last_good_config(&self) -> Option<String> {
        fs::read_to_string(self.0.join("last-good.yaml")).ok()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FileError> {
        let path = self.0.join(name);
        let fresh = self.0.join(format!(".{name}.{}", std::process::id()));
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&fresh, &path));
        written.map_err(|error| failed(&path, "cannot be written", &error))
    }
}

fn failed(path: &Path, what: &str, error: &io::Error) -> FileError {
    FileError {
        path: path.to_owned(),
        reason: format!("{what}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tollgate_policy::switches::{Mode, Scope, Switch};

    fn folder(name: &str) -> (PathBuf, DataDir) {
        let path = std::env::temp_dir().join(format!("tollgate-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        (path.clone(), DataDir::open(&path).unwrap())
    }

    #[test]
    fn pepper_and_first_key_survive_a_restart_and_are_private() {
        let (path, dir) = folder("restart");
        let (digest, (first, file)) = (dir.pepper().unwrap().digest("x-credential"), dir.first_key().unwrap());
        let again = DataDir::open(&path).unwrap();
        assert!(again.pepper().unwrap().digest("x-credential").matches(&digest));
        assert_eq!(again.first_key().unwrap().0, first);
        for file in [file, path.join("pepper")] {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_damaged_pepper_is_named_with_its_remedy() {
        let (path, dir) = folder("damaged");
        fs::write(path.join("pepper"), b"short").unwrap();
        let Err(error) = dir.pepper() else { unreachable!() };
        assert!(error.to_string().contains("restore it from a backup"), "{error}");
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn the_last_good_config_is_replaced_whole() {
        let (path, dir) = folder("config");
        assert_eq!(dir.last_good_config(), None);
        dir.keep_config("listen: 127.0.0.1:1\n").unwrap();
        dir.keep_config("x\n").unwrap();
        assert_eq!(dir.last_good_config().unwrap(), "x\n");
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_new_pepper_is_for_new_secrets_and_the_older_one_stays() {
        let (path, dir) = folder("peppers");
        let before = dir.peppers().unwrap().digest("x-credential");
        assert_eq!((before.version, dir.add_pepper().unwrap(), dir.add_pepper().unwrap()), (1, 2, 3));
        fs::write(path.join("pepper.old"), b"not ours").unwrap();
        let after = DataDir::open(&path).unwrap().peppers().unwrap();
        assert_eq!(after.digest("x-credential").version, 3);
        assert!(after.digests("x-credential").contain(&before));
        fs::write(path.join("pepper.2"), b"short").unwrap();
        assert!(dir.peppers().is_err());
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn kill_switches_survive_a_restart_and_a_damaged_file_is_no_empty_list() {
        let (path, dir) = folder("switches");
        assert!(dir.switches().unwrap().is_empty());
        let mut switches = Switches::default();
        for (scope, value) in [(Scope::All, ""), (Scope::Team, "t")] {
            let switch = Switch {
                scope,
                value: value.into(),
                mode: Mode::AbortInflight,
                reason: "runaway \"agent\"".into(),
                actor: "ops".into(),
                at: 7,
            };
            switches.turn_on(switch).unwrap();
            dir.keep_switches(&switches).unwrap();
        }
        assert_eq!(DataDir::open(&path).unwrap().switches().unwrap(), switches);
        let incomplete = r#"[{"scope":"team","mode":"block_new","reason":"x","actor":"y","at":1}]"#;
        for damaged in ["", "[{}]", "{}", "[", incomplete] {
            fs::write(path.join("switches.json"), damaged).unwrap();
            let error = dir.switches().unwrap_err().to_string();
            assert!(error.contains("is not a list of kill switches"), "{error}");
        }
        fs::remove_dir_all(path).unwrap();
    }
}
