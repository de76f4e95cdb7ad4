//! Fields of a request, a text that has been checked, by RFC 6901 pointer.

use bytes::Bytes;
use gatewright::EditError;

use crate::json::{Kind, ListEdit, ObjectEdit, Patches, Value};

/// The JSON text of the field that `pointer` leads to.
pub(super) fn get(text: &[u8], pointer: &str) -> Option<String> {
    let root = Value::of_checked(text);
    let value = tokens(pointer)?.try_fold(root, |value, token| child(&value, &token))?;
    String::from_utf8(value.raw().to_vec()).ok()
}

/// Which fields are there. The members at the top, which the conversation is one of, are gone over once for all.
pub(super) fn present(text: &[u8], pointers: &[String]) -> Vec<bool> {
    let paths: Vec<Vec<String>> =
        pointers.iter().map(|pointer| tokens(pointer).into_iter().flatten().collect()).collect();
    let mut found = vec![false; paths.len()];
    for member in Value::of_checked(text).members() {
        for (found, path) in found.iter_mut().zip(&paths) {
            let Some((_, rest)) = path.split_first().filter(|(first, _)| member.key.is(first)) else {
                continue;
            };
            *found = rest.iter().try_fold(member.value, |value, token| child(&value, token)).is_some();
        }
    }
    found
}

/// The JSON text of every field that `pointer` leads to; more than one where a key is repeated.
pub(super) fn all(text: &[u8], pointer: &str) -> Vec<String> {
    let Some(tokens) = tokens(pointer) else { return Vec::new() };
    let found = tokens.fold(vec![Value::of_checked(text)], |values, token| {
        values.iter().flat_map(|value| children(value, &token)).collect()
    });
    found.iter().filter_map(|value| String::from_utf8(value.raw().to_vec()).ok()).collect()
}

/// The patches that take the field out wherever it stands; none if it does not.
pub(super) fn remove(text: &[u8], pointer: &str) -> Option<Patches> {
    let mut tokens: Vec<String> = tokens(pointer)?.collect();
    let last = tokens.pop()?;
    let parents = tokens.iter().fold(vec![Value::of_checked(text)], |values, token| {
        values.iter().flat_map(|value| children(value, token)).collect()
    });
    let mut patches = Patches::new();
    for parent in parents {
        if let Ok(edit) = ObjectEdit::new().remove(&last).patches(&parent) {
            patches.append(&edit);
        } else if let Ok(index) = last.parse() {
            remove_element(&parent, index, &mut patches);
        }
    }
    (!patches.is_empty()).then_some(patches)
}

fn remove_element(list: &Value<'_>, index: usize, patches: &mut Patches) {
    let mut edit = ListEdit::default();
    for (place, element) in list.elements().enumerate() {
        if place == index {
            edit.drop(element.span(), patches);
        } else {
            edit.keep(element.span(), patches);
        }
    }
    edit.finish(patches);
}

/// The patches that give the field the value `json`, or add it to the object or array that it would be the next of.
pub(super) fn set(text: &Bytes, pointer: &str, json: &str) -> Result<Patches, EditError> {
    let json = json.trim_ascii();
    if Value::parse(json.as_bytes()).is_err() {
        return Err(EditError::NotJson { pointer: pointer.to_owned() });
    }
    let json = Bytes::copy_from_slice(json.as_bytes());
    find_and_set(text, pointer, json).ok_or_else(|| EditError::NoSuchField { pointer: pointer.to_owned() })
}

fn find_and_set(text: &[u8], pointer: &str, json: Bytes) -> Option<Patches> {
    let root = Value::of_checked(text);
    let mut tokens: Vec<String> = tokens(pointer)?.collect();
    let last = tokens.pop()?;
    let parent = tokens.iter().try_fold(root, |value, token| child(&value, token))?;
    if let Ok(patches) = ObjectEdit::new().set(&last, json.clone()).patches(&parent) {
        return Some(patches);
    }
    let mut patches = Patches::new();
    if last == "-" && parent.kind() == Kind::Array {
        let (at, separator) = match parent.elements().last() {
            Some(element) => (element.span().end, &b","[..]),
            None => (parent.span().start + 1, &b""[..]),
        };
        patches.insert(at, [separator, &json].concat());
    } else {
        patches.replace(child(&parent, &last)?.span(), json);
    }
    Some(patches)
}

/// A name as a token of a pointer.
pub(crate) fn token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The pointer of the member `name` of what `parent` leads to; an empty one leads to the whole text.
pub(crate) fn below(parent: &str, name: &str) -> String {
    format!("{parent}/{}", token(name))
}

/// The reference tokens, unescaped; none if it is no pointer or leads to the whole text.
fn tokens(pointer: &str) -> Option<impl Iterator<Item = String>> {
    let path = pointer.strip_prefix('/')?;
    Some(path.split('/').map(|token| token.replace("~1", "/").replace("~0", "~")))
}

fn children<'a>(value: &Value<'a>, token: &str) -> Vec<Value<'a>> {
    match value.kind() {
        Kind::Object => {
            value.members().filter(|member| member.key.is(token)).map(|member| member.value).collect()
        }
        _ => child(value, token).into_iter().collect(),
    }
}

fn child<'a>(value: &Value<'a>, token: &str) -> Option<Value<'a>> {
    match value.kind() {
        Kind::Object => value.get(token),
        Kind::Array => value.elements().nth(token.parse().ok()?),
        Kind::String | Kind::Number | Kind::Bool | Kind::Null => None,
    }
}
