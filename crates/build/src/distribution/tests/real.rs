//! What registration promises, on the real core: what registered is found with every profile and linker of this machine,
//! and what should not be there is told by the binary and by the build.
//!
//! The gateway around the core is a few lines, so that a profile compiles in seconds. The folder is kept between runs.

use std::fs;
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
struct Real(PathBuf);

impl Real {
    fn new(name: &str) -> Self {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let world = Self(repository.join("target").join("test-worlds").join(name));
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
        generate::write(&self.0.join(path), text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.join(path)).unwrap()
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
        Distribution::load(&self.0.join("acme")).unwrap()
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

    /// What the binary of a profile answers, built with more arguments for cargo and flags for the linker.
    fn answer(&self, arguments: &[&str], flags: &str) -> String {
        let dist = self.dist();
        let prepared = prepare::prepare(&dist, &daily()).unwrap();
        let mut build = prepared.cargo.command("build", &dist.folder());
        build.arg("--target-dir").arg(dist.target()).args(arguments).env("RUSTFLAGS", flags);
        let binary = super::super::compile::run(&mut build, "acme").unwrap();
        command::read(&mut Command::new(binary)).unwrap()
    }
}

/// What the two extensions register, in order.
const ANSWER: &str = "[{\"name\":\"acme.one\",\"package\":\"one\",\"version\":\"0.1.0\",\"points\":[\"request\"]},\
                      {\"name\":\"acme.two\",\"package\":\"two\",\"version\":\"0.1.0\",\"points\":[\"request\"]}]\n";

#[test]
fn pitfalls_01_02_05_what_registers_is_there_and_what_should_not_be_is_refused() {
    let world = Real::new("registration");
    let built = world.dist().build(&daily()).unwrap();
    assert_eq!(command::read(&mut Command::new(built.binary)).unwrap(), ANSWER);

    let said = world.refusal_with("acme/two/src/lib.rs", "//! Registers nothing.\n");
    assert_said(
        &said,
        &["`two`", "listed in gatewright.toml:10, extensions.two", "add `gatewright::register!(…)`"],
    );

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
fn full_pitfall_02_every_profile_and_linker_of_this_machine_has_the_same_set() {
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
    // The compiler brings lld; the others count where they are installed.
    let installed =
        |linker: &&str| command::on_path(&format!("ld.{linker}")).or_else(|| command::on_path(linker));
    let linkers = ["bfd", "gold", "mold"].into_iter().filter(|linker| installed(linker).is_some());
    for linker in linkers {
        let flags = format!("-Clinker-features=-lld -Clink-arg=-fuse-ld={linker}");
        for profile in ["dev", "release"] {
            assert_eq!(world.answer(&["--profile", profile], &flags), ANSWER, "{linker}, {profile}");
        }
    }
}
