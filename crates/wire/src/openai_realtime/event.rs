//! Events, looked at: what a turn consumed, when turns begin and end, and which model is spoken of.

use bytes::Bytes;
use gatewright::dialect::{ErrorBody, SessionCodec, SessionEvent, SessionNames};
use gatewright::{Failure, FailureKind, Side, Usage};

use crate::json::{JsonError, JsonStr, Kind, Patches, Reader, Value, quote_into};
use crate::openai_chat::error;

/// Letters of text that stand for one token in estimates.
const TEXT_BYTES_PER_TOKEN: u64 = 4;

/// Base64 letters of sound that stand for one token: 50 ms of 24,000 samples a second, two bytes each.
const AUDIO_BYTES_PER_TOKEN: u64 = 3_200;

/// The events of the dialect.
#[derive(Debug)]
pub(super) struct Events;

impl SessionCodec for Events {
    fn admit(&self, event: &Bytes, names: &SessionNames<'_>) -> Result<Option<Bytes>, Failure> {
        let mut patches = Patches::new();
        let mut fault = None;
        let root = Value::parse(event).map_err(not_json)?;
        if root.kind() != Kind::Object {
            return Err(Failure::invalid("event", "an event is a JSON object with a `type`"));
        }
        each_model(&root, &mut |name, model| {
            if !model.is_some_and(|model| model.is(names.asked)) {
                fault.get_or_insert_with(|| other_model(name));
            } else if names.asked != names.served
                && let Some(model) = model
            {
                patches.replace_text(&model, names.served);
            }
        });
        match fault {
            Some(fault) => Err(fault),
            None if patches.is_empty() => Ok(None),
            None => patches.apply(event).map(Some).map_err(|error| Failure::internal(error.to_string())),
        }
    }

    fn glance(&self, event: &Bytes, names: &SessionNames<'_>) -> SessionEvent {
        read(event, names).unwrap_or_default()
    }

    fn error_event(&self, error: &ErrorBody<'_>) -> Bytes {
        let body = error::render(error);
        let mut out = br#"{"type":"error","event_id":"#.to_vec();
        let id = error.request_id.as_ref().map_or("0", |id| id.as_str());
        quote_into(&mut out, &format!("event_{id}"));
        out.push(b',');
        out.extend_from_slice(body.get(1..).unwrap_or_default());
        Bytes::from(out)
    }
}

/// Visits every place of an event that names the model of the session, however often a key is repeated: which of them
/// a reader takes is not known.
fn each_model<'a>(root: &Value<'a>, visit: &mut dyn FnMut(&'static str, Option<JsonStr<'a>>)) {
    for member in root.members() {
        let place = match member.key.bytes().as_ref() {
            b"session" => "session.model",
            b"response" => "response.model",
            _ => continue,
        };
        for inner in member.value.members() {
            if inner.key.is("model") && !inner.value.is_null() {
                visit(place, inner.value.json_str());
            }
        }
    }
}

/// What is needed of an event of the provider.
#[derive(Default)]
struct Glance<'a> {
    kind: Option<JsonStr<'a>>,
    delta_bytes: u64,
    usage: Option<Value<'a>>,
    response: Option<Value<'a>>,
}

fn read(event: &Bytes, names: &SessionNames<'_>) -> Result<SessionEvent, JsonError> {
    let mut glance = Glance::default();
    let mut reader = Reader::new(event);
    let mut has_session = false;
    reader.object(|reader, key| {
        match key.bytes().as_ref() {
            b"type" => glance.kind = reader.string()?,
            // Without the quotes.
            b"delta" => glance.delta_bytes = (reader.value()?.span().len() as u64).saturating_sub(2),
            b"usage" => glance.usage = Some(reader.value()?),
            b"response" => glance.response = Some(reader.value()?),
            b"session" => has_session = true,
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    reader.end()?;
    let Some(kind) = glance.kind.as_ref().map(JsonStr::bytes) else { return Ok(SessionEvent::default()) };
    let mut seen = SessionEvent::default();
    match kind.as_ref() {
        b"response.created" => seen.begins_turn = true,
        b"response.done" => {
            seen.ends_turn = true;
            seen.usage = glance.response.and_then(|response| usage(&response.get("usage")?));
        }
        b"conversation.item.input_audio_transcription.completed" => {
            seen.usage = glance.usage.and_then(|value| usage(&value));
        }
        b"response.output_audio.delta" | b"response.audio.delta" => {
            seen.tokens = glance.delta_bytes.div_ceil(AUDIO_BYTES_PER_TOKEN);
        }
        kind if kind.starts_with(b"response.") && kind.ends_with(b".delta") => {
            seen.tokens = text_tokens(glance.delta_bytes);
        }
        _ => {}
    }
    if has_session && names.answers_asked && names.asked != names.served {
        seen.rewritten = renamed(event, names.asked)?;
    }
    Ok(seen)
}

/// The tokens of a piece of text: providers send one piece for each, so there is one at least, and longer pieces are
/// measured without rounding up each time.
fn text_tokens(bytes: u64) -> u64 {
    (bytes.saturating_add(TEXT_BYTES_PER_TOKEN / 2) / TEXT_BYTES_PER_TOKEN).max(1)
}

/// The event under the caller's name of the model.
fn renamed(event: &Bytes, asked: &str) -> Result<Option<Bytes>, JsonError> {
    let mut patches = Patches::new();
    each_model(&Value::parse(event)?, &mut |_, model| {
        if let Some(model) = model {
            patches.replace_text(&model, asked);
        }
    });
    Ok(if patches.is_empty() { None } else { patches.apply(event).ok() })
}

/// Reads a usage object; none if it has no tokens, as that of a transcription that is paid by its length.
///
/// Sound that was read from the prompt cache counts as cached alone, because it has the price of what is cached.
fn usage(value: &Value<'_>) -> Option<Usage> {
    let count = |path: &[&str]| value.at(path).and_then(|count| count.as_u64());
    let (input, output) = (count(&["input_tokens"]), count(&["output_tokens"]));
    if input.is_none() && output.is_none() {
        return None;
    }
    let (input, output) = (input.unwrap_or(0), output.unwrap_or(0));
    let details = |name: &str| count(&["input_token_details", name]).unwrap_or(0);
    let cache_read = details("cached_tokens").min(input);
    let cached_audio = count(&["input_token_details", "cached_tokens_details", "audio_tokens"]).unwrap_or(0);
    Some(Usage {
        input: input - cache_read,
        cache_read,
        output,
        input_audio: details("audio_tokens").saturating_sub(cached_audio).min(input - cache_read),
        output_audio: count(&["output_token_details", "audio_tokens"]).unwrap_or(0).min(output),
        ..Usage::default()
    })
}

fn not_json(error: JsonError) -> Failure {
    let text = format!("the event is not valid JSON at byte {}: {}", error.offset, error);
    Failure::invalid("event", text).with_code("invalid_json")
}

fn other_model(place: &'static str) -> Failure {
    let text = format!("`{place}` is not the model of this session; open another session for another model");
    let failure = Failure::new(Side::Client, FailureKind::Forbidden, text).with_code("model_not_allowed");
    Failure { param: Some(place.into()), ..failure }
}

#[cfg(test)]
mod tests {
    use gatewright::dialect::ErrorClass;

    use super::*;

    const NAMES: SessionNames<'static> =
        SessionNames { asked: "voice", served: "gpt-x", answers_asked: true };

    fn of_caller(event: &'static str) -> Result<Option<Bytes>, Failure> {
        Events.admit(&Bytes::from_static(event.as_bytes()), &NAMES)
    }

    fn of_provider(event: &str) -> SessionEvent {
        Events.glance(&Bytes::copy_from_slice(event.as_bytes()), &NAMES)
    }

    #[test]
    fn events_of_the_caller_go_on_as_they_came() {
        for event in [
            r#"{"type":"response.create"}"#,
            r#"{ "type":"session.update","session":{"voice":"v","model":null}}"#,
            r#"{"type":"x","session":[{"model":"other"}],"model":"other"}"#,
        ] {
            assert_eq!(of_caller(event).unwrap(), None, "{event}");
        }
    }

    #[test]
    fn the_session_s_own_model_is_said_as_the_provider_does() {
        let event = of_caller(r#"{"session":{"a":1, "\u006dodel": "voice"},"session":{"model":"voice"}}"#);
        let expected = r#"{"session":{"a":1, "\u006dodel": "gpt-x"},"session":{"model":"gpt-x"}}"#;
        assert_eq!(event.unwrap().unwrap(), expected);
    }

    #[test]
    fn no_event_asks_for_another_model() {
        for event in [
            r#"{"type":"session.update","session":{"model":"gpt-x"}}"#,
            r#"{"type":"session.update","session":{"model":"voice"},"session":{"model":"dear"}}"#,
            r#"{"type":"session.update","session":{"model":"dear","model":"voice"}}"#,
            r#"{"type":"session.update","session":{"model":["dear"]}}"#,
            r#"{"type":"response.create","response":{"model":"dear"}}"#,
            r#"{"type":"anything","sessi\u006fn":{"m\u006fdel":"dear"}}"#,
        ] {
            let failure = of_caller(event).unwrap_err();
            assert_eq!(failure.code.as_deref(), Some("model_not_allowed"), "{event}");
        }
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for event in ["", "{", "[]", "1", r#"{"a":NaN}"#, r#"{"a":1}x"#] {
            assert_eq!(of_caller(event).unwrap_err().param.as_deref(), Some("event"), "{event}");
        }
    }

    #[test]
    fn usage_of_a_turn_is_read_with_sound_and_cache_apart() {
        let seen = of_provider(
            r#"{"type":"response.done","event_id":"e","response":{"status":"completed","output":[],"usage":{
            "total_tokens":253,"input_tokens":132,"output_tokens":121,
            "input_token_details":{"text_tokens":92,"audio_tokens":40,"cached_tokens":64,
            "cached_tokens_details":{"text_tokens":34,"audio_tokens":30}},
            "output_token_details":{"text_tokens":30,"audio_tokens":91}}}}"#,
        );
        let expected = Usage {
            input: 68,
            cache_read: 64,
            output: 121,
            input_audio: 10,
            output_audio: 91,
            ..Usage::default()
        };
        assert_eq!((seen.usage, seen.begins_turn, seen.ends_turn), (Some(expected), false, true));
    }

    #[test]
    fn a_transcription_has_usage_where_it_counts_tokens() {
        let event = |usage: &str| {
            let kind = "conversation.item.input_audio_transcription.completed";
            of_provider(&format!(r#"{{"type":"{kind}","transcript":"a","usage":{usage}}}"#)).usage
        };
        let tokens = event(
            r#"{"type":"tokens","total_tokens":22,"input_tokens":13,"input_token_details":{"text_tokens":0,"audio_tokens":13},"output_tokens":9}"#,
        );
        assert_eq!(tokens, Some(Usage { input: 13, input_audio: 13, output: 9, ..Usage::default() }));
        assert_eq!(event(r#"{"type":"duration","seconds":3}"#), None);
    }

    #[test]
    fn deltas_are_estimated_and_turns_have_a_beginning() {
        let delta = |kind: &str, length: usize| {
            of_provider(&format!(r#"{{"type":"{kind}","delta":"{}"}}"#, "a".repeat(length))).tokens
        };
        assert_eq!(delta("response.output_text.delta", 5), 1);
        assert_eq!(delta("response.output_text.delta", 40), 10);
        assert_eq!(delta("response.function_call_arguments.delta", 1), 1);
        assert_eq!(delta("response.output_audio.delta", 6_400), 2);
        assert_eq!(delta("conversation.item.input_audio_transcription.delta", 100), 0);
        assert!(of_provider(r#"{"type":"response.created","response":{}}"#).begins_turn);
    }

    #[test]
    fn the_provider_s_name_of_the_model_gives_way_to_the_caller_s() {
        let seen = of_provider(r#"{"type":"session.created","session":{"id":"s","model":"gpt-x-2025"}}"#);
        let expected = r#"{"type":"session.created","session":{"id":"s","model":"voice"}}"#;
        assert_eq!(seen.rewritten.unwrap(), expected);
        let own = SessionNames { answers_asked: false, ..NAMES };
        let event = Bytes::from_static(br#"{"session":{"model":"gpt-x"}}"#);
        assert_eq!(Events.glance(&event, &own).rewritten, None);
    }

    #[test]
    fn what_cannot_be_read_tells_nothing() {
        for event in ["", "{", "[]", r#"{"type":7}"#, r#"{"type":"response.done","response":7}"#] {
            let seen = of_provider(event);
            assert_eq!((seen.usage, seen.tokens), (None, 0), "{event}");
        }
    }

    #[test]
    fn an_error_is_an_event_of_the_dialect() {
        let error = ErrorBody {
            status: http::StatusCode::TOO_MANY_REQUESTS,
            class: ErrorClass::RateLimit,
            code: Some("tokens".into()),
            message: "later".into(),
            param: None,
            request_id: None,
            retry_after: None,
        };
        let expected = r#"{"type":"error","event_id":"event_0","error":{"message":"later","type":"rate_limit_error","param":null,"code":"tokens"}}"#;
        assert_eq!(Events.error_event(&error), expected);
    }
}
