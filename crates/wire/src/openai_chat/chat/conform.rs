//! A request that stays in the dialect, made one that its target takes.
//!
//! Vendors of the dialect differ from its reference in what they refuse and in what they call it. Where the target is
//! not known to differ, nothing is looked at and no byte changes.

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{LossKind, Losses, Param, Place};
use gatewright::dialect::{Abilities, ReasoningForm, RequestDocument};

use super::name;
use crate::json::{Patches, Value};

/// What goes in the place of a schema to whom it means nothing.
const ANY_JSON: &str = r#"{"type":"json_object"}"#;

/// Takes out what the target refuses, and renames what it calls otherwise.
///
/// # Errors
/// In strict mode, for the first loss.
pub(super) fn request(
    request: &mut dyn RequestDocument,
    abilities: &Abilities,
    losses: &mut Losses<'_>,
) -> Result<(), Failure> {
    let reasoning = (abilities.reasoning == ReasoningForm::Never).then_some(Param::Reasoning);
    take_out(request, abilities.refuses.iter().copied().chain(reasoning), losses)?;
    if !abilities.holds_to_schema
        && request.field("/response_format/type").as_deref() == Some(r#""json_schema""#)
        && request.set_field("/response_format", ANY_JSON).is_ok()
    {
        losses.report(&Place::Param(Param::Format), LossKind::Approximated)?;
    }
    if !abilities.has_stream_options {
        // The figures come unasked, so that nothing is lost.
        drop(request.remove_field("/stream_options"));
    }
    for (param, theirs) in &abilities.names {
        rename(request, *param, theirs);
    }
    if abilities.has_legacy_cap && abilities.own_name(Param::OutputCap).is_none() {
        rename(request, Param::OutputCap, name::LEGACY_CAP);
    }
    if !abilities.has_developer_role {
        call_developers_system(request);
    }
    Ok(())
}

/// Takes parameters out, under each of their names. That is no loss where the value says what holds without it.
fn take_out(
    request: &mut dyn RequestDocument,
    params: impl Iterator<Item = Param>,
    losses: &mut Losses<'_>,
) -> Result<(), Failure> {
    let members = params.flat_map(|param| name::members(param).map(move |member| (param, name::top(member))));
    let (params, pointers): (Vec<_>, Vec<_>) = members.unzip();
    if pointers.is_empty() {
        return Ok(());
    }
    let are_there = request.has_fields(&pointers);
    for ((param, pointer), _) in
        params.into_iter().zip(pointers).zip(are_there).filter(|(_, is_there)| *is_there)
    {
        if removed(request, &pointer).is_some_and(|value| !is_default(param, &value)) {
            losses.report(&Place::Pointer(pointer.into()), LossKind::Dropped)?;
        }
    }
    Ok(())
}

fn removed(request: &mut dyn RequestDocument, pointer: &str) -> Option<String> {
    let value = request.field(pointer)?;
    request.remove_field(pointer).is_ok_and(|was_there| was_there).then_some(value)
}

/// Whether a value is what holds where a parameter is not there.
fn is_default(param: Param, value: &str) -> bool {
    let defaults: &[&str] = match param {
        Param::Choices => &["1"],
        Param::Logprobs => &["false"],
        Param::FrequencyPenalty | Param::PresencePenalty => &["0", "0.0"],
        Param::LogitBias => &["{}"],
        Param::Reasoning => &[r#""none""#],
        _ => &[],
    };
    value == "null" || defaults.contains(&value)
}

/// Gives a parameter another name. Where a request has it under two names, the one that holds is renamed last and so
/// holds again.
fn rename(request: &mut dyn RequestDocument, param: Param, theirs: &str) {
    let members: Vec<_> = name::members(param).filter(|ours| *ours != theirs).collect();
    let theirs = name::top(theirs);
    for ours in members.into_iter().rev().map(name::top) {
        let Some(value) = request.field(&ours) else { continue };
        if value == "null" || request.set_field(&theirs, &value).is_ok() {
            // Under its new name it stands already. If the old one stays as well, the provider says so.
            drop(request.remove_field(&ours));
        }
    }
}

/// Says `system` wherever a message is of a developer: the two are names of one thing.
fn call_developers_system(request: &mut dyn RequestDocument) {
    let body = request.to_body();
    let Ok(root) = Value::parse(&body) else { return };
    let Some(messages) = root.get("messages") else { return };
    // The edit is of the list as a whole, so that its cost does not grow with the number of messages in it.
    let text = Bytes::copy_from_slice(messages.raw());
    let Ok(list) = Value::parse(&text) else { return };
    let mut patches = Patches::new();
    for role in list.elements().filter_map(|message| message.get("role")) {
        if role.as_str().as_deref() == Some("developer") {
            patches.replace_str(role.span(), "system");
        }
    }
    let Some(text) = patches.apply(&text).ok().filter(|_| !patches.is_empty()) else { return };
    if let Ok(list) = std::str::from_utf8(&text) {
        // What cannot be edited goes out as it came, and the provider says what is wrong with it.
        drop(request.set_field("/messages", list));
    }
}
