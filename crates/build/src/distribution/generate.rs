//! The crate that links a distribution: its `Cargo.toml` and its `main.rs`, as text.
//!
//! The same manifest gives the same text on every machine. Paths are relative to the crate, so that the folder can
//! move as a whole, and everything is sorted. `manifest_text.rs` has the first of the two, `main_text.rs` the second.

mod main_text;
mod manifest_text;

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

pub(super) use main_text::{libraries, main_text};
pub(super) use manifest_text::{Crate, declared_sources, second_sources};

/// Opens every generated file.
pub(super) const NOTE: &str =
    "Written by `cargo xtask build` from gatewright.toml: change that file, not this one.";

/// Writes a file where its text differs, and says whether it did.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write(path: &Path, text: &str) -> Result<bool> {
    if fs::read(path).is_ok_and(|found| found == text.as_bytes()) {
        return Ok(false);
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    // In one step: another build may read it at the same time.
    let new = path.with_added_extension(format!("new-{}", std::process::id()));
    fs::write(&new, text).with_context(|| format!("cannot write {}", new.display()))?;
    fs::rename(&new, path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}

/// The way from one folder to another; both are absolute. The other one itself where they share nothing.
pub(crate) fn relative(from: &Path, to: &Path) -> PathBuf {
    let (from, to) = (lexical(from), lexical(to));
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    if shared <= 1 {
        return to;
    }
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.components().skip(shared)).collect();
    if way.as_os_str().is_empty() { PathBuf::from(".") } else { way }
}

/// A path without `.` and `..`, as cargo reads it: without looking at the disk.
pub(crate) fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => clean.push(part),
        }
    }
    clean
}

/// A text between quotes, as TOML, Rust and JSON all read it.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_way_between_folders() {
        let cases = [
            ("/a/b/c", "/a/b/d", "../d"),
            ("/a/b", "/a/b/c", "c"),
            ("/a/b", "/a/b", "."),
            ("/a/b/../x", "/a/y/./z", "../y/z"),
            ("/home/a", "/srv/b", "/srv/b"),
        ];
        for (from, to, expected) in cases {
            assert_eq!(relative(Path::new(from), Path::new(to)), Path::new(expected), "{from} {to}");
        }
    }

    #[test]
    fn a_file_with_the_same_text_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep").join("file");
        assert!(write(&file, "a").unwrap());
        assert!(!write(&file, "a").unwrap());
        assert!(write(&file, "b").unwrap());
        assert_eq!(fs::read_to_string(file).unwrap(), "b");
    }
}
