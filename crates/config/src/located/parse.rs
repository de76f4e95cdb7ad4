//! From YAML text to the located tree, over the parser's events, without recursion.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScanError, Tag};

use super::{Entry, Node, Value, scalar};
use crate::position::{KeyPath, Position};
use crate::problem::Problems;

/// The largest text of one file in bytes.
const TEXT_BYTES_MAX: usize = 4 << 20;
/// How deep maps and lists may stand in each other.
const DEPTH_MAX: usize = 64;
/// How many values one file may have, those behind aliases included.
const NODES_MAX: usize = 100_000;

/// Reads the text of one file. What is wrong goes to `problems`; the tree is `None` where the
/// text is not YAML at all.
pub(crate) fn parse(text: &str, file: usize, problems: &mut Problems) -> Option<Node> {
    let start = Position::start_of(file);
    if text.len() > TEXT_BYTES_MAX {
        problems.error(start, &KeyPath::root(), "the file is larger than 4 MiB");
        return None;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder =
        Builder { file, problems, open: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None };
    let mut parser = Parser::new_from_str(text);
    loop {
        match parser.next_event() {
            None => break,
            Some(Err(error)) => {
                builder.scan_error(text, &error);
                return None;
            }
            Some(Ok((event, span))) => {
                if let Err(Stop) = builder.event(event, span.start) {
                    return None;
                }
            }
        }
    }
    let empty = || Node::new(start, Value::Map(Vec::new()));
    Some(match builder.root {
        None => empty(),
        // A file of comments alone is a null to YAML and nothing to the operator.
        Some(node) if node.value == Value::Null => empty(),
        Some(node) => node,
    })
}

/// The text cannot be read any further; the reason is among the problems.
struct Stop;

/// A map or list whose end has not come.
struct Open {
    node: Node,
    anchor: usize,
    /// In a map: the key whose value is next.
    key: Option<(String, Position)>,
    /// In a map: what `<<` includes, in the order written.
    included: Vec<Node>,
}

/// What an alias stands for.
struct Anchored {
    node: Node,
    nodes: usize,
    depth: usize,
}

struct Builder<'a> {
    file: usize,
    problems: &'a mut Problems,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    root: Option<Node>,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, mark: Marker) -> Result<(), Stop> {
        let at = self.position(mark);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => {
                self.stop(at, "a second document starts here; the configuration is one document a file")
            }
            Event::DocumentStart(_) => Ok(()),
            Event::MappingStart(anchor, tag) => {
                self.begin(Node::new(at, Value::Map(Vec::new())), anchor, tag.as_deref())
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(Node::new(at, Value::List(Vec::new())), anchor, tag.as_deref())
            }
            Event::MappingEnd | Event::SequenceEnd => self.end(),
            Event::Scalar(text, style, anchor, tag) => {
                if self.expects_key() {
                    self.key(&text, at);
                    return Ok(());
                }
                let value = match scalar::resolve(&text, style, tag.as_deref()) {
                    Ok(value) => value,
                    Err(message) => {
                        let path = self.path();
                        self.problems.error(at, &path, message);
                        Value::Null
                    }
                };
                self.place(Node::new(at, value), anchor)
            }
            Event::Alias(anchor) => self.alias(anchor, at),
        }
    }

    fn begin(&mut self, node: Node, anchor: usize, tag: Option<&Tag>) -> Result<(), Stop> {
        if self.expects_key() {
            return self.stop(node.at, "a key must be a text");
        }
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
            return self.stop(node.at, &format!("unknown tag {tag}; remove it"));
        }
        if self.open.len() >= DEPTH_MAX {
            return self.stop(node.at, TOO_DEEP);
        }
        self.open.push(Open { node, anchor, key: None, included: Vec::new() });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Stop> {
        let path = self.path();
        let Some(Open { mut node, anchor, included, .. }) = self.open.pop() else { return Ok(()) };
        if let Value::Map(entries) = &mut node.value {
            // What is written out wins over what is included, wherever `<<` stands.
            for map in included {
                include(entries, map, &path, self.problems);
            }
        }
        self.place(node, anchor)
    }

    fn key(&mut self, key: &str, at: Position) {
        let Some(open) = self.open.last_mut() else { return };
        // A repeated key is reported and read on, so that what else is wrong shows as well.
        let first = open.node.entry(key).map(|first| first.key_at.line);
        open.key = Some((key.to_owned(), at));
        if let Some(line) = first {
            let path = self.path();
            self.problems.error(at, &path, format!("the key stands twice; it is first on line {line}"));
        }
    }

    fn alias(&mut self, anchor: usize, at: Position) -> Result<(), Stop> {
        if self.expects_key() {
            return self.stop(at, "a key must be a text, not an alias");
        }
        let Some(Anchored { node, nodes, depth }) = self.anchors.get(&anchor) else {
            return self.stop(at, "the alias stands inside what it refers to");
        };
        if self.open.len().saturating_add(*depth) > DEPTH_MAX {
            return self.stop(at, TOO_DEEP);
        }
        self.nodes = self.nodes.saturating_add(*nodes);
        if self.nodes > NODES_MAX {
            return self.stop(at, TOO_MANY);
        }
        let node = node.clone();
        self.place(node, 0)
    }

    /// Puts a finished value where it belongs.
    fn place(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > NODES_MAX {
            return self.stop(node.at, TOO_MANY);
        }
        if anchor > 0 {
            let (nodes, depth) = size(&node);
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, depth });
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.node.value {
            Value::List(items) => items.push(node),
            Value::Map(entries) => match open.key.take() {
                Some((key, _)) if key == MERGE_KEY => open.included.push(node),
                Some((key, key_at)) => entries.push(Entry { key, key_at, value: node }),
                None => {}
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
        }
        Ok(())
    }

    fn expects_key(&self) -> bool {
        self.open.last().is_some_and(|open| matches!(open.node.value, Value::Map(_)) && open.key.is_none())
    }

    /// The path of the value that comes next.
    fn path(&self) -> KeyPath {
        let mut path = KeyPath::root();
        for open in &self.open {
            match (&open.node.value, &open.key) {
                (_, Some((key, _))) => path.push_key(key),
                (Value::List(items), None) => path.push_item(items.len()),
                _ => {}
            }
        }
        path
    }

    fn position(&self, mark: Marker) -> Position {
        Position { file: self.file, line: mark.line(), column: mark.col().saturating_add(1) }
    }

    fn stop(&mut self, at: Position, message: &str) -> Result<(), Stop> {
        let path = self.path();
        self.problems.error(at, &path, message);
        Err(Stop)
    }

    fn scan_error(&mut self, text: &str, error: &ScanError) {
        let at = self.position(*error.marker());
        let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
        let indent = line.len() - line.trim_start().len();
        let message = if line.get(..indent).is_some_and(|indent| indent.contains('\t')) {
            "a tab indents this line; YAML is indented with spaces".to_owned()
        } else {
            let quotes =
                if line.contains("${") { "; inside [ ] and { }, put references in quotes" } else { "" };
            format!("not valid YAML: {}{quotes}", error.info())
        };
        self.problems.error(at, &KeyPath::root(), message);
    }
}

/// The key that includes another map.
const MERGE_KEY: &str = "<<";

const TOO_DEEP: &str = "maps and lists stand more than 64 deep";
const TOO_MANY: &str = "the file has more than 100,000 values, those behind aliases included";

/// Adds the entries of a map, or of several in order of precedence, that are not there yet.
fn include(entries: &mut Vec<Entry>, node: Node, path: &KeyPath, problems: &mut Problems) {
    match node.value {
        Value::Map(included) => {
            for entry in included {
                if !entries.iter().any(|own| own.key == entry.key) {
                    entries.push(entry);
                }
            }
        }
        Value::List(maps) => {
            for map in maps {
                include(entries, map, path, problems);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {
            problems.error(node.at, path, "`<<` includes a map, or a list of maps");
        }
    }
}

/// The number of values in a tree, and how deep maps and lists stand in each other.
fn size(node: &Node) -> (usize, usize) {
    let below = |nodes: &mut dyn Iterator<Item = &Node>| {
        nodes.map(size).fold((1, 0), |(sum, deepest), (nodes, depth): (usize, usize)| {
            (nodes.saturating_add(sum), depth.max(deepest))
        })
    };
    let (nodes, depth) = match &node.value {
        Value::Map(entries) => below(&mut entries.iter().map(|entry| &entry.value)),
        Value::List(items) => below(&mut items.iter()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => return (1, 0),
    };
    (nodes, depth.saturating_add(1))
}
