//! YAML read into a tree that remembers where everything stands. It is built from the parser's events rather than through serde, because a
//! serde reader stops at the first duplicate key and cannot say where a *key* stands. What is not plain data is refused: tags, keys that
//! are no text, a second document. Nesting, nodes (aliases expanded) and bytes are bounded. It knows nothing of the config's rules.

use indexmap::{IndexMap, IndexSet};
use serde_json::Value;

mod build;
mod scalar;

pub(super) use build::{read, too_long};

/// The largest file that is read, in bytes (4 MiB).
pub const FILE_BYTES_MAX: usize = 4 << 20;

/// A place in the file, both counted from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    mark: Mark,
    kind: Kind,
    /// Whether something was pruned from directly inside.
    pruned: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Scalar(Value),
    /// With the place in the list as written, which pruning does not change.
    List(Vec<(usize, Node)>),
    Map(IndexMap<String, Entry>),
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    key: Mark,
    node: Node,
}

/// One step into the tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// A way from the root, as indices are now: after pruning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Path(Vec<Step>);

impl Path {
    /// The way to a key of the root.
    pub(super) fn of(key: &str) -> Self {
        Self::default().key(key)
    }

    /// One step further, to a map's key.
    pub(super) fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()))
    }

    /// One step further, to a list's item.
    pub(super) fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    pub(super) fn step(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// How many characters the last step has as a key.
    pub(super) fn last_key_chars(&self) -> usize {
        match self.0.last() {
            Some(Step::Key(key)) => key.chars().count(),
            _ => 0,
        }
    }

    fn split_last(&self) -> Option<(&Step, Self)> {
        self.0.split_last().map(|(last, before)| (last, Self(before.to_vec())))
    }
}

/// A place as it is told to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// With the indices as written.
    pub(super) path: String,
    pub(super) mark: Mark,
}

/// The file as a tree.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document {
    root: Node,
}

impl Document {
    /// The node at a path.
    fn find(&self, path: &Path) -> Option<&Node> {
        path.0.iter().try_fold(&self.root, |node, step| match (&node.kind, step) {
            (Kind::Map(entries), Step::Key(key)) => entries.get(key).map(|entry| &entry.node),
            (Kind::List(items), Step::Index(index)) => items.get(*index).map(|(_, node)| node),
            _ => None,
        })
    }

    /// The path of a JSON pointer; whether a number is an index or a key is decided by what stands there.
    pub(super) fn path_of(&self, pointer: &str) -> Path {
        let mut path = Path::default();
        for part in pointer.split('/').skip(1) {
            let index = match self.find(&path).map(|node| &node.kind) {
                Some(Kind::List(_)) => part.parse().ok(),
                _ => None,
            };
            let key = || Step::Key(part.replace("~1", "/").replace("~0", "~"));
            path.0.push(index.map_or_else(key, Step::Index));
        }
        path
    }

    /// Whether something was written at the path.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.find(path).is_some()
    }

    /// Whether nothing was pruned from directly inside the node, so that its items are all that were written.
    pub(super) fn is_whole(&self, path: &Path) -> bool {
        self.find(path).is_none_or(|node| !node.pruned)
    }

    /// The keys of the map at a path, in the order written; none when it is no map.
    pub(super) fn keys(&self, path: &Path) -> IndexSet<String> {
        match self.find(path).map(|node| &node.kind) {
            Some(Kind::Map(entries)) => entries.keys().cloned().collect(),
            _ => IndexSet::new(),
        }
    }

    /// Where a value stands: a scalar and a list's item at itself, a map or list under a key at its key. What was not written stands
    /// where the deepest thing around it does.
    pub(super) fn place(&self, path: &Path) -> Place {
        self.walk(path, false)
    }

    /// Where the key of the path's last step stands.
    pub(super) fn place_of_key(&self, path: &Path) -> Place {
        self.walk(path, true)
    }

    fn walk(&self, path: &Path, at_key: bool) -> Place {
        let mut place = Place {
            path: String::new(),
            mark: self.root.mark,
        };
        let mut node = Some(&self.root);
        for (nth, step) in path.0.iter().enumerate() {
            let last = nth + 1 == path.0.len();
            node = match (node.map(|node| &node.kind), step) {
                (Some(Kind::Map(entries)), Step::Key(key)) => entries.get(key).map(|entry| {
                    let at_value = matches!(&entry.node.kind, Kind::Scalar(value) if !value.is_null());
                    place.mark = if at_value && !(at_key && last) {
                        entry.node.mark
                    } else {
                        entry.key
                    };
                    &entry.node
                }),
                (Some(Kind::List(items)), Step::Index(index)) => items.get(*index).map(|(_, item)| {
                    place.mark = item.mark;
                    item
                }),
                _ => None,
            };
            // The index as written, which differs from the present one when something before it was pruned.
            let parent = Path(path.0.iter().take(nth).cloned().collect());
            push_step(&mut place.path, step, |index| self.written_index(&parent, index));
        }
        place
    }

    fn written_index(&self, list: &Path, index: usize) -> usize {
        match self.find(list).map(|node| &node.kind) {
            Some(Kind::List(items)) => items.get(index).map_or(index, |(written, _)| *written),
            _ => index,
        }
    }

    /// Takes out the node at the path. Returns whether there was one; the root cannot be taken out.
    pub(super) fn prune(&mut self, path: &Path) -> bool {
        let Some((last, parent)) = path.split_last() else { return false };
        let Some(parent) = self.find_mut(&parent) else { return false };
        let found = match (&mut parent.kind, last) {
            (Kind::Map(entries), Step::Key(key)) => entries.swap_remove(key).is_some(),
            (Kind::List(items), Step::Index(index)) if *index < items.len() => {
                items.remove(*index);
                true
            }
            _ => false,
        };
        parent.pruned |= found;
        found
    }

    fn find_mut(&mut self, path: &Path) -> Option<&mut Node> {
        path.0.iter().try_fold(&mut self.root, |node, step| match (&mut node.kind, step) {
            (Kind::Map(entries), Step::Key(key)) => entries.get_mut(key).map(|entry| &mut entry.node),
            (Kind::List(items), Step::Index(index)) => items.get_mut(*index).map(|(_, node)| node),
            _ => None,
        })
    }

    /// The tree as JSON, without its places.
    pub(super) fn value(&self) -> Value {
        self.root.value()
    }
}

impl Node {
    fn value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => Value::Array(items.iter().map(|(_, node)| node.value()).collect()),
            Kind::Map(entries) => Value::Object(entries.iter().map(|(key, entry)| (key.clone(), entry.node.value())).collect()),
        }
    }

    /// Itself and all below.
    fn count(&self) -> usize {
        1 + match &self.kind {
            Kind::Scalar(_) => 0,
            Kind::List(items) => items.iter().map(|(_, node)| node.count()).sum(),
            Kind::Map(entries) => entries.values().map(|entry| entry.node.count()).sum::<usize>(),
        }
    }
}

/// Writes a step as people write it: `.name`, `."odd name"`, `[3]`.
fn push_step(out: &mut String, step: &Step, written: impl Fn(usize) -> usize) {
    match step {
        Step::Index(index) => out.push_str(&format!("[{}]", written(*index))),
        Step::Key(key) => {
            if !out.is_empty() {
                out.push('.');
            }
            let plain = !key.is_empty() && key.len() <= 60 && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '/'));
            let key = super::units::shown(key);
            if plain {
                out.push_str(&key);
            } else {
                out.push_str(&format!("\"{key}\""));
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
