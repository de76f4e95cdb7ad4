//! `list`: the extensions by the manifest and by the binary, side by side, with what differs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::compile::BuildOptions;
use super::lock::Checksums;
use super::part::Part;
use super::prepare::{self, Prepared};
use super::verify::{self, Registered};
use super::{Distribution, info};
use crate::console::{print, say, table};

/// Options of `list`.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    /// The binary to compare with; the newest of this distribution where it is not given
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// One package of the manifest, and what the binary says of it.
#[derive(Debug)]
struct Row<'a> {
    part: &'a Part,
    version: String,
    description: String,
    digest: Option<String>,
    registered: Vec<&'a Registered>,
}

impl List {
    /// Prints the list of the distribution around the current folder.
    ///
    /// # Errors
    /// Manifest and binary differ, or the manifest does not fit together.
    pub(crate) fn run(self) -> Result<()> {
        let dist = Distribution::find()?;
        let prepared = prepare::prepare(&dist, &BuildOptions::default())?;
        let binary = self.binary.clone().or_else(|| newest(&dist));
        let registered = binary.as_deref().map(verify::registered).transpose()?;
        let rows = rows(&dist, &prepared, registered.as_deref().unwrap_or_default())?;
        let differences =
            registered.as_ref().map(|registered| differences(&dist, &rows, registered)).unwrap_or_default();
        if self.json {
            print(&format!("{:#}\n", as_json(binary.as_deref(), &rows, &differences)));
        } else {
            print(&as_text(&rows, registered.is_some()));
            match &binary {
                Some(binary) => say(format_args!("compared with {}", binary.display())),
                None => say("not built yet, so there is no binary to compare with"),
            }
        }
        if !differences.is_empty() {
            bail!("manifest and binary differ:\n  {}", differences.join("\n  "));
        }
        Ok(())
    }
}

/// The binary of this distribution that was built last.
fn newest(dist: &Distribution) -> Option<PathBuf> {
    let name = format!("{}{}", dist.manifest.name, std::env::consts::EXE_SUFFIX);
    let places = [dist.target().join("debug"), dist.root.join("dist")].map(|folder| folder.join(&name));
    let built = places.into_iter().filter(|file| file.is_file());
    built.max_by_key(|file| file.metadata().and_then(|about| about.modified()).ok())
}

fn rows<'a>(
    dist: &Distribution,
    prepared: &'a Prepared,
    registered: &'a [Registered],
) -> Result<Vec<Row<'a>>> {
    let checksums = Checksums::read(&dist.lock())?;
    let row = |part: &'a Part| {
        let (_, package) = prepared.graph.direct(&part.package)?;
        let digest = info::digest(package, &part.source, &checksums)
            .with_context(|| format!("cannot look at the files of `{}`", part.package))?;
        Ok(Row {
            part,
            version: package.version.clone(),
            description: package.description.clone().unwrap_or_default(),
            digest: digest.as_str().map(str::to_owned),
            registered: registered.iter().filter(|found| found.package == part.package).collect(),
        })
    };
    prepared.parts.iter().map(row).collect()
}

fn differences(dist: &Distribution, rows: &[Row<'_>], registered: &[Registered]) -> Vec<String> {
    let mut found = Vec::new();
    for row in rows {
        let place = row.part.listed_in();
        let package = &row.part.package;
        match row.registered.as_slice() {
            [] => found.push(format!("{place}: `{package}` is not in the binary; build it again")),
            [first, ..] if first.version != row.version => found.push(format!(
                "{place}: the binary has `{package}` {}, the manifest leads to {}; build it again",
                first.version, row.version
            )),
            [first, ..] if first.digest.is_some() && first.digest != row.digest => found.push(format!(
                "{place}: the sources of `{package}` have changed since the binary was built; build it again"
            )),
            [_, ..] => {}
        }
    }
    let is_listed = |package: &str| rows.iter().any(|row| row.part.package == package);
    for stranger in registered.iter().filter(|found| !is_listed(&found.package)) {
        if !dist.manifest.policy.allow_unlisted {
            found.push(format!(
                "`{}` of package `{}` is in the binary and not in the manifest; build it again",
                stranger.name, stranger.package
            ));
        }
    }
    found
}

fn as_text(rows: &[Row<'_>], is_built: bool) -> String {
    let mut lines =
        vec![["package", "version", "source", "listed in", "registers"].map(str::to_owned).to_vec()];
    for row in rows {
        let registered: Vec<String> = row
            .registered
            .iter()
            .map(|found| format!("{} ({})", found.name, found.points.join(", ")))
            .collect();
        let registered = match (is_built, registered.is_empty()) {
            (false, _) => "not known".to_owned(),
            (true, true) => "nothing".to_owned(),
            (true, false) => registered.join(", "),
        };
        lines.push(vec![
            row.part.package.clone(),
            row.version.clone(),
            row.part.source.shown(),
            row.part.listed_in(),
            registered,
        ]);
    }
    table(&lines)
}

fn as_json(binary: Option<&Path>, rows: &[Row<'_>], differences: &[String]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let registered: Vec<Value> = row
                .registered
                .iter()
                .map(|found| json!({ "name": found.name, "points": found.points }))
                .collect();
            json!({
                "key": row.part.key,
                "listed_in": row.part.listed_in(),
                "package": row.part.package,
                "version": row.version,
                "description": row.description,
                "source": row.part.source.shown(),
                "digest": row.digest,
                "allow": row.part.allow,
                "registered": registered,
            })
        })
        .collect();
    json!({
        "binary": binary.map(|binary| binary.display().to_string()),
        "extensions": rows,
        "differences": differences,
    })
}
