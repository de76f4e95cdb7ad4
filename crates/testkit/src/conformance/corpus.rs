//! Settings that are almost the given ones: a field dropped, a value of another type, a key too many.

use serde_json::{Value, json};

/// A key that no extension has.
const UNKNOWN: &str = "a-key-that-nobody-knows";

/// Changed settings, each with what was changed.
pub(super) fn mutations(settings: &Value) -> Vec<(String, Value)> {
    let mut changed = Vec::new();
    visit(settings, "", settings, &mut changed);
    changed
}

fn visit(root: &Value, pointer: &str, value: &Value, changed: &mut Vec<(String, Value)>) {
    if !pointer.is_empty() {
        for other in strangers(value) {
            changed.push((format!("{pointer} is {other}"), replaced(root, pointer, other)));
        }
    }
    match value {
        Value::Object(members) => {
            let mut more = members.clone();
            more.insert(UNKNOWN.to_owned(), json!(1));
            changed.push((format!("{pointer}/{UNKNOWN} is there"), replaced(root, pointer, more.into())));
            for (key, member) in members {
                let mut less = members.clone();
                less.shift_remove(key);
                changed.push((format!("{pointer}/{key} is not there"), replaced(root, pointer, less.into())));
                visit(root, &format!("{pointer}/{}", escaped(key)), member, changed);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                visit(root, &format!("{pointer}/{index}"), item, changed);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Values of other types, and of the same type but empty. No list for a map: a decoder reads a list as the fields of a
/// type in their order, and a configuration never gets that far.
fn strangers(value: &Value) -> Vec<Value> {
    let all =
        [json!(true), json!(7), json!(-0.5), json!(""), json!("7 things"), json!([]), json!([7]), json!({})];
    all.into_iter().filter(|other| other != value && !(value.is_object() && other.is_array())).collect()
}

fn replaced(root: &Value, pointer: &str, with: Value) -> Value {
    let mut root = root.clone();
    if let Some(place) = root.pointer_mut(pointer) {
        *place = with;
    }
    root
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{UNKNOWN, mutations};

    #[test]
    fn every_field_is_dropped_replaced_and_joined_by_a_stranger() {
        let all = mutations(&json!({"a": {"b/c": 1}, "d": [{"e": "x"}]}));
        let has = |expected| all.iter().any(|(_, value)| *value == expected);
        assert!(has(json!({"d": [{"e": "x"}]})));
        assert!(has(json!({"a": {}, "d": [{"e": "x"}]})));
        assert!(has(json!({"a": {"b/c": true}, "d": [{"e": "x"}]})));
        assert!(has(json!({"a": {"b/c": 1}, "d": [{"e": 7}]})));
        assert!(has(json!({"a": {"b/c": 1}, "d": [{"e": "x", UNKNOWN: 1}]})));
        assert!(all.iter().all(|(_, value)| *value != json!({"a": {"b/c": 1}, "d": [{"e": "x"}]})));
    }
}
