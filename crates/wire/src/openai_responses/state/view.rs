//! What a caller is shown of an answer that is kept.

use bytes::Bytes;
use gatewright::Failure;
use gatewright::dialect::Look;

use super::identity::{without_seal, without_seals};
use super::record::Record;
use super::{Missing, SEALS, missing};
use crate::document::invalid;
use crate::json::{Kind, ListWriter, ObjectWriter, Value, quote_into};

/// Items of one page.
const PAGE_MAX: usize = 100;
const PAGE_USUAL: usize = 20;

/// Reads what the query of an address says of a look.
pub(super) fn look(look: Look, query: Option<&str>) -> Result<Look, Failure> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    match look {
        Look::Answer { .. } => {
            let mut shows_seals = false;
            for (name, value) in pairs {
                match (&*name, &*value) {
                    ("stream", "true") => {
                        let text = "a stored response is told whole: leave `stream` out";
                        return Err(Failure::invalid("stream", text).with_code("unsupported_parameter"));
                    }
                    ("include" | "include[]", SEALS) => shows_seals = true,
                    _ => {}
                }
            }
            Ok(Look::Answer { shows_seals })
        }
        Look::Items { .. } => {
            let (mut after, mut count_max, mut is_descending) = (None, PAGE_USUAL, true);
            for (name, value) in pairs {
                match (&*name, &*value) {
                    ("after", id) => after = Some(id.into()),
                    ("limit", number) => {
                        let number = number.parse().ok().filter(|number| (1..=PAGE_MAX).contains(number));
                        count_max = number.ok_or_else(|| invalid("limit", "a number from 1 to 100"))?;
                    }
                    ("order", "asc") => is_descending = false,
                    ("order", "desc") => is_descending = true,
                    ("order", _) => return Err(invalid("order", "`asc` or `desc`")),
                    _ => {}
                }
            }
            Ok(Look::Items { after, count_max, is_descending })
        }
        Look::Delete | Look::Cancel => Ok(look),
    }
}

/// Tells what was asked.
pub(super) fn tell(id: &str, look: &Look, turns: &[Bytes]) -> Result<Bytes, Failure> {
    let record = Record::read(turns.last().map(|record| &record[..]).unwrap_or_default());
    match look {
        Look::Answer { shows_seals } => {
            let answer = record.answer.ok_or_else(|| missing(Missing::Answer(id)))?;
            let text = Bytes::copy_from_slice(answer.raw());
            if *shows_seals || !record.hides_seals {
                return Ok(text);
            }
            let patches = Value::parse(&text).map(|answer| without_seals(&answer)).unwrap_or_default();
            patches.apply(&text).map_err(|error| Failure::internal(error.to_string()))
        }
        Look::Items { after, count_max, is_descending } => {
            page(turns, after.as_deref(), (*count_max, *is_descending))
        }
        Look::Delete => {
            let mut out = Vec::new();
            let mut object = ObjectWriter::open(&mut out);
            object.str("id", id);
            object.str("object", "response");
            object.bool("deleted", true);
            object.close();
            Ok(out.into())
        }
        Look::Cancel => {
            let text = "only a response that is made in the background can be cancelled";
            Err(Failure::invalid("response_id", text).with_code("response_not_in_background"))
        }
    }
}

/// The items that an answer was made from, those of the whole conversation before it.
fn page(
    turns: &[Bytes],
    after: Option<&str>,
    (count_max, is_descending): (usize, bool),
) -> Result<Bytes, Failure> {
    let mut items = Vec::new();
    for (place, turn) in turns.iter().enumerate() {
        let record = Record::read(turn);
        let id = record.answer.and_then(|answer| answer.get("id")?.as_str());
        let digits = id.as_deref().and_then(|id| id.strip_prefix("resp_")).unwrap_or_default().to_owned();
        items.extend(
            record.input().enumerate().map(|(index, item)| listed(&item, &format!("{digits}_i{index}"))),
        );
        if place + 1 < turns.len() {
            let shown = record.output().map(|item| shown(&item, record.hides_seals));
            items.extend(shown.enumerate().map(|(index, text)| {
                let made = format!("{digits}_{index}");
                Value::parse(&text).map(|item| listed(&item, &made)).unwrap_or_default()
            }));
        }
    }
    if is_descending {
        items.reverse();
    }
    let begin = match after {
        None => 0,
        Some(after) => {
            let at = items.iter().position(|(id, _)| id == after);
            at.ok_or_else(|| invalid("after", "the id of an item of the list"))? + 1
        }
    };
    let rest = items.get(begin..).unwrap_or_default();
    let shown = rest.get(..count_max.min(rest.len())).unwrap_or_default();
    Ok(list(shown, shown.len() < rest.len()))
}

fn shown(item: &Value<'_>, hides_seals: bool) -> Bytes {
    let text = Bytes::copy_from_slice(item.raw());
    if !hides_seals {
        return text;
    }
    let patches = Value::parse(&text).map(|item| without_seal(&item)).unwrap_or_default();
    patches.apply(&text).unwrap_or(text)
}

fn list(items: &[(String, Vec<u8>)], has_more: bool) -> Bytes {
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    object.str("object", "list");
    let mut data = object.list("data");
    items.iter().for_each(|(_, item)| data.item().extend_from_slice(item));
    data.close();
    for (key, end) in [("first_id", items.first()), ("last_id", items.last())] {
        match end {
            Some((id, _)) => object.str(key, id),
            None => object.raw(key, "null"),
        }
    }
    object.bool("has_more", has_more);
    object.close();
    out.into()
}

/// An item as lists show it, and its id: with an id and a type, and content as a list of parts, however its caller
/// wrote it.
fn listed(item: &Value<'_>, made: &str) -> (String, Vec<u8>) {
    let text = |key: &str| item.get(key).and_then(|text| text.as_str());
    let kind = text("type").unwrap_or("message".into());
    let id = text("id").map_or_else(|| format!("{}_{made}", prefix(&kind)), Into::into);
    let mut out = Vec::with_capacity(item.raw().len() + 64);
    let mut object = ObjectWriter::open(&mut out);
    object.str("id", &id);
    object.str("type", &kind);
    for member in item.members().filter(|member| !(member.key.is("id") || member.key.is("type"))) {
        let key = member.key.decode();
        let value = object.key(&key);
        if key == "content" && member.value.kind() == Kind::String {
            let is_said = text("role").as_deref() == Some("assistant");
            part(value, if is_said { "output_text" } else { "input_text" }, &member.value);
        } else {
            value.extend_from_slice(member.value.raw());
        }
    }
    if item.get("status").is_none() {
        object.str("status", "completed");
    }
    object.close();
    (id, out)
}

/// A list of one part.
fn part(out: &mut Vec<u8>, kind: &str, text: &Value<'_>) {
    let mut list = ListWriter::open(out);
    let mut part = list.object();
    quote_into(part.key("type"), kind);
    part.key("text").extend_from_slice(text.raw());
    if kind == "output_text" {
        part.raw("annotations", "[]");
    }
    part.close();
    list.close();
}

/// How ids of items of a type begin.
fn prefix(kind: &str) -> &'static str {
    match kind {
        "message" => "msg",
        "reasoning" => "rs",
        "function_call" => "fc",
        "function_call_output" => "fco",
        "custom_tool_call" => "ctc",
        "custom_tool_call_output" => "ctco",
        _ => "item",
    }
}
