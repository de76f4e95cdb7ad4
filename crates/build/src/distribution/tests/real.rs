//! What registration promises, on the real core: what registered is found with every profile and linker of this machine,
//! and what should not be there is told by the binary and by the build.
//!
//! The gateway around the core is a few lines, so that a profile compiles in seconds. The folder is kept between runs,
//! and one test at a time works in it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::world::{daily, extension};
use super::super::{Distribution, generate, info, prepare};
use super::{assert_said, is_full};
use crate::command;

const GATEWAY: &str = r#"//! The gateway.
use std::process::ExitCode;

pub use gatewright::point::Point;
pub use gatewright::registry::Expected;
use gatewright::registry::{Registry, RegistryError};

pub struct Build {
    pub name: &'static str,
    pub version: &'static str,
    pub expected: &'static [Expected],
    pub allow_unlisted: bool,
    pub info: Option<&'static str>,
}

fn linked(build: &Build) -> Result<Registry, Vec<RegistryError>> {
    let linked = Registry::linked()?;
    linked.check(build.expected, build.allow_unlisted)?;
    Ok(linked)
}

pub fn run(build: &Build) -> ExitCode {
    match linked(build) {
        Ok(linked) => {
            let one = |known: &gatewright::registry::Registration| {
                let points: Vec<_> = known.points.iter().map(|point| point.as_str()).collect();
                format!(
                    "{{\"name\":\"{}\",\"package\":\"{}\",\"version\":\"{}\",\"points\":[\"{}\"]}}",
                    known.name, known.package, known.version, points.join("\",\"")
                )
            };
            println!("[{}]", linked.iter().map(one).collect::<Vec<_>>().join(","));
            ExitCode::SUCCESS
        }
        Err(errors) => {
            errors.iter().for_each(|error| eprintln!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
"#;

/// The source of a crate that registers an extension for requests.
pub(super) fn registering(name: &str, more: &str) -> String {
    format!(
        r#"//! Registers.
use gatewright::prelude::*;

pub struct One;

impl Extension for One {{
    const NAME: &'static str = "{name}";
    type Config = ();

    async fn create(_config: (), _env: ExtEnv) -> Result<Self, BuildError> {{
        Ok(Self)
    }}
}}

#[async_trait]
impl RequestTransform for One {{
    async fn on_request(&self, _request: &mut LlmRequest, _cx: &mut RequestCx) -> HookResult {{
        Ok(Flow::Continue)
    }}
}}

gatewright::register!(One => RequestTransform);
{more}"#
    )
}

/// Gatewright's real core with a small gateway, and a company with two extensions.
struct Real {
    folder: PathBuf,
    /// Held for as long as this test works in the folder.
    _lock: File,
}

impl Real {
    fn new(name: &str) -> Self {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let folder = repository.join("target").join("test-worlds").join(name);
        fs::create_dir_all(&folder).unwrap();
        let lock = File::create(folder.join("lock")).unwrap();
        lock.lock().unwrap();
        let world = Self { folder, _lock: lock };
        for package in ["core", "macros", "wire"] {
            let from = repository.join("crates").join(package);
            for file in info::files(&from).unwrap() {
                let text = fs::read_to_string(from.join(&file)).unwrap();
                world.write(&format!("gw/crates/{package}/{}", file.display()), &text);
            }
        }
        let manifest = fs::read_to_string(repository.join("Cargo.toml")).unwrap();
        let (before, rest) = manifest.split_once("members = [").unwrap();
        let (_, after) = rest.split_once(']').unwrap();
        world.write("gw/Cargo.toml", &format!("{before}members = [\"crates/*\"]{after}"));
        world.write("gw/Cargo.lock", &fs::read_to_string(repository.join("Cargo.lock")).unwrap());
        world.write(
            "gw/gatewright.toml",
            "manifest = 1\n[dist]\nname = \"gatewright\"\nversion = \"0.1.0\"\n[core]\npath = \".\"\n",
        );
        let gateway = "[package]\nname = \"gatewright-gateway\"\nversion = \"0.1.0\"\nedition = \
                       \"2024\"\n[dependencies]\ngatewright-core.workspace = true\n";
        world.write("gw/crates/gateway/Cargo.toml", gateway);
        world.write("gw/crates/gateway/src/lib.rs", GATEWAY);
        world.write("acme/hidden/Cargo.toml", &extension("hidden", "gatewright-core = \"0.1\"\n"));
        world.write("acme/hidden/src/lib.rs", &registering("acme.hidden", ""));
        for name in ["one", "two"] {
            world.write(&format!("acme/{name}/Cargo.toml"), &extension(name, "gatewright-core = \"0.1\"\n"));
            world.write(&format!("acme/{name}/src/lib.rs"), &registering(&format!("acme.{name}"), ""));
        }
        world.lists("");
        world
    }

    fn write(&self, path: &str, text: &str) {
        generate::write(&self.folder.join(path), text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.join(path)).unwrap()
    }

    /// Writes the manifest, with `more` at its end.
    fn lists(&self, more: &str) {
        let text = format!(
            "manifest = 1\n[dist]\nname = \"acme\"\nversion = \"1.0.0\"\n[core]\npath = \"../gw\"\ndefault-extensions = \
             false\n[extensions]\none = {{ path = \"one\", allow = [\"request\"] }}\ntwo = {{ path = \"two\" }}\n{more}"
        );
        self.write("acme/gatewright.toml", &text);
    }

    fn dist(&self) -> Distribution {
        Distribution::load(&self.folder.join("acme")).unwrap()
    }

    /// Builds with an edit of one file, and returns what the build says against it.
    #[track_caller]
    fn refusal_with(&self, path: &str, text: &str) -> String {
        let before = self.read(path);
        self.write(path, text);
        let refusal = self.dist().build(&daily());
        self.write(path, &before);
        format!("{:#}", refusal.unwrap_err())
    }

    /// What the binary of a profile answers, built with more arguments for cargo and flags for the compiler.
    fn answer(&self, arguments: &[&str], flags: &str) -> String {
        let dist = self.dist();
        let prepared = prepare::prepare(&dist, &daily()).unwrap();
        let mut build = prepared.cargo.command("build", &dist.folder());
        build.arg("--target-dir").arg(dist.target()).args(arguments);
        build.env("RUSTFLAGS", flags);
        let binary = super::super::compile::run(&mut build, "acme").unwrap();
        command::read(&mut Command::new(binary)).unwrap()
    }

    /// What the binary answers once it alone was linked again, with these flags.
    fn answer_linked(&self, built: &Path, flags: &str) -> String {
        let dist = self.dist();
        let prepared = prepare::prepare(&dist, &daily()).unwrap();
        let mut link = prepared.cargo.command("rustc", &dist.folder());
        link.arg("--target-dir").arg(dist.target()).args(["--bin", "acme", "--"]).args(flags.split(' '));
        command::read(&mut link).unwrap();
        command::read(&mut Command::new(built)).unwrap()
    }
}

/// Flags that choose each linker of this machine, but for lld, which the compiler brings and takes by itself.
fn linkers() -> Vec<String> {
    let is_installed = |linker: &&str| {
        [format!("ld.{linker}"), (*linker).to_owned()].iter().any(|name| command::on_path(name).is_some())
    };
    let linkers = ["bfd", "gold", "mold"].into_iter().filter(is_installed);
    linkers.map(|linker| format!("-Clinker-features=-lld -Clink-arg=-fuse-ld={linker}")).collect()
}

/// What the two extensions register, in order.
const ANSWER: &str = "[{\"name\":\"acme.one\",\"package\":\"one\",\"version\":\"0.1.0\",\"points\":[\"request\"]},\
                      {\"name\":\"acme.two\",\"package\":\"two\",\"version\":\"0.1.0\",\"points\":[\"request\"]}]\n";

#[test]
fn pitfall_01_a_package_that_registers_nothing_is_told_with_its_line() {
    let world = Real::new("registration");
    let built = world.dist().build(&daily()).unwrap();
    assert_eq!(command::read(&mut Command::new(built.binary)).unwrap(), ANSWER);
    let said = world.refusal_with("acme/two/src/lib.rs", "//! Registers nothing.\n");
    assert_said(
        &said,
        &["`two`", "listed in gatewright.toml:10, extensions.two", "add `gatewright::register!(…)`"],
    );
}

#[test]
fn pitfall_05_two_of_a_name_a_point_too_many_and_a_package_too_many_are_told_with_their_lines() {
    let world = Real::new("registration");
    let said = world.refusal_with("acme/two/src/lib.rs", &registering("acme.one", ""));
    assert_said(
        &said,
        &[
            "the extension name `acme.one` is registered by `one::one` and by `two::two`; rename one",
            "`one` is listed in gatewright.toml:9, extensions.one",
            "`two` is listed in gatewright.toml:10, extensions.two",
        ],
    );

    let twice = registering("acme.one", "gatewright::register!(One => RequestTransform);\n");
    let said = world.refusal_with("acme/one/src/lib.rs", &twice);
    assert_said(&said, &["`acme.one` is registered by `one::one` and by `one::one`", "gatewright.toml:9"]);

    let manifest = world.read("acme/gatewright.toml");
    let narrow = manifest.replace("allow = [\"request\"]", "allow = [\"response\"]");
    let said = world.refusal_with("acme/gatewright.toml", &narrow);
    assert_said(&said, &["for the point `request`, which gatewright.toml:9, extensions.one does not allow"]);

    let two = world.read("acme/two/Cargo.toml");
    world.write(
        "acme/two/Cargo.toml",
        &two.replace("[dependencies]\n", "[dependencies]\nhidden = { path = \"../hidden\" }\n"),
    );
    let source = registering("acme.two", "pub use hidden::One as Hidden;\n");
    let said = world.refusal_with("acme/two/src/lib.rs", &source);
    assert_said(
        &said,
        &[
            "package `hidden` registered the extension `acme.hidden` but is not listed",
            "`hidden` is brought in by `two`, gatewright.toml:10, extensions.two",
        ],
    );
    world.write("acme/two/src/lib.rs", &source);
    world.lists("[policy]\nallow-unlisted = true\n");
    world.dist().build(&daily()).unwrap();
}

#[test]
fn pitfall_02_extensions_are_there_however_they_are_optimised_and_whatever_links_them() {
    let world = Real::new("registration");
    // Each compiles the two extensions and the binary again, and leaves the core alone.
    for setting in ["opt-level=\"z\"", "codegen-units=1", "codegen-units=256"] {
        let settings =
            ["acme", "one", "two"].map(|package| format!("profile.dev.package.{package}.{setting}"));
        let arguments: Vec<&str> = settings.iter().flat_map(|setting| ["--config", setting]).collect();
        assert_eq!(world.answer(&arguments, ""), ANSWER, "{setting}");
    }
    let built = world.dist().build(&daily()).unwrap().binary;
    for flags in linkers().iter().map(String::as_str).chain(["-Cstrip=symbols"]) {
        assert_eq!(world.answer_linked(&built, flags), ANSWER, "{flags}");
    }
}

#[test]
fn pitfall_02_every_profile_and_linker_of_this_machine_has_the_same_set() {
    if !is_full() {
        return;
    }
    let world = Real::new("profiles");
    let release = |settings: &[&str]| {
        let mut arguments = vec!["--release".to_owned()];
        for setting in settings {
            arguments.extend(["--config".to_owned(), format!("profile.release.{setting}")]);
        }
        arguments
    };
    let profiles = [
        release(&[]),
        release(&["lto=\"fat\"", "codegen-units=1"]),
        release(&["lto=\"off\"", "codegen-units=256"]),
        release(&["opt-level=\"z\"", "strip=\"symbols\"", "codegen-units=1"]),
        vec!["--profile".to_owned(), "dev".to_owned()],
    ];
    for profile in &profiles {
        let arguments: Vec<&str> = profile.iter().map(String::as_str).collect();
        assert_eq!(world.answer(&arguments, ""), ANSWER, "{arguments:?}");
    }
    for flags in linkers() {
        for profile in ["dev", "release"] {
            assert_eq!(world.answer(&["--profile", profile], &flags), ANSWER, "{flags}, {profile}");
        }
    }
}
