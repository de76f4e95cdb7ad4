//! The page of one extension, from the schema of its settings.

use serde_json::{Map, Value};

use crate::distribution::Registered;

/// The page of an extension whose settings have this schema.
pub(super) fn of(extension: &Registered, settings: &Value) -> String {
    let Registered { name, package, version, points, .. } = extension;
    let mut text = format!("# {name}\n\n");
    text.push_str(&format!("Package `{package}` {version}, at the points: {}.\n", points.join(", ")));
    if let Some(table) = table(settings) {
        text.push_str(&format!("\n## Settings\n\n{table}"));
    } else {
        text.push_str("\nIt takes no settings.\n");
    }
    for (name, part) in object(settings, "$defs") {
        if let Some(table) = table(part) {
            text.push_str(&format!("\n### {name}\n\n{}\n\n{table}", description(part)));
        } else if let Some(words) = words(part) {
            text.push_str(&format!("\n### {name}\n\n{}\n\n{words}", description(part)));
        }
    }
    text
}

/// The properties of an object as a table; none where there are none.
fn table(schema: &Value) -> Option<String> {
    let properties = object(schema, "properties");
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut text = "| setting | value | default | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    let mut is_empty = true;
    for (name, property) in properties {
        let default = match property.get("default") {
            _ if required.contains(&name.as_str()) => "required".to_owned(),
            None | Some(Value::Null) => String::new(),
            Some(value) => format!("`{value}`"),
        };
        let meaning = cell(&description(property));
        text.push_str(&format!("| `{name}` | {} | {default} | {meaning} |\n", kind(property)));
        is_empty = false;
    }
    (!is_empty).then_some(text)
}

/// The words of a closed set, with what each means; none where it is no such set.
fn words(schema: &Value) -> Option<String> {
    let words = schema.get("oneOf").and_then(Value::as_array)?;
    let line = |word: &Value| {
        let name = word.get("const")?.as_str()?;
        Some(format!("- `{name}`: {}\n", cell(&description(word))))
    };
    words.iter().map(line).collect()
}

/// What a value is, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        return target.rsplit('/').next().unwrap_or(target).to_owned();
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words
            .iter()
            .map(|word| format!("`{}`", word.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(", ");
    }
    if let Some(forms) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
        let forms = forms.iter().map(kind).filter(|form| !form.is_empty());
        return forms.collect::<Vec<_>>().join(" or ");
    }
    match schema.get("type") {
        Some(Value::String(name)) => named(name, schema),
        Some(Value::Array(names)) => {
            let names = names.iter().filter_map(Value::as_str).map(|name| named(name, schema));
            names.filter(|name| !name.is_empty()).collect::<Vec<_>>().join(" or ")
        }
        _ => String::new(),
    }
}

fn named(kind_name: &str, schema: &Value) -> String {
    let inner = |key: &str| schema.get(key).map(kind).filter(|inner| !inner.is_empty());
    match kind_name {
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        "array" => inner("items").map_or_else(|| "list".to_owned(), |items| format!("list of {items}")),
        "object" => inner("additionalProperties")
            .map_or_else(|| "map".to_owned(), |values| format!("map to {values}")),
        "null" => String::new(),
        other => other.to_owned(),
    }
}

fn description(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// One line that no table breaks at.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn object<'v>(schema: &'v Value, key: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    schema.get(key).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shows_settings_with_their_kinds_defaults_and_parts() {
        let extension = Registered {
            name: "mask".to_owned(),
            package: "acme-mask".to_owned(),
            version: "1.2.0".to_owned(),
            points: vec!["response".to_owned()],
            digest: None,
        };
        let settings = json!({
            "type": "object",
            "required": ["names"],
            "properties": {
                "names": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Who | what."},
                "max": {"type": ["integer", "null"], "default": 5, "description": "The most,\nin bytes."},
                "lanes": {"type": "array", "items": {"$ref": "#/$defs/extension mask/$defs/Lane"}},
            },
            "$defs": {"Lane": {"description": "A text.", "oneOf": [{"const": "content", "description": "What is read."}]}},
        });
        let expected = "# mask\n\nPackage `acme-mask` 1.2.0, at the points: response.\n\n## Settings\n\n\
            | setting | value | default | meaning |\n| --- | --- | --- | --- |\n\
            | `names` | map to text | required | Who \\| what. |\n\
            | `max` | whole number | `5` | The most, in bytes. |\n\
            | `lanes` | list of Lane |  |  |\n\
            \n### Lane\n\nA text.\n\n- `content`: What is read.\n";
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(lines(&of(&extension, &settings)), lines(expected));
    }
}
