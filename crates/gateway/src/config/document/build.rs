//! The parser's events, one after the other, into the tree. A syntax error ends the reading; duplicate keys do not, so that all of them
//! are found at once.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Marker, Options, Parser, ScalarStyle, ScanError, Span, options};
use indexmap::IndexMap;
use serde_json::Value;

use super::super::problem::Problem;
use super::super::units::shown;
use super::{Document, Entry, FILE_BYTES_MAX, Kind, Mark, Node, scalar};

/// Nodes in all, aliases expanded: what a 4 MiB file of sense can hold, and a bomb cannot.
const NODES_MAX: usize = 100_000;
/// Maps and lists inside one another; the config needs six.
const DEPTH_MAX: usize = 32;

/// Reads the text. Problems without a document: it could not be read; with one: duplicate keys.
pub(in super::super) fn read(text: &str) -> (Option<Document>, Vec<Problem>) {
    if FILE_BYTES_MAX < text.len() {
        return (None, vec![too_long()]);
    }
    let mut builder = Builder::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parser = Parser::new_from_str_with_options(text, parser_options());
    for next in parser {
        let step = match next {
            Ok((event, span)) => builder.event(event, &span),
            Err(error) => Err(syntax_problem(text, &error)),
        };
        if let Err(problem) = step {
            builder.problems.push(*problem);
            return (None, builder.problems);
        }
    }
    match builder.root {
        Some(root) if !matches!(root.kind, Kind::Scalar(Value::Null)) => (Some(Document { root }), builder.problems),
        _ => {
            builder.problems.push(empty_file());
            (None, builder.problems)
        }
    }
}

fn parser_options() -> Options {
    options! { emit_comments: false, flow_nesting_limit: DEPTH_MAX, block_nesting_limit: DEPTH_MAX }
}

/// The problem of a file that is longer than [`FILE_BYTES_MAX`].
pub(in super::super) fn too_long() -> Problem {
    let reason = format!("the file is longer than {} MiB", FILE_BYTES_MAX >> 20);
    Problem::of_file(reason, "name the right file, or divide what it holds between several gateways")
}

fn empty_file() -> Problem {
    Problem::of_file("the file is empty", "copy tollgate.example.yaml, or start without a config file")
}

/// Boxed: the road that is rarely taken shall not widen the other one.
type Step = Result<(), Box<Problem>>;

/// A problem of the file's syntax: it has a line, but no path.
fn problem(mark: Mark, reason: impl Into<String>, remedy: &str) -> Box<Problem> {
    let mut problem = Problem::of_file(reason, remedy);
    (problem.line, problem.column) = (mark.line, mark.column);
    Box::new(problem)
}

fn mark_of(marker: &Marker) -> Mark {
    Mark {
        line: marker.line().max(1),
        column: marker.col() + 1,
    }
}

/// A map or list that is still open.
struct Frame {
    mark: Mark,
    anchor: usize,
    kind: FrameKind,
}

enum FrameKind {
    List(Vec<(usize, Node)>),
    Map {
        entries: IndexMap<String, Entry>,
        key: Option<(String, Mark)>,
        merges: Vec<Node>,
    },
}

#[derive(Default)]
struct Builder {
    stack: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
    problems: Vec<Problem>,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: &Span) -> Step {
        let mark = mark_of(&span.start);
        if let Some(tag) = event.tag() {
            let reason = format!("the tag {} is not supported", shown(&tag.original()));
            return Err(problem(
                mark,
                reason,
                "leave the tag out; a secret is written env:NAME or file:PATH",
            ));
        }
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(problem(mark, "a second document begins here", "keep one document in the file"))
            }
            Event::Scalar(text, style, anchor, _) => self.scalar(text, style, anchor, mark),
            Event::SequenceStart(_, anchor, _) => self.open(Frame {
                mark,
                anchor,
                kind: FrameKind::List(Vec::new()),
            }),
            Event::MappingStart(_, anchor, _) => {
                let kind = FrameKind::Map {
                    entries: IndexMap::new(),
                    key: None,
                    merges: Vec::new(),
                };
                self.open(Frame { mark, anchor, kind })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => {
                let Some(mut node) = self.anchors.get(&id).cloned() else {
                    return Err(problem(mark, "the alias stands inside of what it names", "write the value out"));
                };
                self.key_expected(mark)?;
                // Scalars are told where they are used; what stands in a map or list, where it was written.
                if let Kind::Scalar(_) = node.kind {
                    node.mark = mark;
                }
                self.count(node.count(), mark)?;
                self.add(node)
            }
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, text: Cow<'_, str>, style: ScalarStyle, anchor: usize, mark: Mark) -> Step {
        self.count(1, mark)?;
        if let Some(Frame {
            kind: FrameKind::Map { key: key @ None, .. },
            ..
        }) = self.stack.last_mut()
        {
            *key = Some((text.into_owned(), mark));
            return Ok(());
        }
        let value = if style == ScalarStyle::Plain {
            scalar::resolve(&text)
        } else {
            Value::String(text.into_owned())
        };
        let node = Node {
            mark,
            kind: Kind::Scalar(value),
            pruned: false,
        };
        self.remember(anchor, &node);
        self.add(node)
    }

    fn open(&mut self, frame: Frame) -> Step {
        self.key_expected(frame.mark)?;
        self.count(1, frame.mark)?;
        if DEPTH_MAX <= self.stack.len() {
            return Err(problem(
                frame.mark,
                format!("more than {DEPTH_MAX} maps and lists inside one another"),
                "nothing here is that deep",
            ));
        }
        self.stack.push(frame);
        Ok(())
    }

    /// Refuses a map, list or alias where a map's key is expected.
    fn key_expected(&self, mark: Mark) -> Step {
        match self.stack.last() {
            Some(Frame {
                kind: FrameKind::Map { key: None, .. },
                ..
            }) => Err(problem(mark, "a key must be plain text", "put text that holds {, [ or * in quotes")),
            _ => Ok(()),
        }
    }

    fn close(&mut self) -> Step {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        let kind = match frame.kind {
            FrameKind::List(items) => Kind::List(items),
            FrameKind::Map { mut entries, merges, .. } => {
                for (key, entry) in merges.into_iter().flat_map(maps_of).flatten() {
                    entries.entry(key).or_insert(entry);
                }
                Kind::Map(entries)
            }
        };
        let node = Node {
            mark: frame.mark,
            kind,
            pruned: false,
        };
        self.remember(frame.anchor, &node);
        self.add(node)
    }

    /// Puts a finished node where it belongs: into the map or list that is open, or at the root.
    fn add(&mut self, node: Node) -> Step {
        match self.stack.last_mut().map(|frame| &mut frame.kind) {
            None => self.root = Some(node),
            Some(FrameKind::List(items)) => items.push((items.len(), node)),
            Some(FrameKind::Map { entries, key, merges }) => {
                let Some((name, mark)) = key.take() else { return Ok(()) };
                if name == "<<" {
                    return merge(merges, node, mark);
                }
                match entries.get(&name).map(|first| first.key.line) {
                    Some(line) => {
                        let reason = format!("the key \"{}\" is here a second time; it was first on line {line}", shown(&name));
                        self.problems.push(*problem(mark, reason, "keep one of the two"));
                    }
                    None => {
                        entries.insert(name, Entry { key: mark, node });
                    }
                }
            }
        }
        Ok(())
    }

    fn remember(&mut self, anchor: usize, node: &Node) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
    }

    fn count(&mut self, nodes: usize, mark: Mark) -> Step {
        self.nodes = self.nodes.saturating_add(nodes);
        if NODES_MAX < self.nodes {
            return Err(problem(
                mark,
                format!("more than {NODES_MAX} values, aliases expanded"),
                "write less, or fewer aliases of aliases",
            ));
        }
        Ok(())
    }
}

/// Keeps what `<<` names, a map or a list of maps, for the end of the map that it stands in.
fn merge(merges: &mut Vec<Node>, node: Node, mark: Mark) -> Step {
    let fits = match &node.kind {
        Kind::Map(_) => true,
        Kind::List(items) => items.iter().all(|(_, item)| matches!(item.kind, Kind::Map(_))),
        Kind::Scalar(_) => false,
    };
    if !fits {
        return Err(problem(mark, "<< takes a map", "name an anchor of a map, as in <<: *defaults"));
    }
    merges.push(node);
    Ok(())
}

fn maps_of(node: Node) -> Vec<IndexMap<String, Entry>> {
    match node.kind {
        Kind::Map(entries) => vec![entries],
        Kind::List(items) => items.into_iter().flat_map(|(_, item)| maps_of(item)).collect(),
        Kind::Scalar(_) => Vec::new(),
    }
}

/// The parser's complaint in our words, with the remedy of the mistakes that people make.
fn syntax_problem(text: &str, error: &ScanError) -> Box<Problem> {
    let mark = mark_of(error.marker());
    let line = text.lines().nth(mark.line - 1).unwrap_or_default();
    let indent = line.chars().take_while(|c| c.is_whitespace()).collect::<String>();
    let at = line.chars().nth(mark.column - 1);
    let remedy = if indent.contains('\t') || at == Some('\t') {
        "indent with spaces; YAML takes no tabs"
    } else if line.contains('*') {
        "put a text that begins with * in quotes, as in \"*\""
    } else if at == Some('@') || at == Some('`') {
        "put a text that begins with @ or ` in quotes"
    } else {
        "look at the indentation, the colons, the quotes and the brackets here and just above"
    };
    let mut reason = error.info();
    if let Some(first) = reason.get(..1).map(str::to_lowercase) {
        reason.replace_range(..1, &first);
    }
    problem(mark, format!("this is not YAML: {}", reason.trim_end_matches('.')), remedy)
}
