//! `add`, `remove`, `update`: changes of the manifest that keep its comments, and of the lock that show what they did.
//!
//! A change that does not resolve is taken back, so that the manifest on disk always builds.

use std::fs;

use anyhow::{Context, Result, bail};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::compile::BuildOptions;
use super::lock::{self, Locked};
use super::manifest::{self, Manifest, Source};
use super::prepare::{self, text_of};
use super::vendor;
use super::{Distribution, generate};
use crate::command;
use crate::console::say;

/// Options of `add`.
#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    /// The name of the extension in the manifest
    key: String,
    #[command(flatten)]
    origin: Origin,
    /// The package, where it has another name than the key
    #[arg(long)]
    package: Option<String>,
    /// Features to switch on, with commas between them
    #[arg(long, value_delimiter = ',')]
    features: Vec<String>,
    /// The points that it may register for, with commas between them; all where it is not given
    #[arg(long, value_delimiter = ',', value_name = "POINT")]
    allow: Vec<String>,
}

/// Where a package comes from.
#[derive(Debug, clap::Args)]
struct Origin {
    /// A folder
    #[arg(long, conflicts_with_all = ["git", "version"])]
    path: Option<String>,
    /// A git repository
    #[arg(long, requires = "rev", conflicts_with = "version", value_name = "URL")]
    git: Option<String>,
    /// The full revision in it
    #[arg(long)]
    rev: Option<String>,
    /// A version in a registry
    #[arg(long)]
    version: Option<String>,
    /// The name of the registry; the public one where it is not given
    #[arg(long, requires = "version")]
    registry: Option<String>,
}

/// Options of `remove`.
#[derive(Debug, clap::Args)]
pub(crate) struct Remove {
    /// The name of the extension in the manifest
    key: String,
}

/// Options of `update`.
#[derive(Debug, clap::Args)]
pub(crate) struct Update {
    /// The extension to update, or `core`; everything in the lock where it is not given
    key: Option<String>,
    /// The new revision, for what comes from git
    #[arg(long, requires = "key", conflicts_with = "version")]
    rev: Option<String>,
    /// The new version, for what comes from a registry
    #[arg(long, requires = "key")]
    version: Option<String>,
    /// Copy every source of the lock into the folder `vendor` for `build --vendored`, and change nothing else
    #[arg(long, conflicts_with = "key")]
    vendor: bool,
}

impl Add {
    /// Adds an extension to the manifest around the current folder.
    ///
    /// # Errors
    /// It is there already, or the distribution does not resolve with it.
    pub(crate) fn run(self) -> Result<()> {
        self.apply(&editable()?)
    }

    fn apply(&self, dist: &Distribution) -> Result<()> {
        if let Some(known) = dist.manifest.extensions.iter().find(|entry| entry.key == self.key) {
            bail!(
                "{}: this extension is there already; `update {}` changes it",
                manifest::place(known.line, &format!("extensions.{}", self.key)),
                self.key
            );
        }
        if self.origin.path.is_none() && self.origin.git.is_none() && self.origin.version.is_none() {
            bail!(
                "say where `{}` comes from: --path FOLDER, --git URL --rev REVISION, or --version VERSION",
                self.key
            );
        }
        change(dist, |document| {
            insert(document, &self.key, &self.fields());
            Ok(())
        })
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let origin = &self.origin;
        let texts = [
            ("path", &origin.path),
            ("git", &origin.git),
            ("rev", &origin.rev),
            ("version", &origin.version),
            ("registry", &origin.registry),
            ("package", &self.package),
        ];
        let texts = texts.into_iter().filter_map(|(key, text)| Some((key, Value::from(text.as_ref()?))));
        let lists = [("features", &self.features), ("allow", &self.allow)];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        texts.chain(lists.map(|(key, list)| (key, Value::Array(list.iter().collect::<Array>())))).collect()
    }
}

impl Remove {
    /// Takes an extension out of the manifest around the current folder.
    ///
    /// # Errors
    /// It is not there, or the distribution does not resolve without it.
    pub(crate) fn run(self) -> Result<()> {
        self.apply(&editable()?)
    }

    fn apply(&self, dist: &Distribution) -> Result<()> {
        known(dist, &self.key)?;
        change(dist, |document| {
            if let Some(all) = document.get_mut("extensions").and_then(Item::as_table_like_mut) {
                all.remove(&self.key);
            }
            Ok(())
        })
    }
}

impl Update {
    /// Moves an extension, the core, or everything in the lock to newer versions.
    ///
    /// # Errors
    /// There is nothing of that name, or the distribution does not resolve with the change.
    pub(crate) fn run(self) -> Result<()> {
        self.apply(&editable()?)
    }

    fn apply(&self, dist: &Distribution) -> Result<()> {
        if self.vendor {
            return vendor::fill(dist);
        }
        let Some(key) = &self.key else { return refresh(dist, None) };
        let given = [("rev", &self.rev), ("version", &self.version)];
        let given = given.into_iter().find_map(|(field, value)| Some((field, value.as_ref()?)));
        if let Some((field, value)) = given {
            if key != "core" {
                known(dist, key)?;
            }
            return change(dist, |document| set(document, key, field, value));
        }
        if key == "core" {
            bail!("say which core: `update core --rev REVISION` or `update core --version VERSION`");
        }
        let entry = known(dist, key)?;
        match &entry.source {
            Source::Path(path) => {
                bail!("`{key}` lies in {path}: it is built as it is there, so there is nothing to update")
            }
            Source::Git { .. } => bail!("`{key}` comes from git: `update {key} --rev REVISION` moves it"),
            Source::Registry { .. } => refresh(dist, Some(entry.package.as_deref().unwrap_or(key))),
        }
    }
}

/// Whoever changes the manifest means to change the lock.
fn unlocked() -> BuildOptions {
    BuildOptions { locked: false, ..BuildOptions::default() }
}

/// The distribution, where its manifest may be changed by a command.
fn editable() -> Result<Distribution> {
    let dist = Distribution::find()?;
    if dist.is_clone() {
        bail!("in Gatewright's own repository the manifest and gateway-bin/Cargo.toml are changed by hand");
    }
    Ok(dist)
}

fn known<'a>(dist: &'a Distribution, key: &str) -> Result<&'a manifest::Entry> {
    let keys: Vec<&str> = dist.manifest.extensions.iter().map(|entry| entry.key.as_str()).collect();
    let found = dist.manifest.extensions.iter().find(|entry| entry.key == key);
    found.with_context(|| format!("no extension `{key}` in {}{}", manifest::FILE, manifest::hint(key, &keys)))
}

/// Changes the manifest, brings the lock up to date and shows what that did; takes both back where it fails.
fn change(dist: &Distribution, edit: impl FnOnce(&mut DocumentMut) -> Result<()>) -> Result<()> {
    let path = dist.root.join(manifest::FILE);
    let before = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut document: DocumentMut = before.parse().context("the manifest is no TOML")?;
    edit(&mut document)?;
    let after = document.to_string();
    let changed = Distribution::of(dist.root.clone(), Manifest::parse(&after)?);
    let lock_before = text_of(&dist.lock())?;
    generate::write(&path, &after)?;
    if let Err(cause) = prepare::prepare(&changed, &unlocked()) {
        generate::write(&path, &before)?;
        if let Some(lock) = &lock_before {
            generate::write(&dist.lock(), lock)?;
        }
        return Err(cause.context("the manifest is left as it was"));
    }
    show(lock_before.as_deref(), dist)
}

/// Moves everything in the lock, or one package, to the newest versions that the manifests allow.
fn refresh(dist: &Distribution, package: Option<&str>) -> Result<()> {
    let prepared = prepare::prepare(dist, &unlocked())?;
    let before = text_of(&dist.lock())?;
    let mut update = prepared.cargo.relaxed().command("update", &dist.folder());
    update.arg("--quiet");
    if let Some(package) = package {
        update.args(["--package", package]);
    }
    command::run(&mut update)?;
    lock::keep(dist, &dist.folder())?;
    show(before.as_deref(), dist)
}

/// Prints how the lock differs from before.
fn show(before: Option<&str>, dist: &Distribution) -> Result<()> {
    let before = Locked::parse(before.unwrap_or_default())?;
    let after = Locked::parse(&text_of(&dist.lock())?.unwrap_or_default())?;
    let lines = lock::difference(&before, &after);
    if lines.is_empty() {
        say("no dependency has changed");
    }
    for line in lines {
        say(line);
    }
    Ok(())
}

/// Puts an extension into the document, in the form that the others have.
fn insert(document: &mut DocumentMut, key: &str, fields: &[(&str, Value)]) {
    let is_inline = document.get("extensions").and_then(Item::as_table).is_some_and(|all| !all.is_implicit());
    let all = document.entry("extensions").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let Some(all) = all.as_table_like_mut() else { return };
    if is_inline {
        let entry: InlineTable = fields.iter().map(|(key, value)| (*key, value.clone())).collect();
        all.insert(key, Item::Value(Value::InlineTable(entry)));
        return;
    }
    let mut entry = Table::new();
    entry.decor_mut().set_prefix("\n");
    for (key, value) in fields {
        entry.insert(key, Item::Value(value.clone()));
    }
    all.insert(key, Item::Table(entry));
}

/// Changes one field of an extension or of the core.
fn set(document: &mut DocumentMut, key: &str, field: &str, value: &str) -> Result<()> {
    let table: Option<&mut dyn TableLike> = if key == "core" {
        document.get_mut("core").and_then(Item::as_table_like_mut)
    } else {
        let all = document.get_mut("extensions").and_then(Item::as_table_like_mut);
        all.and_then(|all| all.get_mut(key)).and_then(Item::as_table_like_mut)
    };
    let item = table.and_then(|table| table.get_mut(field)).and_then(Item::as_value_mut);
    let Some(item) = item else { bail!("`{key}` has no `{field}` in the manifest: it comes from elsewhere") };
    let decor = item.decor().clone();
    *item = Value::from(value);
    *item.decor_mut() = decor;
    Ok(())
}

/// `add KEY --path FOLDER`, for the tests of the whole tool.
#[cfg(test)]
pub(super) fn add_path(dist: &Distribution, key: &str, path: &str) -> Result<()> {
    let origin = Origin { path: Some(path.to_owned()), git: None, rev: None, version: None, registry: None };
    let add = Add { key: key.to_owned(), origin, package: None, features: Vec::new(), allow: Vec::new() };
    add.apply(dist)
}

/// `remove KEY`, for the tests of the whole tool.
#[cfg(test)]
pub(super) fn remove(dist: &Distribution, key: &str) -> Result<()> {
    Remove { key: key.to_owned() }.apply(dist)
}

#[cfg(test)]
mod tests;
