//! Each package takes its lints, its version and the versions of what it uses from the root manifest.

use crate::tidy::Finding;
use crate::workspace::{Package, Workspace};

/// What a package inherits from `[workspace.package]`.
const INHERITED: [&str; 5] = ["version", "edition", "rust-version", "license", "publish"];

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    workspace.packages.iter().flat_map(check_package).collect()
}

fn check_package(package: &Package) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut tell = |key: &str, message: String| {
        found.push(Finding::new(package.manifest_path(), package.manifest_line(key), message));
    };
    if !is_inherited(package.manifest.get("lints")) {
        tell(
            "[lints]",
            "the lints are not the workspace's: add `[lints]` with `workspace = true`".to_owned(),
        );
    }
    let own = package.manifest.get("package");
    for key in INHERITED {
        if !is_inherited(own.and_then(|own| own.get(key))) {
            tell(key, format!("write `{key}.workspace = true`, so that all packages agree"));
        }
    }
    for dependency in package.dependencies() {
        if !dependency.is_shared() {
            let name = dependency.name;
            tell(
                name,
                format!("put `{name}` in [workspace.dependencies] and write `{name}.workspace = true` here"),
            );
        }
    }
    found
}

fn is_inherited(value: Option<&toml::Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::said_of;

    const GOOD: &str = "\
[package]
name = \"a\"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
publish.workspace = true
[lints]
workspace = true
[dependencies]
bytes.workspace = true
";

    fn said(manifest: &str) -> Vec<String> {
        let files = [
            ("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n"),
            ("a/Cargo.toml", manifest),
            ("a/src/lib.rs", "//! A.\n"),
        ];
        said_of(check, &files)
    }

    #[test]
    fn a_package_takes_everything_shared_from_the_root() {
        assert_eq!(said(GOOD), [""; 0]);
    }

    #[test]
    fn names_each_thing_that_a_package_settles_for_itself() {
        let cases = [
            ("[lints]\nworkspace = true\n", "", "add `[lints]`"),
            (
                "license.workspace = true",
                "license = \"MIT\"",
                "a/Cargo.toml:6: write `license.workspace = true`",
            ),
            (
                "bytes.workspace = true",
                "bytes = \"1\"",
                "a/Cargo.toml:11: put `bytes` in [workspace.dependencies]",
            ),
        ];
        for (good, bad, expected) in cases {
            let found = said(&GOOD.replace(good, bad));
            assert!(matches!(found.as_slice(), [one] if one.contains(expected)), "{found:?}");
        }
    }
}
