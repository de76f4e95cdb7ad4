//! The OpenAI images dialect: images that are made from a text.
//!
//! Answers come in one piece. Models that are paid by the token report input and output tokens; others report nothing.
//! The text from which an image was made in the end, where the provider tells it, is text like any other.
//!
//! Source: the public reference of the images API and the typed models of its official client libraries.

use gatewright::Usage;
use gatewright::dialect::{Codec, Dialect, Operation};
use gatewright::text::Lane;

use crate::document::{AnswerShape, Carrier, Outline, Part, Plain, Shape, Streaming, plain};
use crate::json::{JsonError, JsonStr, Kind, Value};
use crate::openai_chat::{ChunkForm, Family, count, input};

static SHAPE: Shape = Shape {
    dialect: Dialect::OpenAiImages,
    operation: Operation::Image,
    subject: "prompt",
    subject_form: "a string",
    accepts_subject: |value| value.kind() == Kind::String,
    needs_subject: true,
    is_addressed: false,
    settings: None,
    caps: &[],
    choices: &["n"],
    has_stream_options: false,
    streaming: Streaming::Refused,
    texts: |text, sink| input::texts(text, &["prompt"], sink),
    insert: input::insert,
    counts: |root| count::inputs(root, "prompt"),
};

static ANSWER: AnswerShape =
    AnswerShape { dialect: Dialect::OpenAiImages, walk: answer, content: Some("data") };

const PLAIN: Plain = Plain { results: "data", usage };

static IMAGES: Family = Family { shape: &SHAPE, answer: &ANSWER, form: ChunkForm::Text, chat: None };

/// The codec of OpenAI images.
pub fn codec() -> &'static dyn Codec {
    &IMAGES
}

/// The walk over answers that are images.
pub(crate) fn answer<'a>(text: &'a [u8], visit: &mut dyn FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    plain::walk(PLAIN, text, image, visit)
}

fn image<'a>(position: u32, image: &Value<'a>, visit: &mut dyn FnMut(Part<'a>)) {
    for member in image.members().filter(|member| member.key.is("revised_prompt")) {
        if let Some(text) = member.value.json_str() {
            visit(Part::Text { lane: Lane::content(position), text, carrier: Carrier::Other });
        }
    }
}

fn usage(key: &JsonStr<'_>, value: &Value<'_>) -> Option<Usage> {
    if key.is("usage") { by_tokens(value) } else { None }
}

/// Usage figures of what is paid by the token. What is paid by the second reports seconds, which are no tokens.
pub(crate) fn by_tokens(usage: &Value<'_>) -> Option<Usage> {
    let count = |value: Option<Value<'_>>| value.and_then(|value| value.as_u64());
    let [input, output] = usage.pick(["input_tokens", "output_tokens"]);
    // The details of images and those of recordings have names that differ in a letter.
    let details = ["input_tokens_details", "input_token_details"].map(|name| usage.get(name));
    let detail = |name| details.iter().flatten().find_map(|details| count(details.get(name)));
    let input = count(input)?;
    let cache_read = detail("cached_tokens").unwrap_or(0).min(input);
    Some(Usage {
        input: input - cache_read,
        cache_read,
        output: count(output)?,
        input_audio: detail("audio_tokens").unwrap_or(0),
        ..Usage::default()
    })
}
