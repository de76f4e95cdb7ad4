//! How a session is opened: the query of its address, and the subprotocols that browsers offer because they can set no
//! header.

use bytes::Bytes;
use gatewright::{Failure, FailureKind, Side};

use crate::json::quote;

/// The subprotocol of the interface.
pub const PROTOCOL: &str = "realtime";

/// What stands before a key that is offered as a subprotocol.
pub const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

/// How subprotocols begin that ask for a version of the interface.
const BETA_PROTOCOL: &str = "openai-beta.";

/// The key that is among the subprotocols, which are rid of it, and of whatever else is not known here: of those that
/// choose the organisation or the project at the provider, for example, which is the operator's choice.
///
/// # Errors
///
/// A failure of the client's side for more than one.
pub fn key_in(protocols: &mut Vec<String>) -> Result<Option<String>, Failure> {
    let mut keys = protocols.extract_if(.., |protocol| protocol.starts_with(KEY_PROTOCOL));
    let key = keys.next().map(|protocol| protocol.get(KEY_PROTOCOL.len()..).unwrap_or_default().to_owned());
    if keys.count() > 0 {
        let text = "`sec-websocket-protocol` has more than one API key; offer one";
        return Err(Failure::invalid("sec-websocket-protocol", text));
    }
    protocols.retain(|protocol| protocol == PROTOCOL || protocol.starts_with(BETA_PROTOCOL));
    Ok(key)
}

/// The request that a query makes: a JSON object with its model.
///
/// What else a query can say leads to a conversation that exists already, which may be another's, or leaves the choice
/// of the model to later events.
///
/// # Errors
///
/// A failure of the client's side that names the parameter.
pub fn request_of(query: Option<&str>) -> Result<Bytes, Failure> {
    let mut model = None;
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if name != "model" {
            let text = format!("`{}` cannot be given for a session here; leave it out", shown(&name));
            let failure = Failure::new(Side::Client, FailureKind::Unsupported, text);
            return Err(Failure { param: Some(shown(&name).to_owned().into()), ..failure });
        }
        if model.replace(value).is_some() {
            return Err(Failure::invalid("model", "`model` stands in the query twice, give it once"));
        }
    }
    let missing =
        || Failure::invalid("model", "name the model in the query, as in `/v1/realtime?model=NAME`");
    let model = model.filter(|model| !model.is_empty()).ok_or_else(missing)?;
    Ok(Bytes::from([br#"{"model":"#, &*quote(&model), b"}"].concat()))
}

/// The query that opens a session with a model: `NAME=MODEL`.
#[must_use]
pub fn query_of(name: &str, model: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair(name, model).finish()
}

/// A name that a caller invented, up to a bound.
fn shown(name: &str) -> &str {
    const NAME_BYTES_MAX: usize = 64;
    name.get(..name.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_the_model_and_nothing_else() {
        let body = request_of(Some("model=a%20%22b%22")).unwrap();
        assert_eq!(&*body, br#"{"model":"a \"b\""}"#);
        for (query, param) in [
            (None, "model"),
            (Some(""), "model"),
            (Some("model="), "model"),
            (Some("model=a&model=b"), "model"),
            (Some("model=a&call_id=rtc_1"), "call_id"),
            (Some("intent=transcription"), "intent"),
        ] {
            assert_eq!(request_of(query).unwrap_err().param.as_deref(), Some(param), "{query:?}");
        }
    }

    #[test]
    fn a_key_is_taken_out_of_the_subprotocols() {
        let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
        let mut protocols = list(&["realtime", "openai-insecure-api-key.sk-1", "openai-beta.realtime-v1"]);
        assert_eq!(key_in(&mut protocols).unwrap().as_deref(), Some("sk-1"));
        assert_eq!(protocols, list(&["realtime", "openai-beta.realtime-v1"]));
        assert_eq!(key_in(&mut protocols).unwrap(), None);
        let mut twice = list(&["openai-insecure-api-key.a", "openai-insecure-api-key.b"]);
        assert!(!key_in(&mut twice).unwrap_err().message.contains("-key.a"));
    }
}
