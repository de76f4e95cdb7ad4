//! `cargo xtask new dist`: a company's repository, complete and working.
//!
//! Its files are templates in `template/dist`; this file says where each goes and what is filled in.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::name::Name;
use super::origin::Origin;
use super::tree::{self, Tree};
use super::{format_rust, home};
use crate::console::{print, say};
use crate::distribution::{lexical, relative};
use crate::workspace;

/// The lock of Gatewright's own workspace, from which a company starts: the versions that were tested together.
const LOCK: &str = "Cargo.lock";
/// What a distribution's name ends in, unless its owner says otherwise.
const SUFFIX: &str = "-gateway";

/// Where each template goes.
const FILES: &[(&str, &str)] = &[
    ("gatewright.toml", include_str!("template/dist/gatewright.toml.in")),
    ("gateway.yaml", include_str!("template/dist/gateway.yaml.in")),
    ("dev.yaml", include_str!("template/dist/dev.yaml.in")),
    ("Cargo.toml", include_str!("template/dist/Cargo.toml.in")),
    ("rust-toolchain.toml", include_str!("template/dist/rust-toolchain.toml.in")),
    (".cargo/config.toml", include_str!("template/dist/cargo-config.toml.in")),
    (".gitignore", include_str!("template/dist/gitignore.in")),
    ("data/.gitignore", include_str!("template/dist/data-gitignore.in")),
    ("README.md", include_str!("template/dist/README.md.in")),
    ("Containerfile", include_str!("template/dist/Containerfile.in")),
    (".github/workflows/ci.yml", include_str!("template/dist/ci.yml.in")),
    ("xtask/Cargo.toml", include_str!("template/dist/xtask-Cargo.toml.in")),
    ("xtask/src/main.rs", include_str!("template/dist/xtask-main.rs.in")),
    ("tests/Cargo.toml", include_str!("template/dist/tests-Cargo.toml.in")),
    ("tests/simulator.rs", include_str!("template/dist/simulator.rs.in")),
    ("tests/smoke.rs", include_str!("template/dist/smoke.rs.in")),
];

/// The files of the first extension, below its folder.
const EXAMPLE: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("template/dist/example/Cargo.toml.in")),
    ("README.md", include_str!("template/dist/example/README.md.in")),
    ("src/lib.rs", include_str!("template/dist/example/lib.rs.in")),
    ("src/tests.rs", include_str!("template/dist/example/tests.rs.in")),
    ("benches/cost.rs", include_str!("template/extension/bench.rs.in")),
];

/// Settings of the first extension for its bench.
const SAMPLE: &str = r#""names": {"Falcon": "the new product", "K2": "the site"}"#;

/// What the repository is called, where it goes, and what it is built from.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The company or team, such as acme: the gateway is acme-gateway, the first extension acme-example
    name: String,
    /// The folder to write into: new, or empty. Default: the current folder where it is empty, else one of the name
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Build from this repository of Gatewright instead of the clone on this disk
    #[arg(long, value_name = "URL", requires = "rev")]
    git: Option<String>,
    /// The full revision in that repository
    #[arg(long, value_name = "HEX", requires = "git")]
    rev: Option<String>,
}

/// Writes the repository and says how to go on.
///
/// # Errors
/// The name cannot be one, the folder holds something, or there is no Gatewright to build from.
pub(super) fn run(options: &Options) -> Result<()> {
    let name = Name::parse(&options.name)?;
    let current = std::env::current_dir().context("the current folder is not known")?;
    let home = home::find(&current);
    let folder = match &options.path {
        Some(path) => current.join(path),
        None => default_folder(&current, home.as_deref(), &name)?,
    };
    let folder = lexical(&folder);
    let origin = match (&options.git, &options.rev) {
        (Some(url), Some(rev)) => Origin::git(url, rev)?,
        _ => home::origin(home.as_deref(), &folder)?,
    };
    let is_inside = |home: &&Path| folder.starts_with(home) && !folder.starts_with(workspace::target(home));
    if let Some(home) = home.as_deref().filter(is_inside) {
        bail!(
            "{} lies inside {}, a repository of its own: name a folder outside with `--path`",
            folder.display(),
            home.display()
        );
    }
    let tree = repository(&name, &origin)?;
    tree.write(&folder)?;
    if let (Origin::Path(path), lock) = (&origin, folder.join(LOCK)) {
        seed(&folder.join(path).join(LOCK), &lock)?;
    }
    format_rust(&folder, tree.rust_files());
    say(format_args!("wrote {} ({})", folder.display(), gateway_name(&name)));
    let way = relative(&current, &folder);
    print(&tree::fill(NEXT, &[("FOLDER", way.display().to_string())]));
    Ok(())
}

/// What to do with a new repository.
const NEXT: &str = "
Next:

  cd @FOLDER@
  cargo xtask dev      # builds it, runs it in front of a simulated provider, and says what to ask

";

/// All files of a company's repository.
fn repository(name: &Name, origin: &Origin) -> Result<Tree> {
    let company = company(name);
    let (dist, example) = (gateway_name(name), Name::parse(&format!("{company}-example"))?);
    let values = [
        ("COMPANY", company.to_owned()),
        ("DIST", dist),
        ("EXAMPLE", example.to_string()),
        ("NAME", example.to_string()),
        ("SAMPLE", SAMPLE.to_owned()),
        ("TYPE", example.type_name()),
        ("LIB", example.library()),
        ("CORE", origin.core_table()?),
        ("PATCHES", origin.patches()?),
        ("CORE_VERSION", CORE_VERSION.to_owned()),
        ("RUST", rust_version()?),
    ];
    let mut tree = Tree::default();
    for (path, template) in FILES {
        tree.add(*path, template, &values);
    }
    let folder = Path::new("extensions").join(example.as_str());
    for (path, template) in EXAMPLE {
        tree.add(folder.join(path), template, &values);
    }
    Ok(tree)
}

/// The version of the SDK that extensions ask for: any that is compatible with the one at hand.
pub(super) const CORE_VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
/// The toolchain that Gatewright itself is built with.
const TOOLCHAIN: &str = include_str!("../../../../rust-toolchain.toml");

/// The channel of the toolchain.
fn rust_version() -> Result<String> {
    let table: toml::Table = TOOLCHAIN.parse().context("rust-toolchain.toml is no TOML")?;
    let channel = table.get("toolchain").and_then(|toolchain| toolchain.get("channel")?.as_str());
    Ok(channel.context("rust-toolchain.toml names no channel")?.to_owned())
}

/// The company's name, without what makes it a gateway's.
fn company(name: &Name) -> &str {
    name.as_str().strip_suffix(SUFFIX).unwrap_or(name.as_str())
}

fn gateway_name(name: &Name) -> String {
    format!("{}{SUFFIX}", company(name))
}

/// The current folder where it is empty, else one of the name: in it, or beside the repository that it lies in.
fn default_folder(current: &Path, home: Option<&Path>, name: &Name) -> Result<PathBuf> {
    if tree::is_empty(current)? {
        return Ok(current.to_owned());
    }
    let parent = home.filter(|home| current.starts_with(home)).and_then(Path::parent);
    Ok(parent.unwrap_or(current).join(company(name)))
}

/// Starts a lock from the one of the clone, so that the company gets the versions that were tested together.
fn seed(from: &Path, to: &Path) -> Result<()> {
    if !from.is_file() {
        return Ok(());
    }
    fs::copy(from, to).with_context(|| format!("cannot write {}", to.display())).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::manifest::Manifest;

    fn repository_of(name: &str) -> Tree {
        repository(&Name::parse(name).unwrap(), &Origin::Path("../gatewright".into())).unwrap()
    }

    #[track_caller]
    fn text_of<'t>(tree: &'t Tree, path: &str) -> &'t str {
        let found = tree.files().iter().find(|(known, _)| known == Path::new(path));
        &found.unwrap_or_else(|| panic!("{path} is not written")).1
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        for (path, text) in repository_of("acme").files() {
            let mut marks = text.split('@').skip(1).step_by(2);
            let left = marks
                .find(|mark| !mark.is_empty() && mark.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
            assert_eq!(left, None, "{}", path.display());
        }
    }

    #[test]
    fn a_company_is_called_the_same_with_and_without_the_suffix() {
        for name in ["acme", "acme-gateway"] {
            let tree = repository_of(name);
            let manifest = Manifest::parse(text_of(&tree, "gatewright.toml")).unwrap();
            assert_eq!(manifest.name, "acme-gateway");
            assert_eq!(manifest.extensions[0].key, "acme-example");
            text_of(&tree, "extensions/acme-example/src/lib.rs");
        }
    }

    #[test]
    fn the_toolchain_is_the_one_that_gatewright_is_built_with() {
        let tree = repository_of("acme");
        let manifest = Manifest::parse(text_of(&tree, "gatewright.toml")).unwrap();
        assert_eq!(manifest.toolchain.unwrap().value, rust_version().unwrap());
        assert!(text_of(&tree, "rust-toolchain.toml").contains(&rust_version().unwrap()));
    }

    #[test]
    fn the_default_folder_is_an_empty_one_or_beside_the_repository_or_here() {
        let temporary = tempfile::tempdir().unwrap();
        let (root, name) = (temporary.path(), Name::parse("acme-gateway").unwrap());
        assert_eq!(default_folder(root, None, &name).unwrap(), root);
        let clone = root.join("gatewright");
        fs::create_dir_all(clone.join("crates")).unwrap();
        assert_eq!(default_folder(root, None, &name).unwrap(), root.join("acme"));
        assert_eq!(default_folder(&clone, Some(&clone), &name).unwrap(), root.join("acme"));
        assert_eq!(default_folder(root, Some(&clone), &name).unwrap(), root.join("acme"));
    }
}
