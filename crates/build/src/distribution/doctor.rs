//! `doctor`: what on this machine could keep a distribution from building, and what to do about it.
//!
//! It changes nothing. Each check is a function that gives findings: `fine`, `note` for what one should know, `bad` for
//! what will not work.

mod machine;
mod project;

use std::fmt;

use anyhow::{Result, bail};

use super::Distribution;
use super::cargo::Cargo;
use super::compile::BuildOptions;
use super::prepare::{self, Prepared};
use crate::console::say;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grade {
    Fine,
    Note,
    Bad,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    grade: Grade,
    topic: &'static str,
    said: String,
}

impl Finding {
    fn fine(topic: &'static str, said: impl Into<String>) -> Self {
        Self { grade: Grade::Fine, topic, said: said.into() }
    }

    fn note(topic: &'static str, said: impl Into<String>) -> Self {
        Self { grade: Grade::Note, topic, said: said.into() }
    }

    fn bad(topic: &'static str, said: impl Into<String>) -> Self {
        Self { grade: Grade::Bad, topic, said: said.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grade = match self.grade {
            Grade::Fine => "fine",
            Grade::Note => "note",
            Grade::Bad => "BAD ",
        };
        write!(f, "{grade}  {:<16} {}", self.topic, self.said)
    }
}

/// Looks at everything and prints what it found.
///
/// # Errors
/// Something will not work, or there is no distribution here.
pub(crate) fn run() -> Result<()> {
    let found = findings(&Distribution::find()?);
    for finding in &found {
        say(finding);
    }
    let bad = found.iter().filter(|finding| finding.grade == Grade::Bad).count();
    if bad > 0 {
        bail!("{bad} thing(s) will not work, marked BAD above");
    }
    Ok(())
}

/// Everything that is to be said of a distribution.
pub(super) fn findings(dist: &Distribution) -> Vec<Finding> {
    let mut found = machine::check(dist);
    found.extend(project::check(dist));
    match resolved(dist) {
        Ok(prepared) => found.extend(project::check_graph(dist, &prepared)),
        Err(cause) => found.push(Finding::bad("dependencies", format!("{cause:#}"))),
    }
    found
}

/// The graph, without what the checks above have already told.
fn resolved(dist: &Distribution) -> Result<Prepared> {
    Cargo::find(dist)?;
    prepare::prepare(dist, &BuildOptions::default())
}
