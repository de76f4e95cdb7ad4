//! What a request names of a provider's store.
//!
//! Callers of all tenants share the gateway's credential, and a provider tells its stored answers apart by that alone. A
//! name that one caller sends could so be another tenant's, and is refused before any provider is called.

use gatewright::Failure;
use gatewright::dialect::RequestDocument;

use crate::json::{Kind, Value};

/// Members that name something stored.
const NAMES: [&str; 2] = ["previous_response_id", "conversation"];

/// Refuses a request that goes on from something stored.
pub(super) fn refuse(request: &dyn RequestDocument) -> Result<(), Failure> {
    for name in NAMES {
        let values = request.fields(&format!("/{name}"));
        if values.iter().any(|value| value != "null") {
            return Err(refusal(name));
        }
    }
    for items in request.fields("/input") {
        let Ok(items) = Value::parse(items.as_bytes()) else { continue };
        if let Some(at) = items.elements().position(|item| is_reference(&item)) {
            return Err(refusal(&format!("input[{at}]")));
        }
    }
    Ok(())
}

/// An item without content of its own: its type says so, or it has nothing but an id.
fn is_reference(item: &Value<'_>) -> bool {
    let kind = item.get("type").and_then(|kind| kind.as_str());
    match kind.as_deref() {
        Some(kind) => kind == "item_reference",
        None => item.kind() == Kind::Object && item.get("id").is_some() && item.get("content").is_none(),
    }
}

fn refusal(param: &str) -> Failure {
    let text =
        "this gateway keeps no responses: send the whole conversation as `input`, with `store` set to false";
    Failure::invalid(param.to_owned(), text).with_code("unsupported_parameter")
}

#[cfg(test)]
mod tests {
    use gatewright::dialect::Dialect;

    fn refused(body: &str) -> Option<String> {
        let refused = crate::codec(Dialect::OpenAiResponses).decode_request(body.to_owned().into()).err()?;
        refused.param.map(std::borrow::Cow::into_owned)
    }

    #[test]
    fn a_request_that_names_what_a_provider_stored_is_refused_with_the_field() {
        let table = [
            (r#"{"model":"m","input":"a","previous_response_id":"resp_1"}"#, "previous_response_id"),
            (r#"{"model":"m","input":"a","conversation":{"id":"conv_1"}}"#, "conversation"),
            (
                r#"{"model":"m","input":[{"role":"user","content":"a"},{"type":"item_reference","id":"x"}]}"#,
                "input[1]",
            ),
            (r#"{"model":"m","input":[{"id":"msg_1"}]}"#, "input[0]"),
        ];
        for (body, param) in table {
            assert_eq!(refused(body).as_deref(), Some(param), "{body}");
        }
    }

    #[test]
    fn what_carries_its_own_content_passes() {
        for body in [
            r#"{"model":"m","input":"a","previous_response_id":null}"#,
            r#"{"model":"m","input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"x"}]}"#,
            r#"{"model":"m","input":[{"id":"msg_1","role":"assistant","content":[]}]}"#,
        ] {
            assert_eq!(refused(body), None, "{body}");
        }
    }
}
