//! What a run could not test on this machine, by name and with the reason.
//!
//! A skip is never silent: the closing line counts it. In continuous integration a skip of something that must be
//! there is an error.
//! Tests that find out for themselves that they cannot run add a line `name: reason` to the file in `GATEWRIGHT_SKIPS`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::command;
use crate::console::say;

/// Names the file that tests add their skips to.
pub(crate) const FILE_VARIABLE: &str = "GATEWRIGHT_SKIPS";

/// One thing that was not tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) name: String,
    pub(crate) reason: String,
}

impl Skip {
    /// Something that continuous integration must have.
    ///
    /// # Errors
    /// This is a run of continuous integration.
    pub(crate) fn unless_ci(name: &str, reason: impl Into<String>) -> Result<Self> {
        let skip = Self::by_choice(name, reason);
        if command::in_ci() {
            bail!("{} cannot be skipped in continuous integration: {}", skip.name, skip.reason);
        }
        Ok(skip)
    }

    /// Something that this run leaves to another one.
    pub(crate) fn by_choice(name: &str, reason: impl Into<String>) -> Self {
        Self { name: name.to_owned(), reason: reason.into() }
    }
}

/// The skips that tests wrote down; none where the file is absent.
///
/// # Errors
/// The file cannot be read, or this is a run of continuous integration and it holds a skip.
pub(crate) fn from_tests(file: &Path) -> Result<Vec<Skip>> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.sort_unstable();
    lines.dedup();
    lines
        .into_iter()
        .map(|line| {
            let (name, reason) = line.split_once(": ").unwrap_or((line, "no reason given"));
            Skip::unless_ci(name, reason)
        })
        .collect()
}

/// Prints the closing lines.
pub(crate) fn close(skips: &[Skip]) {
    say(format_args!("skipped: {}", skips.len()));
    for Skip { name, reason } in skips {
        say(format_args!("  - {name}: {reason}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_tests_could_not_do_once_each() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("skips");
        assert_eq!(from_tests(&file).unwrap(), []);
        fs::write(&file, "").unwrap();
        assert_eq!(from_tests(&file).unwrap(), []);
    }
}
