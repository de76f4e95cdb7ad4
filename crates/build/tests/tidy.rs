//! The repository keeps its own house rules, so that `cargo test` alone is enough to know.

#[test]
fn the_repository_is_tidy() {
    let found = gatewright_build::tidy().unwrap();
    assert!(found.is_empty(), "mend these, or change the rule in a decision page:\n{}", found.join("\n"));
}
