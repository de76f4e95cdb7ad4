use super::*;

const WHOLE: &str = r#"manifest = 1

[dist]
name = "acme-gateway"
version = "1.4.0"
description = "ACME AI gateway"
profile = "dist"
allocator = "mimalloc"

[core]
path = "../gatewright"
default-extensions = true
without = ["gatewright-ext-mask"]

[toolchain]
rust = "1.95.0"

[extensions.pii]
path = "extensions/acme-pii"
allow = ["request", "response"]

[extensions.budget]
git = "ssh://git.acme.example/platform/gw-budget.git"
rev = "5f0c2e8b1d6a4c3f9e7b2a1d0c8e6f4b3a291817"
package = "gw-budget"
features = ["redis"]

[extensions.corp-oidc]
version = "2.1"
registry = "acme"

[patch]
"some-crate" = { path = "vendor/some-crate" }

[policy]
allow-unlisted = true
deny-duplicates = ["tokio", "http"]
licenses = ["MIT"]
forbid-unsafe-in = ["extensions/*"]
max-binary-mib = 60

[bench.budget]
"acme.mask-email" = { event_ns = 2_000, event_allocs = 2 }
"#;

const SMALL: &str = "\
manifest = 1
[dist]
name = \"acme\"
version = \"1.0.0\"
[core]
path = \"../gatewright\"
";

#[test]
fn reads_every_part() {
    let read = Manifest::parse(WHOLE).unwrap();
    assert_eq!((read.name.as_str(), read.version.as_str()), ("acme-gateway", "1.4.0"));
    assert_eq!((read.profile, read.allocator), (Shipping::Dist, Allocator::Mimalloc));
    assert_eq!(read.core.source, Located { line: 11, value: Source::Path("../gatewright".to_owned()) });
    assert_eq!(read.core.default_extensions, Located { line: 12, value: true });
    assert_eq!(read.core.without, [Located { line: 13, value: "gatewright-ext-mask".to_owned() }]);
    assert_eq!(read.toolchain, Some(Located { line: 16, value: "1.95.0".to_owned() }));
    let keys: Vec<_> = read.extensions.iter().map(|entry| (entry.key.as_str(), entry.line)).collect();
    assert_eq!(keys, [("budget", 22), ("corp-oidc", 28), ("pii", 18)]);
    assert_eq!(read.extensions[0].package.as_deref(), Some("gw-budget"));
    assert_eq!(read.extensions[0].features, ["redis"]);
    let registry = Source::Registry { version: "2.1".to_owned(), registry: Some("acme".to_owned()) };
    assert_eq!(read.extensions[1].source, registry);
    assert_eq!(
        read.extensions[2].allow.as_deref(),
        Some(["request".to_owned(), "response".to_owned()].as_slice())
    );
    assert_eq!(read.patches[0].name, "some-crate");
    assert!(read.policy.allow_unlisted);
    assert_eq!(read.policy.deny_duplicates[1], Located { line: 37, value: "http".to_owned() });
    assert_eq!(read.policy.max_binary_mib, Some(Located { line: 40, value: 60 }));
    let bounds = [("event_allocs".to_owned(), 2), ("event_ns".to_owned(), 2000)];
    assert_eq!(read.budgets[0].bounds, bounds);
}

#[test]
fn what_is_left_out_has_a_default() {
    let read = Manifest::parse(SMALL).unwrap();
    assert_eq!(read.core.default_extensions, Located { line: 5, value: true });
    assert_eq!((read.profile, read.allocator), (Shipping::Release, Allocator::System));
    assert_eq!(read.policy, Policy::default());
    assert_eq!((read.extensions.len(), read.toolchain), (0, None));
}

#[track_caller]
fn check(good: &str, bad: &str, expected: &str) {
    let text = SMALL.replace(good, bad);
    assert_ne!(text, SMALL, "`{good}` is not in the text");
    let said = Manifest::parse(&text).unwrap_err().to_string();
    let lines: Vec<&str> = said.lines().skip(1).collect();
    assert_eq!(lines, [expected], "{bad}");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = r#"manifest = 2
[dist]
name = "9 lives"
version = "1"
profil = "release"
panic = "abort"
[core]
path = "../gatewright"
version = "=0.1.0"
[extensions.pii]
path = "x"
allow = ["reqest"]
[extensions.budget]
git = "https://git.example/x"
rev = "main"
[extensions.plain]
[extension.old]
[policy]
max-binary-mib = "60"
"#;
    let said = Manifest::parse(text).unwrap_err().to_string();
    let expected = "\
gatewright.toml is wrong:
gatewright.toml:1: `manifest = 2` is not a form that this tool reads; it reads 1
gatewright.toml:3: `dist.name` must be a package name: letters, digits, `-` and `_`, a letter first
gatewright.toml:4: `dist.version` must be a version such as 1.4.0
gatewright.toml:5: `dist.profil` is not known; did you mean `profile`?
gatewright.toml:6: `dist.panic` cannot be chosen: it is always \"unwind\", so that an extension that panics fails its own exchange only
gatewright.toml:7: `core` comes from one place: give exactly one of `path`, `git`, `version`
gatewright.toml:12: `reqest` in `extensions.pii.allow` is no point; did you mean `request`?
gatewright.toml:15: `extensions.budget.rev` must be a full revision of 40 hexadecimal digits: a branch, a tag or a short one can come to mean something else
gatewright.toml:16: `extensions.plain` comes from one place: give exactly one of `path`, `git`, `version`
gatewright.toml:17: `extension` is not known; did you mean `extensions`?
gatewright.toml:19: `policy.max-binary-mib` must be a whole number, 0 or more";
    assert_eq!(said, expected);
}

#[test]
fn text_that_is_no_toml_is_told_by_line() {
    let said = Manifest::parse("manifest =\n[dist]\nname = \n").unwrap_err().to_string();
    assert!(said.contains("gatewright.toml:1: this is no TOML"), "{said}");
    assert!(said.contains("gatewright.toml:3: this is no TOML"), "{said}");
}

#[test]
fn a_part_belongs_to_its_kind_of_source() {
    check(
        "path = \"../gatewright\"",
        "path = \"../gatewright\"\nrev = \"5f0c2e8b1d6a4c3f9e7b2a1d0c8e6f4b3a291817\"",
        "gatewright.toml:7: `core.rev` belongs to `git`, not to `path`",
    );
    check(
        "path = \"../gatewright\"",
        "version = \"0.6\"",
        "gatewright.toml:6: `core.version` must be one version such as =0.6.2: everything is built on exactly that one",
    );
}

#[test]
fn a_source_is_shown_without_a_folder_of_this_machine() {
    assert_eq!(Source::Path("/home/me/x".to_owned()).shown(), "path");
    assert_eq!(Source::Path("extensions/x".to_owned()).shown(), "path+extensions/x");
    let git = Source::Git { url: "https://git.example/x".to_owned(), rev: "ab".to_owned() };
    assert_eq!(git.shown(), "git+https://git.example/x#ab");
}
