mod real;
mod whole;

use std::fs;
use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;

use super::compile::{BuildOptions, Profile};
use super::world::{World, daily, extension, gatewright_files, repository};
use super::*;
use crate::command;

/// The names of what was compiled, not taken from before, by one more build.
fn compiled(world: &World) -> Vec<String> {
    let dist = world.dist();
    let prepared = prepare::prepare(&dist, &daily()).unwrap();
    let mut build = prepared.cargo.command("build", &dist.folder());
    build.arg("--target-dir").arg(dist.target()).args(["--message-format", "json"]);
    build.env(info::VARIABLE, info::text(&dist, &prepared, &daily()).unwrap());
    let said = command::read(&mut build).unwrap();
    let messages = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let fresh =
        messages.filter(|message| message["reason"] == "compiler-artifact" && message["fresh"] == false);
    fresh.map(|message| message["target"]["name"].as_str().unwrap().to_owned()).collect()
}

fn release(out: Option<PathBuf>) -> BuildOptions {
    BuildOptions { profile: Profile::Release, out, ..daily() }
}

/// Whether the long forms are asked for.
fn is_full() -> bool {
    command::variable("GATEWRIGHT_FULL").is_some()
}

#[track_caller]
fn assert_said(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is missing in:\n{said}");
    }
}

// === Daily work ===

#[test]
fn what_is_generated_is_stable_sorted_and_says_where_everything_is_listed() {
    let world = World::good();
    let binary = world.build();
    let main = world.read("acme/target/gatewright/acme/src/main.rs");
    let expected = r#"//! The acme distribution: ACME AI gateway.
//!
//! Written by `cargo xtask build` from gatewright.toml: change that file, not this one.

// Whatever this crate depends on is linked below, or is not there.
#![deny(unused_crate_dependencies)]

use std::process::ExitCode;

use acme_pii as _;
use gatewright_ext_hello as _;
use gatewright_gateway::{Build, Expected, Point};

/// The extension packages that this binary is to contain; the start checks that they registered.
const EXPECTED: &[Expected] = &[
    Expected {
        package: "acme-pii",
        listed_in: "gatewright.toml:11, extensions.pii",
        points: Some(&[Point::RequestTransform]),
    },
    Expected {
        package: "gatewright-ext-hello",
        listed_in: "gatewright.toml:8, core.default-extensions",
        points: None,
    },
];

fn main() -> ExitCode {
    gatewright_gateway::run(&Build {
        name: "acme",
        version: env!("CARGO_PKG_VERSION"),
        expected: EXPECTED,
        allow_unlisted: false,
        info: option_env!("GATEWRIGHT_BUILD_INFO"),
    })
}
"#;
    assert_eq!(main, expected);
    let said: Value = serde_json::from_str(&command::read(&mut Command::new(binary)).unwrap()).unwrap();
    assert_eq!(said["info"]["core"]["source"], "path+../gw");
    assert_eq!(said["info"]["extensions"][0]["source"], "path+extensions/acme-pii");
    assert!(!said.to_string().contains(world.root().to_str().unwrap()), "{said}");
}

#[test]
fn a_build_without_a_change_does_nothing_and_an_edit_rebuilds_that_crate_alone() {
    let world = World::good();
    let binary = world.build();
    let times = || -> Vec<SystemTime> {
        let generated =
            ["Cargo.toml", "src/main.rs", "Cargo.lock"].map(|file| world.dist().folder().join(file));
        let all = generated.iter().chain([&binary]);
        all.map(|file| file.metadata().unwrap().modified().unwrap()).collect()
    };
    let before = times();
    world.build();
    assert_eq!(times(), before);
    assert_eq!(compiled(&world), [""; 0]);
    world.write("acme/extensions/acme-pii/src/lib.rs", "//! PII.\n\npub fn more() {}\n");
    assert_eq!(compiled(&world), ["acme_pii", "acme"]);
}

#[test]
fn the_lock_is_kept_beside_the_manifest_and_a_locked_build_may_not_change_it() {
    let world = World::good();
    let locked = BuildOptions { locked: true, ..daily() };
    let said = world.dist().build(&locked).unwrap_err().to_string();
    assert_said(&said, &["gatewright.lock is missing", "--locked", "commit the file"]);
    world.build();
    let lock = world.read("acme/gatewright.lock");
    assert_said(&lock, &["name = \"acme-pii\"", "name = \"gatewright-core\""]);
    world.dist().build(&locked).unwrap();
    world.write("acme/gatewright.lock", &lock.replace("acme-pii", "acme-old"));
    let said = world.dist().build(&locked).unwrap_err().to_string();
    assert_said(&said, &["gatewright.lock does not fit gatewright.toml"]);
}

#[test]
fn the_crate_can_be_written_elsewhere_and_built_by_plain_cargo() {
    let world = World::good();
    let folder = world.root().join("acme").join("generated");
    prepare::prepare_in(&world.dist(), &daily(), &folder).unwrap();
    let mut check = command::cargo();
    command::read(check.current_dir(&folder).args(["check", "--locked", "--offline"])).unwrap();
}

#[test]
fn panic_abort_is_refused_before_anything_is_compiled() {
    let world = World::good();
    world.write("acme/.cargo/config.toml", "[profile.release]\npanic = \"abort\"\n");
    assert_said(&world.refusal(), &["config.toml:2", "needs \"unwind\"", "every exchange"]);
    assert!(!world.root().join("acme/target/debug").exists());
}

// === Pitfalls ===

#[test]
fn pitfall_01_a_dependency_without_its_use_does_not_compile() {
    let world = World::good();
    world.build();
    let main = world.read("acme/target/gatewright/acme/src/main.rs");
    world.write("acme/target/gatewright/acme/src/main.rs", &main.replace("use acme_pii as _;\n", ""));
    let mut check = command::cargo();
    check.current_dir(world.dist().folder()).args(["check", "--locked", "--offline"]);
    let said = command::read(&mut check).unwrap_err().to_string();
    assert_said(&said, &["extern crate `acme_pii` is unused in crate `acme`"]);
}

#[test]
fn pitfall_04_an_extension_for_another_core_is_told_in_the_words_of_the_manifest() {
    let said = World::new("\"0.5\"").refusal();
    let expected = "gatewright.toml:11, extensions.pii: extension `pii` needs gatewright-core 0.5, this distribution is \
                    built on 0.1.0; take a release of the extension for 0.1.0, or move `core` (gatewright.toml:9, core) \
                    to a core that fits";
    assert_eq!(said, expected);
}

#[test]
fn pitfall_04_a_second_copy_of_the_core_by_path_is_told_with_the_remedy() {
    let world = World::new("{ path = \"../../../gw2/crates/core\" }");
    let said = world.refusal();
    let copy = world.root().canonicalize().unwrap().join("gw2/crates/core");
    assert_said(
        &said,
        &[
            "gatewright.toml:11, extensions.pii: extension `pii` brings a second copy of gatewright-core",
            copy.to_str().unwrap(),
            "write `gatewright-core = \"0.1\"`",
        ],
    );
}

#[test]
fn pitfall_04_a_second_source_of_the_same_version_becomes_the_one_core() {
    let (url, rev) = repository("second-source", &gatewright_files());
    let world = World::new(&format!("{{ git = \"{url}\", rev = \"{rev}\" }}")).may_fetch();
    world.build();
    let prepared = prepare::prepare(&world.dist(), &daily()).unwrap();
    let cores: Vec<_> =
        prepared.graph.packages.iter().filter(|package| package.name == "gatewright-core").collect();
    assert_eq!(cores.len(), 1);
    assert_eq!(cores[0].source, None, "the core is the path of the manifest");
}

#[test]
fn pitfall_05_one_package_under_two_keys_is_told_with_both_lines() {
    let world = World::good();
    world.with_extensions(
        "[extensions.a]\npath = \"extensions/acme-pii\"\n[extensions.b]\npath = \"extensions/acme-pii\"\n",
    );
    let expected = "gatewright.toml:13, extensions.b: the package `acme-pii` is already listed in gatewright.toml:11, \
                    extensions.a; keep one of them";
    assert_eq!(world.refusal(), expected);
}

#[test]
fn pitfall_06_library_names_features_and_dashes_come_from_cargo() {
    let world = World::good();
    let text = extension("acme-long-name", "gatewright-core = \"0.1\"\n")
        .replace("[workspace]", "[lib]\nname = \"short\"\n[features]\nextra = []\n[workspace]");
    world.write("acme/extensions/long/Cargo.toml", &text);
    let source = "//! Long.\n#[cfg(not(feature = \"extra\"))]\ncompile_error!(\"the feature is off\");\n";
    world.write("acme/extensions/long/src/lib.rs", source);
    world.with_extensions("[extensions.long]\npath = \"extensions/long\"\nfeatures = [\"extra\"]\n");
    world.build();
    let main = world.read("acme/target/gatewright/acme/src/main.rs");
    assert_said(&main, &["use short as _;\n", "package: \"acme-long-name\""]);
}

#[test]
fn pitfall_06_a_package_in_a_folder_of_a_git_workspace_is_found_by_its_full_revision() {
    let files = [
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"deep/*\"]\nresolver = \"3\"\n[workspace.package]\nversion = \"0.3.0\"\n",
        ),
        (
            "deep/budget/Cargo.toml",
            "[package]\nname = \"gw-budget\"\nversion.workspace = true\nedition = \
             \"2024\"\n[dependencies]\ngatewright-core = \"0.1\"\n",
        ),
        ("deep/budget/src/lib.rs", "//! Budget.\n"),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let (url, rev) = repository("git-workspace", &files);
    let world = World::good().may_fetch();
    world.with_extensions(&format!(
        "[extensions.budget]\ngit = \"{url}\"\nrev = \"{rev}\"\npackage = \"gw-budget\"\n"
    ));
    let said = command::read(&mut Command::new(world.build())).unwrap();
    assert_said(&said, &[&format!("\"source\":\"git+{url}#{rev}\""), &format!("\"digest\":\"{rev}\"")]);
    world
        .with_extensions(&format!("[extensions.budget]\ngit = \"{url}\"\nrev = \"{}\"\n", rev.split_at(7).0));
    let said = Distribution::load(&world.root().join("acme")).unwrap_err().to_string();
    assert_said(&said, &["gatewright.toml:13: `extensions.budget.rev` must be a full revision"]);
}

/// A company whose extension uses a crate of a third repository, with a blank in the way to it and with code that its
/// build script writes.
fn with_shared_crate() -> World {
    let world = World::good();
    world.write("a shared/Cargo.toml", &extension("shared", ""));
    let script = "fn main() {\n    let out = std::env::var(\"OUT_DIR\").unwrap();\n    \
                  std::fs::write(out + \"/made.rs\", \"pub static MADE: &str = file!();\").unwrap();\n}\n";
    world.write("a shared/build.rs", script);
    world.write("a shared/src/lib.rs", "//! Shared.\ninclude!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));\n");
    let uses = "gatewright-core = \"0.1\"\nshared = { path = \"../../../a shared\" }\n";
    world.write("acme/extensions/acme-pii/Cargo.toml", &extension("acme-pii", uses));
    let source =
        "//! PII.\n#[used]\nstatic HERE: &str = file!();\n#[used]\nstatic MADE: &&str = &shared::MADE;\n";
    world.write("acme/extensions/acme-pii/src/lib.rs", source);
    world
}

#[test]
fn pitfall_15_two_folders_give_one_digest_and_no_path_of_the_builder() {
    let ship = |world: &World| {
        world.dist().build(&release(None)).unwrap();
        let content = fs::read(world.root().join("acme/dist/acme")).unwrap();
        let folder = world.root().to_str().unwrap().as_bytes();
        assert!(!content.windows(folder.len()).any(|part| part == folder));
        (content, world.read("acme/dist/SHA256SUMS"))
    };
    let (one, two) = (with_shared_crate(), with_shared_crate());
    let (content, sums) = ship(&one);
    let text = String::from_utf8_lossy(&content);
    assert!(text.contains("dist/extensions/acme-pii/src/lib.rs"));
    assert!(
        text.contains("/target/release/build/shared-"),
        "what a build script makes has a name of its own"
    );
    assert_eq!(ship(&two).1, sums, "the lock and the bill of materials are the same too");
}

#[test]
fn pitfall_15_two_builds_at_once_with_one_target_folder_both_come_out_right() {
    let worlds = [World::good(), World::good()];
    let says = |at: usize| format!("this is distribution {at}");
    for (at, world) in worlds.iter().enumerate() {
        let source = format!("//! PII.\n#[used]\nstatic SAYS: &str = \"{}\";\n", says(at));
        world.write("acme/extensions/acme-pii/src/lib.rs", &source);
    }
    let shared = worlds[0].root().join("shared target");
    let ship = |world: &World| {
        let dist = Distribution { target: shared.clone(), ..world.dist() };
        fs::read(dist.build(&release(None)).unwrap().binary).unwrap()
    };
    let binaries = std::thread::scope(|scope| {
        worlds.each_ref().map(|world| scope.spawn(|| ship(world))).map(|build| build.join().unwrap())
    });
    for (at, binary) in binaries.iter().enumerate() {
        let text = String::from_utf8_lossy(binary);
        assert!(
            text.contains(&says(at)) && !text.contains(&says(1 - at)),
            "the binary of {at} is the other's"
        );
    }
}

#[test]
fn pitfall_15_a_crate_that_writes_its_folder_down_is_refused() {
    let world = World::good();
    let source = "//! PII.\n#[used]\nstatic HERE: &str = env!(\"CARGO_MANIFEST_DIR\");\n";
    world.write("acme/extensions/acme-pii/src/lib.rs", source);
    let said = world.dist().build(&release(None)).unwrap_err().to_string();
    assert_said(&said, &["path(s) of this machine", "extensions/acme-pii", "env!(\"CARGO_MANIFEST_DIR\")"]);
    assert!(!world.root().join("acme/dist").exists());
}

#[test]
fn pitfall_16_an_outer_workspace_and_blanks_in_paths_do_not_matter() {
    let world = World::good();
    world.write("Cargo.toml", "[workspace]\nmembers = [\"nothing\"]\n");
    let moved = world.root().join("my gateways");
    fs::create_dir(&moved).unwrap();
    for name in ["acme", "gw"] {
        fs::rename(world.root().join(name), moved.join(name)).unwrap();
    }
    let dist = Distribution::load(&moved.join("acme")).unwrap();
    dist.build(&daily()).unwrap();
    dist.build(&release(None)).unwrap();
    let found = doctor::findings(&dist).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert_said(&found, &["has a blank in it", "outer workspace", "it builds without a network"]);
}

#[test]
fn pitfall_18_the_lint_against_unused_dependencies_is_on() {
    let world = World::good();
    world.build();
    let manifest = world.read("acme/target/gatewright/acme/Cargo.toml");
    let more =
        manifest.replace("[dependencies]\n", "[dependencies]\nextra = { path = \"../../../extra\" }\n");
    world.write("acme/target/gatewright/acme/Cargo.toml", &more);
    world.write("acme/extra/Cargo.toml", &extension("extra", ""));
    world.write("acme/extra/src/lib.rs", "//! Extra.\n");
    let mut check = command::cargo();
    check.current_dir(world.dist().folder()).args(["check", "--offline"]);
    let said = command::read(&mut check).unwrap_err().to_string();
    assert_said(&said, &["extern crate `extra` is unused in crate `acme`"]);
}

// === What ships ===

#[test]
fn the_folder_of_what_ships_is_complete_and_its_sums_are_right() {
    let world = World::good();
    world.dist().build(&release(None)).unwrap();
    let out = world.root().join("acme/dist");
    let mut names: Vec<_> =
        fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["SHA256SUMS", "acme", "acme.cdx.json", "gatewright.lock"]);
    for line in world.read("acme/dist/SHA256SUMS").lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        let found = info::sha256(&fs::read(out.join(name)).unwrap());
        assert_eq!(found, format!("sha256:{sum}"), "{name}");
    }
    assert_eq!(world.read("acme/dist/gatewright.lock"), world.read("acme/gatewright.lock"));
    let bill: Value = serde_json::from_str(&world.read("acme/dist/acme.cdx.json")).unwrap();
    assert_eq!(bill["bomFormat"], "CycloneDX");
    let names: Vec<_> =
        bill["components"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    let all =
        ["acme-pii", "gatewright-core", "gatewright-ext-hello", "gatewright-gateway", "gatewright-macros"];
    assert_eq!(names, [all.as_slice(), &["gatewright-wire"]].concat());
    let references: Vec<_> =
        bill["components"].as_array().unwrap().iter().map(|one| one["bom-ref"].clone()).collect();
    let edges = bill["dependencies"].as_array().unwrap();
    assert_eq!(edges.len(), 1 + all.len() + 1, "each component and the binary say what they use");
    for used in edges.iter().flat_map(|edge| edge["dependsOn"].as_array().unwrap()) {
        assert!(references.contains(used), "{used} is no component");
    }
}

#[test]
fn a_binary_above_its_bound_does_not_ship() {
    let world = World::good();
    let manifest = world.read("acme/gatewright.toml");
    world.write("acme/gatewright.toml", &format!("{manifest}\n[policy]\nmax-binary-mib = 0\n"));
    let said = world.dist().build(&release(None)).unwrap_err().to_string();
    assert_said(&said, &["policy.max-binary-mib", "allowed are 0"]);
    assert!(!world.root().join("acme/dist").exists());
}

// === Sources and changes ===

#[test]
fn a_core_from_git_brings_its_own_extensions_and_builds_from_vendored_sources() {
    let (url, rev) = repository("core", &gatewright_files());
    let world = World::good().may_fetch();
    let manifest = world.read("acme/gatewright.toml");
    let manifest = manifest.replace("path = \"../gw\"", &format!("git = \"{url}\"\nrev = \"{rev}\""));
    world.write("acme/gatewright.toml", &manifest);
    world.build();
    let main = world.read("acme/target/gatewright/acme/src/main.rs");
    assert_said(&main, &["use gatewright_ext_hello as _;"]);
    let direct = world.dist().build(&release(None)).unwrap();
    let direct = fs::read(direct.binary).unwrap();
    vendor::fill(&world.dist()).unwrap();
    fs::remove_dir_all(world.root().join("acme/target")).unwrap();
    let vendored = BuildOptions { vendored: true, locked: true, ..release(None) };
    world.dist().build(&vendored).unwrap();
    assert_eq!(direct.len(), fs::read(world.root().join("acme/dist/acme")).unwrap().len());
}

#[test]
fn a_change_that_does_not_resolve_is_taken_back() {
    let world = World::good();
    world.build();
    world.write("acme/extensions/old/Cargo.toml", &extension("old", "gatewright-core = \"0.5\"\n"));
    world.write("acme/extensions/old/src/lib.rs", "//! Old.\n");
    let (manifest, lock) = (world.read("acme/gatewright.toml"), world.read("acme/gatewright.lock"));
    let said = format!("{:#}", edit::add_path(&world.dist(), "old", "extensions/old").unwrap_err());
    assert_said(&said, &["left as it was", "extension `old` needs gatewright-core 0.5"]);
    assert_eq!(world.read("acme/gatewright.toml"), manifest);
    assert_eq!(world.read("acme/gatewright.lock"), lock);
    world.write("acme/extensions/old/Cargo.toml", &extension("old", "gatewright-core = \"0.1\"\n"));
    edit::add_path(&world.dist(), "old", "extensions/old").unwrap();
    assert_said(&world.read("acme/gatewright.lock"), &["name = \"old\""]);
    edit::remove(&world.dist(), "old").unwrap();
    assert_eq!(world.read("acme/gatewright.toml"), manifest);
    assert_eq!(world.read("acme/gatewright.lock"), lock);
}
