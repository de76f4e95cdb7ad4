//! What a caller of another dialect cannot carry for the provider until its next request: reasoning with the proof
//! that it is the provider's own, and the proofs of tool calls. Written and read by the gateway alone.

use std::borrow::Cow;

use gatewright::chat::{Part, PartKind, Signature};
use gatewright::dialect::Dialect;

use crate::json::{Value, quote_into};

/// Writes the parts of one turn that have proofs; others are left out.
#[must_use]
pub fn write(parts: &[Part<'_>]) -> Vec<u8> {
    let mut out = vec![b'['];
    for part in parts {
        let (text, id, signature) = match &part.kind {
            PartKind::Reasoning { text, signature: Some(signature) } => (Some(text), None, signature),
            PartKind::SealedReasoning(signature) => (None, None, signature),
            PartKind::ToolCall { id, signature: Some(signature), .. } => (None, Some(id), signature),
            _ => continue,
        };
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(br#"{"from":"#);
        quote_into(&mut out, signature.from.as_str());
        for (name, value) in [("data", Some(&signature.data)), ("text", text), ("call", id)] {
            let Some(value) = value else { continue };
            out.extend_from_slice(format!(r#","{name}":"#).as_bytes());
            quote_into(&mut out, value);
        }
        out.push(b'}');
    }
    out.push(b']');
    out
}

/// Reads what [`write()`] wrote. Of a tool call only id and proof are told.
#[must_use]
pub fn read(text: &[u8]) -> Vec<Part<'static>> {
    let Ok(parts) = Value::parse(text) else { return Vec::new() };
    parts.elements().filter_map(|part| read_part(&part)).collect()
}

fn read_part(part: &Value<'_>) -> Option<Part<'static>> {
    let text = |name: &str| part.get(name)?.as_str().map(Cow::into_owned);
    let signature = Signature { data: text("data")?.into(), from: Dialect::of_name(&text("from")?)? };
    Some(Part::new(match (text("call"), text("text")) {
        (Some(id), _) => PartKind::ToolCall {
            id: id.into(),
            name: Cow::Borrowed(""),
            arguments: Cow::Borrowed(""),
            signature: Some(signature),
        },
        (None, Some(text)) => PartKind::Reasoning { text: text.into(), signature: Some(signature) },
        (None, None) => PartKind::SealedReasoning(signature),
    }))
}

#[cfg(test)]
mod tests {
    use gatewright::chat::{Part, PartKind, Signature};
    use gatewright::dialect::Dialect;

    use super::{read, write};

    #[test]
    fn what_is_kept_comes_back_byte_for_byte() {
        let signature =
            |data: &'static str| Signature { data: data.into(), from: Dialect::AnthropicMessages };
        let parts = [
            Part::new(PartKind::Reasoning {
                text: "a \"b\"\n\u{1f642}".into(),
                signature: Some(signature("c/+=")),
            }),
            Part::text("nothing to prove"),
            Part::new(PartKind::SealedReasoning(signature("sealed"))),
            Part::new(PartKind::ToolCall {
                id: "call".into(),
                name: "".into(),
                arguments: "".into(),
                signature: Some(signature("of the call")),
            }),
        ];
        let kept = read(&write(&parts));
        let [first, _, third, fourth] = parts;
        assert_eq!(kept, [first, third, fourth]);
    }

    #[test]
    fn what_is_no_keepsake_is_nothing() {
        for text in ["", "[", "{}", "[{}]", r#"[{"from":"nobody","data":"x"}]"#] {
            assert!(read(text.as_bytes()).is_empty(), "{text}");
        }
    }
}
