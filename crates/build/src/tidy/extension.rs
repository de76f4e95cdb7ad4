//! The shape of an extension's folder: one name for folder, package and registration, and a page that says what it does.

use crate::tidy::Finding;
use crate::workspace::{Package, Workspace};

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let extensions = workspace.packages.iter().filter(|package| package.folder.starts_with("extensions"));
    extensions.flat_map(|package| check_extension(workspace, package)).collect()
}

fn check_extension(workspace: &Workspace, package: &Package) -> Vec<Finding> {
    let mut found = Vec::new();
    let prefix = if package.folder.starts_with("extensions/providers") {
        "gatewright-provider"
    } else {
        "gatewright-ext"
    };
    let folder = package.folder.file_name().unwrap_or_default().to_string_lossy();
    let expected = format!("{prefix}-{folder}");
    if package.name != expected {
        let message = format!("call the package `{expected}`, after its folder");
        found.push(Finding::new(package.manifest_path(), package.manifest_line("name"), message));
    }
    found.extend(wrong_name(package, &folder));
    let page = package.folder.join("README.md");
    match workspace.read(&page) {
        Err(_) => {
            let message =
                "write this page: what the extension does, its settings, an example instance, its limits";
            found.push(Finding::new(page, 0, message));
        }
        Ok(text) if !text.contains("```yaml") => {
            let message = "show an example instance in a ```yaml block";
            found.push(Finding::new(page, 0, message));
        }
        Ok(_) => {}
    }
    found
}

/// A registered name that is not the folder's. A package with several extensions gives one of them its name.
fn wrong_name(package: &Package, folder: &str) -> Option<Finding> {
    let lines = package.sources.iter().flat_map(|source| source.product().map(move |line| (source, line)));
    let names: Vec<_> = lines.filter(|(_, (_, line))| line.code.contains("const NAME:")).collect();
    if names.iter().any(|(_, (_, line))| line.strings == folder) {
        return None;
    }
    let (source, (number, _)) = names.first()?;
    Some(Finding::new(&source.path, *number, format!("register it as `{folder}`, after its folder")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::said_of;

    const NAMED: &str = "//! A.\nconst NAME: &str = \"mask\";\n";

    fn said(name: &str, page: &str, source: &str) -> Vec<String> {
        let manifest = format!("[package]\nname = \"{name}\"\n");
        let files = [
            ("Cargo.toml", "[workspace]\nmembers = [\"extensions/mask\"]\n"),
            ("extensions/mask/Cargo.toml", manifest.as_str()),
            ("extensions/mask/src/lib.rs", source),
            (page, "# mask\n\n```yaml\n- id: mask\n```\n"),
        ];
        said_of(check, &files)
    }

    #[test]
    fn an_extension_has_one_name_and_a_page() {
        assert_eq!(said("gatewright-ext-mask", "extensions/mask/README.md", NAMED), [""; 0]);
        let found = said("gatewright-masking", "docs/mask.md", &NAMED.replace("mask", "hide"));
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(
            found.iter().any(|line| line.contains("call the package `gatewright-ext-mask`")),
            "{found:?}"
        );
        assert!(found.iter().any(|line| line.contains("lib.rs:2: register it as `mask`")), "{found:?}");
        assert!(found.iter().any(|line| line.contains("README.md: write this page")), "{found:?}");
    }
}
