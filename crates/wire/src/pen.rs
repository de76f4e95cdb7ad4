//! A request of a dialect while it is written, member by member, from a chat of another one.

use gatewright::Failure;
use gatewright::chat::{Chat, Effort, LossKind, Losses, Param, Place, Reasoning, Tool, ToolChoice, ToolKind};
use gatewright::dialect::Abilities;

use crate::json::{Kind, ListWriter, ObjectWriter, Value};

/// Writes members of an object, as far as the target takes them.
pub(crate) struct Pen<'o, 'w, 'l> {
    pub(crate) object: ObjectWriter<'o>,
    pub(crate) abilities: &'w Abilities,
    pub(crate) losses: &'w mut Losses<'l>,
}

impl Pen<'_, '_, '_> {
    pub(crate) fn lose(&mut self, param: Param, kind: LossKind) -> Result<(), Failure> {
        self.losses.report(&Place::Param(param), kind)
    }

    /// Whether the target takes a parameter. If not, it is lost.
    pub(crate) fn takes(&mut self, param: Param) -> Result<bool, Failure> {
        let is_taken = !self.abilities.refuses.contains(&param);
        if !is_taken {
            self.lose(param, LossKind::Dropped)?;
        }
        Ok(is_taken)
    }

    /// Writes a value as the caller wrote it.
    pub(crate) fn value(&mut self, param: Param, key: &str, value: Option<&str>) -> Result<(), Failure> {
        if let Some(value) = value
            && self.takes(param)?
        {
            self.object.raw(key, value);
        }
        Ok(())
    }

    /// Writes a number, or the end of its range that is nearest to it.
    pub(crate) fn number(
        &mut self,
        param: Param,
        key: &str,
        value: Option<&str>,
        (least, most): (f64, f64),
    ) -> Result<(), Failure> {
        let number = value.and_then(|value| value.trim().parse::<f64>().ok());
        match number {
            Some(number) if !(least..=most).contains(&number) && self.takes(param)? => {
                self.lose(param, LossKind::Approximated)?;
                self.object.raw(key, &number.clamp(least, most).to_string());
                Ok(())
            }
            Some(number) if !(least..=most).contains(&number) => Ok(()),
            _ => self.value(param, key, value),
        }
    }

    /// Writes the cap on output tokens, no more than the target makes.
    pub(crate) fn cap(&mut self, key: &str, cap: Option<u64>) -> Result<(), Failure> {
        let Some(cap) = cap else { return Ok(()) };
        if !self.takes(Param::OutputCap)? {
            return Ok(());
        }
        let most = self.abilities.output_tokens_max.unwrap_or(u64::MAX);
        if cap > most {
            self.lose(Param::OutputCap, LossKind::Approximated)?;
        }
        self.object.number(key, cap.min(most));
        Ok(())
    }

    /// Writes the texts that end the answer, at most so many.
    pub(crate) fn stops(&mut self, key: &str, chat: &Chat<'_>, most: usize) -> Result<(), Failure> {
        if chat.stop.is_empty() || !self.takes(Param::Stop)? {
            return Ok(());
        }
        if chat.stop.len() > most {
            self.lose(Param::Stop, LossKind::Approximated)?;
        }
        let mut list = self.object.list(key);
        chat.stop.iter().take(most).for_each(|text| list.str(text));
        list.close();
        Ok(())
    }

    /// Reports what no dialect but the caller's has.
    pub(crate) fn unknown(&mut self, chat: &Chat<'_>) -> Result<(), Failure> {
        chat.unknown.iter().try_for_each(|pointer| {
            self.losses.report(&Place::Pointer(pointer.as_ref().into()), LossKind::Dropped)
        })
    }

    /// The functions on offer that the choice leaves; what is lost of the others is reported. A choice by name is one
    /// among fewer tools.
    pub(crate) fn functions<'c>(&mut self, chat: &'c Chat<'_>) -> Result<Vec<&'c Tool<'c>>, Failure> {
        let names = match &chat.tool_choice {
            Some(ToolChoice::Named(name)) => Some(std::slice::from_ref(name)),
            Some(ToolChoice::Among { names, .. }) => Some(names.as_slice()),
            _ => None,
        };
        let mut functions = Vec::with_capacity(chat.tools.len());
        for tool in &chat.tools {
            let place = Place::Tool(tool.origin);
            let ToolKind::Function { parameters, .. } = &tool.kind else {
                self.losses.report(&place, LossKind::Dropped)?;
                continue;
            };
            // Providers remember prefixes without being told.
            if tool.cache.is_some() {
                self.losses.report(&place, LossKind::Approximated)?;
            }
            if parameters.as_deref().is_some_and(|schema| !is_object(schema)) {
                return Err(self.losses.refuse(&place, "the schema of a tool's parameters is an object"));
            }
            if names.is_none_or(|names| names.contains(&tool.name)) {
                functions.push(tool);
            }
        }
        Ok(functions)
    }

    /// Writes functions under `tools`, in the form that most dialects have for them.
    pub(crate) fn tools(&mut self, functions: &[&Tool<'_>]) {
        let mut list = self.object.list("tools");
        functions.iter().for_each(|tool| declare(&mut list, tool));
        list.close();
    }
}

/// An object schema without members, for tools that take no arguments.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;

fn declare(list: &mut ListWriter<'_>, tool: &Tool<'_>) {
    let ToolKind::Function { description, parameters, .. } = &tool.kind else { return };
    let mut object = list.object();
    object.str("type", "function");
    let mut function = object.object("function");
    function.str("name", &tool.name);
    if let Some(description) = description {
        function.str("description", description);
    }
    function.raw("parameters", parameters.as_deref().unwrap_or(NO_PARAMETERS));
    function.close();
    object.close();
}

/// Reads functions in the form that most dialects have for them.
pub(crate) fn read_tools<'a>(list: &Value<'a>) -> Vec<Tool<'a>> {
    let read = |(index, tool): (usize, Value<'a>)| {
        let origin = u32::try_from(index).unwrap_or(u32::MAX);
        let text = |value: &Value<'a>, key: &str| value.get(key).and_then(|text| text.as_str());
        let (name, kind) = match tool.get("function") {
            Some(function) => {
                let parameters = function.get("parameters").filter(|schema| schema.kind() == Kind::Object);
                let kind = ToolKind::Function {
                    description: text(&function, "description"),
                    parameters: parameters.map(|schema| schema.source()),
                    strict: function.get("strict").and_then(|strict| strict.as_bool()),
                };
                (text(&function, "name"), kind)
            }
            None => (text(&tool, "type"), ToolKind::BuiltIn),
        };
        Tool { name: name.unwrap_or_default(), kind, cache: None, origin }
    };
    list.elements().enumerate().map(read).collect()
}

/// Whether a chat asks for no reasoning at all.
pub(crate) fn is_off(asked: &Reasoning) -> bool {
    asked.budget == Some(0) || (asked.budget.is_none() && asked.effort == Some(Effort::None))
}

/// Whether JSON source text is an object.
pub(crate) fn is_object(json: &str) -> bool {
    Value::parse(json.as_bytes()).is_ok_and(|value| value.kind() == Kind::Object)
}

/// The source text of the object that a call's arguments are; none if they are none. Empty ones are an empty object.
pub(crate) fn arguments(source: &str) -> Option<&str> {
    let source = source.trim_ascii();
    if source.is_empty() {
        return Some("{}");
    }
    is_object(source).then_some(source)
}
