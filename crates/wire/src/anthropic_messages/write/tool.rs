//! Tools, and how far the model is free to call them.

use std::collections::BTreeSet;

use gatewright::chat::{LossKind, Param, PartKind, Place, Tool, ToolChoice, ToolKind};

use super::form::Form;
use super::{Result, Writing};
use crate::anthropic_messages::name;
use crate::json::{Kind, Value, quote_into};

/// Arguments of a tool that takes none.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;

/// What is to be written about the choice.
#[derive(Debug)]
pub(super) struct Choice<'w, 'c> {
    /// The tools that are offered.
    tools: Vec<&'w Tool<'c>>,
    /// Names of tools that only the conversation knows.
    past: BTreeSet<&'w str>,
    kind: ChoiceKind<'w>,
    is_serial: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum ChoiceKind<'w> {
    Absent,
    Auto,
    None,
    Any,
    Named(&'w str),
}

impl Choice<'_, '_> {
    /// Whether the model has to call a tool.
    pub(super) fn is_forced(&self) -> bool {
        matches!(self.kind, ChoiceKind::Any | ChoiceKind::Named(_))
    }
}

impl<'w, 'c> Writing<'w, 'c, '_> {
    pub(super) fn tool_choice(&mut self, form: Form<'_>) -> Result<Choice<'w, 'c>> {
        let chat = self.chat;
        let mut tools = Vec::with_capacity(chat.tools.len());
        for tool in &chat.tools {
            match tool.kind {
                ToolKind::Function { .. } => tools.push(tool),
                ToolKind::BuiltIn => self.losses.report(&Place::Tool(tool.origin), LossKind::Dropped)?,
            }
        }
        let kind = match &chat.tool_choice {
            None => ChoiceKind::Absent,
            Some(ToolChoice::Auto) => ChoiceKind::Auto,
            Some(ToolChoice::None) => ChoiceKind::None,
            Some(ToolChoice::Required) => ChoiceKind::Any,
            Some(ToolChoice::Named(name)) => ChoiceKind::Named(name),
            Some(ToolChoice::Among { names, required }) => {
                tools.retain(|tool| names.contains(&tool.name));
                self.losses.report(&Place::Param(Param::ToolChoice), LossKind::Emulated)?;
                if *required { ChoiceKind::Any } else { ChoiceKind::Auto }
            }
        };
        let past = if tools.is_empty() { self.past_tools() } else { BTreeSet::new() };
        // Tools that are declared for the sake of the conversation were not offered.
        let kind = if past.is_empty() { kind } else { ChoiceKind::None };
        let is_serial = chat.parallel_tools == Some(false);
        let mut choice = Choice { tools, past, kind, is_serial };
        if matches!(form, Form::Tool(_)) {
            let is_free = choice.tools.is_empty() || choice.kind == ChoiceKind::None;
            choice.kind = if is_free { ChoiceKind::Named(name::FORM) } else { ChoiceKind::Any };
            choice.is_serial |= is_free;
        }
        let has_tools = !choice.tools.is_empty() || !choice.past.is_empty() || matches!(form, Form::Tool(_));
        if !has_tools {
            if !matches!(choice.kind, ChoiceKind::Absent | ChoiceKind::Auto | ChoiceKind::None) {
                self.drop(Param::ToolChoice)?;
            }
            choice.kind = ChoiceKind::Absent;
            choice.is_serial = false;
        }
        Ok(choice)
    }

    /// The tools that the conversation has calls of. Without their declaration the provider refuses it.
    fn past_tools(&self) -> BTreeSet<&'w str> {
        let parts = self.chat.turns.iter().flat_map(|turn| &turn.parts);
        let names = parts.filter_map(|part| match &part.kind {
            PartKind::ToolCall { name, .. } => Some(name.as_ref()),
            _ => None,
        });
        names.collect()
    }

    pub(super) fn tools(&mut self, choice: &Choice<'w, 'c>, form: Form<'_>) -> Result {
        let mut separator: &[u8] = br#","tools":["#;
        for tool in &choice.tools {
            self.out.extend_from_slice(std::mem::replace(&mut separator, b","));
            self.tool(tool)?;
        }
        for past in &choice.past {
            let Some(name) = name::tool(past) else { continue };
            self.out.extend_from_slice(std::mem::replace(&mut separator, b","));
            self.out.extend_from_slice(br#"{"name":"#);
            quote_into(&mut self.out, &name);
            self.out.extend_from_slice(format!(r#","input_schema":{NO_PARAMETERS}}}"#).as_bytes());
        }
        if let Form::Tool(schema) = form {
            self.out.extend_from_slice(std::mem::replace(&mut separator, b","));
            self.out.extend_from_slice(br#"{"name":"#);
            quote_into(&mut self.out, name::FORM);
            self.out.extend_from_slice(br#","description":"Give the answer, in this form.","input_schema":"#);
            self.parameters(Some(schema));
            self.out.push(b'}');
        }
        if separator == b"," {
            self.out.push(b']');
        }
        Ok(())
    }

    fn tool(&mut self, tool: &Tool<'_>) -> Result {
        let ToolKind::Function { description, parameters, strict } = &tool.kind else { return Ok(()) };
        let place = Place::Tool(tool.origin);
        let Some(name) = name::tool(&tool.name) else {
            let why = "the tool's name is empty or too long for the model's provider, use another one";
            return Err(self.losses.refuse(&place, why));
        };
        self.out.extend_from_slice(br#"{"name":"#);
        quote_into(&mut self.out, &name);
        if let Some(description) = description {
            self.out.extend_from_slice(br#","description":"#);
            quote_into(&mut self.out, description);
        }
        self.out.extend_from_slice(br#","input_schema":"#);
        self.parameters(parameters.as_deref());
        if *strict == Some(true) {
            self.out.extend_from_slice(br#","strict":true"#);
        }
        self.mark(tool.cache, &place)?;
        self.out.push(b'}');
        Ok(())
    }

    /// A schema, which has to say that it is one of an object.
    fn parameters(&mut self, schema: Option<&str>) {
        let value = schema.and_then(|schema| Value::parse(schema.as_bytes()).ok());
        let Some((schema, value)) =
            schema.zip(value).filter(|(_, value)| value.kind() == Kind::Object && value.has_children())
        else {
            self.out.extend_from_slice(NO_PARAMETERS.as_bytes());
            return;
        };
        if value.get("type").is_some() {
            self.out.extend_from_slice(schema.as_bytes());
        } else {
            self.out.extend_from_slice(br#"{"type":"object","#);
            let members = schema.trim_ascii_start().strip_prefix('{').unwrap_or_default();
            self.out.extend_from_slice(members.as_bytes());
        }
    }

    pub(super) fn write_tool_choice(&mut self, choice: &Choice<'_, '_>) -> Result {
        let kind = match &choice.kind {
            ChoiceKind::Absent if choice.is_serial => "auto",
            ChoiceKind::Absent => return Ok(()),
            ChoiceKind::Auto => "auto",
            ChoiceKind::None => "none",
            ChoiceKind::Any => "any",
            ChoiceKind::Named(_) => "tool",
        };
        self.out.extend_from_slice(format!(r#","tool_choice":{{"type":"{kind}""#).as_bytes());
        if let ChoiceKind::Named(tool) = choice.kind {
            self.out.extend_from_slice(br#","name":"#);
            quote_into(&mut self.out, &name::tool(tool).unwrap_or_default());
        }
        if choice.is_serial && choice.kind != ChoiceKind::None {
            self.out.extend_from_slice(br#","disable_parallel_tool_use":true"#);
        }
        self.out.push(b'}');
        Ok(())
    }
}
