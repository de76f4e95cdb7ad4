use super::*;
use crate::distribution::Manifest;

fn dist() -> Distribution {
    let text = "manifest = 1\n[dist]\nname = \"acme\"\nversion = \"1.0.0\"\n[core]\npath = \"../gw\"\n";
    Distribution::of("/home/me/acme".into(), Manifest::parse(text).unwrap())
}

#[track_caller]
fn check_purl(source: Option<&str>, folder: &str, expected: &str) {
    let package = Package {
        name: "a".to_owned(),
        version: "1.0.0+b".to_owned(),
        source: source.map(str::to_owned),
        manifest_path: format!("{folder}/Cargo.toml").into(),
        ..Package::default()
    };
    assert_eq!(purl(&dist(), &package), expected);
}

#[test]
fn a_package_url_names_the_source() {
    let public = "registry+https://github.com/rust-lang/crates.io-index";
    check_purl(Some(public), "/x", "pkg:cargo/a@1.0.0%2Bb");
    check_purl(
        Some("registry+https://crates.acme.example/index"),
        "/x",
        "pkg:cargo/a@1.0.0%2Bb?repository_url=https://crates.acme.example/index",
    );
    check_purl(
        Some("git+ssh://git.acme.example/a.git?rev=abc#abcdef"),
        "/x",
        "pkg:cargo/a@1.0.0%2Bb?vcs_url=git%2Bssh://git.acme.example/a.git%40abcdef",
    );
    check_purl(None, "/home/me/acme/extensions/a", "pkg:cargo/a@1.0.0%2Bb?download_url=file://extensions/a");
    check_purl(None, "/srv/a", "pkg:cargo/a@1.0.0%2Bb?download_url=file://a");
}

#[test]
fn licences_are_in_the_form_of_today() {
    let with = |license: Option<&str>, file: Option<&str>| {
        licences(&Package {
            license: license.map(str::to_owned),
            license_file: file.map(str::to_owned),
            ..Package::default()
        })
    };
    assert_eq!(with(Some("MIT/Apache-2.0"), None), Some(json!([{ "expression": "MIT OR Apache-2.0" }])));
    assert_eq!(with(Some("MIT OR ISC"), None), Some(json!([{ "expression": "MIT OR ISC" }])));
    assert_eq!(with(None, Some("COPYING")), Some(json!([{ "license": { "name": "see COPYING" } }])));
    assert_eq!(with(None, None), None);
}

#[test]
fn the_serial_number_belongs_to_the_binary() {
    let one = serial("acme", "aa");
    assert_eq!(one, serial("acme", "aa"));
    assert_ne!(one, serial("acme", "ab"));
    let lengths: Vec<usize> = one.trim_start_matches("urn:uuid:").split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
}
