//! Files that are written together, or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// What may lie in a folder that counts as empty: a repository that was only just begun.
const UNSEEN: [&str; 1] = [".git"];

/// Files by their path, with their texts.
#[derive(Debug, Default)]
pub(super) struct Tree {
    files: Vec<(PathBuf, String)>,
}

/// What stands for what in a template: `@KEY@` and its value.
pub(super) type Values = [(&'static str, String)];

impl Tree {
    /// Adds a file from a template.
    pub(super) fn add(&mut self, path: impl Into<PathBuf>, template: &str, values: &Values) {
        self.files.push((path.into(), fill(template, values)));
    }

    /// The files that cargo's formatter reads.
    pub(super) fn rust_files(&self) -> impl Iterator<Item = &Path> {
        let paths = self.files.iter().map(|(path, _)| path.as_path());
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
    }

    /// Everything that will be written.
    #[cfg(test)]
    pub(super) fn files(&self) -> &[(PathBuf, String)] {
        &self.files
    }

    /// Writes all files into a folder that is new or empty.
    ///
    /// # Errors
    /// The folder holds something, or cannot be written.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        if !is_empty(folder)? {
            bail!("{} is not empty: name another folder, or one that is not there yet", folder.display());
        }
        for (path, text) in &self.files {
            let path = folder.join(path);
            let parent = path.parent().context("a file has a folder")?;
            fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// The template with its values in place.
pub(super) fn fill(template: &str, values: &Values) -> String {
    values.iter().fold(template.to_owned(), |text, (key, value)| text.replace(&format!("@{key}@"), value))
}

/// Whether a folder is not there, or holds nothing that anybody would miss.
///
/// # Errors
/// It is no folder, or cannot be read.
pub(super) fn is_empty(folder: &Path) -> Result<bool> {
    if !folder.exists() {
        return Ok(true);
    }
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
        if !UNSEEN.iter().any(|name| entry.file_name() == *name) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::default();
        tree.add("a/b.txt", "@WHO@ and @WHO@\n", &[("WHO", "ann".to_owned())]);
        tree
    }

    #[test]
    fn fills_and_writes_into_a_folder_that_is_new_or_empty_or_a_repository_just_begun() {
        let temporary = tempfile::tempdir().unwrap();
        let begun = temporary.path().join("begun");
        fs::create_dir_all(begun.join(".git")).unwrap();
        for folder in [temporary.path().join("new"), begun] {
            tree().write(&folder).unwrap();
            assert_eq!(fs::read_to_string(folder.join("a/b.txt")).unwrap(), "ann and ann\n");
        }
    }

    #[test]
    fn writes_nothing_where_something_lies() {
        let temporary = tempfile::tempdir().unwrap();
        fs::write(temporary.path().join(".env"), "").unwrap();
        let message = tree().write(temporary.path()).unwrap_err().to_string();
        assert!(message.contains("is not empty: name another folder"), "{message}");
        assert!(!temporary.path().join("a").exists());
    }
}
