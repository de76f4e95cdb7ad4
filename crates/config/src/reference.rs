//! References inside texts: `${env:NAME}` and `${file:PATH}`, with `$${` for a literal `${`.
//!
//! They are resolved in the tree before anything looks at values, once per load, so that a
//! reload sees what files and the environment hold at that moment. What a reference stood for
//! is never shown. This crate is the only one that reads the process environment.

use std::path::{Path, PathBuf};

use crate::located::{Node, Text, Value};
use crate::position::{KeyPath, Position, Source};
use crate::problem::Problems;

/// Where `${env:NAME}` looks.
pub trait Environment {
    /// The value of a variable, or `None` where it is not set.
    fn variable(&self, name: &str) -> Option<String>;
}

/// The environment of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// The variables of a list, for tests and tools.
impl<const N: usize> Environment for [(&str, &str); N] {
    fn variable(&self, name: &str) -> Option<String> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }
}

/// The largest file that a reference may stand for.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Resolves every reference of a tree in place and returns the files that were read.
pub(crate) fn resolve(
    root: &mut Node,
    sources: &[Source],
    environment: &dyn Environment,
    problems: &mut Problems,
) -> Vec<PathBuf> {
    let mut resolver = Resolver { sources, environment, problems, files: Vec::new() };
    resolver.node(root, &mut KeyPath::root());
    resolver.files
}

struct Resolver<'a> {
    sources: &'a [Source],
    environment: &'a dyn Environment,
    problems: &'a mut Problems,
    files: Vec<PathBuf>,
}

impl Resolver<'_> {
    fn node(&mut self, node: &mut Node, path: &mut KeyPath) {
        let at = node.at;
        match &mut node.value {
            Value::Text(text) => self.text(text, at, path),
            Value::List(items) => {
                for (place, item) in items.iter_mut().enumerate() {
                    path.push_item(place);
                    self.node(item, path);
                    path.pop();
                }
            }
            Value::Map(entries) => {
                for entry in entries {
                    path.push_key(&entry.key);
                    if entry.key.contains("${") {
                        self.problems.error(entry.key_at, path, "a key cannot hold a reference");
                    }
                    self.node(&mut entry.value, path);
                    path.pop();
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&mut self, text: &mut Text, at: Position, path: &KeyPath) {
        if !text.text.contains("${") {
            return;
        }
        let mut resolved = String::with_capacity(text.text.len());
        let mut rest = &*text.text;
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                resolved.push_str(before);
                resolved.push_str("${");
                rest = after;
                continue;
            }
            resolved.push_str(before);
            let Some((reference, after)) = after.split_once('}') else {
                self.problems.error(
                    at,
                    path,
                    "the reference does not end: a `}` is missing; write `$${` for a literal `${`",
                );
                return;
            };
            match self.look_up(reference, at.path(self.sources)) {
                Ok(value) => {
                    self.problems.hide(&value);
                    resolved.push_str(&value);
                }
                Err(message) => self.problems.error(at, path, message),
            }
            text.referenced = true;
            rest = after;
        }
        resolved.push_str(rest);
        text.text = resolved;
    }

    fn look_up(&mut self, reference: &str, from: &Path) -> Result<String, String> {
        match reference.split_once(':') {
            Some(("env", name)) => self
                .environment
                .variable(name)
                .ok_or_else(|| format!("the environment variable {name} is not set, or is not UTF-8")),
            Some(("file", name)) => self.file(name, from),
            _ => Err(format!(
                "unknown reference ${{{reference}}}; write ${{env:NAME}} or ${{file:PATH}}, and `$${{` for a literal `${{`"
            )),
        }
    }

    fn file(&mut self, name: &str, from: &Path) -> Result<String, String> {
        let path = beside(from, name.as_ref());
        let refuse = |reason: String| format!("cannot read the file {}: {reason}", path.display());
        let length = std::fs::metadata(&path).map_err(|error| refuse(error.to_string()))?.len();
        if length > FILE_BYTES_MAX {
            return Err(refuse("it is larger than 1 MiB".to_owned()));
        }
        let mut text = std::fs::read_to_string(&path).map_err(|error| refuse(error.to_string()))?;
        // Editors and `echo` end a file with a line break that no secret means.
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        self.files.push(path);
        Ok(text)
    }
}

/// A path as the configuration file means it: relative ones start at the file's folder.
pub(crate) fn beside(file: &Path, path: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(path)
}

#[cfg(test)]
mod tests;
