//! Files: how long, how wide and how wrong they may be.

use std::fmt::Write;

use super::super::{FILE_BYTES_MAX, text_of};
use super::checked;

/// A file of its own in the folder for temporary files, gone when dropped.
struct TemporaryFile(std::path::PathBuf);

impl TemporaryFile {
    fn of(name: &str, bytes: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("tollgate-config-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // Nothing depends on it: the folder is for what may stay behind.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_file_that_cannot_be_text_says_why() {
    let right = TemporaryFile::of("right", b"listen: 127.0.0.1:8080\n");
    assert_eq!(text_of(&right.0).unwrap(), "listen: 127.0.0.1:8080\n");
    let latin = TemporaryFile::of("latin", b"a: b\nc: \xe9\n");
    assert_eq!(
        text_of(&latin.0).unwrap_err().line_for_logs(),
        "line 2: the file is not UTF-8; save it as UTF-8"
    );
    let long = TemporaryFile::of("long", &vec![b'#'; FILE_BYTES_MAX + 1]);
    assert!(text_of(&long.0).unwrap_err().reason.contains("longer than 4 MiB"));
    let absent = text_of(&long.0.with_extension("absent")).unwrap_err();
    assert!(absent.reason.starts_with("cannot read "), "{absent}");
}

#[test]
fn a_thousand_routes_and_keys_are_read() {
    let mut yaml = "providers: { mock: {} }\nteams: { t: { models: [\"*\"] } }\nroutes:\n".to_owned();
    for route in 0..1_000 {
        writeln!(
            yaml,
            "  r{route}: {{ purpose: p, owner: o, targets: [{{ model: mock/m{route} }}], timeouts: {{ total: 1m }} }}"
        )
        .unwrap();
    }
    yaml.push_str("keys:\n");
    for key in 0..1_000 {
        writeln!(yaml, "  - {{ name: k{key}, team: t, secret: env:KEY_{key:032} }}").unwrap();
    }
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    let env = |name: &str| Some(name.to_owned());
    let world = super::World {
        env: &env,
        file: &super::file,
        now,
        vendors: &[],
    };
    let checked = super::read(&yaml, &world);
    assert_eq!(checked.problems, []);
    let raw = checked.raw.unwrap();
    assert_eq!((raw.routes.len(), raw.keys.len()), (1_000, 1_000));
}

#[test]
fn no_more_problems_are_told_than_somebody_reads() {
    let structural: String = (0..40_000).map(|key| format!("k{key}: 1\n")).collect();
    let names: String = (0..3_000).map(|key| format!("  k{key}: {{ provider: p{key} }}\n")).collect();
    for (yaml, more) in [(structural, 39_800), (format!("models:\n{names}"), 800)] {
        let problems = checked(&yaml).problems;
        assert_eq!(problems.len(), 201);
        assert_eq!(problems.last().unwrap().reason, format!("and {more} problems more"));
    }
}
