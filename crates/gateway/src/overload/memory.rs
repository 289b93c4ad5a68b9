//! How much memory there is, and how much is taken: of the process's cgroup (version 2, else 1), or against a bound of the config. Pages
//! of files that the kernel may drop at any time do not count, as in Kubernetes. Where nothing can be read there is nothing to run short of.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tollgate_policy::overload::{self, Memory};

use crate::exchange::Shared;

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// A limit of this size is none.
const UNLIMITED: u64 = 1 << 60;

/// Where the bound comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// A cgroup's.
    Cgroup {
        /// The file that says how much is taken.
        usage: PathBuf,
        /// The file that says how much of it the kernel may drop, and the line of it.
        stat: (PathBuf, &'static str),
        /// In bytes.
        limit: u64,
    },
    /// The config's, for what the process itself takes.
    Own {
        /// The file that says how much is taken.
        status: PathBuf,
        /// In bytes.
        limit: u64,
    },
}

impl Bound {
    /// The bound that counts here. `root` is the root of the file system.
    #[must_use]
    pub fn find(root: &Path, own: Option<u64>) -> Option<Self> {
        if let Some(limit) = own {
            let status = root.join("proc/self/status");
            return Some(Self::Own { status, limit });
        }
        let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        let path_of = |controller: &str| {
            let line = groups.lines().find_map(|line| {
                let (names, path) = line.split_once(':')?.1.split_once(':')?;
                names.split(',').any(|name| name == controller).then_some(path)
            });
            line.unwrap_or_default().trim_matches('/').to_owned()
        };
        let (two, one) = (root.join("sys/fs/cgroup"), root.join("sys/fs/cgroup/memory"));
        // Within a container the group's own folder is the root of what is seen.
        let second = [two.join(path_of("")), two].into_iter().find_map(|folder| {
            let stat = (folder.join("memory.stat"), "inactive_file ");
            Self::in_files((folder.join("memory.max"), folder.join("memory.current")), stat)
        });
        second.or_else(|| {
            [one.join(path_of("memory")), one].into_iter().find_map(|folder| {
                let stat = (folder.join("memory.stat"), "total_inactive_file ");
                Self::in_files((folder.join("memory.limit_in_bytes"), folder.join("memory.usage_in_bytes")), stat)
            })
        })
    }

    fn in_files((limit, usage): (PathBuf, PathBuf), stat: (PathBuf, &'static str)) -> Option<Self> {
        let limit = number(&fs::read_to_string(limit).ok()?).filter(|limit| *limit < UNLIMITED)?;
        Some(Self::Cgroup { usage, stat, limit })
    }

    /// How short of memory the process is now.
    #[must_use]
    pub fn look(&self) -> Memory {
        match self {
            Self::Cgroup { usage, stat, limit } => {
                let used = fs::read_to_string(usage).ok().and_then(|text| number(&text)).unwrap_or(0);
                let stats = fs::read_to_string(&stat.0).unwrap_or_default();
                let droppable = stats.lines().find_map(|line| number(line.strip_prefix(stat.1)?)).unwrap_or(0);
                overload::memory(used.saturating_sub(droppable), *limit)
            }
            Self::Own { status, limit } => {
                let text = fs::read_to_string(status).unwrap_or_default();
                let resident = text
                    .lines()
                    .find_map(|line| number(line.strip_prefix("VmRSS:")?.trim_end_matches("kB")));
                overload::memory(resident.unwrap_or(0).saturating_mul(1024), *limit)
            }
        }
    }
}

/// Looks at it for the life of the process.
pub async fn follow(bound: Bound, shared: Arc<Shared>, stop: CancellationToken) {
    let mut before = Memory::Enough;
    while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        let memory = bound.look();
        shared.pressure.set_memory(memory);
        if memory == Memory::Full && before != Memory::Full {
            let said = "95% of the memory is taken: no new call is begun until some is free";
            shared.telemetry.log.event("warn", said);
        }
        before = memory;
    }
}

fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// What is found below a root with these files.
    fn look(files: &[(&str, &str)], own: Option<u64>) -> Option<Memory> {
        let root = std::env::temp_dir().join(format!("tollgate-memory-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = Bound::find(&root, own).map(|bound| bound.look());
        fs::remove_dir_all(&root).unwrap();
        found
    }

    #[test]
    fn f43_cgroups_of_both_versions_and_an_own_bound_are_read_and_what_is_not_there_is_no_bound() {
        let second = [
            ("proc/self/cgroup", "0::/app\n"),
            ("sys/fs/cgroup/app/memory.max", "1000\n"),
            ("sys/fs/cgroup/app/memory.current", "960\n"),
            ("sys/fs/cgroup/app/memory.stat", "anon 1\ninactive_file 30\n"),
        ];
        assert_eq!(
            look(&second, None),
            Some(Memory::Short),
            "930 of 1000: the kernel may drop the rest"
        );
        let inside = [("sys/fs/cgroup/memory.max", "1000"), ("sys/fs/cgroup/memory.current", "950")];
        assert_eq!(look(&inside, None), Some(Memory::Full));
        let first = [
            ("proc/self/cgroup", "9:name=systemd:/\n4:memory:/jobs/a\n"),
            ("sys/fs/cgroup/memory/jobs/a/memory.limit_in_bytes", "1000"),
            ("sys/fs/cgroup/memory/jobs/a/memory.usage_in_bytes", "940"),
            (
                "sys/fs/cgroup/memory/jobs/a/memory.stat",
                "inactive_file 500\ntotal_inactive_file 100\n",
            ),
        ];
        assert_eq!(look(&first, None), Some(Memory::Enough));
        assert_eq!(look(&[("sys/fs/cgroup/memory.max", "max")], None), None);
        assert_eq!(
            look(&[("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712")], None),
            None
        );
        assert_eq!(look(&[], None), None);
        let own = [("proc/self/status", "Name:\tx\nVmRSS:\t    99000 kB\n")];
        assert_eq!(look(&own, Some(100_000 << 10)), Some(Memory::Full));
        assert_eq!(look(&own, Some(1 << 30)), Some(Memory::Enough));
    }
}
