//! References to secrets, and the secrets that they lead to. A reference may be shown; a secret has no `Debug`, `Display` or `Serialize`,
//! and no message here quotes one.

use std::fmt;
use std::path::PathBuf;

use super::{Complaint, text_format};
use crate::config::World;

/// Where a secret is read from. The file itself never holds one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretRef {
    /// `env:NAME`: a variable of the process's environment.
    Env(String),
    /// `file:PATH`: the content of a file, less the white space at its ends. A relative path starts at the config file's folder.
    File(PathBuf),
}

text_format!(
    SecretRef,
    "secret-reference",
    "where a secret is read from: env:NAME or file:PATH; never the secret itself",
    ["env:OPENAI_API_KEY", "file:/run/secrets/openai"]
);

/// A secret's text. Deliberately without `Debug`, `Display` and `Serialize`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the place that sends or compares it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl SecretRef {
    /// Reads `env:NAME` or `file:PATH`.
    ///
    /// # Errors
    /// When the text is a literal secret or a reference of another kind; the text is never quoted.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let ways = "write env:NAME or file:PATH";
        match text.split_once(':') {
            Some(("env", name)) if is_variable_name(name) => Ok(Self::Env(name.to_owned())),
            Some(("env", _)) => Err(Complaint::new(
                "what follows env: is not the name of a variable",
                "write for example env:OPENAI_API_KEY",
            )),
            Some(("file", path)) if !path.is_empty() && !path.contains('\0') => Ok(Self::File(PathBuf::from(path))),
            Some(("file", _)) => Err(Complaint::new(
                "what follows file: is not a path",
                "write for example file:/run/secrets/openai",
            )),
            Some(("vault", _)) => Err(Complaint::new("vault: references are not yet supported", ways)),
            _ if text.starts_with('$') => Err(Complaint::new("variables are not expanded here", "write env:NAME")),
            _ => Err(Complaint::new("secrets appear only as references", ways)),
        }
    }

    /// Fetches the secret.
    ///
    /// # Errors
    /// When the variable is not set, the file cannot be read, or what is there cannot be sent in a header.
    pub fn resolve(&self, world: &World<'_>) -> Result<Secret, Complaint> {
        let text = match self {
            Self::Env(name) => (world.env)(name).ok_or_else(|| {
                Complaint::new(
                    format!("the environment variable {name} is not set"),
                    format!("export {name}, or name another reference"),
                )
            })?,
            Self::File(path) => (world.file)(path).map_err(|error| {
                let reason = format!("cannot read {}: {}", path.display(), describe(&error));
                Complaint::new(reason, "create the file and let this user read it")
            })?,
        };
        let text = text.trim();
        if text.is_empty() {
            return Err(Complaint::new(format!("the secret at {self} is empty"), "put the secret there"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let reason = format!("the secret at {self} has spaces, line breaks or characters outside of ASCII");
            return Err(Complaint::new(reason, "put the secret there alone, on one line"));
        }
        Ok(Secret(text.to_owned()))
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

fn is_variable_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// An I/O error in plain words, without the platform's error number.
pub(super) fn describe(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
