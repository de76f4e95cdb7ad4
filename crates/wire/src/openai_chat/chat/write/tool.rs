//! Tools on offer, and which of them may be called.

use gatewright::Failure;
use gatewright::chat::{Chat, LossKind, Param, Place, Tool, ToolChoice, ToolKind};

use super::Writing;
use crate::alias;
use crate::json::{ListWriter, ObjectWriter};

/// Where the dialects of the family differ in what they call a tool.
pub(crate) struct Form {
    /// Writes a tool on offer.
    pub(crate) declaration: fn(ObjectWriter<'_>, &Tool<'_>),
    /// Writes a tool that is chosen.
    pub(crate) named: fn(&mut Vec<u8>, &str),
    /// The member in which a choice among some tools stands, if it is one of its own.
    pub(crate) allowed: Option<&'static str>,
}

/// As chat completions have it.
pub(super) static FORM: Form = Form { declaration, named, allowed: Some("allowed_tools") };

/// Writes the tools and the choice among them.
pub(crate) fn tools(writing: &mut Writing<'_, '_, '_>, chat: &Chat<'_>, form: &Form) -> Result<(), Failure> {
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
    functions.iter().for_each(|tool| (form.declaration)(list.object(), tool));
    list.close();
    if let Some(tool_choice) = &chat.tool_choice
        && writing.takes(Param::ToolChoice)?
    {
        choice(writing.object.key("tool_choice"), tool_choice, form);
    }
    if let Some(parallel) = chat.parallel_tools
        && writing.takes(Param::ParallelTools)?
    {
        writing.object.bool("parallel_tool_calls", parallel);
    }
    Ok(())
}

fn declaration(mut object: ObjectWriter<'_>, tool: &Tool<'_>) {
    object.str("type", "function");
    let mut function = object.object("function");
    function.str("name", &alias::name_or_own(&tool.name));
    if let ToolKind::Function { description, parameters, strict } = &tool.kind {
        if let Some(description) = description {
            function.str("description", description);
        }
        if let Some(parameters) = parameters {
            function.raw("parameters", parameters);
        }
        if let Some(strict) = strict {
            function.bool("strict", *strict);
        }
    }
    function.close();
    object.close();
}

fn choice(out: &mut Vec<u8>, choice: &ToolChoice<'_>, form: &Form) {
    match choice {
        ToolChoice::Auto => out.extend_from_slice(br#""auto""#),
        ToolChoice::None => out.extend_from_slice(br#""none""#),
        ToolChoice::Required => out.extend_from_slice(br#""required""#),
        ToolChoice::Named(name) => (form.named)(out, &alias::name_or_own(name)),
        ToolChoice::Among { names, required } => {
            let write = |object: &mut ObjectWriter<'_>| {
                object.str("mode", if *required { "required" } else { "auto" });
                let mut list = ListWriter::open(object.key("tools"));
                names.iter().for_each(|name| (form.named)(list.item(), &alias::name_or_own(name)));
                list.close();
            };
            let mut object = ObjectWriter::open(out);
            object.str("type", "allowed_tools");
            match form.allowed {
                Some(member) => {
                    let mut allowed = object.object(member);
                    write(&mut allowed);
                    allowed.close();
                }
                None => write(&mut object),
            }
            object.close();
        }
    }
}

fn named(out: &mut Vec<u8>, name: &str) {
    let mut object = ObjectWriter::open(out);
    object.str("type", "function");
    let mut function = object.object("function");
    function.str("name", name);
    function.close();
    object.close();
}
