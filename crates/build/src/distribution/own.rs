//! Gatewright's own distribution: `gateway-bin` is a member of the workspace, so its manifest is written by hand but
//! for the list of what it links.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Distribution;
use super::generate;
use super::manifest::Allocator;
use super::part::Part;

/// Opens the list.
const HEAD: &str = "[dependencies]\n";

/// Writes the list into the manifest of `gateway-bin`, and says whether it had to.
///
/// # Errors
/// The file cannot be read or written, or has no list.
pub(super) fn write_dependencies(dist: &Distribution, folder: &Path, parts: &[Part]) -> Result<bool> {
    generate::write(&folder.join("Cargo.toml"), &dependencies_text(dist, folder, parts)?)
}

/// The text of that manifest with the list as it should be.
///
/// # Errors
/// The file cannot be read, or has no list.
pub(super) fn dependencies_text(dist: &Distribution, folder: &Path, parts: &[Part]) -> Result<String> {
    let path = folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    with_dependencies(&text, dist.manifest.allocator, parts)
        .with_context(|| format!("{} has no `[dependencies]`", path.display()))
}

/// The text of a manifest with another list of dependencies.
fn with_dependencies(text: &str, allocator: Allocator, parts: &[Part]) -> Option<String> {
    let (before, rest) = text.split_once(HEAD)?;
    let after = rest.find("\n[").map_or("", |end| rest.get(end..).unwrap_or_default());
    let mut names: Vec<&str> = parts.iter().map(|part| part.package.as_str()).collect();
    names.push("gatewright-gateway");
    if allocator == Allocator::Mimalloc {
        names.push("mimalloc");
    }
    names.sort_unstable();
    let lines: String = names.iter().map(|name| format!("{name}.workspace = true\n")).collect();
    Some(format!("{before}{HEAD}{lines}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::manifest::Source;

    #[test]
    fn the_list_is_sorted_and_what_stands_around_it_stays() {
        let part = |package: &str| Part {
            key: String::new(),
            line: 1,
            package: package.to_owned(),
            source: Source::Path(String::new()),
            features: Vec::new(),
            allow: None,
        };
        let text = "[package]\n\n[dependencies]\nold.workspace = true\n\n[features]\nx = []\n";
        let parts = [part("gatewright-provider-x"), part("gatewright-ext-y")];
        let expected = "[package]\n\n[dependencies]\ngatewright-ext-y.workspace = true\ngatewright-gateway.workspace = \
                        true\ngatewright-provider-x.workspace = true\n\n[features]\nx = []\n";
        assert_eq!(with_dependencies(text, Allocator::System, &parts).as_deref(), Some(expected));
        let again = with_dependencies(expected, Allocator::System, &parts);
        assert_eq!(again.as_deref(), Some(expected));
        assert_eq!(with_dependencies("[package]\n", Allocator::System, &parts), None);
    }

    #[test]
    fn gateway_bin_is_what_the_manifest_says() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let dist = Distribution::load(root).unwrap();
        let (manifest, main) = crate::distribution::prepare::own_texts(&dist).unwrap();
        let read = |file: &str| fs::read_to_string(root.join("gateway-bin").join(file)).unwrap();
        let remedy = "run `cargo xtask build --generate-only` and commit what it writes";
        assert_eq!(read("Cargo.toml"), manifest, "{remedy}");
        assert_eq!(read("src/main.rs"), main, "{remedy}");
        assert!(read("../Cargo.toml").contains(&format!("\nversion = \"{}\"\n", dist.manifest.version)));
    }
}
