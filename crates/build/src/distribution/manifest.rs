//! `gatewright.toml`: what a distribution is made of, as data.
//!
//! `read.rs` takes the text apart and reports every mistake at once, with its line; `section.rs` is the reader of one
//! table. What stands here has been checked: names are names, revisions are full, paths are relative to the manifest
//! or absolute, points exist.

mod read;
mod section;

use std::path::Path;

use anyhow::{Context, Result, bail};

pub(super) use read::place;
pub(super) use section::hint;

/// The name of the file.
pub(crate) const FILE: &str = "gatewright.toml";

/// The points of the SDK, as the manifest writes them and as the enum of core does.
pub(crate) const POINTS: [(&str, &str); 10] = [
    ("auth", "Authenticator"),
    ("request", "RequestTransform"),
    ("limiter", "Limiter"),
    ("response", "ResponseFilter"),
    ("credential", "CredentialProvider"),
    ("picker", "TargetPicker"),
    ("provider", "ProviderAdapter"),
    ("estimator", "TokenEstimator"),
    ("sink", "UsageSink"),
    ("audit", "AuditSink"),
];

/// A whole manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: Option<String>,
    /// What `build --release` uses.
    pub(crate) profile: Shipping,
    pub(crate) allocator: Allocator,
    pub(crate) core: Core,
    pub(crate) toolchain: Option<Located<String>>,
    /// In the order of their keys.
    pub(crate) extensions: Vec<Entry>,
    /// Replacements of crates from the public registry, in the order of their names.
    pub(crate) patches: Vec<Patch>,
    pub(crate) policy: Policy,
    /// In the order of their names.
    pub(crate) budgets: Vec<Budget>,
}

/// A value and the line that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located<T> {
    pub(crate) line: usize,
    pub(crate) value: T,
}

/// How a binary that ships is optimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shipping {
    /// Thin link-time optimisation.
    Release,
    /// Fat link-time optimisation: slower to build, smaller and faster to run.
    Dist,
}

/// Who hands out memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allocator {
    System,
    Mimalloc,
}

/// Where a package comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// As written: relative to the manifest, or absolute.
    Path(String),
    Git {
        url: String,
        rev: String,
    },
    /// Without a name the public registry.
    Registry {
        version: String,
        registry: Option<String>,
    },
}

/// The core that everything is built on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Core {
    pub(crate) source: Located<Source>,
    /// Whether the extensions that come with the core are linked; the line is that of the key, or of the table.
    pub(crate) default_extensions: Located<bool>,
    /// Packages that are left out of them.
    pub(crate) without: Vec<Located<String>>,
}

/// One extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// The line of the key.
    pub(crate) line: usize,
    pub(crate) source: Source,
    /// The name of the package where the manifest gives one.
    pub(crate) package: Option<String>,
    pub(crate) features: Vec<String>,
    /// The points that it may register, by the names of [`POINTS`]; all of them where the manifest does not say.
    pub(crate) allow: Option<Vec<String>>,
}

/// A replacement of a crate that somebody depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) source: Source,
}

/// What a distribution may contain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Whether packages that the manifest does not name may register extensions.
    pub(crate) allow_unlisted: bool,
    /// Crates that may be there in one version only.
    pub(crate) deny_duplicates: Vec<Located<String>>,
    /// The licences that crates from elsewhere may have; any where the manifest does not say.
    pub(crate) licenses: Option<Located<Vec<String>>>,
    /// Folders whose packages must be free of `unsafe`; the last part may be `*`.
    pub(crate) forbid_unsafe_in: Vec<Located<String>>,
    pub(crate) max_binary_mib: Option<Located<u64>>,
}

/// What a hook of an extension may cost in a bench.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Budget {
    /// The registered name of the extension.
    pub(crate) extension: String,
    pub(crate) line: usize,
    /// Measure and bound, in the order of the measures.
    pub(crate) bounds: Vec<(String, u64)>,
}

impl Manifest {
    /// Reads the manifest in `root`.
    ///
    /// # Errors
    /// It cannot be read, or something in it is wrong; the message has a line for every mistake.
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let path = root.join(FILE);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text)
    }

    /// Reads the text of a manifest.
    ///
    /// # Errors
    /// Something in it is wrong; the message has a line for every mistake.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        match read::manifest(text) {
            Ok(manifest) => Ok(manifest),
            Err(mistakes) => bail!("{FILE} is wrong:\n{}", mistakes.join("\n")),
        }
    }
}

impl Source {
    /// Where the package comes from, the same on every machine and without a folder of this one.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Path(path) if Path::new(path).is_absolute() => "path".to_owned(),
            Self::Path(path) => format!("path+{path}"),
            Self::Git { url, rev } => format!("git+{url}#{rev}"),
            Self::Registry { registry, .. } => {
                format!("registry+{}", registry.as_deref().unwrap_or("crates-io"))
            }
        }
    }
}

/// The variant of core's enum for a point of the manifest.
pub(crate) fn point_variant(name: &str) -> Option<&'static str> {
    POINTS.iter().find(|(known, _)| *known == name).map(|(_, variant)| *variant)
}

#[cfg(test)]
mod tests;
