//! What a binary is told of its own build: one line of JSON, the same on every machine.
//!
//! It holds no time and no folder of this machine. A digest covers the files of a package that lies in a folder; git
//! and registries have their own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Distribution;
use super::compile::BuildOptions;
use super::graph::Package;
use super::lock::Checksums;
use super::manifest::{self, Source};
use super::prepare::Prepared;

/// The variable that hands it to the compiler.
pub(super) const VARIABLE: &str = "GATEWRIGHT_BUILD_INFO";

/// The line for one build.
///
/// # Errors
/// A file of an extension cannot be read.
pub(super) fn text(dist: &Distribution, prepared: &Prepared, options: &BuildOptions) -> Result<String> {
    let checksums = Checksums::read(&dist.lock())?;
    let core = prepared.graph.named("gatewright-core");
    let mut extensions = Vec::new();
    for part in &prepared.parts {
        let (_, package) = prepared.graph.direct(&part.package)?;
        extensions.push(json!({
            "key": part.key,
            "package": part.package,
            "version": package.version,
            "source": part.source.shown(),
            "digest": digest(package, &part.source, &checksums)?,
        }));
    }
    let manifest = fs::read(dist.root.join(manifest::FILE)).context("cannot read the manifest")?;
    let info = json!({
        "core": {
            "version": core.map(|core| core.version.as_str()),
            "source": dist.manifest.core.source.value.shown(),
        },
        "toolchain": prepared.cargo.rust,
        "profile": options.profile.name(),
        "manifest": sha256(&manifest),
        "extensions": extensions,
    });
    Ok(info.to_string())
}

/// What tells one content of a package from another; null where nothing does.
///
/// # Errors
/// A file of it cannot be read.
pub(super) fn digest(package: &Package, source: &Source, checksums: &Checksums) -> Result<Value> {
    Ok(match source {
        Source::Path(_) => Value::from(folder_digest(package.folder())?),
        Source::Git { rev, .. } => Value::from(rev.as_str()),
        Source::Registry { .. } => checksums
            .of(&package.name, &package.version)
            .map_or(Value::Null, |sum| format!("sha256:{sum}").into()),
    })
}

/// The digest of some bytes, with its kind before it.
pub(super) fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// The digest of all files of a package: their names and their contents, in order.
///
/// # Errors
/// A file cannot be read.
pub(super) fn folder_digest(folder: &Path) -> Result<String> {
    let mut whole = Sha256::new();
    for file in files(folder)? {
        let name = file.to_string_lossy().replace('\\', "/");
        let path = folder.join(&file);
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        whole.update(format!("{name}\n{}\n", content.len()));
        whole.update(&content);
    }
    Ok(format!("sha256:{}", hex(&whole.finalize())))
}

/// The files below a folder that belong to it, relative to it and in order: nothing hidden, nothing that was built.
///
/// # Errors
/// A folder cannot be listed.
pub(super) fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        let whole = root.join(&folder);
        let entries = fs::read_dir(&whole).with_context(|| format!("cannot list {}", whole.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", whole.display()))?;
            let name = entry.file_name();
            let text = name.to_string_lossy();
            if text.starts_with('.') || matches!(text.as_ref(), "target" | "node_modules") {
                continue;
            }
            let path = entry.path();
            if path.is_dir() {
                if !is_way_back(&path) {
                    open.push(folder.join(&name));
                }
            } else if path.is_file() {
                found.push(folder.join(&name));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a folder is a link to one that holds it, so that a walk would not end.
fn is_way_back(folder: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    folder.is_symlink()
        && real(folder)
            .is_some_and(|to| folder.ancestors().skip(1).any(|above| real(above).as_ref() == Some(&to)))
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    #[test]
    fn the_files_of_a_folder_are_what_belongs_to_it() {
        let fixture = Fixture::new(&[
            ("src/lib.rs", "a"),
            ("Cargo.toml", "b"),
            (".env", "secret"),
            ("target/x", ""),
            ("web/node_modules/x", ""),
        ]);
        let root = fixture.root();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(root, root.join("again")).unwrap();
            std::os::unix::fs::symlink("nowhere", root.join("dangling")).unwrap();
        }
        assert_eq!(files(root).unwrap(), [Path::new("Cargo.toml"), Path::new("src/lib.rs")]);
    }

    #[test]
    fn the_digest_of_a_folder_follows_names_and_contents() {
        let digest = |files: &[(&str, &str)]| folder_digest(Fixture::new(files).root()).unwrap();
        let one = digest(&[("a", "1"), ("b", "2")]);
        assert_eq!(one, digest(&[("b", "2"), ("a", "1"), (".hidden", "x")]));
        for other in [[("a", "1"), ("c", "2")], [("a", "2"), ("b", "1")], [("a", "12"), ("b", "")]] {
            assert_ne!(one, digest(&other));
        }
    }
}
