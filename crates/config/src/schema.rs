//! The JSON Schema of the configuration, as the walker uses it and as editors get it.

use gatewright::point::Point;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::extensions::ExtensionCatalogue;
use crate::shape::Shape;

/// The schema of the file's own shape; settings of extensions may be anything.
pub(crate) fn of_shape() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Shape>().to_value()
}

/// The JSON Schema (draft 2020-12) of configuration files for a binary with these extensions: the
/// settings under `with` follow the extension under `use`.
#[must_use]
pub fn schema(extensions: &dyn ExtensionCatalogue) -> Value {
    let mut root = of_shape();
    let mut rules = Vec::new();
    let mut added = Map::new();
    for name in extensions.names() {
        let Some(mut settings) = extensions.schema(name) else { continue };
        let definition = format!("extension {name}");
        let pointer = format!("#/$defs/{}", definition.replace('~', "~0").replace('/', "~1"));
        rebase(&mut settings, &pointer);
        close(&mut settings);
        if let Some(settings) = settings.as_object_mut() {
            settings.remove("$schema");
        }
        let mut then = json!({ "properties": { "with": { "$ref": pointer } } });
        if settings.get("required").and_then(Value::as_array).is_some_and(|keys| !keys.is_empty()) {
            then["required"] = json!(["with"]);
        }
        rules.push(json!({
            "if": { "properties": { "use": { "const": name } } },
            "then": then,
        }));
        added.insert(definition, settings);
    }
    let Some(definitions) = root.get_mut("$defs").and_then(Value::as_object_mut) else { return root };
    for (user, fits) in USERS {
        let Some(user) = definitions.get_mut(user) else { continue };
        let mut names = extensions.names();
        names.retain(|name| extensions.points(name).is_some_and(fits));
        user["properties"]["use"]["enum"] = names.into();
        user["allOf"] = rules.clone().into();
    }
    definitions.extend(added);
    root
}

/// Whether an extension with these points fits.
type Fits = fn(&[Point]) -> bool;

/// The parts of the schema that use extensions, and which fit there.
const USERS: [(&str, Fits); 2] =
    [("Instance", can_be_instance), ("Provider", |points| points.contains(&Point::ProviderAdapter))];

/// Whether an extension can stand under `extensions`: it is more than a provider adapter.
pub(crate) fn can_be_instance(points: &[Point]) -> bool {
    points.iter().any(|point| *point != Point::ProviderAdapter)
}

/// Makes the references of a schema start where the schema now stands.
fn rebase(schema: &mut Value, pointer: &str) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(rest) = target.strip_prefix('#') {
                            *target = format!("{pointer}{rest}");
                        }
                    }
                    value => rebase(value, pointer),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rebase(item, pointer)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Says what the walker holds anyway: objects with named properties have no others.
fn close(schema: &mut Value) {
    const PARTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
    let Value::Object(map) = schema else { return };
    let names_properties = |map: &Map<String, Value>| map.contains_key("properties");
    let composed = PARTS.iter().any(|part| map.contains_key(*part));
    let parts = || PARTS.iter().filter_map(|part| map.get(*part)).filter_map(Value::as_array).flatten();
    let named_in_parts = parts().any(|part| part.as_object().is_some_and(names_properties));
    if !map.contains_key("additionalProperties") {
        if composed && (names_properties(map) || named_in_parts) {
            map.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
        } else if names_properties(map) {
            map.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
    }
    for (keyword, value) in map {
        match (&**keyword, value) {
            ("properties" | "$defs" | "patternProperties", Value::Object(named)) => {
                named.values_mut().for_each(close);
            }
            ("items" | "additionalProperties", value) => close(value),
            ("prefixItems", Value::Array(items)) => items.iter_mut().for_each(close),
            ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                // The whole is closed above; a part that was closed by itself would refuse the
                // properties of its siblings.
                for part in parts.iter_mut().filter_map(Value::as_object_mut) {
                    for named in
                        part.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten()
                    {
                        close(named.1);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
