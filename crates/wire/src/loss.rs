//! What a translation could not carry. A value, computed before sending: never silent, never an error by itself.

/// The most entries one exchange keeps; a request with more unknown parts than this is told so by its last entry.
const ENTRIES_MAX: usize = 64;
/// The longest name kept, in bytes: entries travel in a response header.
const NAME_BYTES_MAX: usize = 80;

/// Fields of an answer that tell of its making and not of its content: nobody loses anything without them.
const DETAILS: &[&str] = &[
    "inference_geo",
    "native_finish_reason",
    "obfuscation",
    "provider",
    "service_tier",
    "system_fingerprint",
    "time_info",
    "timings",
    "x_groq",
];

/// The features of one request (or answer) that its target dialect cannot carry, by the caller's own names
/// (`top_k`, `messages.content.citations`), each once, in order of appearance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loss {
    features: Vec<String>,
}

impl Loss {
    /// Notes one lost feature. Names are cut to what a header may hold; repeats are ignored.
    pub fn add(&mut self, feature: &str) {
        let name: String = feature
            .chars()
            .map(|c| if c.is_ascii_graphic() && c != ',' { c } else { '_' })
            .take(NAME_BYTES_MAX)
            .collect();
        if self.features.contains(&name) {
            return;
        }
        match self.features.len() {
            n if n < ENTRIES_MAX - 1 => self.features.push(name),
            n if n == ENTRIES_MAX - 1 => self.features.push("and_more".to_owned()),
            _ => {}
        }
    }

    /// Notes a lost field of an answer, unless it is a mere detail of how the answer was made.
    pub fn add_from_answer(&mut self, field: &str) {
        let leaf = field.rsplit('.').next().unwrap_or(field);
        if !DETAILS.contains(&leaf) {
            self.add(field);
        }
    }

    /// True when everything was carried.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    /// The lost features in order of appearance.
    #[must_use]
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// Adds all of another loss.
    pub fn merge(&mut self, other: &Self) {
        for feature in &other.features {
            self.add(feature);
        }
    }
}

impl std::fmt::Display for Loss {
    /// The value of the `x-tollgate-loss` header: `top_k, n`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.features.join(", "))
    }
}
