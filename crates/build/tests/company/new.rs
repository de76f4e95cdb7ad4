//! What `new` writes compiles without a warning, and its tests pass.

use crate::is_full;
use crate::place::Company;

const POINTS: [&str; 10] = [
    "auth",
    "request",
    "limiter",
    "response",
    "credential",
    "picker",
    "provider",
    "estimator",
    "sink",
    "audit",
];

#[test]
fn an_extension_at_every_point_passes_its_tests() {
    let company = Company::new("every point");
    company.cargo(&["xtask", "new", "extension", "acme-all", "--point", &POINTS.join(",")]);
    let said = company.cargo(&["test", "--package", "acme-all", "--package", "acme-example"]);
    assert!(said.contains("adds_up_the_tokens_of_a_tenant ... ok"), "{said}");
    assert!(said.contains("replaces_code_names_in_answers_however_the_stream_is_cut ... ok"), "{said}");
}

#[test]
fn an_extension_for_each_point_has_no_warning_and_passes_its_tests() {
    if !is_full() {
        return;
    }
    let company = Company::new("each point");
    for point in POINTS {
        let said = company.cargo(&["xtask", "new", "extension", &format!("acme-{point}"), "--point", point]);
        assert!(said.contains("gatewright.toml names it"), "{said}");
    }
    company.cargo(&["fmt", "--check"]);
    company.cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]);
    let said = company.cargo(&["xtask", "test"]);
    assert!(said.contains("no_code_name_comes_through_in_a_stream"), "{said}");
    company.cargo(&["xtask", "check"]);
    let measured = company.cargo(&["xtask", "bench"]);
    assert!(measured.contains("acme-example event_ns: "), "{measured}");
    let listed = company.cargo(&["xtask", "list"]);
    for point in POINTS {
        assert!(listed.contains(&format!("acme-{point} ({point})")), "{listed}");
    }
}
