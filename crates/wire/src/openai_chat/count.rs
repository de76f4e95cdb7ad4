//! What can be counted in requests of the family.
//!
//! A repeated key counts each time, as for texts: which one a provider reads is not known.

use gatewright::RequestCounts;

use crate::json::{Kind, Value};

/// Members that make a part of a message an image, by which it is one even without its type.
const IMAGE_MEMBERS: [&str; 2] = ["image_url", "image"];

/// Counts a chat request.
pub(crate) fn chat(root: &Value<'_>) -> RequestCounts {
    let mut counts = RequestCounts::default();
    for member in root.members() {
        if member.key.is("messages") {
            member.value.elements().for_each(|message| count_message(&message, &mut counts));
        } else if member.key.is("tools") || member.key.is("functions") {
            counts.tools += member.value.elements().count();
        }
    }
    counts
}

/// Counts a request whose member `key` has what is asked. A list of numbers is one input as tokens.
pub(crate) fn inputs(root: &Value<'_>, key: &str) -> RequestCounts {
    let mut counts = RequestCounts::default();
    for member in root.members().filter(|member| member.key.is(key)) {
        let is_tokens = member.value.elements().next().is_some_and(|first| first.kind() == Kind::Number);
        counts.inputs += match member.value.kind() {
            Kind::Array if !is_tokens => member.value.elements().count(),
            _ => 1,
        };
    }
    counts
}

fn count_message(message: &Value<'_>, counts: &mut RequestCounts) {
    counts.messages += 1;
    for content in message.members().filter(|member| member.key.is("content")) {
        for part in content.value.elements().filter(|part| part.kind() == Kind::Object) {
            let kind = part.get("type").and_then(|kind| kind.as_str());
            let kind = kind.as_deref().unwrap_or_default();
            if kind.contains("image") || IMAGE_MEMBERS.iter().any(|key| part.get(key).is_some()) {
                counts.images += 1;
            } else if !matches!(kind, "text" | "refusal" | "") {
                counts.files += 1;
            }
        }
    }
}
