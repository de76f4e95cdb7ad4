//! The reference page of the configuration, made from the same doc comments as the schema.

use serde_json::{Map, Value};

use crate::schema::of_shape;

/// The page `docs/reference/configuration.md`.
///
/// It describes the file's own shape; the settings of an extension are described on that
/// extension's page.
#[must_use]
pub fn reference_page() -> String {
    let schema = of_shape();
    let mut page = Page { root: &schema, text: String::new() };
    page.line("# Configuration reference");
    page.line("");
    page.line("<!-- Generated from the doc comments of crates/config/src/shape. Do not edit. -->");
    page.line("");
    page.paragraphs(description(&schema));
    page.object(&schema, "");
    page.text
}

struct Page<'a> {
    root: &'a Value,
    text: String,
}

impl<'a> Page<'a> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn paragraphs(&mut self, text: &str) {
        if !text.is_empty() {
            self.line(text);
            self.line("");
        }
    }

    /// The table of an object's keys, and below it the objects inside.
    fn object(&mut self, schema: &'a Value, path: &str) {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
        let required = schema.get("required").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        self.line("| key | value | default | meaning |");
        self.line("| --- | --- | --- | --- |");
        for (key, property) in properties {
            let default = if required.iter().any(|name| name == key) {
                "required".to_owned()
            } else {
                property.get("default").filter(|value| is_small(value)).map(code).unwrap_or_default()
            };
            let meaning = self.meaning(property);
            let kind = self.kind(property);
            self.line(&format!("| `{key}` | {kind} | {default} | {meaning} |"));
        }
        self.line("");
        for (key, property) in properties {
            self.inner(key, property, path);
        }
    }

    /// The section of an object inside an object, where the property holds one.
    fn inner(&mut self, key: &str, property: &'a Value, path: &str) {
        let target = self.target(property);
        let (target, mark) = match (target.get("items"), target.get("additionalProperties")) {
            (Some(item), _) => (self.target(item), "[]"),
            (None, Some(value)) if value.is_object() => (self.target(value), ".*"),
            _ => (target, ""),
        };
        if target.get("properties").is_none() {
            return;
        }
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{key}{mark}");
        self.line(&format!("## `{path}`"));
        self.line("");
        self.paragraphs(description(target));
        self.object(target, &path);
    }

    /// What a property is for, with the meaning of each of its values where it has names for them.
    fn meaning(&self, property: &'a Value) -> String {
        let mut meaning = cell(description(property));
        for choice in choices(self.target(property)) {
            if let Some(name) = choice.get("const") {
                meaning.push_str(&format!("<br>{}: {}", code(name), cell(description(choice))));
            }
        }
        meaning
    }

    /// What a property may hold, in words.
    fn kind(&self, property: &'a Value) -> String {
        let target = self.target(property);
        let names: Vec<String> = choices(target).filter_map(|choice| choice.get("const")).map(code).collect();
        if !names.is_empty() {
            return names.join(", ");
        }
        let kinds = match target.get("type") {
            Some(Value::String(kind)) => vec![&**kind],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let form = target.get("format").and_then(Value::as_str).unwrap_or_default();
        match (form, kinds.first().copied()) {
            ("duration-with-unit", _) => "duration".to_owned(),
            ("byte-size", _) => "size".to_owned(),
            ("socket-address", _) => "address and port".to_owned(),
            ("http-base-url", _) => "URL".to_owned(),
            ("usd-to-nine-decimals", _) => "price".to_owned(),
            (_, Some("string")) if target.get("x-secret").is_some() => "secret".to_owned(),
            (_, Some("string")) => "text".to_owned(),
            (_, Some("boolean")) => "`true` or `false`".to_owned(),
            (_, Some("integer")) => format!("whole number{}", range(target)),
            (_, Some("number")) => format!("number{}", range(target)),
            (_, Some("array")) => {
                let of = target.get("items").map(|item| self.kind(item)).unwrap_or_default();
                format!("list of {of}s").replace("maps", "maps, see below")
            }
            (_, Some("object")) if target.get("properties").is_some() => "map".to_owned(),
            (_, Some("object")) => "map by name".to_owned(),
            _ => "depends on the extension".to_owned(),
        }
    }

    /// What a schema says once references and the alternative of nothing are taken away.
    fn target(&self, schema: &'a Value) -> &'a Value {
        if let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
            return self.root.pointer(pointer.trim_start_matches('#')).unwrap_or(schema);
        }
        let null = |choice: &&Value| choice.get("type").is_some_and(|kind| kind == "null");
        let options: Vec<&Value> = schema
            .get("anyOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|choice| !null(choice))
            .collect();
        match options[..] {
            [only] => self.target(only),
            _ => schema,
        }
    }
}

fn choices(schema: &Value) -> impl Iterator<Item = &Value> {
    schema.get("oneOf").and_then(Value::as_array).into_iter().flatten()
}

fn description(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or_default()
}

/// Text as it may stand in a cell of a table.
fn cell(text: &str) -> String {
    text.replace("\n\n", "<br>").replace('\n', " ").replace('|', "\\|")
}

fn code(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("`{text}`")
}

/// Whether a default says more than the defaults of its own keys.
fn is_small(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Object(map) => Map::is_empty(map),
        Value::Array(items) => items.iter().all(|item| !item.is_object()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// The bounds of a number, where they are not those of its type.
fn range(schema: &Value) -> String {
    const TYPE_BOUNDS: [u64; 4] = [u8::MAX as u64, u16::MAX as u64, u32::MAX as u64, u64::MAX];
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    let least = bound("minimum").filter(|least| *least > 0);
    let most = bound("maximum").filter(|most| !TYPE_BOUNDS.contains(most));
    match (least, most) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        (Some(least), None) => format!(", at least {least}"),
        (None, Some(most)) => format!(", at most {most}"),
        (None, None) => String::new(),
    }
}
