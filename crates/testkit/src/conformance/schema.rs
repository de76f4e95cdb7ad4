//! The settings of an extension: described to whoever writes them, and accepted exactly as they are described.

use gatewright::registry::registration_of;
use gatewright::{Extension, Settings};
use serde_json::Value;

use super::corpus::mutations;
use super::suite::{Suite, run};
use crate::extension::create_in;

/// Every field has a description, unknown keys are refused, and what the schema accepts the decoder accepts too; what
/// the schema refuses makes no instance. No settings make `create` panic.
///
/// # Panics
/// If that does not hold.
pub fn settings<E: Extension>(suite: &Suite<E>) {
    let registration = registration_of::<E>().unwrap_or_else(|error| panic!("{error}"));
    let bare = undescribed(&(registration.schema)());
    assert!(
        bare.is_empty(),
        "every setting of `{}` says what it is for in a `///` comment; {} does not",
        E::NAME,
        bare.join(", ")
    );
    if let Err(problems) = suite.gateway().check() {
        panic!("the settings of the suite are refused:\n{problems}");
    }
    run(agreement(suite));
}

async fn agreement<E: Extension>(suite: &Suite<E>) {
    let mut wrong = Vec::new();
    for (what, changed) in mutations(&suite.settings) {
        let mut other = suite.with_settings(changed.clone());
        let checked = other.gateway().check();
        other.settings = checked.clone().unwrap_or(changed);
        let decoded = Settings::new(other.settings.clone()).decode::<E::Config>().map(drop);
        match (checked, decoded) {
            (Ok(_), Err(error)) => {
                wrong.push(format!("where {what}, the schema accepts what the decoder refuses: {error}"));
            }
            (Err(problems), Ok(())) if creates(&other).await => {
                wrong.push(format!("where {what}, the schema refuses what makes an instance: {problems}"));
            }
            (Ok(_), Ok(())) => {
                creates(&other).await;
            }
            (Err(_), _) => {}
        }
    }
    assert!(wrong.is_empty(), "the settings of `{}` and their schema differ:\n{}", E::NAME, wrong.join("\n"));
}

/// Whether an instance can be created, which must not panic.
async fn creates<E: Extension>(suite: &Suite<E>) -> bool {
    let (env, settings) = (suite.bed().env(), suite.settings.clone());
    let creating = tokio::spawn(async move { create_in::<E>(env, settings).await.is_ok() });
    match creating.await {
        Ok(created) => created,
        Err(_) => panic!("`{}` panics in `create`, given {}", E::NAME, suite.settings),
    }
}

/// The fields of a schema without a description, as `Type.field`.
fn undescribed(schema: &Value) -> Vec<String> {
    let mut bare = Vec::new();
    walk(schema, "settings", &mut bare);
    let named = schema["$defs"].as_object().into_iter().flatten();
    named.for_each(|(name, schema)| walk(schema, name, &mut bare));
    bare
}

fn walk(schema: &Value, place: &str, bare: &mut Vec<String>) {
    for (field, described) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{place}.{field}");
        // A tag names the variant, whose own description says it.
        if !is_described(described) && described.get("const").is_none() {
            bare.push(place.clone());
        }
        walk(described, &place, bare);
    }
    for list in ["oneOf", "anyOf", "allOf"] {
        for one in schema[list].as_array().into_iter().flatten() {
            match only_field(one).filter(|_| is_described(one)) {
                // A variant of an enum is described as such; its one field is its name.
                Some((field, value)) => walk(value, &format!("{place}.{field}"), bare),
                None => walk(one, place, bare),
            }
        }
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            walk(&schema[inner], place, bare);
        }
    }
}

fn only_field(schema: &Value) -> Option<(&String, &Value)> {
    let fields = schema["properties"].as_object()?;
    fields.iter().next().filter(|_| fields.len() == 1)
}

fn is_described(schema: &Value) -> bool {
    schema["description"].as_str().is_some_and(|text| !text.trim().is_empty())
}
