//! The endpoints whose requests are forms with files: edits and variations of images, transcriptions, translations.
//!
//! Forms are read by a parser that is not the gateway's, so that the two check each other.

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::stream::once;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::behaviour::Behaviour;
use super::endpoint::{Endpoint, Facts};
use super::event::{self, Event};
use super::refusal::Refused;
use super::script::{Script, Step};
use super::tokens::{count_tokens, pieces};
use super::{judgement, plan};

/// Bytes of a recording for each token that it costs.
const BYTES_PER_TOKEN: u64 = 100;

/// Reads a form: its text fields, truth values and numbers as such, and its files as texts or lengths.
pub(super) fn parse(head: &HeaderMap, body: &Bytes) -> Result<Value, Refused> {
    let content_type = head.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let malformed = |cause: multer::Error| Refused::parameter("body", &format!("this is no form: {cause}"));
    let boundary = multer::parse_boundary(content_type).map_err(malformed)?;
    let chunks = once(std::future::ready(Ok::<_, std::convert::Infallible>(body.clone())));
    let reading = read(multer::Multipart::new(chunks, boundary)).now_or_never();
    let fields =
        reading.ok_or_else(|| Refused::parameter("body", "this form has no end"))?.map_err(malformed)?;
    let mut request = Map::new();
    for (name, value) in fields {
        if request.insert(name.clone(), value).is_some() && !name.ends_with("[]") {
            return Err(Refused::parameter("body", &format!("`{name}` stands in the form twice")));
        }
    }
    Ok(Value::Object(request))
}

async fn read(mut form: multer::Multipart<'_>) -> Result<Vec<(String, Value)>, multer::Error> {
    let mut fields = Vec::new();
    while let Some(field) = form.next_field().await? {
        let name = field.name().unwrap_or_default().to_owned();
        let is_file = field.file_name().is_some();
        let content = field.bytes().await?;
        let text = String::from_utf8_lossy(&content).into_owned();
        fields
            .push((name, if is_file { json!({"bytes": content.len(), "text": text}) } else { scalar(text) }));
    }
    Ok(fields)
}

fn scalar(text: String) -> Value {
    let value = serde_json::from_str(&text).ok().filter(|value: &Value| value.is_boolean() || value.is_u64());
    value.unwrap_or(Value::String(text))
}

/// Answers a form that is in order.
pub(super) fn answer(
    endpoint: Endpoint,
    request: &Value,
    behaviour: &Behaviour,
    facts: &Facts,
) -> Result<Script, Refused> {
    match endpoint {
        Endpoint::ImageEdit | Endpoint::ImageVariation => draw(endpoint, request, behaviour, facts),
        _ => listen(request, behaviour, facts),
    }
}

fn draw(
    endpoint: Endpoint,
    request: &Value,
    behaviour: &Behaviour,
    facts: &Facts,
) -> Result<Script, Refused> {
    let image = ["image", "image[]"].into_iter().find(|name| request[*name].is_object());
    if image.is_none() {
        return Err(Refused::parameter("image", "Missing required parameter: 'image'."));
    }
    let mut asked = request.clone();
    if endpoint == Endpoint::ImageVariation {
        asked["prompt"] = json!("");
    }
    let (object, prompt_tokens) = judgement::draw(&asked, facts)?;
    let mut script = if request["stream"] == Value::Bool(true) {
        let picture = &object["data"][0]["b64_json"];
        let partial =
            json!({"type": "image_edit.partial_image", "b64_json": picture, "partial_image_index": 0});
        let whole = json!({"type": "image_edit.completed", "b64_json": picture, "usage": object["usage"]});
        stream([partial, whole], behaviour, facts)
    } else {
        plan::whole(&Bytes::from(object.to_string()), 0, behaviour, facts.rate)
    };
    script.prompt_tokens = facts.prompt_tokens.unwrap_or(prompt_tokens);
    Ok(script)
}

/// What a recording says is its bytes where they are a short text, and how many there are where they are not.
fn listen(request: &Value, behaviour: &Behaviour, facts: &Facts) -> Result<Script, Refused> {
    const HEARD_BYTES_MAX: u64 = 200;
    let Some(bytes) = request["file"]["bytes"].as_u64() else {
        return Err(Refused::parameter("file", "Missing required parameter: 'file'."));
    };
    let text = match request["file"]["text"].as_str() {
        Some(text) if bytes <= HEARD_BYTES_MAX => text.to_owned(),
        _ => format!("heard {bytes} bytes"),
    };
    let audio = bytes.div_ceil(BYTES_PER_TOKEN);
    let prompt = request["prompt"].as_str().map_or(0, count_tokens);
    let (input, output) = (audio + prompt, count_tokens(&text));
    let details = json!({"text_tokens": prompt, "audio_tokens": audio});
    let usage = json!({"type": "tokens", "input_tokens": input, "input_token_details": details,
        "output_tokens": output, "total_tokens": input + output});
    let whole = |object: Value| plan::whole(&Bytes::from(object.to_string()), output, behaviour, facts.rate);
    let plain = |text: String| {
        let media_type = HeaderValue::from_static("text/plain; charset=utf-8");
        Script::new(StatusCode::OK, [Step::send(text)]).with_header(CONTENT_TYPE, media_type)
    };
    let mut script = match request["response_format"].as_str() {
        _ if request["stream"] == Value::Bool(true) => {
            let delta = |piece: &str| json!({"type": "transcript.text.delta", "delta": piece});
            let done = json!({"type": "transcript.text.done", "text": text, "usage": usage});
            stream(pieces(&text).map(delta).chain([done]), behaviour, facts)
        }
        Some("text") => plain(text + "\n"),
        Some("srt") => plain(format!("1\n00:00:00,000 --> 00:00:01,000\n{text}\n\n")),
        Some("vtt") => plain(format!("WEBVTT\n\n00:00.000 --> 00:01.000\n{text}\n\n")),
        Some("verbose_json") => whole(json!({"task": "transcribe", "language": "english", "duration": 1.0,
            "text": text, "segments": [{"id": 0, "start": 0.0, "end": 1.0, "text": text}], "usage": usage})),
        _ => whole(json!({"text": text, "usage": usage})),
    };
    script.prompt_tokens = facts.prompt_tokens.unwrap_or(input);
    Ok(script)
}

fn stream(objects: impl IntoIterator<Item = Value>, behaviour: &Behaviour, facts: &Facts) -> Script {
    let events = objects.into_iter().map(|object| Event {
        bytes: event::frame(object.to_string().as_bytes()),
        tokens: 1,
        is_content: true,
    });
    let behaviour = Behaviour { done: false, ..behaviour.clone() };
    plan::stream(events.collect(), &behaviour, facts.rate)
}
