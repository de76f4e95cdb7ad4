//! A copy of everything that is compiled from folders, laid out the same on every machine.
//!
//! Cargo and the compiler mix the folders of packages into names of symbols; in a copy whose inner paths are fixed, and
//! with the outer ones mapped away (`remap.rs`), a build gives the same bytes wherever it runs. The copy is kept and
//! only what changed is copied again, so that a second build compiles only that. Builds that share the folder go one
//! after the other. `paths.rs` keeps manifests pointing at one another.

mod paths;

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::generate::{self, Crate, lexical};
use super::graph::{Graph, Package};
use super::manifest::Source;
use super::prepare::{Prepared, text_of};
use super::{Distribution, info};
use crate::console::say;

/// The folders of the stage that hold copies.
const INNER: [&str; 3] = ["core", "dist", "with"];

/// A staged copy.
#[derive(Debug)]
pub(super) struct Stage {
    /// The crate to build.
    pub(super) folder: PathBuf,
    /// Where cargo puts what it compiles from there.
    pub(super) target: PathBuf,
    /// Locked as long as the stage is in use: another distribution of its name may be built in the same place.
    _turn: File,
}

/// A folder that is copied as a whole, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tree {
    from: PathBuf,
    /// Relative to the stage.
    to: PathBuf,
}

/// Waits for its turn and brings the stage up to date. `out` is the folder of what ships, which is no source.
///
/// # Errors
/// A file cannot be read, written or locked.
pub(super) fn fill(dist: &Distribution, prepared: &Prepared, out: &Path) -> Result<Stage> {
    let work = dist.target().join("gatewright").join(&dist.manifest.name);
    let folder = work.join("stage");
    let turn = take_turn(&work)?;
    let trees = trees(dist, &prepared.graph);
    let mut wanted = BTreeSet::new();
    for tree in &trees {
        for file in info::files(&tree.from)? {
            let from = tree.from.join(&file);
            if !from.starts_with(out) && !from.starts_with(&work) {
                let to = tree.to.join(&file);
                copy(&trees, &from, &folder.join(&to), &folder)?;
                wanted.insert(to);
            }
        }
    }
    for tree in &trees {
        clear(&folder, &tree.to, &wanted)?;
    }
    write_crate(dist, prepared, &trees, &folder)?;
    Ok(Stage { folder, target: work.join("built"), _turn: turn })
}

/// Waits until no other build is at work in a folder. The system ends the turn of a process that dies.
fn take_turn(work: &Path) -> Result<File> {
    fs::create_dir_all(work).with_context(|| format!("cannot make {}", work.display()))?;
    let path = work.join("stage.lock");
    let open = File::options().create(true).truncate(false).write(true).open(&path);
    let file = open.with_context(|| format!("cannot open {}", path.display()))?;
    let cannot_lock = || format!("cannot lock {}", path.display());
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            say(format_args!("another build is at work in {}: this one waits for it", work.display()));
            file.lock().with_context(cannot_lock)?;
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(cannot_lock),
    }
    Ok(file)
}

/// The generated crate, with ways inside the stage.
fn write_crate(dist: &Distribution, prepared: &Prepared, trees: &[Tree], folder: &Path) -> Result<()> {
    let way = |path: &Path| staged(trees, path).unwrap_or_else(|| lexical(path));
    let text = Crate { dist, way: &way, inner: &INNER }.manifest_text(&prepared.parts, &prepared.others);
    generate::write(&folder.join("Cargo.toml"), &text)?;
    let main = dist.folder().join("src").join("main.rs");
    let main = text_of(&main)?.context("the generated crate has no main.rs")?;
    generate::write(&folder.join("src").join("main.rs"), &main)?;
    if let Some(lock) = text_of(&dist.lock())? {
        generate::write(&folder.join("Cargo.lock"), &lock)?;
    }
    Ok(())
}

/// The folders to copy: the distribution's, the core's, and that of each package that lies elsewhere.
fn trees(dist: &Distribution, graph: &Graph) -> Vec<Tree> {
    let mut trees = vec![Tree { from: dist.root.clone(), to: "dist".into() }];
    if let Source::Path(path) = &dist.manifest.core.source.value {
        add(&mut trees, &lexical(&dist.resolve(path)), "core");
    }
    for package in graph.packages.iter().filter(|package| package.source.is_none()) {
        add(&mut trees, &home(package), &format!("with/{}", package.name));
    }
    trees
}

fn add(trees: &mut Vec<Tree>, from: &Path, to: &str) {
    if trees.iter().all(|tree| !from.starts_with(&tree.from)) {
        trees.push(Tree { from: from.to_owned(), to: to.into() });
    }
}

/// The workspace that a package belongs to, whose manifest it may inherit from; else its own folder.
fn home(package: &Package) -> PathBuf {
    let own = package.folder();
    let is_workspace = |folder: &&Path| {
        let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("workspace"))
    };
    own.ancestors().find(is_workspace).unwrap_or(own).to_owned()
}

/// Where a path of a tree lies in the stage, relative to it.
fn staged(trees: &[Tree], path: &Path) -> Option<PathBuf> {
    let path = lexical(path);
    // The innermost tree, as one may lie inside another.
    let tree = trees
        .iter()
        .filter(|tree| path.starts_with(&tree.from))
        .max_by_key(|tree| tree.from.as_os_str().len())?;
    let inner = path.strip_prefix(&tree.from).ok()?;
    Some(if inner.as_os_str().is_empty() { tree.to.clone() } else { tree.to.join(inner) })
}

/// Copies a file where it differs, and leaves its time alone where it does not: cargo goes by it.
fn copy(trees: &[Tree], from: &Path, to: &Path, stage: &Path) -> Result<()> {
    if from.file_name().is_some_and(|name| name == "Cargo.toml") {
        let text = fs::read_to_string(from).with_context(|| format!("cannot read {}", from.display()))?;
        let folder = from.parent().unwrap_or(from);
        let own = to.parent().unwrap_or(to);
        let way = |path: &Path| {
            let inner = staged(trees, &folder.join(path))?;
            Some(generate::relative(own, &stage.join(inner)))
        };
        generate::write(to, &paths::redirected(&text, &way))?;
        return Ok(());
    }
    let content = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|found| found == content) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(to, content).with_context(|| format!("cannot write {}", to.display()))?;
    let about = fs::metadata(from).with_context(|| format!("cannot look at {}", from.display()))?;
    fs::set_permissions(to, about.permissions()).with_context(|| format!("cannot write {}", to.display()))
}

/// Removes what is no longer in the source.
fn clear(stage: &Path, tree: &Path, wanted: &BTreeSet<PathBuf>) -> Result<()> {
    let folder = stage.join(tree);
    if !folder.exists() {
        return Ok(());
    }
    for file in info::files(&folder)? {
        if !wanted.contains(&tree.join(&file)) {
            let path = folder.join(&file);
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_in_the_innermost_tree() {
        let tree = |from: &str, to: &str| Tree { from: from.into(), to: to.into() };
        let trees = [tree("/a", "dist"), tree("/a/vendor/gw", "core"), tree("/b/x", "with/x")];
        let cases = [
            ("/a/extensions/pii", Some("dist/extensions/pii")),
            ("/a/vendor/gw/crates/core", Some("core/crates/core")),
            ("/a/../b/x", Some("with/x")),
            ("/c", None),
        ];
        for (path, expected) in cases {
            assert_eq!(staged(&trees, Path::new(path)).as_deref(), expected.map(Path::new), "{path}");
        }
    }
}
