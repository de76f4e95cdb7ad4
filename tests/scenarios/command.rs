//! The command line: what each command prints, and the exit code that scripts and init systems read.

use std::fs;

use gatewright_testkit::harness::{Ran, run};
use serde_json::Value;
use tempfile::TempDir;

const GOOD: &str = "\
providers:
  there:
    use: openai
    base_url: https://models.example/v1
models:
  small:
    targets: [{ provider: there, price: { input: 1 } }]
authenticate: [keys]
extensions:
  - id: keys
    use: static-keys
    with:
      keys: [{ key: '${file:key.txt}', tenant: acme }]
routes:
  - name: default
    match: { path: /v1/* }
";

fn folder_with(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gateway.yaml"), text).unwrap();
    fs::write(folder.path().join("key.txt"), "a-key-of-the-scenario").unwrap();
    folder
}

async fn check(text: &str) -> Ran {
    run(&["check", "--config", "gateway.yaml"], folder_with(text).path()).await
}

#[tokio::test]
async fn version_names_the_build_and_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(&["version"], folder.path()).await;
    assert_eq!(ran.code, 0);
    assert!(ran.output.starts_with("gatewright "), "{ran:?}");
    for extension in ["enrich", "mask", "openai", "request-limits", "static-keys"] {
        assert!(ran.output.contains(extension), "{ran:?}");
    }
    let json: Value = serde_json::from_str(&run(&["version", "--json"], folder.path()).await.output).unwrap();
    assert_eq!(json["name"], "gatewright");
    let extensions = json["extensions"].as_array().unwrap();
    assert!(extensions.iter().any(|one| one["name"] == "mask" && one["package"] == "gatewright-ext-mask"));
}

#[tokio::test]
async fn check_says_which_routes_run_which_instances() {
    let chains =
        "  - name: masked\n    match: { path: /v1/x/* }\n    request: [mask]\n    response: [mask]\n";
    let text = GOOD.replace("routes:\n", "  - id: mask\n    use: mask\nroutes:\n");
    let text = format!("{text}{chains}");
    let ran = check(&text).await;
    let expected = "  authenticate [keys]\n  route default: no instances\n  route masked: request [mask], response [mask]\n";
    assert!(ran.output.ends_with(expected), "{ran:?}");
}

#[tokio::test]
async fn help_tells_the_commands_and_the_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(&["--help"], folder.path()).await;
    assert_eq!(ran.code, 0);
    for word in ["serve", "check", "schema", "version", "Exit codes", "6 "] {
        assert!(ran.output.contains(word), "`{word}` is not in {}", ran.output);
    }
    for wrong in [&["serv"][..], &["serve", "--confg", "x"], &[]] {
        let ran = run(wrong, folder.path()).await;
        assert_eq!(ran.code, 2, "{wrong:?}: {ran:?}");
        assert!(ran.errors.contains("--help") || ran.errors.contains("Usage"), "{ran:?}");
    }
}

#[tokio::test]
async fn the_schema_is_one_that_an_editor_can_use() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(&["schema"], folder.path()).await;
    assert_eq!(ran.code, 0);
    let schema: Value = serde_json::from_str(&ran.output).unwrap();
    assert!(schema["$schema"].is_string(), "{schema}");
    for part in ["listeners", "providers", "models", "routes", "extensions"] {
        assert!(schema["properties"][part].is_object(), "{part}");
    }
    for setting in ["concurrent", "presets", "sha256", "system_at"] {
        assert!(ran.output.contains(setting), "the settings of extensions are in it: {setting}");
    }
}

#[tokio::test]
async fn a_good_configuration_passes_the_check_without_opening_anything() {
    let folder = folder_with(GOOD);
    let ran = run(&["check"], folder.path()).await;
    assert_eq!((ran.code, ran.errors.as_str()), (0, ""), "{ran:?}");
    assert!(ran.output.contains("good"), "{ran:?}");
    let files: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files.len(), 2, "nothing was written: {files:?}");
}

#[tokio::test]
async fn pitfall_14_all_mistakes_are_told_at_once_each_with_its_place_and_a_suggestion() {
    let text = GOOD
        .replace("base_url:", "base_ulr:")
        .replace("provider: there,", "provider: their,")
        .replace("use: static-keys", "use: static-key")
        .replace("match: { path: /v1/* }", "match: { path: /v1/* }\n    limt: []");
    let ran = check(&text).await;
    assert_eq!(ran.code, 3);
    for (place, words) in [
        ("gateway.yaml:4:5", "base_url"),
        ("gateway.yaml:7:", "there"),
        ("gateway.yaml:11:", "static-keys"),
        ("gateway.yaml:17:5", "limit"),
    ] {
        let line = ran.errors.lines().find(|line| line.contains(place));
        let line = line.unwrap_or_else(|| panic!("nothing about {place} in\n{}", ran.errors));
        assert!(ran.errors.contains(words), "{line}");
    }
    assert_eq!(ran.output, "");
}

#[tokio::test]
async fn pitfall_14_broken_yaml_a_missing_reference_and_settings_that_do_not_work_are_told_with_their_place()
{
    let cases = [
        (GOOD.replace("models:", "models: ["), "gateway.yaml:"),
        (
            GOOD.replace("${file:key.txt}", "${env:GATEWRIGHT_SCENARIO_NOT_SET}"),
            "GATEWRIGHT_SCENARIO_NOT_SET",
        ),
        (GOOD.replace("${file:key.txt}", "${file:not-there.txt}"), "not-there.txt"),
        (GOOD.replace("tenant: acme", "tenant: 7"), "tenant"),
        (GOOD.replace("key: '${file:key.txt}'", "sha256: short"), "64"),
        (GOOD.replace("https://models.example/v1", "models.example"), "base_url"),
    ];
    for (text, words) in cases {
        let ran = check(&text).await;
        assert_eq!(ran.code, 3, "{text}\n{ran:?}");
        assert!(ran.errors.contains("gateway.yaml:") && ran.errors.contains(words), "{words}: {ran:?}");
    }
}

#[tokio::test]
async fn without_a_configuration_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["serve", "check"] {
        let ran = run(&[command], folder.path()).await;
        assert_eq!(ran.code, 3, "{ran:?}");
        for word in ["gateway.yaml", "--config", "schema"] {
            assert!(ran.errors.contains(word), "`{word}` is not in {}", ran.errors);
        }
        let ran = run(&[command, "--config", "other.yaml"], folder.path()).await;
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.errors.contains("other.yaml"), "{ran:?}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "and leaves nothing behind");
}

#[tokio::test]
async fn a_broken_configuration_does_not_start() {
    let folder = folder_with(&GOOD.replace("models:", "modles:"));
    let ran = run(&["serve"], folder.path()).await;
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.errors.contains("gateway.yaml:5:1") && ran.errors.contains("models"), "{ran:?}");
}

#[tokio::test]
async fn pitfall_17_the_check_says_what_the_start_says() {
    let broken = [
        GOOD.replace("models:", "modles:"),
        GOOD.replace("base_url:", "base_ulr:").replace("use: static-keys", "use: static-key"),
        GOOD.replace("key: '${file:key.txt}'", "sha256: short"),
        GOOD.replace("tenant: acme", "tenant: 7"),
        GOOD.replace("${file:key.txt}", "${file:not-there.txt}"),
        GOOD.replace("https://models.example/v1", "models.example"),
        GOOD.replace("models:", "models: ["),
    ];
    for text in broken {
        let folder = folder_with(&text);
        let checked = run(&["check"], folder.path()).await;
        let served = run(&["serve"], folder.path()).await;
        assert_eq!((checked.code, served.code), (3, 3), "{text}");
        // What can only be seen when instances are made is told through the log.
        let told: Vec<&str> = checked.errors.lines().filter(|line| line.contains("gateway.yaml:")).collect();
        assert!(!told.is_empty(), "{text}: {checked:?}");
        for line in told {
            let escaped = line.replace('"', "\\\"");
            let is_there = served.errors.contains(line) || served.errors.contains(&escaped);
            assert!(is_there, "the start does not say: {line}\n{}", served.errors);
        }
    }
}

#[tokio::test]
async fn an_address_or_a_file_that_cannot_be_used_is_exit_code_5_and_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let admin = "admin: { address: '127.0.0.1:0' }\n";
    let listener = |address: &str| format!("listeners: [{{ address: '{address}' }}]\n");
    let cases = [
        (format!("{GOOD}{}{admin}", listener(&address.to_string())), address.to_string()),
        (
            format!("{GOOD}{}admin: {{ address: '{address}' }}\n", listener("127.0.0.1:0")),
            address.to_string(),
        ),
        (
            format!("{GOOD}{}{admin}store: {{ path: not/there.db }}\n", listener("127.0.0.1:0")),
            "there.db".to_owned(),
        ),
    ];
    for (text, words) in cases {
        let folder = folder_with(&text);
        let ran = run(&["serve"], folder.path()).await;
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.errors.contains(&words), "{words}: {ran:?}");
    }
}

#[tokio::test]
async fn later_files_add_to_and_override_earlier_ones() {
    let folder = folder_with(GOOD);
    fs::write(
        folder.path().join("more.yaml"),
        "models:\n  large:\n    targets: [{ provider: there, price: { input: 1 } }]\n",
    )
    .unwrap();
    let ran = run(&["check", "--config", "gateway.yaml", "--config", "more.yaml"], folder.path()).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.output.contains("2 models"), "{ran:?}");
}
