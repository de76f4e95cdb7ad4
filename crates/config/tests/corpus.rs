//! Bad configurations and the messages they get; good ones, which get none.
//!
//! Each case is a YAML file laid over `base.yaml`, or alone where it says so. The messages stand in
//! the file beside it; `GATEWRIGHT_BLESS=1` writes them anew.

mod support;

use std::path::PathBuf;

use gatewright_config::{Environment, Inputs, Severity, Source, load_sources};
use proptest::prelude::*;
use support::{Catalogue, TestEnvironment, case_files, cases, load_files};

/// Whether expected files are written instead of compared.
fn bless() -> bool {
    gatewright_config::ProcessEnvironment.variable("GATEWRIGHT_BLESS").is_some()
}

fn messages(case: PathBuf) -> (String, bool) {
    match load_files(&case_files(case)) {
        Err(errors) => (format!("{errors}\n"), true),
        Ok(loaded) => (loaded.warnings.iter().map(|warning| format!("{warning}\n")).collect(), false),
    }
}

#[test]
fn bad_configurations_get_the_messages_that_are_on_file() {
    let cases = cases("tests/bad");
    assert!(cases.len() >= 80, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let (found, _) = messages(case.clone());
        let expected_file = case.with_extension("txt");
        if bless() {
            std::fs::write(&expected_file, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&expected_file).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{}\n--- expected\n{expected}--- found\n{found}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_bad_configuration_is_refused_or_warned_of_by_its_name() {
    for case in cases("tests/bad") {
        let name = case.file_stem().unwrap().to_string_lossy().into_owned();
        let (found, refused) = messages(case);
        assert_eq!(refused, !name.starts_with("warn-"), "{name}: {found}");
        assert!(!found.is_empty(), "{name} got no message");
    }
}

#[test]
fn good_configurations_get_no_message() {
    for case in cases("tests/good").into_iter().chain([PathBuf::from("tests/base.yaml")]) {
        let (found, refused) = messages(case.clone());
        assert!(!refused && found.is_empty(), "{}: {found}", case.display());
    }
}

#[test]
fn neither_messages_nor_debug_output_show_a_secret() {
    let secret = TestEnvironment.variable("KEY").unwrap();
    for case in cases("tests/bad") {
        let shown = match load_files(&case_files(case.clone())) {
            Err(errors) => format!("{errors}{errors:?}"),
            Ok(loaded) => format!("{loaded:?}"),
        };
        assert!(!shown.contains(&secret), "{}: {shown}", case.display());
        assert!(!shown.contains("written-out"), "a literal secret shows in {}: {shown}", case.display());
        assert!(!shown.contains("123456"), "a literal secret shows in {}: {shown}", case.display());
    }
}

#[test]
fn problems_are_machine_readable_and_sorted() {
    let case = PathBuf::from("tests/bad/many-at-once.yaml");
    let errors = load_files(&case_files(case)).unwrap_err();
    let json = serde_json::to_value(&errors).unwrap();
    let first = &json[0];
    assert_eq!(first["severity"], "error");
    assert_eq!(first["file"], "tests/bad/many-at-once.yaml");
    assert!(first["line"].is_u64() && first["column"].is_u64() && first["message"].is_string());
    let places: Vec<_> = errors
        .problems()
        .iter()
        .map(|problem| (problem.file.clone(), problem.line, problem.column))
        .collect();
    assert!(errors.problems().iter().filter(|problem| problem.severity == Severity::Error).count() >= 10);
    assert!(places.is_sorted(), "{places:?}");
}

/// All texts of the corpus.
fn texts() -> Vec<String> {
    let files = cases("tests/bad").into_iter().chain(cases("tests/good"));
    files.map(|file| std::fs::read_to_string(file).expect("a case is text")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_damage_to_a_configuration_makes_loading_panic(
        text in prop::sample::select(texts()),
        cut in any::<prop::sample::Index>(),
        length in 0_usize..12,
        graft in prop::sample::select(texts()),
        from in any::<prop::sample::Index>(),
    ) {
        let characters: Vec<char> = text.chars().collect();
        let graft: Vec<char> = graft.chars().collect();
        let (cut, from) = (cut.index(characters.len()), from.index(graft.len()));
        let (before, after) = (characters.iter().take(cut), characters.iter().skip(cut + length));
        let text = before.chain(graft.iter().skip(from).take(length)).chain(after).collect();
        let base = std::fs::read_to_string("tests/base.yaml").expect("the base is text");
        let source = |name: &str, text| Source { path: name.into(), text };
        let inputs = Inputs { environment: &TestEnvironment, extensions: &Catalogue::new(), generation: 1 };
        if let Err(errors) = load_sources(vec![source("base", base), source("over", text)], &inputs) {
            prop_assert!(!errors.problems().is_empty());
        }
    }
}
