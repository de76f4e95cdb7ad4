//! The repository that a command of `new` is given from: Gatewright's clone, or a company's own.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::origin::Origin;
use crate::command;
use crate::distribution::manifest::{self, Source};
use crate::distribution::{Distribution, lexical};
use crate::workspace::is_clone;

/// The nearest such repository from a folder upwards; outside of any, the one whose `xtask` runs.
pub(super) fn find(current: &Path) -> Option<PathBuf> {
    let nearest = current.ancestors().find(|folder| is_home(folder)).map(Path::to_owned);
    nearest.or_else(|| {
        // Cargo tells a program that it runs where its package lies.
        let package = PathBuf::from(command::variable("CARGO_MANIFEST_DIR")?);
        package.parent().filter(|folder| is_home(folder)).map(Path::to_owned)
    })
}

fn is_home(folder: &Path) -> bool {
    folder.join(manifest::FILE).is_file() || is_clone(folder)
}

/// What a new repository in `folder` is built from: the clone, or what the company's own is built from.
///
/// # Errors
/// There is neither, or the company's manifest does not say.
pub(super) fn origin(home: Option<&Path>, folder: &Path) -> Result<Origin> {
    let Some(home) = home else {
        bail!(
            "there is no Gatewright here to build from: run this in its clone, or name a repository with `--git URL --rev HEX`"
        );
    };
    if is_clone(home) {
        return Ok(Origin::clone_seen_from(home, folder));
    }
    let dist = Distribution::load(home)?;
    match &dist.manifest.core.source.value {
        Source::Path(clone) => Ok(Origin::clone_seen_from(&lexical(&dist.resolve(clone)), folder)),
        Source::Git { url, rev } => Origin::git(url, rev),
        Source::Registry { .. } => bail!(
            "{} does not say by path or git what it is built from: name a repository with `--git URL --rev HEX`",
            dist.root.join(manifest::FILE).display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    fn manifest(core: &str) -> String {
        format!("manifest = 1\n[dist]\nname = \"acme\"\nversion = \"0.1.0\"\n[core]\n{core}\n")
    }

    #[test]
    fn a_company_hands_on_what_it_is_built_from() {
        let fixture = Fixture::new(&[
            ("gatewright/Cargo.toml", ""),
            ("gatewright/crates/core/Cargo.toml", ""),
            ("acme/gatewright.toml", &manifest("path = \"../gatewright\"")),
            ("acme/extensions/x/README.md", ""),
            ("other/gatewright.toml", &manifest("version = \"=0.1.0\"")),
        ]);
        let root = fixture.root().canonicalize().unwrap();
        let inside = root.join("acme/extensions/x");
        let home = find(&inside).unwrap();
        assert_eq!(home, root.join("acme"));
        let new = root.join("new");
        assert_eq!(origin(Some(&home), &new).unwrap(), Origin::Path("../gatewright".into()));
        assert_eq!(
            origin(Some(&root.join("gatewright")), &new).unwrap(),
            Origin::Path("../gatewright".into())
        );
        for home in [None, Some(root.join("other"))] {
            let message = origin(home.as_deref(), &new).unwrap_err().to_string();
            assert!(message.contains("--git URL --rev HEX"), "{message}");
        }
    }
}
