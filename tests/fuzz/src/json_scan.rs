//! The scanner agrees with serde_json on what is JSON, its views read what serde_json reads, and an edit changes
//! nothing but its span.

use bytes::Bytes;
use gatewright_wire::json::{Kind, ObjectEdit, Reason, Value, scan_object};
use serde::de::IgnoredAny;

/// Checks all of it for one input.
pub fn check(data: &[u8]) {
    let verdict = Value::parse(data);
    let reference = serde_json::from_slice::<IgnoredAny>(data);
    match &verdict {
        Ok(value) => {
            assert!(std::str::from_utf8(data).is_ok(), "accepted a text that is not UTF-8");
            assert!(reference.is_ok(), "accepted what is not JSON: {reference:?}");
            if let Ok(tree) = serde_json::from_slice(data) {
                compare(*value, &tree);
            }
        }
        Err(error) => {
            assert!(error.offset <= data.len(), "the error lies beyond the text");
            let excused = error.reason == Reason::TooDeep || std::str::from_utf8(data).is_err();
            assert!(excused || reference.is_err(), "refused what is JSON: {error}");
        }
    }
    let object = scan_object(data, |_| ());
    let is_object = verdict.as_ref().is_ok_and(|value| value.kind() == Kind::Object);
    assert_eq!(object.is_ok(), is_object, "the two ways to check disagree");
    if let Ok(object) = object {
        edit(data, &object);
    }
}

fn compare(value: Value<'_>, tree: &serde_json::Value) {
    match tree {
        serde_json::Value::Null => assert!(value.is_null()),
        serde_json::Value::Bool(bool) => assert_eq!(value.as_bool(), Some(*bool)),
        serde_json::Value::Number(_) => assert_eq!(value.kind(), Kind::Number),
        serde_json::Value::String(text) => assert_eq!(value.as_str().as_deref(), Some(text.as_str())),
        serde_json::Value::Array(trees) => {
            assert_eq!(value.elements().count(), trees.len());
            value.elements().zip(trees).for_each(|(value, tree)| compare(value, tree));
        }
        serde_json::Value::Object(trees) => {
            for (key, tree) in trees {
                compare(value.get(key).expect("the key is there"), tree);
            }
            for member in value.members() {
                assert!(trees.contains_key(member.key.decode().as_ref()));
            }
        }
    }
}

/// Sets one member and removes another, both named by what the text itself holds.
fn edit(data: &[u8], object: &Value<'_>) {
    let text = Bytes::copy_from_slice(data);
    let keys: Vec<String> = object.members().map(|member| member.key.decode().into_owned()).collect();
    let set = keys.last().map_or("fresh", String::as_str);
    let removed = keys.first().map_or("absent", String::as_str);
    let edit = ObjectEdit::new().remove(removed).set(set, "[1]").set_str("another \"one\"", "\u{1}\n");
    let patches = edit.patches(object).expect("it is an object");
    let edited = patches.apply(&text).expect("edits of different members do not overlap");
    let after = scan_object(&edited, |_| ()).expect("an edited object is still one");
    assert_eq!(after.get(set).map(|value| value.raw()), Some(&b"[1]"[..]));
    assert_eq!(after.get("another \"one\"").and_then(|value| value.as_str()).as_deref(), Some("\u{1}\n"));
    let untouched = |key: &str| key != set && key != removed && key != "another \"one\"";
    let rest = |object: &Value<'_>| -> Vec<Vec<u8>> {
        let kept = object.members().filter(|member| untouched(&member.key.decode()));
        kept.map(|member| [member.key.escaped(), b":", member.value.raw()].concat()).collect()
    };
    assert_eq!(rest(object), rest(&after), "a member that nobody edited has changed");
}
