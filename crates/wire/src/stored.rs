//! What a request names that its provider stores: files, stores of vectors, containers, prompts, earlier sound.
//!
//! Whose it is the provider tells by its credential alone, which callers share. The names are those of the public
//! references of the chat, responses and messages APIs; what callers write for their own tools is not looked into.

use crate::document::pointer::token;
use crate::json::{Kind, Value};

/// Without one of these in its text, and without [`FILE_ID`] and [`ESCAPE`], a request names nothing of the kind: they
/// are the members by which it would.
pub const SIGNS: [&[u8]; 4] = [b"vector_store_ids", b"\"container", b"\"prompt\"", b"\"audio\""];

/// The member by which most dialects name a file.
pub const FILE_ID: &[u8] = b"file_id";

/// How any name can be written otherwise.
pub const ESCAPE: &[u8] = b"\\u00";

/// Objects that callers fill as their tools and schemas have it.
const OF_THE_CALLER: [&str; 10] = [
    "input",
    "args",
    "arguments",
    "response",
    "json",
    "parameters",
    "parametersJsonSchema",
    "input_schema",
    "schema",
    "metadata",
];

/// The RFC 6901 pointer of the first name of something stored at the provider.
#[must_use]
pub fn name_of_stored(body: &[u8]) -> Option<String> {
    let mut place = String::new();
    look(&Value::parse(body).ok()?, &mut place).then_some(place)
}

/// Whether something below a value names something stored; then `place` leads there.
fn look(value: &Value<'_>, place: &mut String) -> bool {
    let length = place.len();
    for (index, element) in value.elements().enumerate() {
        place.push('/');
        place.push_str(&index.to_string());
        if look(&element, place) {
            return true;
        }
        place.truncate(length);
    }
    for member in value.members() {
        let name = member.key.decode();
        if member.value.kind() == Kind::Object && OF_THE_CALLER.contains(&&*name) {
            continue;
        }
        place.push('/');
        place.push_str(&token(&name));
        if names(&name, &member.value) || look(&member.value, place) {
            return true;
        }
        place.truncate(length);
    }
    false
}

/// Whether a member says what is stored.
fn names(name: &str, value: &Value<'_>) -> bool {
    let is_text = value.kind() == Kind::String;
    match name {
        "file_id" => is_text,
        "file_ids" | "vector_store_ids" => value.has_children(),
        "container" => is_text || value.get("id").is_some_and(|id| id.kind() == Kind::String),
        "prompt" | "audio" => value.get("id").is_some_and(|id| id.kind() == Kind::String),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::name_of_stored;

    #[test]
    fn what_is_stored_is_found_where_it_is_named() {
        let table = [
            (
                r#"{"tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]}"#,
                "/tools/0/vector_store_ids",
            ),
            (r#"{"tools":[{"type":"code_interpreter","container":"cntr_1"}]}"#, "/tools/0/container"),
            (
                r#"{"tools":[{"type":"code_interpreter","container":{"type":"auto","file_ids":["f"]}}]}"#,
                "/tools/0/container/file_ids",
            ),
            (r#"{"container":{"id":"container_1","skills":[]}}"#, "/container"),
            (r#"{"prompt":{"id":"pmpt_1"}}"#, "/prompt"),
            (r#"{"messages":[{"role":"assistant","audio":{"id":"audio_1"}}]}"#, "/messages/0/audio"),
            (
                r#"{"input":[{"type":"computer_call_output","output":{"file_id":"f"}}]}"#,
                "/input/0/output/file_id",
            ),
            (r#"{"tools":[{"input_image_mask":{"file\u005fid":"f"}}]}"#, "/tools/0/input_image_mask/file_id"),
        ];
        for (body, place) in table {
            assert_eq!(name_of_stored(body.as_bytes()).as_deref(), Some(place), "{body}");
        }
    }

    #[test]
    fn what_callers_write_for_themselves_is_theirs() {
        let bodies = [
            r#"{"audio":{"voice":"alloy","format":"wav"},"prompt":"a file_id","container":null}"#,
            r#"{"tools":[{"type":"code_interpreter","container":{"type":"auto"}}]}"#,
            r#"{"tools":[{"function":{"parameters":{"properties":{"file_id":{"type":"string"}},"file_id":"x"}}}]}"#,
            r#"{"messages":[{"content":[{"type":"tool_use","input":{"file_id":"mine","container":"c"}}]}]}"#,
            r#"{"messages":[{"content":"the \"file_id\" is container"}],"vector_store_ids":[]}"#,
            r#"{"metadata":{"file_id":"x"}}"#,
        ];
        for body in bodies {
            assert_eq!(name_of_stored(body.as_bytes()), None, "{body}");
        }
    }
}
