//! Reasoning in a request that no provider of the dialect would take back.

use gatewright::dialect::{Dialect, RequestDocument};
use memchr::memmem;

use crate::json::Value;

/// The items of the input that are reasoning of another dialect, or have neither a seal nor a text of their own: their
/// pointers, the last first.
pub(super) fn foreign(request: &dyn RequestDocument) -> Vec<String> {
    let body = request.to_body();
    // A look at all items is not for free, and most conversations have no reasoning.
    if memmem::find(&body, b"\"reasoning\"").is_none() {
        return Vec::new();
    }
    let input = Value::of_checked(&body).get("input");
    let items = input.iter().flat_map(Value::elements).enumerate();
    let mut pointers: Vec<_> =
        items.filter(|(_, item)| is_foreign(item)).map(|(index, _)| format!("/input/{index}")).collect();
    pointers.reverse();
    pointers
}

fn is_foreign(item: &Value<'_>) -> bool {
    let text = |key| item.get(key).and_then(|text| text.as_str());
    if text("type").as_deref() != Some("reasoning") {
        return false;
    }
    match text("encrypted_content") {
        Some(seal) => seal.split_once(':').is_some_and(|(name, _)| Dialect::of_name(name).is_some()),
        None => item.get("content").is_none_or(|content| !content.has_children()),
    }
}
