//! Names that a person gives: checked once, then written in every form that files need.

use std::fmt;

use anyhow::{Result, bail};

/// The longest name, in bytes; it becomes a folder, a package and a label of metrics.
const BYTES_MAX: usize = 40;

/// What cargo, Rust or the layout of a repository needs for itself.
const TAKEN: &[&str] = &[
    "alloc",
    "as",
    "async",
    "await",
    "bench",
    "build",
    "core",
    "crate",
    "debug",
    "deps",
    "doc",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "fn",
    "for",
    "gatewright",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "match",
    "mod",
    "move",
    "mut",
    "proc-macro",
    "pub",
    "ref",
    "release",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "target",
    "test",
    "tests",
    "trait",
    "true",
    "type",
    "unsafe",
    "use",
    "where",
    "while",
    "xtask",
];

/// A name of lower-case words with dashes between them.
///
/// Invariant: begins with a letter, holds only `a-z`, `0-9` and single dashes between them, and is free to use as a
/// package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// Takes a name over if it can be a folder, a package and a name in the configuration.
    ///
    /// # Errors
    /// It cannot; the message says why, and a near name that can.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let Some(fault) = fault_of(text) else { return Ok(Self(text.to_owned())) };
        let near = near(text);
        if fault_of(&near).is_none() {
            bail!("`{text}` cannot be a name: {fault}; `{near}` would do");
        }
        bail!("`{text}` cannot be a name: {fault}");
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// As Rust names the library of a package: `acme-example` is `acme_example`.
    pub(super) fn library(&self) -> String {
        self.0.replace('-', "_")
    }

    /// As Rust names a type: `acme-example` is `AcmeExample`.
    pub(super) fn type_name(&self) -> String {
        self.0.split('-').map(capitalised).collect()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn fault_of(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("it is empty".to_owned());
    }
    if text.len() > BYTES_MAX {
        return Some(format!("it is longer than {BYTES_MAX} letters"));
    }
    if !text.starts_with(|first: char| first.is_ascii_lowercase()) {
        return Some("it does not begin with a letter from a to z".to_owned());
    }
    if let Some(other) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        return Some(format!("it holds `{other}`, where only a to z, 0 to 9 and dashes may stand"));
    }
    if text.ends_with('-') || text.contains("--") {
        return Some("a dash stands between two words".to_owned());
    }
    TAKEN.contains(&text).then(|| "cargo or Rust needs it for something else".to_owned())
}

/// The text with everything out of place made a dash, or left out.
fn near(text: &str) -> String {
    let mut near = String::new();
    for c in text.trim().chars() {
        match c {
            'a'..='z' | '0'..='9' => near.push(c),
            'A'..='Z' => near.push(c.to_ascii_lowercase()),
            _ if near.ends_with('-') => {}
            _ => near.push('-'),
        }
    }
    near.trim_matches('-').to_owned()
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_that_can_be_packages() {
        for (text, type_name) in [("acme", "Acme"), ("acme-example", "AcmeExample"), ("a2-b", "A2B")] {
            assert_eq!(Name::parse(text).unwrap().type_name(), type_name);
        }
    }

    #[test]
    fn refuses_the_others_and_names_a_near_one() {
        let cases = [
            ("", "`` cannot be a name: it is empty"),
            ("Acme Corp", "begin with a letter from a to z; `acme-corp` would do"),
            ("acme_pii", "it holds `_`, where only a to z, 0 to 9 and dashes may stand; `acme-pii` would do"),
            ("../acme", "begin with a letter from a to z; `acme` would do"),
            ("acme-", "a dash stands between two words; `acme` would do"),
            ("test", "cargo or Rust needs it for something else"),
            ("ünï", "it does not begin with a letter from a to z; `n` would do"),
        ];
        for (text, expected) in cases {
            let message = Name::parse(text).unwrap_err().to_string();
            assert!(message.ends_with(expected), "{text}: {message}");
        }
        assert!(Name::parse(&"a".repeat(BYTES_MAX)).is_ok());
        assert!(Name::parse(&"a".repeat(BYTES_MAX + 1)).is_err());
    }
}
