//! The files whose change calls for another build, and whether one of them changed.
//!
//! Files are looked at again and again: that works the same on every disk, in every container and with every editor.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::distribution::Distribution;
use crate::distribution::manifest::{FILE, Source};

/// Folders that no build reads.
const UNREAD: [&str; 1] = ["target"];

/// What was seen of the files at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Watched(BTreeMap<PathBuf, Seen>);

/// What tells one version of a file from another.
type Seen = (u64, Option<SystemTime>);

/// Where a distribution keeps what it is built from on this disk.
pub(super) fn places(dist: &Distribution) -> Vec<PathBuf> {
    let mut places = vec![dist.root.join(FILE), dist.root.join("Cargo.toml")];
    for entry in &dist.manifest.extensions {
        if let Source::Path(path) = &entry.source {
            places.push(dist.resolve(path));
        }
    }
    places
}

impl Watched {
    /// Looks at files, and at folders with all that lies in them. What vanishes meanwhile is not there.
    pub(super) fn look(places: &[PathBuf]) -> Self {
        let mut watched = Self::default();
        for place in places {
            watched.see(place);
        }
        watched
    }

    /// One of the files that differ.
    pub(super) fn difference<'a>(&'a self, later: &'a Self) -> Option<&'a Path> {
        let gone_or_changed = self.0.iter().find(|(path, seen)| later.0.get(*path) != Some(seen));
        let new = || later.0.keys().find(|path| !self.0.contains_key(*path));
        gone_or_changed.map(|(path, _)| path).or_else(new).map(PathBuf::as_path)
    }

    fn see(&mut self, place: &Path) {
        let Ok(found) = fs::metadata(place) else { return };
        if found.is_file() {
            self.0.insert(place.to_owned(), seen(&found));
            return;
        }
        let entries = fs::read_dir(place).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if !name.starts_with('.') && !UNREAD.contains(&&*name) {
                self.see(&entry.path());
            }
        }
    }
}

fn seen(file: &Metadata) -> Seen {
    (file.len(), file.modified().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    #[test]
    fn sees_what_is_edited_added_and_removed_and_nothing_that_cargo_writes() {
        let fixture = Fixture::new(&[
            ("gatewright.toml", "a"),
            ("extensions/x/src/lib.rs", "a"),
            ("extensions/x/target/debug/x", "a"),
        ]);
        let root = fixture.root();
        let places = [root.join("gatewright.toml"), root.join("extensions/x"), root.join("not-there")];
        let mut before = Watched::look(&places);
        let mut check = |path: &str, is_seen: bool| {
            let after = Watched::look(&places);
            let difference = before.difference(&after);
            assert_eq!(difference.map(Path::to_owned), is_seen.then(|| root.join(path)), "{path}");
            before = after;
        };
        fs::write(root.join("extensions/x/target/debug/x"), "ab").unwrap();
        check("extensions/x/target/debug/x", false);
        fs::write(root.join("extensions/x/src/lib.rs"), "ab").unwrap();
        check("extensions/x/src/lib.rs", true);
        fs::write(root.join("extensions/x/src/more.rs"), "").unwrap();
        check("extensions/x/src/more.rs", true);
        fs::remove_file(root.join("extensions/x/src/more.rs")).unwrap();
        check("extensions/x/src/more.rs", true);
        fs::write(root.join("gatewright.toml"), "ab").unwrap();
        check("gatewright.toml", true);
    }
}
