//! Tools on offer, and which of them may be called.

use gatewright::chat::{Tool, ToolKind};

use crate::alias;
use crate::json::ObjectWriter;
use crate::openai_chat::chat::write::tool::Form;

/// As this dialect has it: without an object around a function.
pub(super) static FORM: Form = Form { declaration, named, allowed: None };

fn declaration(mut function: ObjectWriter<'_>, tool: &Tool<'_>) {
    function.str("type", "function");
    function.str("name", &alias::name_or_own(&tool.name));
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

fn named(out: &mut Vec<u8>, name: &str) {
    let mut object = ObjectWriter::open(out);
    object.str("type", "function");
    object.str("name", name);
    object.close();
}
