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
            member.value.elements().for_each(|message| count_message(&message, &mut counts));
        } else if member.key.is("toolConfig") {
            let tools = member.value.members().filter(|member| member.key.is("tools"));
            // A mark for the cache stands among the tools and is none.
            let declared = tools.flat_map(|tools| tools.value.elements());
            counts.tools += declared.filter(|tool| tool.get("cachePoint").is_none()).count();
        }
    }
    counts
}

fn count_message(message: &Value<'_>, counts: &mut RequestCounts) {
    counts.messages += 1;
    for content in message.members().filter(|member| member.key.is("content")) {
        content.value.elements().for_each(|block| count_block(&block, counts));
    }
}

fn count_block(block: &Value<'_>, counts: &mut RequestCounts) {
    for member in block.members() {
        match member.key.bytes().as_ref() {
            b"image" => counts.images += 1,
            b"document" | b"video" | b"audio" => counts.files += 1,
            b"toolResult" => {
                let content = member.value.get("content");
                let blocks = content.into_iter().flat_map(|content| content.elements());
                blocks.for_each(|block| count_media(&block, counts));
            }
            _ => {}
        }
    }
}

/// The media inside a result of a tool, which has no results in it.
fn count_media(block: &Value<'_>, counts: &mut RequestCounts) {
    for member in block.members() {
        match member.key.bytes().as_ref() {
            b"image" => counts.images += 1,
            b"document" | b"video" => counts.files += 1,
            _ => {}
        }
    }
}
