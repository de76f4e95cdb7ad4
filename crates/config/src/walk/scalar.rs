//! Kinds, enumerations and bounds of single values.

use serde_json::{Number, Value as Json};

use super::{Walker, bound, list_of};
use crate::located::{Node, Value, plain_value};
use crate::nearest::hint;
use crate::unit::{DURATION_FORM, PRICE_FORM, check_form, parse_dollars};

impl Walker<'_> {
    /// Whether the value is of a kind that the schema admits; otherwise it is reported.
    pub(super) fn kind(&mut self, schema: &Json, node: &mut Node) -> bool {
        if *schema == Json::Bool(false) {
            self.problems.error(node.at, self.path, "nothing can stand here");
            return false;
        }
        let kinds: Vec<&str> = match schema.get("type") {
            Some(Json::String(kind)) => vec![kind],
            Some(Json::Array(kinds)) => kinds.iter().filter_map(Json::as_str).collect(),
            _ => return true,
        };
        if kinds.iter().any(|kind| is_kind(&node.value, kind)) {
            return true;
        }
        // What an unquoted reference stands for is read as if it were written there.
        if let Value::Text(text) = &node.value
            && text.plain
            && text.referenced
            && let Some(value) = plain_value(&text.text)
            && kinds.iter().any(|kind| is_kind(&value, kind))
        {
            node.value = value;
            return true;
        }
        let expected = expected(&kinds);
        // A secret that was written as a number or a flag is still a secret.
        let secret = schema.get("x-secret").is_some();
        let found = if secret { "something else".to_owned() } else { describe(&node.value) };
        let remedy = remedy(schema, &kinds, &node.value);
        self.problems.error(node.at, self.path, format!("expected {expected}, found {found}{remedy}"));
        false
    }

    pub(super) fn scalar(&mut self, schema: &Json, node: &Node) {
        let value = node.to_json();
        let alternatives = list_of(schema, "enum");
        if !alternatives.is_empty() && !alternatives.contains(&value) {
            self.not_among(alternatives, node);
        }
        if let Some(constant) = schema.get("const").filter(|constant| **constant != value) {
            self.not_among(std::slice::from_ref(constant), node);
        }
        match &node.value {
            Value::Text(text) => self.text(schema, node, &text.text),
            Value::Number(number) => self.number(schema, node, number),
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => {}
        }
    }

    fn text(&mut self, schema: &Json, node: &Node, text: &str) {
        let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        if let Some(least) = bound(schema, "minLength").filter(|least| length < *least) {
            let message = if least == 1 {
                "the text is empty".to_owned()
            } else {
                format!("expected at least {least} characters, found {length}")
            };
            self.problems.error(node.at, self.path, message);
        }
        if let Some(most) = bound(schema, "maxLength").filter(|most| length > *most) {
            let message = format!("expected at most {most} characters, found {length}");
            self.problems.error(node.at, self.path, message);
        }
        if let Some(form) = schema.get("format").and_then(Json::as_str)
            && let Err(message) = check_form(form, text)
        {
            self.problems.error(node.at, self.path, message);
        }
    }

    fn number(&mut self, schema: &Json, node: &Node, exact: &Number) {
        let Some(number) = exact.as_f64() else { return };
        type Wrong = fn(f64, f64) -> bool;
        let bounds: [(&str, Wrong, &str); 4] = [
            ("minimum", |value, bound| value < bound, "at least"),
            ("maximum", |value, bound| value > bound, "at most"),
            ("exclusiveMinimum", |value, bound| value <= bound, "more than"),
            ("exclusiveMaximum", |value, bound| value >= bound, "less than"),
        ];
        for (keyword, wrong, words) in bounds {
            let Some(bound) = schema.get(keyword) else { continue };
            if bound.as_f64().is_some_and(|bound| wrong(number, bound)) {
                self.problems.error(
                    node.at,
                    self.path,
                    format!("expected {words} {bound}, found {}", node.to_json()),
                );
            }
        }
        let priced = schema.get("format").is_some_and(|form| form == PRICE_FORM);
        if priced
            && (0.0..=1e6).contains(&number)
            && let Err(message) = parse_dollars(exact)
        {
            self.problems.error(node.at, self.path, message);
        }
    }

    /// Reports a value that is none of the alternatives.
    pub(super) fn not_among(&mut self, alternatives: &[Json], node: &Node) {
        let shown = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let names: Vec<String> = alternatives.iter().map(shown).collect();
        let found = describe(&node.value);
        let hint = hint(node.text().unwrap_or_default(), names.iter().map(String::as_str), "expected one of");
        self.problems.error(node.at, self.path, format!("unknown value: {found}{hint}"));
    }
}

fn is_kind(value: &Value, kind: &str) -> bool {
    match value {
        Value::Null => kind == "null",
        Value::Bool(_) => kind == "boolean",
        Value::Number(number) => {
            kind == "number" || (kind == "integer" && (number.is_u64() || number.is_i64()))
        }
        Value::Text(_) => kind == "string",
        Value::List(_) => kind == "array",
        Value::Map(_) => kind == "object",
    }
}

/// What to write instead, where a scalar of one kind was plainly meant as another.
fn remedy(schema: &Json, kinds: &[&str], value: &Value) -> String {
    let form = schema.get("format").and_then(Json::as_str);
    let admits = |kind: &str| kinds.contains(&kind);
    match value {
        Value::Number(number) if form == Some(DURATION_FORM) => {
            format!("; add a unit, for example {number}s")
        }
        Value::Number(_) | Value::Bool(_) if admits("string") => "; put it in quotes".to_owned(),
        Value::Text(text) if text.referenced => String::new(),
        Value::Text(text)
            if plain_value(&text.text)
                .is_some_and(|plain| kinds.iter().any(|kind| is_kind(&plain, kind))) =>
        {
            "; remove the quotes".to_owned()
        }
        Value::Text(text) if admits("boolean") => match text.text.to_ascii_lowercase().as_str() {
            "yes" | "on" => "; write true".to_owned(),
            "no" | "off" => "; write false".to_owned(),
            _ => String::new(),
        },
        Value::Text(_) | Value::Map(_) if kinds == ["array"] => {
            "; write [ … ], or a line with `-` for each item".to_owned()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => {
            String::new()
        }
    }
}

/// What the schema admits, in words.
pub(super) fn expected(kinds: &[&str]) -> String {
    let word = |kind: &&str| {
        match *kind {
            "boolean" => "true or false",
            "integer" => "a whole number",
            "number" => "a number",
            "string" => "a text",
            "array" => "a list",
            "object" => "a map",
            other => other,
        }
        .to_owned()
    };
    let words: Vec<String> = kinds.iter().filter(|kind| **kind != "null").map(word).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(" or ") }
}

/// A value in words. What a reference stood for is not shown.
pub(super) fn describe(value: &Value) -> String {
    const SHOWN_MAX: usize = 40;
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a map".to_owned(),
        Value::Text(text) if text.referenced => "the text behind a reference".to_owned(),
        Value::Text(text) if text.text.chars().count() > SHOWN_MAX => "a long text".to_owned(),
        Value::Text(text) => format!("the text {:?}", text.text),
    }
}
