//! Walks a located tree beside a JSON Schema and reports everything that does not fit, at its
//! place.
//!
//! It understands the vocabulary that `schemars` writes: types, enumerations, bounds, objects,
//! arrays, references and compositions. Objects with named properties are closed, whether the
//! schema says so or not: an unknown key is an error everywhere. `pattern` is left to the decoder.
//! On its way it puts the tree in order: a key without a value counts as absent where that is
//! allowed, and what an unquoted reference stood for becomes the number or flag it must be.

mod choice;
mod scalar;

use serde_json::Value as Json;

use crate::located::{Node, Value};
use crate::nearest::hint;
use crate::position::KeyPath;
use crate::problem::Problems;

/// Reports everything in `node` that does not fit `schema`.
pub(crate) fn walk(schema: &Json, node: &mut Node, path: &KeyPath, problems: &mut Problems) {
    let mut path = path.clone();
    Walker { root: schema, problems, path: &mut path }.value(schema, node);
}

struct Walker<'a> {
    /// The schema that `$ref` starts from.
    root: &'a Json,
    problems: &'a mut Problems,
    path: &'a mut KeyPath,
}

/// Which keys of a map the parts of a schema know.
#[derive(Default)]
struct Known<'a> {
    names: Vec<&'a str>,
    /// Some part names properties or forbids others.
    closed: bool,
    /// Some part admits any key.
    open: bool,
}

impl<'a> Walker<'a> {
    /// Checks a value, unknown keys included.
    fn value(&mut self, schema: &'a Json, node: &mut Node) {
        let mut known = Known::default();
        self.part(schema, node, &mut known);
        if !known.closed || known.open {
            return;
        }
        for entry in node.entries() {
            if !known.names.contains(&&*entry.key) {
                let hint = hint(&entry.key, known.names.iter().copied(), "known keys");
                self.path.push_key(&entry.key);
                self.problems.error(entry.key_at, self.path, format!("unknown key{hint}"));
                self.path.pop();
            }
        }
    }

    /// Checks a value against one part of a composed schema.
    fn part(&mut self, schema: &'a Json, node: &mut Node, known: &mut Known<'a>) {
        if let Some(target) = self.referenced(schema) {
            self.part(target, node, known);
        }
        if schema.get("x-secret").is_some_and(|flag| *flag == Json::Bool(true)) {
            self.secret(node);
        }
        if !self.kind(schema, node) {
            // What its parts should be is moot, and so are unknown keys.
            known.open = true;
            return;
        }
        match &node.value {
            Value::Map(_) => self.map(schema, node, known),
            Value::List(_) => self.list(schema, node),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => self.scalar(schema, node),
        }
        for part in list_of(schema, "allOf") {
            self.part(part, node, known);
        }
        for keyword in ["anyOf", "oneOf"] {
            self.choice(list_of(schema, keyword), node, known);
        }
    }

    fn map(&mut self, schema: &'a Json, node: &mut Node, known: &mut Known<'a>) {
        let properties = schema.get("properties").and_then(Json::as_object);
        let required: Vec<&str> = list_of(schema, "required").iter().filter_map(Json::as_str).collect();
        let rest = schema.get("additionalProperties");
        known.closed |= properties.is_some() || rest == Some(&Json::Bool(false));
        known.open |= rest.is_some_and(|rest| *rest != Json::Bool(false));
        known.names.extend(properties.into_iter().flat_map(|map| map.keys()).map(String::as_str));
        let Value::Map(entries) = &mut node.value else { return };
        entries.retain(|entry| {
            let property = properties.and_then(|map| map.get(&entry.key));
            let absent = entry.value.value == Value::Null
                && !required.contains(&&*entry.key)
                && property.is_some_and(|property| !admits_null(property));
            !absent
        });
        for entry in entries.iter_mut() {
            let property = properties.and_then(|map| map.get(&entry.key)).or(rest);
            if let Some(property) = property.filter(|property| property.as_bool().is_none()) {
                self.path.push_key(&entry.key);
                self.value(property, &mut entry.value);
                self.path.pop();
            }
        }
        for name in required {
            if node.get(name).is_none() {
                self.problems.error(node.at, self.path, format!("the key `{name}` is missing"));
            }
        }
    }

    fn list(&mut self, schema: &'a Json, node: &mut Node) {
        let at = node.at;
        let Value::List(items) = &mut node.value else { return };
        let first = list_of(schema, "prefixItems");
        for (place, item) in items.iter_mut().enumerate() {
            let Some(of_item) = first.get(place).or_else(|| schema.get("items")) else { continue };
            self.path.push_item(place);
            if *of_item == Json::Bool(false) {
                self.problems.error(item.at, self.path, format!("the list ends after {} items", first.len()));
            } else {
                self.value(of_item, item);
            }
            self.path.pop();
        }
        let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
        if let Some(least) = bound(schema, "minItems").filter(|least| count < *least) {
            self.problems.error(at, self.path, format!("expected at least {least} {}", items_word(least)));
        }
        if let Some(most) = bound(schema, "maxItems").filter(|most| count > *most) {
            self.problems.error(at, self.path, format!("expected at most {most} {}", items_word(most)));
        }
        if schema.get("uniqueItems") == Some(&Json::Bool(true)) {
            self.unique(node);
        }
    }

    fn unique(&mut self, node: &Node) {
        for (place, item) in node.items().iter().enumerate() {
            if node.items().iter().take(place).any(|before| before.to_json() == item.to_json()) {
                self.path.push_item(place);
                self.problems.error(item.at, self.path, "the item stands twice");
                self.path.pop();
            }
        }
    }

    /// A secret that is written out can be read by everyone who reads the file.
    fn secret(&mut self, node: &Node) {
        if let Value::Text(text) = &node.value
            && !text.referenced
        {
            let message = "a secret is written in the file; write ${env:NAME} or ${file:PATH} instead";
            self.problems.warning(node.at, self.path, message);
        }
    }

    /// The target of a `$ref` inside the schema.
    fn referenced(&self, schema: &Json) -> Option<&'a Json> {
        let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
        self.root.pointer(pointer)
    }

    /// The schema itself, or what it refers to where it is nothing but a reference.
    fn target(&self, schema: &'a Json) -> &'a Json {
        self.referenced(schema).unwrap_or(schema)
    }
}

/// The items of a list keyword; none where it is absent.
fn list_of<'a>(schema: &'a Json, keyword: &str) -> &'a [Json] {
    schema.get(keyword).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

fn bound(schema: &Json, keyword: &str) -> Option<u64> {
    schema.get(keyword)?.as_u64()
}

const fn items_word(count: u64) -> &'static str {
    if count == 1 { "item" } else { "items" }
}

/// Whether a property may be null on purpose, rather than left empty.
fn admits_null(schema: &Json) -> bool {
    let null = Json::from("null");
    let by_type = schema
        .get("type")
        .is_none_or(|kind| *kind == null || kind.as_array().is_some_and(|kinds| kinds.contains(&null)));
    let choices = ["anyOf", "oneOf"].map(|keyword| list_of(schema, keyword));
    let by_choice = |choice: &Json| choice.get("type") == Some(&null);
    match choices.concat().as_slice() {
        [] => by_type && schema.get("$ref").is_none() && schema.get("enum").is_none(),
        choices => choices.iter().any(by_choice),
    }
}

#[cfg(test)]
mod tests;
