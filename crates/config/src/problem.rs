//! What is wrong with a configuration: every problem with its place, all at once.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::position::{KeyPath, Position, Source};

/// How grave a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, and is probably not what was meant.
    Warning,
}

/// One thing that is wrong, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether it stands in the way.
    pub severity: Severity,
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; 0 where the problem concerns no place inside the file.
    pub line: usize,
    /// The column in characters, from 1; 0 where the problem concerns no place inside the file.
    pub column: usize,
    /// The way from the root to the value, for example `routes[0].match.path`; empty at the root.
    pub path: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// `file:line:column: path: message`, with `warning` where it is one.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        if self.severity == Severity::Warning {
            write!(f, " warning:")?;
        }
        if !self.path.is_empty() {
            write!(f, " {}:", self.path)?;
        }
        write!(f, " {}", self.message)
    }
}

/// All that is wrong with a configuration that cannot be used, sorted by place.
///
/// `Display` prints one problem a line; `Serialize` gives the same to machines. Warnings come once
/// nothing is wrong: beside errors, many would only be their echo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(transparent)]
pub struct ConfigErrors {
    problems: Vec<Problem>,
}

impl ConfigErrors {
    /// The problems in the order of their places.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    pub(crate) fn unreadable(file: PathBuf, message: String) -> Problem {
        Problem { severity: Severity::Error, file, line: 0, column: 0, path: String::new(), message }
    }

    pub(crate) fn new(mut problems: Vec<Problem>) -> Self {
        problems.retain(|problem| problem.severity == Severity::Error);
        Self { problems }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.problems.iter().enumerate() {
            if place > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// Collects problems while a configuration is read.
///
/// It knows the texts that references stood for and keeps them out of every message.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<(Position, Severity, String, String)>,
    hidden: Hidden,
    /// The extension whose settings are looked at.
    about: Option<String>,
}

/// The texts behind references; without `Debug` of their content.
#[derive(Default)]
struct Hidden(Vec<String>);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} hidden", self.0.len())
    }
}

impl Problems {
    pub(crate) fn error(&mut self, at: Position, path: &KeyPath, message: impl Into<String>) {
        self.add(Severity::Error, at, path, message.into());
    }

    pub(crate) fn warning(&mut self, at: Position, path: &KeyPath, message: impl Into<String>) {
        self.add(Severity::Warning, at, path, message.into());
    }

    fn add(&mut self, severity: Severity, at: Position, path: &KeyPath, message: String) {
        let message = match &self.about {
            Some(extension) => of_extension(message, extension),
            None => message,
        };
        self.found.push((at, severity, path.to_string(), message));
    }

    /// What follows is about the settings of this extension, or of none.
    pub(crate) fn about(&mut self, extension: Option<&str>) {
        self.about = extension.map(str::to_owned);
    }

    /// Keeps a text out of every message. Very short texts cannot be told from ordinary words.
    pub(crate) fn hide(&mut self, text: &str) {
        const SHORTEST: usize = 4;
        if text.len() >= SHORTEST {
            self.hidden.0.push(text.to_owned());
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    pub(crate) fn errors(&self) -> usize {
        self.found.iter().filter(|(_, severity, ..)| *severity == Severity::Error).count()
    }

    /// The problems sorted by place, without repetition.
    pub(crate) fn into_sorted(mut self, sources: &[Source]) -> Vec<Problem> {
        self.found.sort_by(|one, two| (one.0, one.1, &one.3).cmp(&(two.0, two.1, &two.3)));
        self.found.dedup();
        let hidden = self.hidden;
        let problem = |(at, severity, path, message): (Position, Severity, String, String)| Problem {
            severity,
            file: at.path(sources).to_owned(),
            line: at.line,
            column: at.column,
            path,
            message: hidden.scrub(message),
        };
        self.found.into_iter().map(problem).collect()
    }
}

/// A message about the settings of an extension names it.
pub(crate) fn of_extension(message: impl fmt::Display, extension: &str) -> String {
    format!("{message} (extension `{extension}`)")
}

impl Hidden {
    fn scrub(&self, mut message: String) -> String {
        for text in &self.0 {
            if message.contains(text) {
                message = message.replace(text, "…");
            }
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::{ConfigErrors, Problems};
    use crate::position::{KeyPath, Position, Source};

    #[test]
    fn problems_come_sorted_and_once() {
        let sources = [Source { path: "a.yaml".into(), text: String::new() }];
        let mut problems = Problems::default();
        let at = |line| Position { file: 0, line, column: 2 };
        problems.error(at(3), &KeyPath::root().key("b"), "second");
        problems.error(at(1), &KeyPath::root().key("a"), "first");
        problems.error(at(3), &KeyPath::root().key("b"), "second");
        problems.warning(at(2), &KeyPath::root(), "a hint");
        let sorted = problems.into_sorted(&sources);
        assert_eq!(sorted[1].to_string(), "a.yaml:2:2: warning: a hint");
        assert_eq!(ConfigErrors::new(sorted).to_string(), "a.yaml:1:2: a: first\na.yaml:3:2: b: second");
    }

    #[test]
    fn texts_behind_references_are_kept_out_of_messages() {
        let mut problems = Problems::default();
        problems.hide("sk-canary");
        problems.error(Position::start_of(0), &KeyPath::root(), "unknown value `sk-canary`");
        assert_eq!(problems.into_sorted(&[])[0].message, "unknown value `…`");
    }
}
