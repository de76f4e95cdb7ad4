//! The folders of this machine, and the names that stand for them in a binary.
//!
//! Rust and C compilers write the paths of sources into what they make. Each folder below is mapped to a name that is
//! the same everywhere; `leak.rs` looks into the binary for what was missed all the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::cargo::Cargo;
use super::settings;
use super::stage::Stage;
use crate::command::variable;

/// A moment for what wants to write one down: the start of 1980, the first that every archive format can hold.
const MOMENT: &str = "315532800";
/// Between flags in cargo's own variable.
const BETWEEN: char = '\u{1f}';

/// Folder and name, the more general first: a later one wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Map(Vec<(PathBuf, &'static str)>);

impl Map {
    /// The map for one build.
    ///
    /// # Errors
    /// A folder of cargo cannot be listed.
    pub(super) fn of(stage: &Stage, cargo: &Cargo, vendor: Option<&Path>) -> Result<Self> {
        let home = settings::home();
        let mut pairs = vec![
            (settings::user_home(), "/home"),
            (cargo.sysroot.clone(), "/rust"),
            (home.clone(), "/cargo"),
            (home.join("git").join("checkouts"), "/cargo/git"),
        ];
        // Crates lie in a folder named after the registry or its mirror, which says nothing about them.
        if let Ok(registries) = fs::read_dir(home.join("registry").join("src")) {
            let mut folders: Vec<PathBuf> = registries.flatten().map(|entry| entry.path()).collect();
            folders.sort();
            pairs.extend(folders.into_iter().map(|folder| (folder, "/cargo/crates")));
        }
        if let Some(vendor) = vendor {
            pairs.push((vendor.to_owned(), "/cargo/crates"));
        }
        pairs.push((stage.target.clone(), "/target"));
        pairs.push((stage.folder.clone(), "/gatewright"));
        pairs.retain(|(folder, _)| folder.parent().is_some());
        Ok(Self(pairs))
    }

    /// The folders themselves.
    pub(super) fn folders(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|(folder, _)| folder.as_path())
    }

    /// Tells every compiler that `command` will start.
    pub(super) fn apply(&self, command: &mut Command, folder: &Path, target: &str) -> Result<()> {
        let flags = self.rust_flags();
        match given_flags() {
            // These variables outrank all files, so ours must join them.
            Some(mut given) => {
                given.extend(flags);
                command.env("CARGO_ENCODED_RUSTFLAGS", given.join(&BETWEEN.to_string()));
            }
            None => {
                let mut all = build_flags(folder)?;
                all.extend(flags);
                let list: toml::Value = all.into();
                command.arg("--config").arg(format!("target.{target}.rustflags={list}"));
            }
        }
        let has_blank = self.folders().any(|folder| folder.to_string_lossy().contains(' '));
        if has_blank {
            command.env("CC_SHELL_ESCAPED_FLAGS", "1");
        }
        for name in ["CFLAGS", "CXXFLAGS"] {
            let given = variable(name).map(|flags| flags.to_string_lossy().into_owned());
            let flags: Vec<String> = given.into_iter().chain(self.c_flags(has_blank)).collect();
            command.env(name, flags.join(" "));
        }
        command.env("SOURCE_DATE_EPOCH", MOMENT).env("ZERO_AR_DATE", "1");
        Ok(())
    }

    fn rust_flags(&self) -> Vec<String> {
        self.0.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).collect()
    }

    fn c_flags(&self, is_escaped: bool) -> Vec<String> {
        let flag = |(from, to): &(PathBuf, &str)| {
            let flag = format!("-ffile-prefix-map={}={to}", from.display());
            if is_escaped { format!("'{}'", flag.replace('\'', "'\\''")) } else { flag }
        };
        self.0.iter().map(flag).collect()
    }
}

/// The flags that variables give, by cargo's order of precedence.
fn given_flags() -> Option<Vec<String>> {
    let text = |name| variable(name).map(|flags| flags.to_string_lossy().into_owned());
    if let Some(encoded) = text("CARGO_ENCODED_RUSTFLAGS") {
        return Some(encoded.split(BETWEEN).map(str::to_owned).collect());
    }
    Some(text("RUSTFLAGS")?.split_whitespace().map(str::to_owned).collect())
}

/// The flags that files give for every system: cargo ignores them once there are some for one system.
fn build_flags(folder: &Path) -> Result<Vec<String>> {
    let files = settings::files(folder)?;
    let has_own = |file: &settings::Settings| !file.target_flags().is_empty();
    if files.iter().any(has_own) {
        return Ok(Vec::new());
    }
    // The nearest file comes first here and last in what cargo puts together.
    Ok(files.iter().rev().flat_map(settings::Settings::build_flags).collect())
}
