//! The tools of a request, and how far the model is free to call them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use gatewright::Failure;
use gatewright::chat::{Chat, LossKind, Losses, Param, PartKind, Place, Tool, ToolChoice, ToolKind};
use gatewright::dialect::Abilities;

use super::{alias, out, write};
use crate::json::{Kind, Value};

/// The schema of a tool that takes nothing.
const EMPTY_SCHEMA: &str = r#"{"type":"object","properties":{}}"#;

/// `toolConfig` as it is to be sent.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) json: Option<Vec<u8>>,
    /// A tool must be called.
    pub(super) is_forced: bool,
}

/// The name of a tool as the provider is to know it.
///
/// # Errors
/// A failure of the client's side if it is too long.
pub(super) fn name<'n>(
    name: &'n str,
    place: &Place<'_>,
    losses: &Losses<'_>,
) -> Result<Cow<'n, str>, Failure> {
    alias::name(name).ok_or_else(|| {
        let most = alias::BYTES_MAX;
        losses.refuse(
            place,
            &format!("the name of a tool must be from 1 to {most} letters, digits, `_` or `-`"),
        )
    })
}

/// Decides it.
///
/// # Errors
/// A loss in strict mode, and what the provider would refuse.
pub(super) fn plan(chat: &Chat<'_>, abilities: &Abilities, losses: &mut Losses<'_>) -> Result<Plan, Failure> {
    let choice_place = Place::Param(Param::ToolChoice);
    let has_history = chat.has_tool_parts();
    let is_none = chat.tool_choice == Some(ToolChoice::None);
    if is_none && !has_history {
        // Without tools the model calls none, which is what is asked.
        return Ok(Plan::default());
    }
    let names = match &chat.tool_choice {
        Some(ToolChoice::Among { names, .. }) => Some(names),
        _ => None,
    };
    let mut tools = Vec::new();
    for tool in &chat.tools {
        if names.is_none_or(|names| names.contains(&tool.name)) {
            declare(tool, abilities, losses, &mut tools)?;
        }
    }
    if tools.is_empty() && !has_history {
        return Ok(Plan::default());
    }
    if is_none {
        // The history wants tools, and the dialect has no word for calling none.
        losses.report(&choice_place, LossKind::Approximated)?;
    }
    if tools.is_empty() {
        losses.report(&choice_place, LossKind::Approximated)?;
        declare_history(chat, losses, &mut tools)?;
    }
    if names.is_some() {
        losses.report(&choice_place, LossKind::Emulated)?;
    }
    if chat.parallel_tools == Some(false) {
        losses.report(&Place::Param(Param::ParallelTools), LossKind::Dropped)?;
    }
    let choice = choice(chat, losses)?;
    let is_forced = matches!(
        chat.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Among { required: true, .. })
    );
    let json = out::made(|config| {
        config.array("tools", &tools);
        if let Some(choice) = choice {
            config.raw("toolChoice", choice);
        }
    });
    Ok(Plan { json: Some(json), is_forced })
}

fn choice(chat: &Chat<'_>, losses: &Losses<'_>) -> Result<Option<Vec<u8>>, Failure> {
    let word = |word: &str| Some(out::made(|choice| choice.object(word, |_| {})));
    Ok(match &chat.tool_choice {
        None | Some(ToolChoice::None) => None,
        Some(ToolChoice::Auto | ToolChoice::Among { required: false, .. }) => word("auto"),
        Some(ToolChoice::Required | ToolChoice::Among { required: true, .. }) => word("any"),
        Some(ToolChoice::Named(wanted)) => {
            let wanted = name(wanted, &Place::Param(Param::ToolChoice), losses)?;
            Some(out::made(|choice| choice.object("tool", |tool| tool.text("name", &wanted))))
        }
    })
}

fn declare(
    tool: &Tool<'_>,
    abilities: &Abilities,
    losses: &mut Losses<'_>,
    tools: &mut Vec<Vec<u8>>,
) -> Result<(), Failure> {
    let place = Place::Tool(tool.origin);
    let ToolKind::Function { description, parameters, strict } = &tool.kind else {
        return losses.report(&place, LossKind::Dropped);
    };
    let name = name(&tool.name, &place, losses)?;
    let schema = parameters.as_deref().unwrap_or(EMPTY_SCHEMA);
    let schema = match Value::parse(schema.as_bytes()) {
        Ok(value) if value.kind() == Kind::Object && !value.has_children() => EMPTY_SCHEMA,
        Ok(value) if value.kind() == Kind::Object => schema,
        _ => return Err(losses.refuse(&place, "the schema of a tool's parameters must be a JSON object")),
    };
    let is_strict = *strict == Some(true);
    if is_strict && !abilities.holds_to_schema {
        losses.report(&place, LossKind::Approximated)?;
    }
    let description = description.as_deref().filter(|text| !text.is_empty());
    tools.push(spec(&name, description, schema, is_strict && abilities.holds_to_schema));
    tools.extend(tool.cache.map(write::cache_point));
    Ok(())
}

fn spec(name: &str, description: Option<&str>, schema: &str, is_strict: bool) -> Vec<u8> {
    out::made(|tool| {
        tool.object("toolSpec", |spec| {
            spec.text("name", name);
            if let Some(description) = description {
                spec.text("description", description);
            }
            spec.object("inputSchema", |object| object.raw("json", schema));
            if is_strict {
                spec.raw("strict", "true");
            }
        });
    })
}

/// Declares what the conversation has called, because the provider takes no calls of tools that it does not know of.
fn declare_history(chat: &Chat<'_>, losses: &Losses<'_>, tools: &mut Vec<Vec<u8>>) -> Result<(), Failure> {
    let mut known = BTreeSet::new();
    for part in chat.turns.iter().flat_map(|turn| &turn.parts) {
        if let PartKind::ToolCall { name: called, .. } = &part.kind
            && known.insert(called.as_ref())
        {
            let name = name(called, &Place::Part(part.origin), losses)?;
            tools.push(spec(&name, None, EMPTY_SCHEMA, false));
        }
    }
    Ok(())
}
