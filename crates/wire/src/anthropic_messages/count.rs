//! What can be counted in a request.
//!
//! A repeated key counts each time, as for texts: which one a provider reads is not known.

use gatewright::RequestCounts;

use crate::json::Value;

/// Counts a request.
pub(super) fn chat(root: &Value<'_>) -> RequestCounts {
    let mut counts = RequestCounts::default();
    for member in root.members() {
        if member.key.is("messages") {
            for message in member.value.elements() {
                counts.messages += 1;
                let contents = message.members().filter(|member| member.key.is("content"));
                contents.for_each(|content| blocks(&content.value, &mut counts));
            }
        } else if member.key.is("tools") {
            counts.tools += member.value.elements().count();
        }
    }
    counts
}

/// Counts the blocks of a content, and what stands inside results of tools.
fn blocks(content: &Value<'_>, counts: &mut RequestCounts) {
    for block in content.elements() {
        let [kind, inside] = block.pick(["type", "content"]);
        match kind.and_then(|kind| kind.as_str()).as_deref() {
            Some("image") => counts.images += 1,
            Some("document" | "container_upload") => counts.files += 1,
            _ => inside.iter().for_each(|inside| blocks(inside, counts)),
        }
    }
}
