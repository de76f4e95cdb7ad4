//! A Gatewright of a few lines and a company that builds on it: everything that the tool does with sources, locks,
//! folders and repositories, without the minutes that the real one takes to compile.
//!
//! Its gateway believes that everything expected has registered; what registration promises is tested on the real core.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Distribution;
use super::compile::BuildOptions;
use crate::command;
use crate::fixture::Fixture;

const GATEWAY: &str = r###"//! The gateway.
use std::process::ExitCode;

#[derive(Debug)]
pub enum Point { RequestTransform, ResponseFilter }

pub struct Expected {
    pub package: &'static str,
    pub listed_in: &'static str,
    pub points: Option<&'static [Point]>,
}

pub struct Build {
    pub name: &'static str,
    pub version: &'static str,
    pub expected: &'static [Expected],
    pub allow_unlisted: bool,
    pub info: Option<&'static str>,
}

pub fn run(build: &Build) -> ExitCode {
    let one = |known: &Expected| {
        let points = known.points.map(|points| format!("{points:?}")).unwrap_or_default().to_lowercase();
        let points = points.trim_matches(['[', ']']);
        format!(r##"{{"name":"{0}","package":"{0}","version":"0.1.0","points":["{points}"]}}"##, known.package)
    };
    let all: Vec<String> = build.expected.iter().map(one).collect();
    println!(r##"{{"info":{},"extensions":[{}]}}"##, build.info.unwrap_or("null"), all.join(","));
    ExitCode::SUCCESS
}
"###;

/// The manifest of the company, without its extensions.
pub(crate) const MANIFEST: &str = r#"manifest = 1

[dist]
name = "acme"
version = "1.4.0"
description = "ACME AI gateway"

[core]
path = "../gw"
"#;

/// The files of Gatewright, below a folder.
fn gatewright(folder: &str) -> Vec<(String, String)> {
    let member = |name: &str, rest: &str| {
        format!(
            "[package]\nname = \"gatewright-{name}\"\nversion.workspace = true\nedition.workspace = true\n{rest}"
        )
    };
    let core = "gatewright-core = { path = \"../core\", version = \"0.1.0\" }\n";
    let files = [
        (
            "Cargo.toml",
            "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\", \"extensions/*\"]\n[workspace.package]\nversion = \
             \"0.1.0\"\nedition = \"2024\"\n"
                .to_owned(),
        ),
        (
            "gatewright.toml",
            "manifest = 1\n[dist]\nname = \"gatewright\"\nversion = \"0.1.0\"\n[core]\npath = \
             \".\"\ndefault-extensions = false\n[extensions]\nhello = { path = \"extensions/hello\" }\n"
                .to_owned(),
        ),
        (
            "crates/core/Cargo.toml",
            member(
                "core",
                "links = \"gatewright-core\"\nbuild = \"build.rs\"\n[lib]\nname = \
                 \"gatewright\"\n[dependencies]\ngatewright-macros = { path = \"../macros\", version = \"0.1.0\" }\n",
            ),
        ),
        ("crates/core/build.rs", "fn main() {}\n".to_owned()),
        ("crates/core/src/lib.rs", "//! The core.\n".to_owned()),
        ("crates/macros/Cargo.toml", member("macros", "")),
        ("crates/macros/src/lib.rs", "//! The macros.\n".to_owned()),
        ("crates/wire/Cargo.toml", member("wire", &format!("[dependencies]\n{core}"))),
        ("crates/wire/src/lib.rs", "//! The wire.\n".to_owned()),
        (
            "crates/gateway/Cargo.toml",
            member("gateway", &format!("[dependencies]\n{core}gatewright-wire = {{ path = \"../wire\" }}\n")),
        ),
        ("crates/gateway/src/lib.rs", GATEWAY.to_owned()),
        (
            "extensions/hello/Cargo.toml",
            member("ext-hello", &format!("[dependencies]\n{}", core.replace("../core", "../../crates/core"))),
        ),
        ("extensions/hello/src/lib.rs", "//! Hello.\n".to_owned()),
    ];
    files.into_iter().map(|(path, text)| (format!("{folder}/{path}"), text)).collect()
}

/// Both repositories, side by side in a folder of their own.
#[derive(Debug)]
pub(crate) struct World(Fixture);

impl World {
    /// A company with the extension `pii`, whose manifest says where it takes the core from.
    pub(crate) fn new(core_of_pii: &str) -> Self {
        let manifest =
            format!("{MANIFEST}\n[extensions.pii]\npath = \"extensions/acme-pii\"\nallow = [\"request\"]\n");
        let pii = extension("acme-pii", &format!("gatewright-core = {core_of_pii}\n"));
        let mut files = gatewright("gw");
        files.extend(gatewright("gw2"));
        let company = [
            ("acme/gatewright.toml", manifest.as_str()),
            // No test may ask a network.
            ("acme/.cargo/config.toml", "[net]\noffline = true\n"),
            ("acme/extensions/acme-pii/Cargo.toml", &pii),
            ("acme/extensions/acme-pii/src/lib.rs", "//! PII.\n"),
        ];
        files.extend(company.map(|(path, text)| (path.to_owned(), text.to_owned())));
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        Self(Fixture::new(&files))
    }

    /// A company whose extension names the core by version, as it should.
    pub(crate) fn good() -> Self {
        Self::new("\"0.1\"")
    }

    /// Lets cargo fetch, from repositories on this disk.
    pub(crate) fn may_fetch(self) -> Self {
        self.write("acme/.cargo/config.toml", "");
        self
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.root()
    }

    /// Writes a file of the world.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    /// Replaces the manifest's text from `[extensions` on.
    pub(crate) fn with_extensions(&self, text: &str) {
        self.write("acme/gatewright.toml", &format!("{MANIFEST}\n{text}"));
    }

    /// The company's distribution as it is now.
    pub(crate) fn dist(&self) -> Distribution {
        Distribution::load(&self.root().join("acme")).unwrap()
    }

    /// Builds it for daily work.
    #[track_caller]
    pub(crate) fn build(&self) -> PathBuf {
        self.dist().build(&daily()).unwrap().binary
    }

    /// What is wrong with it.
    #[track_caller]
    pub(crate) fn refusal(&self) -> String {
        format!("{:#}", self.dist().build(&daily()).unwrap_err())
    }
}

/// A debug build that may write the lock, also where the tests run in continuous integration.
pub(crate) fn daily() -> BuildOptions {
    BuildOptions { locked: false, ..BuildOptions::default() }
}

/// The manifest of an extension.
pub(crate) fn extension(name: &str, dependencies: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\n{dependencies}"
    )
}

/// Copies files into a git repository with one commit, and returns its URL and revision. The same name and files give
/// the same again, so that cargo's own cache of repositories does not grow with every run.
pub(crate) fn repository(name: &str, files: &[(String, String)]) -> (String, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let folder = folder.join("target").join("test-repositories").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(&folder).args(["-c", "user.name=a", "-c", "user.email=a@b.example"]).args(arguments);
        for role in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{role}_DATE"), "2000-01-01T00:00:00Z");
        }
        command::read(&mut git).unwrap()
    };
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--no-gpg-sign", "--message", "all"]);
    (format!("file://{}", folder.display()), git(&["rev-parse", "HEAD"]).trim().to_owned())
}

/// The files of Gatewright for [`repository`].
pub(crate) fn gatewright_files() -> Vec<(String, String)> {
    let files = gatewright("x").into_iter();
    files.map(|(path, text)| (path.trim_start_matches("x/").to_owned(), text)).collect()
}
