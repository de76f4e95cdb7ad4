//! The OpenAI dialects whose requests are forms with files: edits and variations of images, transcriptions and
//! translations of recordings.
//!
//! A form is read up to a bound and flows behind it; see [`crate::multipart`]. Answers are JSON, texts in a format that
//! the request names, or streams of events that end in one with the whole and its usage figures.
//!
//! Source: the public reference of the images and audio APIs and the typed models of their official client libraries.

mod answer;
mod event;
mod plain;
mod stream;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::dialect::{
    Address, AnswerDocument, Codec, Dialect, ErrorBody, LeadReader, Operation, RequestDocument,
    StreamDecoder, StreamEncoder, StreamSettings,
};
use http::{HeaderMap, StatusCode};

use crate::document::{Answer, AnswerShape, Shape, Streaming};
use crate::form::{FormShape, Lead};
use crate::json::Kind;
use crate::openai_chat::{count, error, input};
use crate::{openai_images, refusal};

/// What all four have in common.
const fn shape(dialect: Dialect, operation: Operation, streaming: Streaming) -> Shape {
    Shape {
        dialect,
        operation,
        subject: "prompt",
        subject_form: "a text",
        accepts_subject: |value| value.kind() == Kind::String,
        needs_subject: false,
        is_addressed: false,
        settings: None,
        caps: &[],
        choices: &["n"],
        has_stream_options: false,
        streaming,
        texts: |text, sink| input::texts(text, &["prompt"], sink),
        insert: input::insert,
        counts: |root| count::inputs(root, "prompt"),
    }
}

/// Fields that are texts, whatever they look like.
const TEXTS: &[&str] = &["model", "prompt", "user"];

static EDIT_SHAPE: Shape =
    Shape { needs_subject: true, ..shape(Dialect::OpenAiImageEdits, Operation::ImageEdit, Streaming::Asked) };
static VARIATION_SHAPE: Shape =
    shape(Dialect::OpenAiImageVariations, Operation::ImageVariation, Streaming::Refused);
static TRANSCRIPTION_SHAPE: Shape =
    shape(Dialect::OpenAiTranscriptions, Operation::Transcription, Streaming::Asked);
static TRANSLATION_SHAPE: Shape =
    shape(Dialect::OpenAiTranslations, Operation::Translation, Streaming::Refused);

/// A dialect whose requests are forms.
#[derive(Debug)]
struct Forms {
    form: &'static FormShape,
    answer: &'static AnswerShape,
    /// Whether its answers are texts, so that they come without JSON around them where a request asks for that.
    speaks: bool,
}

/// Makes the static values of a dialect of forms.
macro_rules! forms {
    ($name:ident, $shape:ident, $walk:path, $content:literal, $speaks:literal) => {
        static $name: Forms = {
            static FORM: FormShape = FormShape { request: &$shape, texts: TEXTS };
            static ANSWER: AnswerShape =
                AnswerShape { dialect: $shape.dialect, walk: $walk, content: Some($content) };
            Forms { form: &FORM, answer: &ANSWER, speaks: $speaks }
        };
    };
}

forms!(EDITS, EDIT_SHAPE, openai_images::answer, "data", false);
forms!(VARIATIONS, VARIATION_SHAPE, openai_images::answer, "data", false);
forms!(TRANSCRIPTIONS, TRANSCRIPTION_SHAPE, answer::walk, "text", true);
forms!(TRANSLATIONS, TRANSLATION_SHAPE, answer::walk, "text", true);

/// The codec of OpenAI image edits.
pub fn image_edits() -> &'static dyn Codec {
    &EDITS
}

/// The codec of OpenAI image variations.
pub fn image_variations() -> &'static dyn Codec {
    &VARIATIONS
}

/// The codec of OpenAI transcriptions.
pub fn transcriptions() -> &'static dyn Codec {
    &TRANSCRIPTIONS
}

/// The codec of OpenAI translations.
pub fn translations() -> &'static dyn Codec {
    &TRANSLATIONS
}

impl Codec for Forms {
    fn dialect(&self) -> Dialect {
        self.form.request.dialect
    }

    fn operation(&self) -> Operation {
        self.form.request.operation
    }

    fn lead_reader(&self, head: &HeaderMap, _: &Address) -> Result<Option<Box<dyn LeadReader>>, Failure> {
        Ok(Some(Box::new(Lead::of(self.form, head)?)))
    }

    fn decode_request_at(&self, _: Bytes, _: &Address) -> Result<Box<dyn RequestDocument>, Failure> {
        let message = "the request must be a form; send it as `multipart/form-data`";
        Err(Failure::invalid("body", message).with_code("invalid_multipart"))
    }

    fn decode_answer(&self, body: Bytes) -> Result<Box<dyn AnswerDocument>, Failure> {
        if self.speaks
            && let Some(text) = plain::Text::of(&body, self.answer.dialect)
        {
            return Ok(Box::new(text));
        }
        Answer::decode(body, self.answer)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::default())
    }

    fn stream_encoder(&self, _: StreamSettings) -> Box<dyn StreamEncoder> {
        Box::new(stream::Encoder::new(self.speaks))
    }

    fn render_error(&self, error: &ErrorBody<'_>) -> Bytes {
        error::render(error)
    }

    fn parse_error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        refusal::parse(status, headers, body)
    }
}
