//! Tools on offer, and which of them may be called.

use gatewright::Failure;
use gatewright::chat::{Chat, LossKind, Param, Place, Tool, ToolChoice, ToolKind};

use super::Writing;
use crate::json::{ListWriter, ObjectWriter};

/// Writes the tools and the choice among them.
pub(super) fn tools(writing: &mut Writing<'_, '_, '_>, chat: &Chat<'_>) -> Result<(), Failure> {
    let mut functions = Vec::new();
    for tool in &chat.tools {
        let loss = match tool.kind {
            ToolKind::BuiltIn => Some(LossKind::Dropped),
            // Providers of the dialect remember prefixes without being told.
            ToolKind::Function { .. } => tool.cache.map(|_| LossKind::Approximated),
        };
        if let Some(kind) = loss {
            writing.losses.report(&Place::Tool(tool.origin), kind)?;
        }
        if tool.kind != ToolKind::BuiltIn {
            functions.push(tool);
        }
    }
    if functions.is_empty() {
        // Providers refuse a choice among no tools.
        return match &chat.tool_choice {
            None | Some(ToolChoice::Auto | ToolChoice::None) => Ok(()),
            Some(_) => writing.lose(Param::ToolChoice, LossKind::Dropped),
        };
    }
    let mut list = writing.object.list("tools");
    functions.iter().for_each(|tool| declaration(list.object(), tool));
    list.close();
    if let Some(tool_choice) = &chat.tool_choice
        && writing.takes(Param::ToolChoice)?
    {
        choice(writing.object.key("tool_choice"), tool_choice);
    }
    if let Some(parallel) = chat.parallel_tools
        && writing.takes(Param::ParallelTools)?
    {
        writing.object.bool("parallel_tool_calls", parallel);
    }
    Ok(())
}

fn declaration(mut function: ObjectWriter<'_>, tool: &Tool<'_>) {
    function.str("type", "function");
    function.str("name", &tool.name);
    if let ToolKind::Function { description, parameters, strict } = &tool.kind {
        if let Some(description) = description {
            function.str("description", description);
        }
        function.raw("parameters", parameters.as_deref().unwrap_or(r#"{"type":"object","properties":{}}"#));
        // The dialect is strict unless told otherwise, and no other one is.
        function.bool("strict", strict.unwrap_or(false));
    }
    function.close();
}

fn choice(out: &mut Vec<u8>, choice: &ToolChoice<'_>) {
    match choice {
        ToolChoice::Auto => out.extend_from_slice(br#""auto""#),
        ToolChoice::None => out.extend_from_slice(br#""none""#),
        ToolChoice::Required => out.extend_from_slice(br#""required""#),
        ToolChoice::Named(name) => named(out, name),
        ToolChoice::Among { names, required } => {
            let mut object = ObjectWriter::open(out);
            object.str("type", "allowed_tools");
            object.str("mode", if *required { "required" } else { "auto" });
            let mut list = ListWriter::open(object.key("tools"));
            names.iter().for_each(|name| named(list.item(), name));
            list.close();
            object.close();
        }
    }
}

fn named(out: &mut Vec<u8>, name: &str) {
    let mut object = ObjectWriter::open(out);
    object.str("type", "function");
    object.str("name", name);
    object.close();
}
