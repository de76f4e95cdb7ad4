//! One Rust file, taken apart into code, string contents and comments, line by line.
//!
//! The checks of `tidy` and the figures of `metrics` ask about one of the three and must not be fooled by the others:
//! a word in a string is no comment, a brace in a comment closes nothing.
//! This is a scanner, not a parser: it knows the literals and comments of the language and nothing of its grammar.
//! `function.rs` finds the functions in what it leaves.

mod function;
mod scan;

use std::path::{Path, PathBuf};

pub(crate) use function::Function;

/// One line of a source file.
#[derive(Debug, Default, Clone)]
pub(crate) struct Line {
    /// The code; a string or character literal stands as an empty one.
    pub(crate) code: String,
    /// The contents of string literals.
    pub(crate) strings: String,
    /// The text of comments, with their slashes.
    pub(crate) comment: String,
    /// Whether the line is compiled for tests only.
    pub(crate) test: bool,
}

impl Line {
    pub(crate) fn is_blank(&self) -> bool {
        self.code.trim().is_empty() && self.strings.trim().is_empty() && self.comment.trim().is_empty()
    }

    /// Whether the line does something: code, or a part of a literal that spans lines.
    pub(crate) fn has_code(&self) -> bool {
        !self.code.trim().is_empty() || !self.strings.trim().is_empty()
    }
}

/// One Rust file of a package.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// Relative to the root of the workspace.
    pub(crate) path: PathBuf,
    pub(crate) lines: Vec<Line>,
}

impl Source {
    /// Takes a file apart. `test` says that the whole file is compiled for tests only.
    pub(crate) fn new(path: impl Into<PathBuf>, text: &str, test: bool) -> Self {
        let mut lines = scan::lines(text);
        if test {
            lines.iter_mut().for_each(|line| line.test = true);
        } else {
            scan::mark_tests(&mut lines);
        }
        Self { path: path.into(), lines }
    }

    /// The lines that ship, with their numbers from 1.
    pub(crate) fn product(&self) -> impl Iterator<Item = (usize, &Line)> {
        self.numbered().filter(|(_, line)| !line.test)
    }

    /// All lines with their numbers from 1.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (usize, &Line)> {
        self.lines.iter().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The functions of the file, nested ones included.
    pub(crate) fn functions(&self) -> Vec<Function> {
        function::find(&self.lines)
    }

    /// The names of modules that the file declares without a body, and whether each is for tests only.
    pub(crate) fn modules(&self) -> Vec<(String, bool)> {
        self.lines.iter().filter_map(|line| Some((declared_module(&line.code)?, line.test))).collect()
    }

    /// Whether the file lies below `folder`, given relative to the root of the workspace.
    pub(crate) fn is_in(&self, folder: impl AsRef<Path>) -> bool {
        self.path.starts_with(folder)
    }
}

/// `mod name;`, with any visibility and attributes before it on the line.
fn declared_module(code: &str) -> Option<String> {
    let declaration = code.trim().strip_suffix(';')?;
    let mut words = declaration.split_whitespace().rev();
    let name = words.next()?;
    (words.next()? == "mod").then(|| name.trim_start_matches("r#").to_owned())
}

/// Whether `text` holds `word` with no letter, digit or underscore beside it.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|tail| tail.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_modules_that_live_in_other_files() {
        let source = Source::new(
            "a.rs",
            "mod one;\npub(crate) mod two;\nmod inline { }\n#[cfg(test)]\nmod three;\n// mod four;\n",
            false,
        );
        let expected = [("one".to_owned(), false), ("two".to_owned(), false), ("three".to_owned(), true)];
        assert_eq!(source.modules(), expected);
    }

    #[test]
    fn a_word_has_no_neighbours() {
        for (text, expected) in
            [("sleep(1)", true), ("asleep(1)", false), ("sleep_until(1)", false), ("a.sleep", true)]
        {
            assert_eq!(has_word(text, "sleep"), expected, "{text}");
        }
    }
}
