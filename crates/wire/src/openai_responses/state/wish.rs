//! What a request says of what is kept.

use gatewright::Failure;
use gatewright::dialect::{RequestDocument, Wish};

use super::{SEAL, SEALS};
use crate::document::invalid;
use crate::json::{Kind, Value};

/// A request may name so many items in place of sending them.
const ITEMS_MAX: usize = 1_000;

/// Reads it.
pub(super) fn wish(request: &dyn RequestDocument) -> Result<Wish, Failure> {
    refuse_elsewhere(request)?;
    let mut wish = Wish { previous: previous(request)?, ..Wish::default() };
    let inputs = request.fields("/input");
    for input in &inputs {
        if let Ok(input) = Value::parse(input.as_bytes()) {
            items(&input, &mut wish)?;
        }
    }
    let names_something = wish.previous.is_some() || !wish.items.is_empty();
    if names_something && inputs.len() > 1 {
        return Err(invalid("/input", "given once"));
    }
    (wish.keeps, wish.insists) = store(request)?;
    wish.shows_seals = includes_seals(request);
    Ok(wish)
}

/// What only the provider could do that stores the conversation.
fn refuse_elsewhere(request: &dyn RequestDocument) -> Result<(), Failure> {
    if request.fields("/conversation").iter().any(|value| value != "null") {
        let text = "this gateway has no conversations: go on from a response by `previous_response_id`";
        return Err(Failure::invalid("conversation", text).with_code("unsupported_parameter"));
    }
    if request.fields("/background").iter().any(|value| value == "true") {
        let text = "this gateway answers while the caller waits: leave `background` out, or set it to false";
        return Err(Failure::invalid("background", text).with_code("unsupported_parameter"));
    }
    Ok(())
}

fn previous(request: &dyn RequestDocument) -> Result<Option<Box<str>>, Failure> {
    let given = request.fields("/previous_response_id");
    let ids = given.iter().filter(|value| *value != "null").collect::<Vec<_>>();
    let Some((first, others)) = ids.split_first() else { return Ok(None) };
    let id = Value::parse(first.as_bytes()).ok().and_then(|value| Some(value.as_str()?.into()));
    match id {
        Some(id) if others.is_empty() => Ok(Some(id)),
        _ => Err(invalid("/previous_response_id", "the id of one response")),
    }
}

/// Whether the answer is to be kept, and whether the request says so itself. Of several values the most private holds.
fn store(request: &dyn RequestDocument) -> Result<(bool, bool), Failure> {
    let given = request.fields("/store");
    if given.iter().any(|value| !matches!(value.as_str(), "true" | "false" | "null")) {
        return Err(invalid("/store", "a boolean"));
    }
    Ok((!given.iter().any(|value| value == "false"), given.iter().any(|value| value == "true")))
}

pub(super) fn includes_seals(request: &dyn RequestDocument) -> bool {
    request.fields("/include").iter().any(|list| {
        let list = Value::parse(list.as_bytes()).ok();
        list.is_some_and(|list| {
            list.elements().any(|name| name.json_str().is_some_and(|name| name.is(SEALS)))
        })
    })
}

fn items(input: &Value<'_>, wish: &mut Wish) -> Result<(), Failure> {
    for (index, item) in input.elements().enumerate() {
        let id = || item.get("id").and_then(|id| id.as_str());
        if is_reference(&item) {
            let Some(id) = id() else {
                return Err(invalid(&format!("/input/{index}/id"), "the id of an item"));
            };
            wish.items.push(id.as_ref().into());
        } else if is_unsealed(&item) {
            wish.unsealed.extend(id().map(|id| Box::from(id.as_ref())));
        }
        if wish.items.len().max(wish.unsealed.len()) > ITEMS_MAX {
            let text =
                format!("`input` may name at most {ITEMS_MAX} stored items; send the others themselves");
            return Err(Failure::invalid("input", text));
        }
    }
    Ok(())
}

/// An item without content of its own: its type says so, or it has nothing but an id.
pub(super) fn is_reference(item: &Value<'_>) -> bool {
    match item.get("type").filter(|kind| !kind.is_null()).and_then(|kind| kind.as_str()).as_deref() {
        Some(kind) => kind == "item_reference",
        None => item.kind() == Kind::Object && item.get("id").is_some() && item.get("content").is_none(),
    }
}

/// Reasoning without what proves it: its caller never saw that, or left it to who stores the item.
pub(super) fn is_unsealed(item: &Value<'_>) -> bool {
    let is_reasoning =
        item.get("type").and_then(|kind| kind.json_str()).is_some_and(|kind| kind.is("reasoning"));
    is_reasoning && item.get(SEAL).is_none_or(|seal| seal.is_null())
}
