//! What a good configuration is turned into: settings, plan, warnings and files.

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use gatewright::{InstanceId, TenantId};
use gatewright_config::{
    ConfigErrors, Durability, Environment, Inputs, Loaded, LogFormat, Severity, Source, load_sources,
};
use gatewright_policy::{AnswerModel, Http2, OnFailure, Rate, RunMode, Strategy};
use support::{Catalogue, TestEnvironment, load_files};

fn load_texts(texts: &[&str]) -> Result<Loaded, ConfigErrors> {
    let source = |(place, text): (usize, &&str)| Source {
        path: PathBuf::from(format!("/etc/gatewright/{place}.yaml")),
        text: (*text).to_owned(),
    };
    let sources = texts.iter().enumerate().map(source).collect();
    load_sources(
        sources,
        &Inputs { environment: &TestEnvironment, extensions: &Catalogue::new(), generation: 7 },
    )
}

fn everything() -> Loaded {
    load_files(&["tests/base.yaml".into(), "tests/good/everything.yaml".into()])
        .expect("the good configuration loads")
}

#[test]
fn process_settings_come_out_as_written() {
    let settings = everything().settings;
    let public = &settings.listeners[0];
    assert_eq!((public.name.as_str(), public.address), ("public", "[::1]:8443".parse().unwrap()));
    assert_eq!(public.tls.as_ref().unwrap().certificate, Path::new("tests/good/cert.pem"));
    assert_eq!(public.limits.connections_per_ip_max, None);
    assert_eq!(public.limits.body_bytes_max, 10 << 20);
    assert_eq!(public.limits.header_timeout, Duration::from_secs(10));
    assert_eq!(settings.listeners.len(), 3);
    assert_eq!(settings.workers, 4);
    assert_eq!(
        (settings.drain.min, settings.drain.deadline),
        (Duration::from_secs(5), Duration::from_secs(60))
    );
    assert_eq!(settings.store.path, Path::new("/var/lib/gatewright/gatewright.db"));
    assert_eq!(settings.store.durability, Durability::Power);
    assert_eq!(settings.telemetry.log_format, LogFormat::Json);
    assert_eq!(settings.telemetry.log_level, "info,hyper=warn");
    assert!(!settings.telemetry.access_log);
}

#[test]
fn an_empty_configuration_has_safe_defaults() {
    let loaded = load_texts(&[""]).unwrap();
    let settings = &loaded.settings;
    assert!(settings.listeners.iter().all(|listener| listener.address.ip().is_loopback()));
    assert!(settings.admin.address.ip().is_loopback());
    assert!(settings.workers >= 2);
    assert_eq!(settings.store.path, Path::new("/etc/gatewright/gatewright.db"));
    assert_eq!(settings.store.durability, Durability::Crash);
    assert_eq!(loaded.plan.generation, 7);
    assert!(loaded.plan.models.is_empty() && loaded.plan.routes.is_empty());
}

#[test]
fn providers_keep_their_secrets_typed_and_their_headers_sensitive() {
    let loaded = load_texts(&[
        "providers:\n  local:\n    use: wire\n    base_url: https://example.com/v1/\n    api_key: ${env:KEY}\n    headers: { x-team: a, x-key: \"${env:KEY}\" }",
    ])
    .unwrap();
    let provider = &loaded.plan.providers["local"];
    assert_eq!(provider.api_key.as_ref().unwrap().expose(), TestEnvironment.variable("KEY").unwrap());
    assert_eq!(provider.base_url, "https://example.com/v1");
    assert_eq!(provider.http2, Http2::Negotiate);
    assert!(provider.headers["x-key"].is_sensitive() && !provider.headers["x-team"].is_sensitive());
    assert_eq!(&*provider.source, "/etc/gatewright/0.yaml:3:5");
    assert_eq!(loaded.plan.providers["local"].timeouts, gatewright_policy::Timeouts::default());
}

#[test]
fn models_come_out_with_targets_prices_and_strategy() {
    let plan = everything().plan;
    let big = plan.model("big").unwrap();
    assert_eq!((big.strategy, big.answer_model), (Strategy::Weighted, AnswerModel::Asked));
    let (first, second) = (&big.targets[0], &big.targets[1]);
    assert_eq!((first.provider.as_str(), &*first.model, first.weight), ("versioned", "big-1", 3));
    assert_eq!(first.price.as_ref().unwrap().rates.cache_read, Some(Rate(300_000_000)));
    assert_eq!(&*second.model, "big", "the provider's name of a model is the public one by default");
    assert_eq!(second.price.as_ref().unwrap().rates.input, Some(Rate(250_000_000)));
}

#[test]
fn a_price_that_nobody_states_is_unknown_and_warned_of() {
    let loaded = load_texts(&[
        "providers: { p: { use: wire, base_url: \"https://h\" } }\nmodels: { m: { targets: [{ provider: p }] } }",
    ])
    .unwrap();
    assert_eq!(loaded.plan.model("m").unwrap().targets[0].price, None);
    let about_price = |warning: &&gatewright_config::Problem| warning.message.contains("its cost is unknown");
    let warning = loaded.warnings.iter().find(about_price).unwrap();
    assert_eq!((warning.severity, warning.path.as_str()), (Severity::Warning, "models.m.targets[0]"));
}

#[test]
fn instances_carry_settings_policies_and_place() {
    let plan = everything().plan;
    let requests = plan.instance(&InstanceId::new("requests")).unwrap();
    assert_eq!(&*requests.extension, "limits");
    assert_eq!(requests.settings["requests_per_minute"], 60);
    assert_eq!((requests.on_error, requests.on_timeout), (Some(OnFailure::Skip), Some(OnFailure::Deny)));
    assert_eq!(requests.mode, RunMode::Shadow);
    assert_eq!(requests.deadline, Duration::from_millis(50));
    let keys = plan.instance(&InstanceId::new("keys")).unwrap();
    assert_eq!(keys.settings["keys"][0]["key"], TestEnvironment.variable("KEY").unwrap());
    assert_eq!((keys.on_error, keys.mode), (None, RunMode::Enforce));
}

#[test]
fn routes_and_tenants_come_out_in_order() {
    let plan = everything().plan;
    let names: Vec<_> = plan.routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names, ["default", "rest"]);
    let acme = TenantId::new("acme");
    let served =
        |path: &str, model: &str| plan.route(path, &acme, Some(model)).map(|route| route.name.to_string());
    assert_eq!(served("/v1/chat/completions", "big").as_deref(), Some("default"));
    assert_eq!(served("/v1/chat/completions", "small").as_deref(), Some("rest"));
    assert_eq!(plan.routes[0].limit, [InstanceId::new("requests")]);
    assert_eq!(plan.authenticate, [InstanceId::new("keys")]);
}

#[test]
fn later_files_override_and_problems_name_the_file_they_stand_in() {
    let base = "drain: { min: 1s, deadline: 5s }\nextensions:\n  - { id: a, use: limits, with: { requests_per_minute: 5 } }";
    let over = "drain: { min: 2s }\nextensions:\n  - { id: a, with: { concurrent: 3 } }";
    let loaded = load_texts(&[base, over]).unwrap();
    assert_eq!(loaded.settings.drain.min, Duration::from_secs(2));
    assert_eq!(loaded.settings.drain.deadline, Duration::from_secs(5));
    let settings = &loaded.plan.instances[0].settings;
    assert_eq!((&settings["requests_per_minute"], &settings["concurrent"]), (&5.into(), &3.into()));

    let errors = load_texts(&[base, "drain: { mim: 2s }", "drain: { min: 2 }"]).unwrap_err();
    let places: Vec<_> = errors.problems().iter().map(|problem| problem.file.clone()).collect();
    assert_eq!(places, [Path::new("/etc/gatewright/1.yaml"), Path::new("/etc/gatewright/2.yaml")]);
}

#[test]
fn what_an_extension_finds_in_its_settings_is_placed_in_the_file() {
    let loaded = load_files(&["tests/base.yaml".into()]).unwrap();
    let id = InstanceId::new("mask");
    let place = |path: &str| loaded.settings_problem(&id, path, "too long").to_string();
    assert_eq!(
        place("rules[0].words[0]"),
        "tests/base.yaml:35:34: extensions[3].with.rules[0].words[0]: too long (extension `mask`)"
    );
    assert_eq!(
        place("rules[0].absent.deeper"),
        "tests/base.yaml:35:11: extensions[3].with.rules[0].absent.deeper: too long (extension `mask`)"
    );
    assert_eq!(place(""), "tests/base.yaml:34:7: extensions[3].with: too long (extension `mask`)");
}

#[test]
fn every_file_that_the_configuration_depends_on_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("key"), "sk-1\n").unwrap();
    std::fs::write(at("roots.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
    std::fs::write(
        at("gateway.yaml"),
        "listeners: [{ address: \"127.0.0.1:1\", tls: { certificate: c.pem, key: k.pem } }]\nproviders:\n  p: { use: wire, base_url: \"https://h\", api_key: \"${file:key}\", ca_file: roots.pem }",
    )
    .unwrap();
    let loaded = load_files(&[at("gateway.yaml")]).unwrap();
    let mut expected = ["gateway.yaml", "key", "c.pem", "k.pem", "roots.pem"].map(at);
    expected.sort();
    assert_eq!(loaded.files, expected);
    assert!(loaded.plan.providers["p"].extra_roots_pem.is_some());
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("binary.yaml");
    std::fs::write(&binary, [b'a', 0xff]).unwrap();
    let errors = load_files(&[folder.path().join("missing.yaml"), binary]).unwrap_err().to_string();
    assert!(errors.contains("missing.yaml: cannot read the file"), "{errors}");
    assert!(errors.contains("binary.yaml: the file is not UTF-8 text: byte 1"), "{errors}");
}

#[test]
fn a_reload_of_the_same_text_keeps_every_instance_and_provider() {
    let (one, two) = (everything().plan, everything().plan);
    for (before, after) in one.instances.iter().zip(&two.instances) {
        assert!(before.same_instance(after));
    }
    for (name, provider) in &one.providers {
        assert!(provider.same_provider(&two.providers[name]));
    }
}
