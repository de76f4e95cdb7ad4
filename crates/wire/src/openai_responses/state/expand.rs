//! A request with the conversation that it goes on from.

use bytes::Bytes;
use gatewright::EditError;
use gatewright::dialect::{Abilities, ReasoningForm, Recalled, RequestDocument};

use super::SEALS;
use super::record::Record;
use super::wish::{includes_seals, is_reference, is_unsealed};
use crate::json::{Kind, ListWriter, Value, quote_into};

/// Puts in what is kept; gives the items that the request itself adds.
pub(super) fn expand(request: &mut dyn RequestDocument, recalled: Recalled<'_>) -> Result<Bytes, EditError> {
    let input = request.field("/input").unwrap_or_default();
    let own = own_items(&input, recalled.items);
    let is_longer = !recalled.turns.is_empty();
    if is_longer || !recalled.items.is_empty() {
        let longer = is_longer.then(|| conversation(recalled.turns, &own));
        let whole =
            std::str::from_utf8(longer.as_ref().unwrap_or(&own)).map_err(|_| malformed("it is not UTF-8"))?;
        request.set_field("/input", whole)?;
    }
    request.remove_field("/previous_response_id")?;
    if request.fields("/store") != ["false"] {
        request.set_field("/store", "false")?;
    }
    Ok(own)
}

/// The items of an input, those that only name one put in.
fn own_items(input: &str, kept: &[(Box<str>, Bytes)]) -> Bytes {
    let mut out = Vec::with_capacity(input.len() + 64);
    let mut list = ListWriter::open(&mut out);
    if let Ok(input) = Value::parse(input.as_bytes()) {
        if input.kind() == Kind::String {
            let item = list.item();
            item.extend_from_slice(
                br#"{"type":"message","role":"user","content":[{"type":"input_text","text":"#,
            );
            item.extend_from_slice(input.raw());
            item.extend_from_slice(b"}]}");
        }
        for item in input.elements() {
            let named = (is_reference(&item) || is_unsealed(&item)).then(|| found(&item, kept)).flatten();
            list.item().extend_from_slice(named.unwrap_or(item.raw()));
        }
    }
    list.close();
    out.into()
}

fn found<'k>(item: &Value<'_>, kept: &'k [(Box<str>, Bytes)]) -> Option<&'k [u8]> {
    let id = item.get("id")?.as_str()?;
    kept.iter().find(|(known, _)| **known == *id).map(|(_, text)| &text[..])
}

/// All items of a conversation, in order.
fn conversation(turns: &[Bytes], own: &[u8]) -> Bytes {
    let size: usize = turns.iter().map(Bytes::len).sum();
    let mut out = Vec::with_capacity(size + own.len());
    let mut list = ListWriter::open(&mut out);
    for turn in turns {
        let record = Record::read(turn);
        record.items().for_each(|item| list.item().extend_from_slice(item.raw()));
    }
    for item in Value::parse(own).iter().flat_map(Value::elements) {
        list.item().extend_from_slice(item.raw());
    }
    list.close();
    out.into()
}

/// Asks for sealed reasoning, unless the model is known not to reason or nobody says that it does: it would refuse.
pub(super) fn ask_for_seals(
    request: &mut dyn RequestDocument,
    abilities: &Abilities,
) -> Result<(), EditError> {
    if includes_seals(request) || !reasons(request, abilities.reasoning) {
        return Ok(());
    }
    let mut name = Vec::new();
    quote_into(&mut name, SEALS);
    let name = String::from_utf8(name).map_err(|_| malformed("it is not UTF-8"))?;
    let has_list = request.field("/include").is_some_and(|list| list.starts_with('['));
    if has_list {
        return request.set_field("/include/-", &name);
    }
    request.set_field("/include", &format!("[{name}]"))
}

fn reasons(request: &dyn RequestDocument, form: ReasoningForm) -> bool {
    let asked = request.field("/reasoning").filter(|value| value != "null");
    let effort = request.field("/reasoning/effort");
    match form {
        ReasoningForm::Never => false,
        _ if effort.as_deref() == Some(r#""none""#) => false,
        ReasoningForm::Usual => asked.is_some(),
        _ => true,
    }
}

fn malformed(reason: &str) -> EditError {
    EditError::Malformed { pointer: "/input".to_owned(), reason: reason.to_owned() }
}
