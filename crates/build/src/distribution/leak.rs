//! Looks into a binary for the folders of the machine that built it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// How many finds a message shows.
const SHOWN_MAX: usize = 5;
/// How much of a find it shows.
const LENGTH_MAX: usize = 160;

/// Refuses a binary that holds one of the folders.
///
/// # Errors
/// It does; the message shows where. Or it cannot be read.
pub(super) fn check<'a>(binary: &Path, folders: impl Iterator<Item = &'a Path>) -> Result<()> {
    let content = fs::read(binary).with_context(|| format!("cannot read {}", binary.display()))?;
    let content = String::from_utf8_lossy(&content);
    let mut needles: Vec<String> = folders.map(|folder| format!("{}/", folder.display())).collect();
    needles.sort();
    needles.dedup();
    let mut found: Vec<String> = needles.iter().flat_map(|needle| texts(&content, needle)).collect();
    found.sort();
    found.dedup();
    if found.is_empty() {
        return Ok(());
    }
    let shown: Vec<&str> = found.iter().take(SHOWN_MAX).map(String::as_str).collect();
    bail!(
        "the binary holds {} path(s) of this machine, so another machine would build another one:\n  {}\nA crate writes \
         them down by itself, as with `env!(\"CARGO_MANIFEST_DIR\")` or `env!(\"OUT_DIR\")` outside of `include!`: take \
         that out of it",
        found.len(),
        shown.join("\n  ")
    )
}

/// The printable texts that begin with a needle.
fn texts(content: &str, needle: &str) -> Vec<String> {
    let is_printable = |c: &char| c.is_ascii_graphic() || *c == ' ';
    let places = content.match_indices(needle).filter_map(|(at, _)| content.get(at..));
    places.map(|rest| rest.chars().take(LENGTH_MAX).take_while(is_printable).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    #[test]
    fn a_path_of_the_builder_is_found_and_shown() {
        let fixture = Fixture::new(&[("binary", "\0x\0/home/me/acme/src/lib.rs\0/home/mel/y\0/home/me\0")]);
        let folders = || ["/home/me", "/home/me/acme"].into_iter().map(Path::new);
        let said = check(&fixture.root().join("binary"), folders()).unwrap_err().to_string();
        assert!(said.contains("holds 1 path(s)") && said.contains("/home/me/acme/src/lib.rs"), "{said}");
        let clean = Fixture::new(&[("binary", "\0/gatewright/src/lib.rs\0/home/mel/y\0")]);
        check(&clean.root().join("binary"), folders()).unwrap();
    }
}
