//! Calls that a caller addresses at a provider: nothing of them is read, and nothing of their answers.
//!
//! What the gateway has to know stands in the path, which is the one thing that is checked: see [`address`].
//! A body that ends within the lead is at hand; a longer one flows.
//! What the gateway itself has to say is said in the dialect that the caller's client reads.

mod path;

use bytes::{Bytes, BytesMut};
use gatewright::dialect::{
    Address, AnswerDocument, Codec, Dialect, Direct, ErrorBody, LeadReader, Led, Operation, RequestDocument,
    StreamDecoder, StreamEncoder, StreamSettings,
};
use gatewright::{EditError, Failure, Placement, RequestCounts, Role, TextPart};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::piece;

pub use path::{PREFIX, address};

/// Says errors as most clients read them.
static PLAIN: Passthrough = Passthrough(Dialect::OpenAiChat);
/// Say them as others do.
static OTHERS: [Passthrough; 2] =
    [Passthrough(Dialect::AnthropicMessages), Passthrough(Dialect::GoogleGenerate)];

/// The codec of calls that pass through.
pub fn codec() -> &'static dyn Codec {
    &PLAIN
}

/// The same for a caller whose client reads the errors of this dialect.
pub fn codec_like(dialect: Dialect) -> &'static dyn Codec {
    OTHERS.iter().find(|codec| codec.0 == dialect).unwrap_or(&PLAIN)
}

/// In which dialect the gateway's own errors are said.
#[derive(Debug)]
struct Passthrough(Dialect);

impl Codec for Passthrough {
    fn dialect(&self) -> Dialect {
        Dialect::Passthrough
    }

    fn operation(&self) -> Operation {
        Operation::Passthrough
    }

    fn decode_request_at(&self, body: Bytes, address: &Address) -> Result<Box<dyn RequestDocument>, Failure> {
        Ok(Box::new(Call::of(body, true, address)?))
    }

    fn lead_reader(&self, _: &HeaderMap, address: &Address) -> Result<Option<Box<dyn LeadReader>>, Failure> {
        Ok(Some(Box::new(Lead { pieces: Vec::new(), address: address.clone() })))
    }

    fn decode_answer(&self, _: Bytes) -> Result<Box<dyn AnswerDocument>, Failure> {
        Err(Failure::internal("an answer that passes through is not read"))
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(piece::Decoder::of_any_length())
    }

    fn stream_encoder(&self, _: StreamSettings) -> Box<dyn StreamEncoder> {
        Box::new(piece::Encoder)
    }

    fn render_error(&self, error: &ErrorBody<'_>) -> Bytes {
        crate::codec(self.0).render_error(error)
    }

    fn error_header(&self, error: &ErrorBody<'_>) -> Option<(HeaderName, HeaderValue)> {
        crate::codec(self.0).error_header(error)
    }

    fn parse_error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
        crate::codec(self.0).parse_error(status, headers, body)
    }

    fn stream_content_type(&self) -> &'static str {
        "application/octet-stream"
    }

    fn is_opaque(&self) -> bool {
        true
    }

    fn is_direct(&self) -> bool {
        true
    }
}

/// Holds the lead, unread.
#[derive(Debug)]
struct Lead {
    pieces: Vec<Bytes>,
    address: Address,
}

impl LeadReader for Lead {
    /// A body that is at hand as a whole can be signed, so that it is worth to wait for its end.
    fn wants_more(&self) -> bool {
        true
    }

    fn push(&mut self, piece: Bytes) -> Result<(), Failure> {
        self.pieces.push(piece);
        Ok(())
    }

    fn decode(self: Box<Self>, is_whole: bool) -> Result<Led, Failure> {
        let body = match &*self.pieces {
            [] => Bytes::new(),
            [piece] => piece.clone(),
            pieces => {
                let mut body = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
                pieces.iter().for_each(|piece| body.extend_from_slice(piece));
                body.freeze()
            }
        };
        Ok(Led { document: Box::new(Call::of(body, is_whole, &self.address)?), watch: None })
    }
}

/// A call with what is known of its body.
#[derive(Clone, Debug)]
struct Call {
    direct: Direct,
    model: Box<str>,
    body: Bytes,
    is_whole: bool,
}

impl Call {
    fn of(body: Bytes, is_whole: bool, address: &Address) -> Result<Self, Failure> {
        let direct = address.direct.clone();
        let direct = direct.ok_or_else(|| Failure::internal("the path of the call is not known"))?;
        Ok(Self { model: Direct::model(&direct.provider).into(), direct, body, is_whole })
    }
}

impl RequestDocument for Call {
    fn dialect(&self) -> Dialect {
        Dialect::Passthrough
    }

    fn operation(&self) -> Operation {
        Operation::Passthrough
    }

    fn model(&self) -> &str {
        &self.model
    }

    /// Whatever comes is handed on as it comes.
    fn streams(&self) -> bool {
        true
    }

    fn choices(&self) -> u32 {
        1
    }

    fn output_cap(&self) -> Option<u64> {
        None
    }

    fn estimate_input_tokens(&self) -> u64 {
        0
    }

    fn wants_stream_usage(&self) -> bool {
        true
    }

    fn require_stream_usage(&mut self) {}

    fn set_whole(&mut self) {}

    fn set_model(&mut self, _: &str) {}

    fn edit_texts(&mut self, _: &mut dyn FnMut(TextPart<'_>) -> Option<String>) -> Result<usize, EditError> {
        Ok(0)
    }

    fn for_each_text(&self, _: &mut dyn FnMut(TextPart<'_>)) -> Result<(), EditError> {
        Ok(())
    }

    fn insert_text(&mut self, _: Role, _: Placement, _: &str) -> Result<(), EditError> {
        Err(EditError::NoPlace { what: "a text" })
    }

    fn field(&self, _: &str) -> Option<String> {
        None
    }

    fn fields(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn set_field(&mut self, pointer: &str, _: &str) -> Result<(), EditError> {
        Err(EditError::NoSuchField { pointer: pointer.to_owned() })
    }

    fn remove_field(&mut self, _: &str) -> Result<bool, EditError> {
        Ok(false)
    }

    fn counts(&self) -> RequestCounts {
        RequestCounts::default()
    }

    fn is_edited(&self) -> bool {
        false
    }

    fn to_body(&self) -> Bytes {
        self.body.clone()
    }

    fn is_whole(&self) -> bool {
        self.is_whole
    }

    fn direct(&self) -> Option<&Direct> {
        Some(&self.direct)
    }

    fn clone_document(&self) -> Box<dyn RequestDocument> {
        Box::new(self.clone())
    }
}
