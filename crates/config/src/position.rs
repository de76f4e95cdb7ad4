//! Where something stands in the configuration: files, positions, and paths of keys.

use std::fmt;
use std::path::{Path, PathBuf};

/// One file's text, as it was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// The path as the operator wrote it; relative references start from its folder.
    pub path: PathBuf,
    /// The text, with references unresolved.
    pub text: String,
}

/// The text is left out, because a literal secret may stand in it.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A place in one of the files: line and column count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// The place of the file in the order in which the files are merged.
    pub(crate) file: usize,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Position {
    /// The start of a file, for problems that concern it as a whole.
    pub(crate) const fn start_of(file: usize) -> Self {
        Self { file, line: 1, column: 1 }
    }

    /// `file:line:column`, as editors and terminals understand it.
    pub(crate) fn display(self, sources: &[Source]) -> String {
        let file = self.path(sources).display();
        format!("{file}:{}:{}", self.line, self.column)
    }

    pub(crate) fn path(self, sources: &[Source]) -> &Path {
        sources.get(self.file).map_or(Path::new("configuration"), |source| &source.path)
    }
}

/// One step of a [`KeyPath`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Item(usize),
}

/// The way from the root of the configuration to a value, for example `routes[0].match.path`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyPath(Vec<Step>);

impl KeyPath {
    pub(crate) const fn root() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn push_key(&mut self, key: &str) {
        self.0.push(Step::Key(key.to_owned()));
    }

    pub(crate) fn push_item(&mut self, item: usize) {
        self.0.push(Step::Item(item));
    }

    pub(crate) fn pop(&mut self) {
        self.0.pop();
    }

    pub(crate) fn key(&self, key: &str) -> Self {
        let mut longer = self.clone();
        longer.push_key(key);
        longer
    }

    pub(crate) fn item(&self, item: usize) -> Self {
        let mut longer = self.clone();
        longer.push_item(item);
        longer
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Item(item) => write!(f, "[{item}]")?,
                Step::Key(key) => {
                    let dot = if place > 0 { "." } else { "" };
                    let plain = key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
                    if plain && !key.is_empty() {
                        write!(f, "{dot}{key}")?;
                    } else {
                        write!(f, "{dot}{key:?}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::KeyPath;

    #[test]
    fn paths_read_as_an_operator_would_write_them() {
        let path = KeyPath::root().key("models").key("gpt-4.1").key("targets").item(0).key("price");
        assert_eq!(path.to_string(), "models.\"gpt-4.1\".targets[0].price");
        assert_eq!(KeyPath::root().to_string(), "");
    }
}
