//! `cargo xtask new extension`: a crate that does something small and correct at each point that was asked for, with
//! its tests, and the lines that put it into the gateway.
//!
//! `point.rs` has the templates; `list.rs` names the crate in manifests and in the configuration.

mod list;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::dist::CORE_VERSION;
use super::imports::Imports;
use super::name::Name;
use super::point::{Place, Point};
use super::tree::Tree;
use super::{format_rust, home};
use crate::console::say;
use crate::workspace::is_clone;

const LIBRARY: &str = include_str!("template/extension/lib.rs.in");
const TESTS: &str = include_str!("template/extension/tests.rs.in");
const PAGE: &str = include_str!("template/extension/README.md.in");
const BENCH: &str = include_str!("template/extension/bench.rs.in");
const COMPANY_MANIFEST: &str = include_str!("template/extension/company-Cargo.toml.in");
const CLONE_MANIFEST: &str = include_str!("template/extension/clone-Cargo.toml.in");

/// What the extension is called and does.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The extension: its folder, its package and its name in the configuration
    name: String,
    /// The points that it implements: auth, request, limiter, response, credential, picker, provider, estimator,
    /// sink, audit
    #[arg(long, value_name = "POINT", value_delimiter = ',', required = true)]
    point: Vec<String>,
}

/// Where an extension is written, which decides how its manifest looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Home {
    /// A company's repository.
    Company,
    /// Gatewright's clone.
    Clone,
}

/// A new extension.
#[derive(Debug)]
struct Extension {
    name: Name,
    points: Vec<Point>,
    home: Home,
}

/// Writes the crate, names it where the gateway is put together, and says what is left to do.
///
/// # Errors
/// The name cannot be one or is taken, a point is none, or a manifest cannot be changed.
pub(super) fn run(options: &Options) -> Result<()> {
    let (name, points) = (Name::parse(&options.name)?, Point::parse_all(&options.point)?);
    let current = std::env::current_dir().context("the current folder is not known")?;
    let Some(root) = home::find(&current) else {
        bail!("this is no distribution: run it in one, which `cargo xtask new dist NAME` makes");
    };
    let home = if is_clone(&root) { Home::Clone } else { Home::Company };
    let extension = Extension { name, points, home };
    let folder = extension.folder();
    let tree = extension.tree();
    tree.write(&root.join(&folder))?;
    format_rust(&root.join(&folder), tree.rust_files());
    say(format_args!("wrote {} ({})", folder.display(), extension.package()));
    list::list(&root, &extension)
}

impl Extension {
    /// Relative to the root of the repository. In the clone, providers have a folder of their own.
    fn folder(&self) -> PathBuf {
        let folder = Path::new("extensions");
        match self.home {
            Home::Clone if self.is_provider() => folder.join("providers").join(self.name.as_str()),
            Home::Clone | Home::Company => folder.join(self.name.as_str()),
        }
    }

    fn package(&self) -> String {
        match self.home {
            Home::Company => self.name.to_string(),
            Home::Clone if self.is_provider() => format!("gatewright-provider-{}", self.name),
            Home::Clone => format!("gatewright-ext-{}", self.name),
        }
    }

    fn is_provider(&self) -> bool {
        self.points.iter().any(|point| point.name == "provider")
    }

    /// The texts of one section of all points.
    fn sections(&self, name: &str) -> String {
        self.points.iter().map(|point| point.section(name)).collect()
    }

    fn imports(&self, section: &str, always: &str) -> String {
        let mut imports = Imports::default();
        imports.add(always);
        for point in &self.points {
            imports.add(point.section(section));
        }
        imports.to_text()
    }

    /// What it does, as a sentence without its period.
    fn purpose(&self) -> String {
        let parts: Vec<&str> = self.points.iter().map(|point| point.section("purpose").trim()).collect();
        let text = match parts.as_slice() {
            [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
            parts => parts.concat(),
        };
        let mut letters = text.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
    }

    fn tree(&self) -> Tree {
        let values = self.values();
        let manifest = match self.home {
            Home::Company => COMPANY_MANIFEST,
            Home::Clone => CLONE_MANIFEST,
        };
        let mut tree = Tree::default();
        for (path, template) in [
            ("Cargo.toml", manifest),
            ("README.md", PAGE),
            ("src/lib.rs", LIBRARY),
            ("src/tests.rs", TESTS),
            ("benches/cost.rs", BENCH),
        ] {
            tree.add(path, template, &values);
        }
        tree
    }

    /// What is filled in: first what templates of points add, then the names that they use.
    fn values(&self) -> Vec<(&'static str, String)> {
        let created = self.sections("create") + &self.sections("init");
        let parameter = |name: &str| {
            let unused = if created.contains(&format!("{name}.")) { "" } else { "_" };
            format!("{unused}{name}")
        };
        let can_derive = !self.sections("field").contains("dyn ");
        let (derive, debug) = if can_derive { ("#[derive(Debug)]\n", "") } else { ("", DEBUG) };
        let traits: Vec<&str> = self.points.iter().map(|point| point.trait_name).collect();
        let samples = self.points.iter().map(|point| point.section("sample").trim());
        let samples: Vec<&str> = samples.filter(|sample| !sample.is_empty()).collect();
        vec![
            ("USE", self.imports("use", SDK)),
            ("SETTING", self.sections("setting")),
            ("DEFAULT", self.sections("default")),
            ("DERIVE", derive.to_owned()),
            ("DEBUG", debug.to_owned()),
            ("FIELD", self.sections("field")),
            ("SETTINGS", parameter("settings")),
            ("ENV", parameter("env")),
            ("CREATE", self.sections("create")),
            ("INIT", self.sections("init")),
            ("IMPL", self.sections("impl")),
            ("TRAITS", traits.join(", ")),
            ("TEST_USE", self.imports("test use", TEST_KIT)),
            (
                "INSTANCE_FN",
                if self.sections("test").contains(" instance()") { INSTANCE_FN } else { "" }.to_owned(),
            ),
            ("SAMPLE", samples.join(", ")),
            ("TEST", self.sections("test")),
            ("INSTANCE", self.instances("  ")),
            ("PLACES", self.places()),
            ("TABLE", self.table()),
            ("WIRE", self.wire()),
            ("PURPOSE", self.purpose()),
            ("LIB", self.package().replace('-', "_")),
            ("PACKAGE", self.package()),
            ("CORE_VERSION", CORE_VERSION.to_owned()),
            ("TYPE", self.name.type_name()),
            ("NAME", self.name.to_string()),
        ]
    }

    /// The dependency that providers have beside the SDK.
    fn wire(&self) -> String {
        match (self.is_provider(), self.home) {
            (false, _) => String::new(),
            (true, Home::Company) => format!("gatewright-wire = \"{CORE_VERSION}\"\n"),
            (true, Home::Clone) => "gatewright-wire.workspace = true\n".to_owned(),
        }
    }

    /// An instance in YAML, as an item of a list. An adapter has none: a provider of the configuration is its instance.
    fn instance(&self, indent: &str) -> String {
        if self.points.iter().all(Point::is_adapter) {
            return String::new();
        }
        let name = &self.name;
        let mut lines = vec![format!("- id: {name}"), format!("  use: {name}")];
        let of_instance = self.points.iter().filter(|point| !point.is_adapter());
        let settings: String = of_instance.map(|point| point.section("yaml")).collect();
        if !settings.is_empty() {
            lines.push("  with:".to_owned());
        }
        lines.extend(settings.lines().map(|line| format!("  {}", line.strip_prefix("    ").unwrap_or(line))));
        lines.iter().map(|line| format!("{indent}{line}\n")).collect()
    }

    /// The list of instances; nothing where there is none.
    fn instances(&self, indent: &str) -> String {
        let instance = self.instance(indent);
        if instance.is_empty() { instance } else { format!("extensions:\n{instance}") }
    }

    /// The rest of a configuration that names an instance, for the page.
    fn places(&self) -> String {
        let name = &self.name;
        let line = |place: Place| match place {
            Place::Top(key) => ("", format!("{key}: [{name}]\n")),
            Place::Provider(key) => (PROVIDER, format!("    {key}: {name}\n")),
            Place::Model(key) => (
                "models:\n  gpt-4o-mini:\n    targets: [{ provider: main }]\n",
                format!("    {key}: {name}\n"),
            ),
            Place::Route(key) => {
                ("routes:\n  - name: default\n    match: { path: /v1/* }\n", format!("    {key}: [{name}]\n"))
            }
        };
        let mut groups: BTreeMap<&str, String> = BTreeMap::new();
        for point in &self.points {
            let (head, line) = line(point.place());
            let group = groups.entry(head).or_default();
            group.push_str(&line);
            if point.is_adapter() {
                group.push_str(&format!("    with:\n{}", point.section("yaml")));
            }
        }
        groups.into_iter().map(|(head, lines)| format!("{head}{lines}")).collect()
    }

    fn table(&self) -> String {
        let rows = self.sections("row");
        if rows.is_empty() { rows } else { format!("\n| setting | meaning |\n| --- | --- |\n{rows}") }
    }
}

/// A provider of the configuration, without what speaks to it.
const PROVIDER: &str = "providers:\n  main:\n    base_url: https://api.example.com/v1\n";
/// What every extension imports.
const SDK: &str = "use gatewright::prelude::*;\n";
/// What the tests of every extension import.
const TEST_KIT: &str = "use gatewright::prelude::*;
use gatewright::serde_json::{Value, json};
use gatewright_testkit::extension::{self};
";
/// Where tests take an instance as it comes.
const INSTANCE_FN: &str = "\
/// An instance with settings that show something.
async fn instance() -> @TYPE@ {
    extension::create(settings()).await.expect(\"the settings are valid\")
}

";
/// Where a field has no `Debug` that could be derived.
const DEBUG: &str = "
impl std::fmt::Debug for @TYPE@ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(\"@TYPE@\").finish_non_exhaustive()
    }
}
";
