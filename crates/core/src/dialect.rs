//! The contract between the gateway and a wire dialect: bytes to views and events, and back.
//!
//! `gatewright-wire` implements it once per dialect, without input or output. A provider adapter
//! names the codec that its provider speaks; the pipeline uses the caller's codec for what goes
//! back. Nothing here knows a vendor; a dialect bears the name of the protocol that it is.

mod abilities;
mod direct;
mod embedding;
mod encoder;
mod error;
mod frame;
mod lead;
mod operation;
mod protocol;
mod session;
mod state;
mod table;

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::chat::{Answer, Chat, LossKind, Losses, Place};
use crate::text::Lane;
use crate::{EditError, Failure, Placement, RequestCounts, Role, StreamEvent, TextPart, Usage};

pub use abilities::{Abilities, ReasoningForm};
pub use direct::{DIRECT_PREFIX, Direct};
pub use embedding::EmbeddingCodec;
pub use encoder::{StreamEncoder, StreamSettings};
pub use error::{ErrorBody, ErrorClass};
pub use frame::{Frame, FrameKind, UsageArtefact};
pub use lead::{LeadReader, Led, TailWatch};
pub use operation::Operation;
pub use protocol::Dialect;
pub use session::{SessionCodec, SessionEvent, SessionNames};
pub use state::{AnswerRecord, Identity, Look, Missing, Recalled, StateCodec, Wish};
pub use table::AbilityTable;

/// Everything that the gateway asks of a dialect. One static value per dialect.
pub trait Codec: Send + Sync + fmt::Debug {
    /// Which dialect this is.
    fn dialect(&self) -> Dialect;

    /// What its requests ask for.
    fn operation(&self) -> Operation;

    /// Decodes a request, lazily: the text is validated, the routing fields are read, the rest
    /// stays a span. `address` is what the path of the request says.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the client's side that names the field and says what to change.
    fn decode_request_at(&self, body: Bytes, address: &Address) -> Result<Box<dyn RequestDocument>, Failure>;

    /// A reader for a request of which only the leading bytes are read, and the rest flows to the provider as it
    /// comes. `None` where requests are read whole. `address` is what the path of the request says.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the client's side when the head cannot belong to a request of this dialect.
    fn lead_reader(
        &self,
        head: &HeaderMap,
        address: &Address,
    ) -> Result<Option<Box<dyn LeadReader>>, Failure> {
        let _ = (head, address);
        Ok(None)
    }

    /// Decodes a request of which the path says nothing.
    ///
    /// # Errors
    ///
    /// As [`Codec::decode_request_at`].
    fn decode_request(&self, body: Bytes) -> Result<Box<dyn RequestDocument>, Failure> {
        self.decode_request_at(body, &Address::default())
    }

    /// Decodes a whole answer of a provider.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the upstream side when the body is not of this dialect.
    fn decode_answer(&self, body: Bytes) -> Result<Box<dyn AnswerDocument>, Failure>;

    /// A decoder for one streamed answer of a provider.
    fn stream_decoder(&self) -> Box<dyn StreamDecoder>;

    /// An encoder for one streamed answer to a client.
    fn stream_encoder(&self, settings: StreamSettings) -> Box<dyn StreamEncoder>;

    /// Writes an error body for a client.
    fn render_error(&self, error: &ErrorBody<'_>) -> Bytes;

    /// A header that says of what class an error is, in dialects whose clients look for it there.
    fn error_header(&self, error: &ErrorBody<'_>) -> Option<(HeaderName, HeaderValue)> {
        let _ = error;
        None
    }

    /// The header in which the dialect's libraries look for the id of the request, where it is not `x-request-id`.
    ///
    /// Answers carry the id under both names.
    fn request_id_header(&self) -> Option<HeaderName> {
        None
    }

    /// Reads a provider's error answer, whatever its body is: the dialect's own shape, another
    /// JSON, HTML, nothing. Addresses, account ids and keys in the provider's text are left out.
    fn parse_error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure;

    /// The media type of a streamed answer.
    fn stream_content_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    /// Whether a client's stream is framed otherwise than the provider's, so that every frame has to pass through the
    /// encoder, edited or not.
    fn reframes(&self) -> bool {
        false
    }

    /// Whether its answers are bytes that only the caller understands, of the media type that the provider names. They
    /// flow as they come, and one that breaks off can be told in no other way than by breaking off.
    fn is_opaque(&self) -> bool {
        false
    }

    /// Whether requests are [`Direct`] calls: nothing of them is read, and every answer of the provider goes back as it
    /// is, refusals and redirects included.
    fn is_direct(&self) -> bool {
        false
    }

    /// The answer that tells how many tokens a prompt has, in dialects that can be asked for it.
    fn counted(&self, tokens: u64) -> Option<Bytes> {
        let _ = tokens;
        None
    }

    /// The translation between this dialect and the form that all dialects of chats share; `None` where it is none
    /// of them.
    fn chat(&self) -> Option<&dyn ChatCodec> {
        None
    }

    /// What it has for conversations that are kept; `None` where its callers send them whole.
    fn state(&self) -> Option<&dyn StateCodec> {
        None
    }

    /// The translation between this dialect and the form that all dialects of embeddings share.
    fn embedding(&self) -> Option<&dyn EmbeddingCodec> {
        None
    }

    /// The codec of the protocol in which a body is written, in dialects that carry several. It takes this one's place.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the client's side when the body is of none that can be read.
    fn codec_of(&self, body: &[u8], address: &Address) -> Result<Option<&'static dyn Codec>, Failure> {
        let _ = (body, address);
        Ok(None)
    }

    /// The events of a session, in dialects whose exchanges are sessions.
    fn session(&self) -> Option<&dyn SessionCodec> {
        None
    }
}

/// What the path of a request says, in dialects that do not put it into the body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The model that is asked for.
    pub model: Option<Box<str>>,
    /// Whether the answer is wanted as a stream.
    pub streams: Option<bool>,
    /// The call, where the path is one at a provider.
    pub direct: Option<Direct>,
}

/// Translates a dialect of chats to and from the form that all of them share.
///
/// Each dialect has one, and knows no other dialect. What is written is complete: nothing is spliced into it later.
pub trait ChatCodec: Send + Sync + fmt::Debug {
    /// Reads a request that [`Codec::decode_request`] has accepted.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the client's side that names the field and says what to change.
    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Chat<'a>, Failure>;

    /// Writes a request. What has no place in this dialect, or exceeds what the target can take, is reported.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the client's side for what every provider of the dialect refuses, and for a reported loss in
    /// strict mode.
    fn write_request(
        &self,
        chat: &Chat<'_>,
        abilities: &Abilities,
        losses: &mut Losses<'_>,
    ) -> Result<Bytes, Failure>;

    /// Reads an answer that [`Codec::decode_answer`] has accepted.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the upstream side when it is malformed.
    fn read_answer<'a>(&self, body: &'a [u8]) -> Result<Answer<'a>, Failure>;

    /// Writes a whole answer.
    fn write_answer(&self, answer: &Answer<'_>, envelope: &Envelope) -> Bytes;

    /// Parts of a request that a provider of this dialect did not make, though they bear its form, and would refuse:
    /// their RFC 6901 pointers, the last first. A caller has them from an answer that was translated.
    fn foreign(&self, request: &dyn RequestDocument) -> Vec<String> {
        let _ = request;
        Vec::new()
    }

    /// What comes about by other means where a request of this dialect goes to a provider of chats; none in a dialect
    /// of chats.
    fn emulated(&self) -> Option<Place<'static>> {
        None
    }

    /// The RFC 6901 pointer of a place in a request of this dialect.
    fn pointer(&self, place: &Place<'_>) -> String;

    /// Makes a request that goes to a provider of this same dialect one that the target takes. What it refuses is taken
    /// out and reported, and so is what is [foreign](ChatCodec::foreign); what it only calls otherwise is renamed. A
    /// dialect whose vendors differ in more than that overrides it.
    ///
    /// # Errors
    ///
    /// In strict mode, for the first loss.
    fn conform(
        &self,
        request: &mut dyn RequestDocument,
        abilities: &Abilities,
        losses: &mut Losses<'_>,
    ) -> Result<(), Failure> {
        let places: Vec<_> = abilities.refuses.iter().map(|param| Place::Param(*param)).collect();
        let pointers: Vec<_> = places.iter().map(|place| self.pointer(place)).collect();
        // A dialect without the parameter has no pointer for it, and most requests have none that is refused.
        let are_there = if places.is_empty() { Vec::new() } else { request.has_fields(&pointers) };
        for ((place, pointer), is_there) in places.iter().zip(&pointers).zip(are_there) {
            if is_there && request.remove_field(pointer).unwrap_or(false) {
                losses.report(place, LossKind::Dropped)?;
            }
        }
        for pointer in self.foreign(request) {
            if request.remove_field(&pointer).unwrap_or(false) {
                losses.report(&Place::Pointer(pointer.into()), LossKind::Dropped)?;
            }
        }
        Ok(())
    }
}

/// What an answer says around its content, where it is not the provider's own bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The exchange; a dialect derives its answer's id from it.
    pub id: crate::RequestId,
    /// When the answer was begun, in seconds since 1970.
    pub created: u64,
    /// The model name that the answer reports.
    pub model: String,
}

/// A request of one dialect: views and edits over the client's bytes.
pub trait RequestDocument: Send + Sync + fmt::Debug {
    /// Which dialect it is written in.
    fn dialect(&self) -> Dialect;
    /// What it asks for.
    fn operation(&self) -> Operation;
    /// The model name as it stands now.
    fn model(&self) -> &str;
    /// Whether the answer is wanted as a stream.
    fn streams(&self) -> bool;
    /// The number of alternative answers, at least 1.
    fn choices(&self) -> u32;
    /// The caller's cap on output tokens per choice.
    fn output_cap(&self) -> Option<u64>;
    /// A rough count of prompt tokens, for reservations and for answers that report no usage.
    /// Cheap: it never tokenises.
    fn estimate_input_tokens(&self) -> u64;
    /// Whether the caller itself asked for usage figures in the stream.
    fn wants_stream_usage(&self) -> bool;
    /// Makes the provider report usage in the stream. Does not count as an edit.
    fn require_stream_usage(&mut self);
    /// Asks for the answer in one piece instead of a stream.
    fn set_whole(&mut self);
    /// Replaces the model name. Does not count as an edit: routing does it to every request.
    fn set_model(&mut self, model: &str);
    /// See [`LlmRequest::edit_texts`](crate::LlmRequest::edit_texts).
    ///
    /// # Errors
    ///
    /// When the document is malformed at the place that is visited.
    fn edit_texts(
        &mut self,
        visit: &mut dyn FnMut(TextPart<'_>) -> Option<String>,
    ) -> Result<usize, EditError>;
    /// See [`LlmRequest::for_each_text`](crate::LlmRequest::for_each_text).
    ///
    /// # Errors
    ///
    /// When the document is malformed at the place that is visited.
    fn for_each_text(&self, visit: &mut dyn FnMut(TextPart<'_>)) -> Result<(), EditError>;
    /// See [`LlmRequest::insert_text`](crate::LlmRequest::insert_text).
    ///
    /// # Errors
    ///
    /// When the operation has no place for such a text.
    fn insert_text(&mut self, role: Role, at: Placement, text: &str) -> Result<(), EditError>;
    /// See [`LlmRequest::field`](crate::LlmRequest::field).
    fn field(&self, pointer: &str) -> Option<String>;
    /// Which of these fields are there, in the order of the pointers. One look at the document is to serve for all.
    fn has_fields(&self, pointers: &[String]) -> Vec<bool> {
        pointers.iter().map(|pointer| self.field(pointer).is_some()).collect()
    }
    /// See [`LlmRequest::fields`](crate::LlmRequest::fields).
    fn fields(&self, pointer: &str) -> Vec<String>;
    /// See [`LlmRequest::set_field`](crate::LlmRequest::set_field).
    ///
    /// # Errors
    ///
    /// When the pointer leads nowhere, or the value is not JSON.
    fn set_field(&mut self, pointer: &str, json: &str) -> Result<(), EditError>;
    /// See [`LlmRequest::remove_field`](crate::LlmRequest::remove_field).
    ///
    /// # Errors
    ///
    /// When the request would not be one without the field.
    fn remove_field(&mut self, pointer: &str) -> Result<bool, EditError>;
    /// See [`LlmRequest::counts`](crate::LlmRequest::counts).
    fn counts(&self) -> RequestCounts;
    /// Whether an extension edited it.
    fn is_edited(&self) -> bool;
    /// The bytes to send: the client's own buffer when there is no patch at all.
    fn to_body(&self) -> Bytes;
    /// The media type of the body, where it is another than the one that all requests of the dialect have.
    fn media_type(&self) -> Option<&HeaderValue> {
        None
    }
    /// Whether the bytes to send are all of the body. Where they are its lead, the rest flows behind them.
    fn is_whole(&self) -> bool {
        true
    }
    /// The call that the caller addressed at a provider; `None` where it asks for a model.
    fn direct(&self) -> Option<&Direct> {
        None
    }
    /// A copy that shares the bytes.
    fn clone_document(&self) -> Box<dyn RequestDocument>;
}

/// A whole answer of one dialect: views and edits over the provider's bytes.
pub trait AnswerDocument: Send + Sync + fmt::Debug {
    /// Which dialect it is written in.
    fn dialect(&self) -> Dialect;
    /// What the provider says it consumed.
    fn usage(&self) -> Option<Usage>;
    /// A rough count of output tokens, for answers that report no usage.
    fn estimate_output_tokens(&self) -> u64;
    /// The model name that the answer reports.
    fn model(&self) -> Option<&str>;
    /// Replaces the model name that the answer reports. Does not count as an edit.
    fn set_model(&mut self, model: &str);
    /// See [`LlmResponse::edit_texts`](crate::LlmResponse::edit_texts).
    ///
    /// # Errors
    ///
    /// When the document is malformed at the place that is visited.
    fn edit_texts(&mut self, visit: &mut dyn FnMut(Lane, &str) -> Option<String>)
    -> Result<usize, EditError>;
    /// See [`LlmResponse::for_each_text`](crate::LlmResponse::for_each_text).
    fn for_each_text(&self, visit: &mut dyn FnMut(Lane, &str));
    /// Whether an extension edited it.
    fn is_edited(&self) -> bool;
    /// The bytes to send: the provider's own buffer when there is no patch at all.
    fn to_body(&self) -> Bytes;
}

/// Bytes of a provider's stream to frames, and frames to events. Takes any chunking.
pub trait StreamDecoder: Send + fmt::Debug {
    /// Takes the next chunk of the body. Frames that lie wholly inside it share its buffer.
    fn push(&mut self, chunk: Bytes);
    /// The next complete frame.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the upstream side when the bytes are not of this dialect, or a frame is
    /// over its bound. The decoder gives nothing after an error.
    fn next_frame(&mut self) -> Result<Option<Frame>, Failure>;
    /// Says that no more bytes come; a last unterminated frame may result.
    ///
    /// # Errors
    ///
    /// As [`StreamDecoder::next_frame`].
    fn finish(&mut self) -> Result<Option<Frame>, Failure>;
    /// The typed events of a frame, appended to `events` in order, numbered from 0.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of the upstream side when the payload is not of this dialect.
    fn events(&mut self, frame: &Frame, events: &mut Vec<StreamEvent>) -> Result<(), Failure>;
    /// Whether the provider completed its answer: the terminator came, or every choice finished
    /// in a dialect whose vendors omit it.
    fn is_complete(&self) -> bool;
}
