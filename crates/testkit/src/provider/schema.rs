//! A value that satisfies a simple JSON Schema: what the simulated model says where a structure is asked for.
//!
//! Understands types, `properties`, `items`, `enum`, `const`, `anyOf`, `oneOf`, `allOf` (its first branch), local
//! `$ref`, and the bounds that are common in tool definitions. Anything else is read as "any value".

use serde_json::{Map, Value, json};

/// Deeper than this a schema that refers to itself is answered with null.
const DEPTH_MAX: u32 = 24;
/// The longest list or text that a bound can ask for.
const LENGTH_MAX: u64 = 10_000;

/// A plausible value for `schema`.
pub(super) fn sample(schema: &Value) -> Value {
    sample_at(schema, schema, "value", DEPTH_MAX)
}

fn sample_at(root: &Value, schema: &Value, name: &str, depth: u32) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return Value::Null };
    if let Some(path) = schema["$ref"].as_str() {
        let target = path.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or(Value::Null, |target| sample_at(root, target, name, depth));
    }
    if let Some(fixed) = schema.get("const") {
        return fixed.clone();
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    for branches in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema[branches].as_array().and_then(|schemas| schemas.first()) {
            return sample_at(root, first, name, depth);
        }
    }
    match type_of(schema) {
        "object" => sample_object(root, schema, depth),
        "array" => sample_array(root, schema, name, depth),
        "integer" => sample_integer(schema),
        "number" => sample_number(schema),
        "boolean" => Value::Bool(true),
        "null" => Value::Null,
        _ => sample_text(schema, name),
    }
}

fn type_of(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(name) => name,
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or("null")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            if schema.get("properties").is_some() { "object" } else { "string" }
        }
    }
}

fn sample_object(root: &Value, schema: &Value, depth: u32) -> Value {
    let properties = schema["properties"].as_object();
    let members: Map<String, Value> = properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| (name.clone(), sample_at(root, schema, name, depth)))
        .collect();
    Value::Object(members)
}

fn sample_array(root: &Value, schema: &Value, name: &str, depth: u32) -> Value {
    let length = schema["minItems"].as_u64().unwrap_or(1).clamp(1, LENGTH_MAX);
    let length = schema["maxItems"].as_u64().map_or(length, |most| length.min(most));
    (0..length).map(|_| sample_at(root, &schema["items"], name, depth)).collect()
}

fn sample_integer(schema: &Value) -> Value {
    let least = schema["minimum"].as_i64();
    let least = least.or(schema["exclusiveMinimum"].as_i64().map(|bound| bound.saturating_add(1)));
    let most = schema["maximum"].as_i64();
    let most = most.or(schema["exclusiveMaximum"].as_i64().map(|bound| bound.saturating_sub(1)));
    let value = least.unwrap_or(7);
    json!(most.map_or(value, |most| value.min(most)))
}

fn sample_number(schema: &Value) -> Value {
    let least = schema["minimum"].as_f64().or(schema["exclusiveMinimum"].as_f64().map(|bound| bound + 0.5));
    let most = schema["maximum"].as_f64().or(schema["exclusiveMaximum"].as_f64().map(|bound| bound - 0.5));
    let value = least.unwrap_or(7.5);
    json!(most.map_or(value, |most| value.min(most)))
}

fn sample_text(schema: &Value, name: &str) -> Value {
    let text = match schema["format"].as_str() {
        Some("date-time") => "2024-05-17T09:30:00Z".to_owned(),
        Some("date") => "2024-05-17".to_owned(),
        Some("time") => "09:30:00Z".to_owned(),
        Some("email") => "ada@example.com".to_owned(),
        Some("uuid") => "3f2c1f7e-8a51-4f43-9c35-0b6f6a2d9e10".to_owned(),
        Some("uri" | "url") => "https://example.com/".to_owned(),
        Some("ipv4") => "192.0.2.1".to_owned(),
        _ => format!("some {name}"),
    };
    Value::String(fit_length(text, schema))
}

fn fit_length(mut text: String, schema: &Value) -> String {
    let least = schema["minLength"].as_u64().unwrap_or(0).min(LENGTH_MAX);
    while (text.chars().count() as u64) < least {
        text.push('x');
    }
    let most = schema["maxLength"].as_u64().and_then(|most| usize::try_from(most).ok());
    most.map_or(text.clone(), |most| text.chars().take(most).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: &Value, expected: &Value) {
        assert_eq!(sample(schema), *expected);
    }

    #[test]
    fn satisfies_the_shapes_that_tools_use() {
        check(&json!({"type": "string"}), &json!("some value"));
        check(&json!({"enum": ["celsius", "kelvin"]}), &json!("celsius"));
        check(&json!({"type": ["null", "integer"], "minimum": 9}), &json!(9));
        check(&json!({"type": "integer", "maximum": 3}), &json!(3));
        check(&json!({"type": "array", "items": {"type": "boolean"}, "minItems": 2}), &json!([true, true]));
        check(&json!({"type": "string", "minLength": 12, "maxLength": 12}), &json!("some valuexx"));
        check(&json!({"properties": {"city": {"type": "string"}}}), &json!({"city": "some city"}));
    }

    #[test]
    fn follows_local_references_and_ends_on_recursive_ones() {
        let tree = json!({
            "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
            "$ref": "#/$defs/node",
        });
        let mut value = &sample(&tree);
        while let Some(next) = value.get("next") {
            value = next;
        }
        assert!(value.is_null());
    }
}
