//! The checked-in reference page and the schema against what this crate says.
//!
//! `GATEWRIGHT_BLESS=1` writes the page anew.

mod support;

use gatewright_config::{Environment, ExtensionCatalogue, ProcessEnvironment, reference_page, schema};
use serde_json::Value;
use support::Catalogue;

#[test]
fn the_reference_page_is_fresh() {
    let page = "../../docs/reference/configuration.md";
    if ProcessEnvironment.variable("GATEWRIGHT_BLESS").is_some() {
        std::fs::create_dir_all("../../docs/reference").unwrap();
        std::fs::write(page, reference_page()).unwrap();
    }
    let checked_in = std::fs::read_to_string(page).unwrap_or_default();
    assert!(
        checked_in == reference_page(),
        "{page} is stale; write it anew: GATEWRIGHT_BLESS=1 cargo test -p gatewright-config --test reference"
    );
}

#[test]
fn every_key_has_a_description() {
    fn check(schema: &Value, at: &str, missing: &mut Vec<String>) {
        for (key, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if property.get("description").is_none() {
                missing.push(format!("{at}.{key}"));
            }
        }
        for (name, definition) in schema.get("$defs").and_then(Value::as_object).into_iter().flatten() {
            if !name.starts_with("extension ") {
                check(definition, name, missing);
            }
        }
    }
    let mut missing = Vec::new();
    check(&schema(&Catalogue::new()), "", &mut missing);
    assert_eq!(missing, [""; 0]);
}

#[test]
fn the_schema_has_the_settings_of_every_extension_under_its_name() {
    let catalogue = Catalogue::new();
    let schema = schema(&catalogue);
    for user in ["Instance", "Provider"] {
        let definition = &schema["$defs"][user];
        let adapters = user == "Provider";
        let mut names = catalogue.names();
        names.retain(|name| name.starts_with("wire") == adapters);
        assert_eq!(definition["properties"]["use"]["enum"], Value::from(names));
        for (rule, name) in definition["allOf"].as_array().unwrap().iter().zip(catalogue.names()) {
            assert_eq!(rule["if"]["properties"]["use"]["const"], name);
            let pointer = rule["then"]["properties"]["with"]["$ref"].as_str().unwrap();
            assert!(schema.pointer(pointer.trim_start_matches('#')).is_some(), "{pointer}");
        }
    }
}

#[test]
fn every_reference_of_the_schema_leads_somewhere() {
    fn check(schema: &Value, root: &Value) {
        match schema {
            Value::Object(map) => {
                if let Some(Value::String(pointer)) = map.get("$ref") {
                    assert!(root.pointer(pointer.trim_start_matches('#')).is_some(), "{pointer}");
                }
                map.values().for_each(|value| check(value, root));
            }
            Value::Array(items) => items.iter().for_each(|item| check(item, root)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let schema = schema(&Catalogue::new());
    check(&schema, &schema);
}
