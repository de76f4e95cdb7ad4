//! Requests, written.

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{Chat, LossKind, Losses, Param, Part, PartKind, Place, Tool, ToolChoice, ToolKind};
use gatewright::dialect::Abilities;

use super::{config, provider_name, turn};
use crate::json::{Kind, ListWriter, ObjectWriter, Value};

/// Writes a request, all but the model and whether the answer is a stream: they stand in the path.
pub(super) fn request(
    chat: &Chat<'_>,
    abilities: &Abilities,
    losses: &mut Losses<'_>,
) -> Result<Bytes, Failure> {
    for pointer in &chat.unknown {
        losses.report(&Place::Pointer(pointer.clone()), LossKind::Dropped)?;
    }
    let mut out = Vec::new();
    let mut root = ObjectWriter::open(&mut out);
    let mut contents = root.list("contents");
    turn::write(chat, abilities, losses, &mut contents)?;
    if contents.is_empty() {
        let why = "the conversation has nothing but instructions: send at least one message of the user";
        return Err(losses.refuse(&Place::Param(Param::System), why));
    }
    contents.close();
    system(&chat.system, losses, &mut root)?;
    let functions = tools(&chat.tools, losses, &mut root)?;
    if functions > 0 {
        choice(chat, &mut root);
    }
    if chat.parallel_tools == Some(false) && functions > 0 {
        losses.report(&Place::Param(Param::ParallelTools), LossKind::Dropped)?;
    }
    config::settings(chat, losses, &mut root)?;
    config::generation(chat, abilities, losses, &mut root)?;
    root.close();
    Ok(Bytes::from(out))
}

/// A wish that the provider keeps what precedes: it does so by itself, and there is no place for the wish.
pub(super) fn cache(part: &Part<'_>, losses: &mut Losses<'_>) -> Result<(), Failure> {
    match part.cache {
        Some(_) => losses.report(&Place::Part(part.origin), LossKind::Dropped),
        None => Ok(()),
    }
}

fn system(parts: &[Part<'_>], losses: &mut Losses<'_>, root: &mut ObjectWriter<'_>) -> Result<(), Failure> {
    let mut out = Vec::new();
    let mut list = ListWriter::open(&mut out);
    for part in parts {
        cache(part, losses)?;
        match &part.kind {
            PartKind::Text(text) if !text.is_empty() => {
                let mut object = list.object();
                object.str("text", text);
                object.close();
            }
            _ => losses.report(&Place::Part(part.origin), LossKind::Dropped)?,
        }
    }
    let is_empty = list.is_empty();
    list.close();
    if !is_empty {
        let mut content = root.object("systemInstruction");
        content.key("parts").extend_from_slice(&out);
        content.close();
    }
    Ok(())
}

/// Writes the tools, and says how many functions are among them.
fn tools(tools: &[Tool<'_>], losses: &mut Losses<'_>, root: &mut ObjectWriter<'_>) -> Result<usize, Failure> {
    let mut out = Vec::new();
    let mut list = ListWriter::open(&mut out);
    let mut count = 0;
    for tool in tools {
        let place = Place::Tool(tool.origin);
        if tool.cache.is_some() {
            losses.report(&place, LossKind::Dropped)?;
        }
        let ToolKind::Function { description, parameters, .. } = &tool.kind else {
            losses.report(&place, LossKind::Dropped)?;
            continue;
        };
        let name = provider_name(&tool.name);
        if !is_name(&name) {
            let why = "a tool's name has from 1 to 128 letters, digits, `_`, `-`, `.` and `:` at the model's provider";
            return Err(losses.refuse(&place, why));
        }
        let mut function = list.object();
        function.str("name", &name);
        if let Some(description) = description {
            function.str("description", description);
        }
        if let Some(schema) = parameters {
            if !is_object(schema) {
                return Err(losses.refuse(&place, "the schema of a tool's parameters is an object"));
            }
            function.raw("parametersJsonSchema", schema);
        }
        function.close();
        count += 1;
    }
    list.close();
    if count > 0 {
        let mut tools = root.list("tools");
        let mut tool = tools.object();
        tool.key("functionDeclarations").extend_from_slice(&out);
        tool.close();
        tools.close();
    }
    Ok(count)
}

fn is_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte))
}

fn is_object(json: &str) -> bool {
    Value::parse(json.as_bytes()).is_ok_and(|value| value.kind() == Kind::Object)
}

/// Where the provider is to hold the model to a tool's schema, and the model is free to call none, there is a mode of
/// its own for it; the mode in which it must call one holds it anyway.
fn choice(chat: &Chat<'_>, root: &mut ObjectWriter<'_>) {
    let is_strict = |tool: &Tool<'_>| matches!(tool.kind, ToolKind::Function { strict: Some(true), .. });
    let strict = chat.tools.iter().any(is_strict);
    let (mode, names) = match &chat.tool_choice {
        None | Some(ToolChoice::Auto) if strict => ("VALIDATED", &[][..]),
        None => return,
        Some(ToolChoice::Auto) => ("AUTO", &[][..]),
        Some(ToolChoice::None) => ("NONE", &[][..]),
        Some(ToolChoice::Required) => ("ANY", &[][..]),
        Some(ToolChoice::Named(name)) => ("ANY", std::slice::from_ref(name)),
        Some(ToolChoice::Among { names, required: true }) => ("ANY", names.as_slice()),
        Some(ToolChoice::Among { names, required: false }) => ("VALIDATED", names.as_slice()),
    };
    let mut config = root.object("toolConfig");
    let mut calling = config.object("functionCallingConfig");
    calling.str("mode", mode);
    if !names.is_empty() {
        let mut list = calling.list("allowedFunctionNames");
        names.iter().for_each(|name| list.str(&provider_name(name)));
        list.close();
    }
    calling.close();
    config.close();
}
