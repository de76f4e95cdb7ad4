//! Follows `mod` from the roots of a package through its files.
//!
//! What is found is what cargo would compile; a file that nobody names is dead, and a file that only a test module
//! names is a test.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::source::Source;

/// The sources that the targets of the package in `folder` reach, out of `all` its files.
pub(super) fn follow(
    root: &Path,
    folder: &Path,
    manifest: &toml::Table,
    all: &[PathBuf],
) -> Result<Vec<Source>> {
    let mut found: BTreeMap<PathBuf, Source> = BTreeMap::new();
    let mut open: Vec<(PathBuf, Role)> = all
        .iter()
        .filter(|path| is_root(path.strip_prefix(folder).unwrap_or(path)))
        .cloned()
        .chain(declared_roots(folder, manifest).filter(|path| all.contains(path)))
        .map(|path| (path.clone(), Role { root: true, test: is_test(folder, &path) }))
        .collect();
    while let Some((path, role)) = open.pop() {
        if found.contains_key(&path) {
            continue;
        }
        let text = fs::read_to_string(root.join(&path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        let source = Source::new(&path, &text, role.test);
        let children = child_folder(&path, role.root);
        for (name, test) in source.modules() {
            let candidates = [children.join(format!("{name}.rs")), children.join(&name).join("mod.rs")];
            let role = Role { root: false, test: role.test || test };
            open.extend(candidates.into_iter().filter(|path| all.contains(path)).map(|path| (path, role)));
        }
        found.insert(path, source);
    }
    Ok(found.into_values().collect())
}

#[derive(Debug, Clone, Copy)]
struct Role {
    root: bool,
    test: bool,
}

/// Whether cargo would take the file, relative to its package, for the root of a target without being told.
fn is_root(path: &Path) -> bool {
    let parts: Vec<_> = path.iter().filter_map(|part| part.to_str()).collect();
    matches!(
        parts.as_slice(),
        ["build.rs"]
            | ["src", "lib.rs" | "main.rs"]
            | ["src", "bin", _]
            | ["src", "bin", _, "main.rs"]
            | ["tests" | "benches" | "examples", _]
            | ["tests" | "benches" | "examples", _, "main.rs"]
    )
}

/// The roots that the manifest names by path.
fn declared_roots(folder: &Path, manifest: &toml::Table) -> impl Iterator<Item = PathBuf> {
    let lists = ["bin", "test", "bench", "example"]
        .into_iter()
        .filter_map(|key| manifest.get(key)?.as_array())
        .flatten();
    lists
        .chain(manifest.get("lib"))
        .filter_map(|target| target.get("path")?.as_str())
        .map(|path| folder.join(path))
}

/// Whether a root is compiled for tests only: it lies outside `src`, or its whole package is one of tests.
fn is_test(folder: &Path, path: &Path) -> bool {
    let inside = path.strip_prefix(folder).unwrap_or(path);
    folder.starts_with("tests")
        || ["tests", "benches", "examples"].iter().any(|part| inside.starts_with(part))
}

/// Where the files of a file's modules lie.
fn child_folder(path: &Path, root: bool) -> PathBuf {
    let parent = path.parent().unwrap_or(Path::new("")).to_owned();
    match path.file_stem().and_then(|stem| stem.to_str()) {
        Some(stem) if !root && stem != "mod" => parent.join(stem),
        _ => parent,
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[test]
    fn follows_modules_and_knows_tests_and_dead_files() {
        let fixture = Fixture::new(&[
            ("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n"),
            ("a/Cargo.toml", "[package]\nname = \"a\"\n[[bin]]\nname = \"b\"\npath = \"cli/b.rs\"\n"),
            ("a/src/lib.rs", "mod one;\n#[cfg(test)]\nmod probe;\n"),
            ("a/src/one.rs", "mod two;\n"),
            ("a/src/one/two.rs", ""),
            ("a/src/one/dead.rs", ""),
            ("a/src/probe.rs", "mod deep;\n"),
            ("a/src/probe/deep.rs", "fn f() {}\n"),
            ("a/cli/b.rs", ""),
            ("a/tests/it.rs", "fn f() {}\n"),
            ("a/fuzz/Cargo.toml", "[package]\nname = \"fuzz\"\n"),
            ("a/fuzz/target.rs", ""),
        ]);
        let workspace = fixture.workspace();
        let package = workspace.packages.first().unwrap();
        let reached: Vec<_> = package
            .sources
            .iter()
            .map(|s| (s.path.to_str().unwrap(), s.lines.iter().any(|line| line.test)))
            .collect();
        assert_eq!(
            reached,
            [
                ("a/cli/b.rs", false),
                ("a/src/lib.rs", true),
                ("a/src/one/two.rs", false),
                ("a/src/one.rs", false),
                ("a/src/probe/deep.rs", true),
                ("a/src/probe.rs", true),
                ("a/tests/it.rs", true),
            ]
        );
        assert_eq!(package.unreached, [std::path::Path::new("a/src/one/dead.rs")]);
    }
}
