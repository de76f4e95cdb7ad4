//! The last word has the binary itself: it is asked what registered, and that is held against the manifest.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use super::prepare::Prepared;

/// How a binary ends that does not know a command.
const UNKNOWN_COMMAND: i32 = 2;

/// An extension as the binary names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registered {
    pub(crate) name: String,
    pub(crate) package: String,
    pub(crate) version: String,
    pub(crate) points: Vec<String>,
    /// What the build told it of its sources.
    pub(crate) digest: Option<String>,
}

/// Asks the binary what registered in it.
///
/// # Errors
/// It does not start, finds fault with itself (its words are in the message), or answers something else.
pub(crate) fn registered(binary: &Path) -> Result<Vec<Registered>> {
    let mut output = ask(binary, "extensions")?;
    if output.status.code() == Some(UNKNOWN_COMMAND) {
        // A core from before that command has the same list in its version.
        output = ask(binary, "version")?;
    }
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim_end().trim_start_matches("error: "));
    }
    let answer: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{} does not answer in JSON what is in it", binary.display()))?;
    let list = answer.get("extensions").unwrap_or(&answer).as_array();
    let list = list.with_context(|| format!("{} does not list what is in it", binary.display()))?;
    Ok(list.iter().filter_map(read).collect())
}

fn ask(binary: &Path, command: &str) -> Result<Output> {
    Command::new(binary)
        .args([command, "--json"])
        .output()
        .with_context(|| format!("cannot start {}", binary.display()))
}

fn read(value: &Value) -> Option<Registered> {
    let text = |key: &str| Some(value.get(key)?.as_str()?.to_owned());
    let points = value.get("points")?.as_array()?.iter();
    Some(Registered {
        name: text("name")?,
        package: text("package")?,
        version: text("version")?,
        digest: text("digest"),
        points: points.filter_map(|point| Some(point.as_str()?.to_owned())).collect(),
    })
}

/// Whether the binary contains what the manifest lists.
///
/// # Errors
/// It does not; the message names the line of the manifest and what to do.
pub(super) fn verify(binary: &Path, prepared: &Prepared) -> Result<()> {
    let registered = registered(binary).map_err(|cause| {
        let said = cause.to_string();
        let places = places(&said, prepared);
        if places.is_empty() { cause } else { anyhow!("{said}\n{}", places.join("\n")) }
    })?;
    let missing: Vec<String> = prepared
        .parts
        .iter()
        .filter(|part| registered.iter().all(|found| found.package != part.package))
        .map(|part| {
            format!(
                "{}: the package `{}` is linked but registered no extension; add `gatewright::register!(…)` to it, \
                 or take it out of the manifest",
                part.listed_in(),
                part.package
            )
        })
        .collect();
    if missing.is_empty() { Ok(()) } else { bail!("{}", missing.join("\n")) }
}

/// Where the manifest has the packages that the binary finds fault with, for those whose place it does not say itself.
fn places(said: &str, prepared: &Prepared) -> Vec<String> {
    let is_named = |package: &str| {
        [format!("`{package}`"), format!("`{package}::")].iter().any(|name| said.contains(name.as_str()))
    };
    let mut found = Vec::new();
    for part in prepared.parts.iter().filter(|part| !said.contains(&part.listed_in())) {
        if is_named(&part.package) {
            found.push(format!("  `{}` is listed in {}", part.package, part.listed_in()));
        }
        let brought = prepared.graph.closure(&part.package);
        let strangers = brought.iter().filter(|package| {
            is_named(&package.name) && prepared.parts.iter().all(|part| part.package != package.name)
        });
        found.extend(strangers.map(|package| {
            format!("  `{}` is brought in by `{}`, {}", package.name, part.package, part.listed_in())
        }));
    }
    found
}
