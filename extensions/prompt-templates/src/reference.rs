//! What a caller sends to refer to a prompt: `{"name": …, "variables": {…}}`.

use gatewright::prelude::*;
use gatewright::serde_json::{self, Map, Value};

/// A reference to a prompt.
#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) name: String,
    pub(crate) variables: Map<String, Value>,
}

/// Reads the reference in the member of this name, of which these are the values that the request has.
pub(crate) fn read(member: &str, found: &[String]) -> Result<Reference, Box<Denial>> {
    let [text] = found else { return Err(Box::new(miscounted(member, found.len()))) };
    let wrong = |what: &str, form: &str| {
        let message = format!("`{what}` must be {form}");
        Box::new(Denial::invalid(what.to_owned(), "invalid_type", message))
    };
    let Ok(Value::Object(mut members)) = serde_json::from_str(text) else {
        return Err(wrong(member, "an object with `name` and `variables`"));
    };
    let Some(Value::String(name)) = members.remove("name") else {
        return Err(wrong(&format!("{member}.name"), "the name of a prompt template as a string"));
    };
    let variables = match members.remove("variables") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(variables)) => variables,
        Some(_) => return Err(wrong(&format!("{member}.variables"), "an object")),
    };
    match members.keys().next() {
        None => Ok(Reference { name, variables }),
        Some(other) => {
            let what = format!("{member}.{other}");
            let message = format!("`{what}` is not known; send `name` and `variables` only");
            Err(Box::new(Denial::invalid(what, "unknown_parameter", message)))
        }
    }
}

fn miscounted(member: &str, count: usize) -> Denial {
    if count == 0 {
        let message = format!("`{member}` is missing: this route takes requests with a prompt template only");
        return Denial::invalid(member.to_owned(), "missing_required_parameter", message);
    }
    let message = format!("`{member}` stands in the request {count} times, send it once");
    Denial::invalid(member.to_owned(), "duplicate_parameter", message)
}
