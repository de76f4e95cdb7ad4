//! A small repository in a temporary folder, on which a check is shown to find what it promises to find.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::workspace::Workspace;

/// Files on disk that vanish with the value.
#[derive(Debug)]
pub(crate) struct Fixture(TempDir);

impl Fixture {
    /// Writes `files`, given as path and text.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    /// Where the files lie.
    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn workspace(&self) -> Workspace {
        Workspace::load(self.0.path()).unwrap()
    }
}
