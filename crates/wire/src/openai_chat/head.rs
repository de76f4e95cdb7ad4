//! The fields of a request that routing and reservations ask for, read while the whole text is checked.

use std::fmt;

use bytes::Bytes;
use gatewright::dialect::{Dialect, Operation};
use gatewright::{EditError, Failure, FailureKind, Placement, RequestCounts, Role, Side, TextKind};
use smallvec::SmallVec;

use super::draft::Head;
use crate::json::{JsonError, JsonStr, Kind, Opaque, Patches, Reader, Span, Value};

/// A model name may be this long.
const MODEL_BYTES_MAX: usize = 256;

/// A caller may ask for this many alternative answers.
const CHOICES_MAX: u64 = 128;

/// Bytes of JSON per token, roughly, over languages and message frames.
const BYTES_PER_TOKEN: usize = 4;

/// Tokens that an image or a sound in a request is taken to cost.
const OPAQUE_TOKENS: usize = 1_000;

/// How one dialect of the family differs from the others in its requests.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) dialect: Dialect,
    pub(crate) operation: Operation,
    /// The member that holds what is asked.
    pub(crate) subject: &'static str,
    /// What it must be, for a message to the caller.
    pub(crate) subject_form: &'static str,
    /// Whether a value can be the subject.
    pub(crate) accepts_subject: fn(&Value<'_>) -> bool,
    /// Whether answers can come as a stream.
    pub(crate) can_stream: bool,
    /// Shows all texts of a request, in order.
    pub(crate) texts: TextWalk,
    /// The patches that put a text in.
    pub(crate) insert: Insertion,
    /// Counts what can be counted in a request.
    pub(crate) counts: fn(&Value<'_>) -> RequestCounts,
}

/// A walk over the texts of a request.
pub(crate) type TextWalk = for<'a> fn(&'a [u8], &mut dyn FnMut(Site<'a>)) -> Result<(), EditError>;

/// How a text is put into a request.
pub(crate) type Insertion = fn(&Bytes, Role, Placement, &str) -> Result<Patches, EditError>;

/// A piece of text and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) role: Role,
    pub(crate) kind: TextKind,
    pub(crate) text: JsonStr<'a>,
}

/// What is known of a request without another look at its text.
#[derive(Clone)]
pub(crate) struct RequestHead {
    pub(crate) shape: &'static Shape,
    /// The value of `model`, quotes included.
    pub(crate) model_span: Span,
    pub(crate) model: Box<str>,
    /// The values of `stream_options`; more than one if the key is repeated.
    pub(crate) options: SmallVec<[Span; 1]>,
    /// Where the last member ends, and another one can be added.
    pub(crate) members_end: usize,
    pub(crate) streams: bool,
    pub(crate) choices: u32,
    pub(crate) output_cap: Option<u64>,
    pub(crate) wants_usage: bool,
    pub(crate) estimated_tokens: u64,
}

impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("dialect", &self.shape.dialect)
            .field("model", &self.model)
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}

impl Head for RequestHead {
    fn rescan(&self, text: &Bytes) -> Option<Self> {
        read(text, self.shape).ok()
    }
}

/// The routing members as they were met.
#[derive(Default)]
struct Found<'a> {
    model: Option<Value<'a>>,
    stream: Option<Value<'a>>,
    stream_options: SmallVec<[Value<'a>; 1]>,
    members_end: usize,
    subject: Option<Value<'a>>,
    n: Option<Value<'a>>,
    best_of: Option<Value<'a>>,
    max_tokens: Option<Value<'a>>,
    max_completion_tokens: Option<Value<'a>>,
    /// A routing member that stands twice: which one a reader takes differs, so nobody is to choose.
    repeated: Option<&'static str>,
}

/// Checks a request's whole text and reads what routing needs.
///
/// # Errors
/// A failure of the client's side that names the field and says what to change.
pub(crate) fn read(text: &[u8], shape: &'static Shape) -> Result<RequestHead, Failure> {
    let (found, opaque) = scan(text, shape).map_err(|error| not_json(text, error))?;
    if let Some(key) = found.repeated {
        let message = format!("`{key}` stands in the request twice, send it once");
        return Err(Failure::invalid(key, message).with_code("duplicate_parameter"));
    }
    let model = model(found.model.as_ref())?;
    let subject = found.subject.filter(|subject| !subject.is_null());
    let Some(subject) = subject else {
        return Err(missing(shape.subject, shape.subject_form));
    };
    if !(shape.accepts_subject)(&subject) {
        return Err(wrong_subject(shape, subject.kind()));
    }
    let n = count("n", found.n.as_ref(), 1, CHOICES_MAX)?.unwrap_or(1);
    let best_of = count("best_of", found.best_of.as_ref(), 1, CHOICES_MAX)?.unwrap_or(1);
    let max_tokens = count("max_tokens", found.max_tokens.as_ref(), 0, u64::MAX)?;
    let max_completion = count("max_completion_tokens", found.max_completion_tokens.as_ref(), 0, u64::MAX)?;
    let streams = boolean("stream", found.stream.as_ref())? && shape.can_stream;
    Ok(RequestHead {
        shape,
        model_span: found.model.map_or(Span::new(0, 0), |model| model.span()),
        model,
        streams,
        choices: u32::try_from(n.max(best_of)).unwrap_or(u32::MAX),
        output_cap: max_completion.or(max_tokens),
        wants_usage: wants_usage(found.stream_options.last())?,
        options: found.stream_options.iter().map(Value::span).collect(),
        members_end: found.members_end,
        estimated_tokens: estimate(text.len(), opaque),
    })
}

fn scan<'a>(text: &'a [u8], shape: &Shape) -> Result<(Found<'a>, Opaque), JsonError> {
    let mut found = Found::default();
    let mut reader = Reader::new(text);
    let is_object = reader.object(|reader, key| {
        let key = key.decode();
        let value = reader.value()?;
        found.members_end = value.span().end;
        match key.as_ref() {
            "model" if found.model.replace(value).is_some() => found.repeated = Some("model"),
            "stream" if found.stream.replace(value).is_some() => found.repeated = Some("stream"),
            "stream_options" => found.stream_options.push(value),
            "n" => found.n = Some(value),
            "best_of" => found.best_of = Some(value),
            "max_tokens" => found.max_tokens = Some(value),
            "max_completion_tokens" => found.max_completion_tokens = Some(value),
            key if key == shape.subject => found.subject = Some(value),
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    reader.end()?;
    if !is_object {
        return Err(JsonError { offset: 0, reason: crate::json::Reason::ExpectedObject });
    }
    Ok((found, reader.opaque()))
}

fn estimate(text_bytes: usize, opaque: Opaque) -> u64 {
    let text = text_bytes.saturating_sub(opaque.bytes) / BYTES_PER_TOKEN;
    u64::try_from(text.saturating_add(opaque.count.saturating_mul(OPAQUE_TOKENS))).unwrap_or(u64::MAX)
}

fn model(value: Option<&Value<'_>>) -> Result<Box<str>, Failure> {
    let form = "the name of a model as a string";
    let Some(value) = value.filter(|value| !value.is_null()) else { return Err(missing("model", form)) };
    let Some(name) = value.as_str() else { return Err(wrong_type("model", form, value.kind())) };
    if name.is_empty() || name.len() > MODEL_BYTES_MAX {
        let message = format!("`model` must be from 1 to {MODEL_BYTES_MAX} bytes long, it is {}", name.len());
        return Err(Failure::invalid("model", message).with_code("invalid_value"));
    }
    Ok(name.into())
}

fn boolean(param: &'static str, value: Option<&Value<'_>>) -> Result<bool, Failure> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(false) };
    value.as_bool().ok_or_else(|| wrong_type(param, "`true` or `false`", value.kind()))
}

fn count(
    param: &'static str,
    value: Option<&Value<'_>>,
    least: u64,
    most: u64,
) -> Result<Option<u64>, Failure> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    if value.kind() != Kind::Number {
        return Err(wrong_type(param, "a whole number", value.kind()));
    }
    if let Some(count) = value.as_u64().filter(|count| (least..=most).contains(count)) {
        return Ok(Some(count));
    }
    let range = if most == u64::MAX { format!("{least} or more") } else { format!("from {least} to {most}") };
    let message = format!("`{param}` must be a whole number, {range}");
    Err(Failure::invalid(param, message).with_code("invalid_value"))
}

fn wants_usage(options: Option<&Value<'_>>) -> Result<bool, Failure> {
    let Some(options) = options.filter(|options| !options.is_null()) else { return Ok(false) };
    if options.kind() != Kind::Object {
        return Err(wrong_type("stream_options", "an object", options.kind()));
    }
    boolean("stream_options.include_usage", options.get("include_usage").as_ref())
}

fn missing(param: &'static str, form: &str) -> Failure {
    let message = format!("`{param}` is missing, send {form}");
    Failure::invalid(param, message).with_code("missing_required_parameter")
}

fn wrong_type(param: &'static str, form: &str, found: Kind) -> Failure {
    let message = format!("`{param}` must be {form}, not {}", found.noun());
    Failure::invalid(param, message).with_code("invalid_type")
}

/// An array is the right type, so one that is not accepted is empty.
fn wrong_subject(shape: &Shape, found: Kind) -> Failure {
    if found != Kind::Array {
        return wrong_type(shape.subject, shape.subject_form, found);
    }
    let message = format!("`{}` must be {}, not an empty array", shape.subject, shape.subject_form);
    Failure::invalid(shape.subject, message).with_code("invalid_value")
}

fn not_json(text: &[u8], error: JsonError) -> Failure {
    let message = if text.trim_ascii().is_empty() {
        "the body is empty, send a JSON object".to_owned()
    } else {
        format!("the body is not a JSON object: {error}")
    };
    Failure::new(Side::Client, FailureKind::Invalid, message).with_code("invalid_json")
}
