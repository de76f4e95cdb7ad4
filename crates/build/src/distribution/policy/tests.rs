use super::*;
use crate::distribution::Manifest;
use crate::distribution::graph::Edge;
use crate::fixture::Fixture;

type Given<'a> = (&'a str, &'a str, Option<&'a str>, &'a [usize]);

/// A graph of packages, each given as name, version, licence and the indices of what it uses; the first is the root.
fn graph(packages: &[Given<'_>]) -> Graph {
    let id = |index: usize| format!("{}@{}", packages[index].0, packages[index].1);
    let package = |index: usize| {
        let (name, version, license, uses) = packages[index];
        let edge =
            |used: &usize| Edge { id: id(*used), library: packages[*used].0.to_owned(), is_linked: true };
        Package {
            id: id(index),
            name: name.to_owned(),
            version: version.to_owned(),
            source: (index > 0).then(|| "registry+x".to_owned()),
            license: license.map(str::to_owned),
            uses: uses.iter().map(edge).collect(),
            ..Package::default()
        }
    };
    Graph { packages: (0..packages.len()).map(package).collect(), root: id(0) }
}

fn dist(policy: &str, fixture: &Fixture) -> Distribution {
    let text = format!(
        "manifest = 1\n[dist]\nname = \"acme\"\nversion = \"1.0.0\"\n[core]\npath = \"gw\"\n[policy]\n{policy}\n"
    );
    Distribution::of(fixture.root().to_owned(), Manifest::parse(&text).unwrap())
}

#[track_caller]
fn check_policy(rules: &str, graph: &Graph, expected: &[&str]) {
    let fixture = Fixture::new(&[]);
    let said = check(&dist(rules, &fixture), graph).err().map(|cause| cause.to_string()).unwrap_or_default();
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_second_version_is_told_with_those_that_bring_it() {
    let twice = graph(&[
        ("acme", "1.0.0", None, &[1, 2, 3]),
        ("http", "0.2.9", Some("MIT"), &[]),
        ("http", "1.5.0", Some("MIT"), &[]),
        ("old", "1.0.0", Some("MIT"), &[1]),
    ]);
    check_policy(
        "deny-duplicates = [\"tokio\", \"http\"]",
        &twice,
        &[
            "gatewright.toml:8, policy.deny-duplicates: `http` is linked in versions 0.2.9 (for acme, old) and 1.5.0 \
           (for acme); bring those that use it to one version",
        ],
    );
    check_policy("deny-duplicates = [\"tokio\"]", &twice, &[]);
}

#[test]
fn a_second_version_that_only_helps_to_build_is_no_duplicate() {
    let mut twice = graph(&[
        ("acme", "1.0.0", None, &[1, 2]),
        ("syn", "1.0.0", Some("MIT"), &[]),
        ("syn", "2.0.0", Some("MIT"), &[]),
    ]);
    twice.packages[0].uses[1].is_linked = false;
    check_policy("deny-duplicates = [\"syn\"]", &twice, &[]);
}

#[test]
fn each_crate_from_elsewhere_needs_an_allowed_licence() {
    let mixed = graph(&[
        ("acme", "1.0.0", None, &[1, 2, 3]),
        ("good", "1.0.0", Some("MIT OR GPL-3.0"), &[]),
        ("bad", "2.0.0", Some("GPL-3.0"), &[]),
        ("bare", "3.0.0", None, &[]),
    ]);
    check_policy(
        "licenses = [\"MIT\"]",
        &mixed,
        &[
            "gatewright.toml:8, policy.licenses: bad 2.0.0 has the licence `GPL-3.0` (for acme); allow it, or replace \
             what brings it in",
            "gatewright.toml:8, policy.licenses: bare 3.0.0 has no licence in its manifest (for acme); allow it, or \
             replace what brings it in",
        ],
    );
    check_policy("", &mixed, &[]);
}

#[test]
fn unsafe_code_is_told_by_line_where_it_is_forbidden() {
    let text = "//! unsafe in a comment\nconst A: &str = \"unsafe\";\n#[forbid(unsafe_code)]\nfn f() { unsafe { g() } }\n\
                #[cfg(test)]\nmod tests { fn t() { unsafe { g() } } }\n";
    let fixture = Fixture::new(&[
        ("extensions/pii/Cargo.toml", ""),
        ("extensions/pii/src/lib.rs", text),
        ("extensions/pii/tests/it.rs", "unsafe fn f() {}"),
    ]);
    let mut own = graph(&[("acme", "1.0.0", None, &[1]), ("pii", "1.0.0", None, &[])]);
    own.packages[1].source = None;
    own.packages[1].manifest_path = fixture.root().join("extensions/pii/Cargo.toml");
    for (pattern, is_broken) in [("extensions/*", true), ("extensions/pii", true), ("other/*", false)] {
        let rules = format!("forbid-unsafe-in = [\"{pattern}\"]");
        let said =
            check(&dist(&rules, &fixture), &own).err().map(|cause| cause.to_string()).unwrap_or_default();
        assert_eq!(said.lines().count(), usize::from(is_broken), "{said}");
        assert_eq!(
            said.starts_with("extensions/pii/src/lib.rs:4: `unsafe` is forbidden"),
            is_broken,
            "{said}"
        );
    }
}

#[test]
fn a_binary_that_is_too_large_is_told_with_both_sizes() {
    let fixture = Fixture::new(&[("binary", &"x".repeat((1 << 20) + 1))]);
    let binary = fixture.root().join("binary");
    let said = check_size(&dist("max-binary-mib = 1", &fixture), &binary).unwrap_err().to_string();
    assert!(
        said.starts_with("gatewright.toml:8, policy.max-binary-mib: the binary has 2 MiB, allowed are 1"),
        "{said}"
    );
    check_size(&dist("max-binary-mib = 2", &fixture), &binary).unwrap();
}
