//! `docs` and `schema`: what the binary of a distribution says of its own configuration.
//!
//! The binary is the source, so that what is read here is what it accepts. `page.rs` makes a page of a schema.

mod page;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command;
use crate::console::{print, say};
use crate::distribution::{BuildOptions, Distribution, Registered, registered};

/// Options of `docs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Docs {
    /// Where to write the pages. Default: docs/extensions beside the manifest
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Prints the JSON Schema of the configuration that the distribution's binary accepts.
///
/// # Errors
/// It does not build, or does not answer.
pub(crate) fn schema() -> Result<()> {
    let built = Distribution::find()?.build(&BuildOptions::default())?;
    print(&schema_of(&built.binary)?);
    Ok(())
}

impl Docs {
    /// Writes a page for each extension in the binary, and one that lists them.
    ///
    /// # Errors
    /// It does not build, does not answer, or a page cannot be written.
    pub(crate) fn run(self) -> Result<()> {
        let dist = Distribution::find()?;
        let binary = dist.build(&BuildOptions::default())?.binary;
        let extensions = registered(&binary)?;
        let schema: Value =
            serde_json::from_str(&schema_of(&binary)?).context("the binary's schema is no JSON")?;
        let folder = self.out.unwrap_or_else(|| dist.root.join("docs").join("extensions"));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for (name, text) in pages(&dist.manifest.name, &extensions, &schema) {
            let path = folder.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        say(format_args!("{} pages are written to {}", extensions.len() + 1, folder.display()));
        Ok(())
    }
}

fn schema_of(binary: &Path) -> Result<String> {
    command::read(Command::new(binary).arg("schema"))
}

/// The pages by their file names.
fn pages(distribution: &str, extensions: &[Registered], schema: &Value) -> Vec<(String, String)> {
    let mut pages = Vec::new();
    let mut list = format!(
        "# Extensions of {distribution}\n\n| extension | package | version | points |\n| --- | --- | --- | --- |\n"
    );
    for extension in extensions {
        let Registered { name, package, version, .. } = extension;
        let points = extension.points.join(", ");
        list.push_str(&format!("| [{name}]({name}.md) | {package} | {version} | {points} |\n"));
        let settings = schema.get("$defs").and_then(|defs| defs.get(format!("extension {name}")));
        pages.push((format!("{name}.md"), page::of(extension, settings.unwrap_or(&Value::Null))));
    }
    pages.push(("README.md".to_owned(), list));
    pages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_extension_has_a_page_and_a_line_in_the_list() {
        let extension = Registered {
            name: "mask".to_owned(),
            package: "acme-mask".to_owned(),
            version: "1.2.0".to_owned(),
            points: vec!["request".to_owned(), "response".to_owned()],
            digest: None,
        };
        let pages = pages("acme-gateway", &[extension], &Value::Null);
        let [(page, text), (list, lines)] = pages.as_slice() else { panic!("{pages:?}") };
        assert_eq!((page.as_str(), list.as_str()), ("mask.md", "README.md"));
        assert!(text.contains("It takes no settings."), "{text}");
        assert!(lines.contains("| [mask](mask.md) | acme-mask | 1.2.0 | request, response |"), "{lines}");
    }
}
