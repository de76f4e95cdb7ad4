//! The fields of a request that routing and reservations ask for, read while the whole text is checked.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use gatewright::dialect::{Address, Dialect, Operation};
use gatewright::{EditError, Failure, FailureKind, Placement, RequestCounts, Role, Side, TextKind};
use smallvec::SmallVec;

use super::draft::Head;
use super::spelling::camel;
use crate::json::{JsonError, JsonStr, Kind, Opaque, Patches, Reader, Span, Value};

/// A model name may be this long.
const MODEL_BYTES_MAX: usize = 256;

/// A caller may ask for this many alternative answers.
const CHOICES_MAX: u64 = 128;

/// Bytes of JSON per token, roughly, over languages and message frames.
const BYTES_PER_TOKEN: usize = 4;

/// Tokens that an image or a sound in a request is taken to cost.
const OPAQUE_TOKENS: usize = 1_000;

/// What a dialect calls the members of its requests, and how they are walked.
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
    /// Whether a request without the subject is none.
    pub(crate) needs_subject: bool,
    /// Whether the path names the model and says whether the answer is a stream, and the body does neither.
    pub(crate) is_addressed: bool,
    /// The member in which the caps and the number of answers stand, in its camel case spelling; none where they stand
    /// at the top.
    pub(crate) settings: Option<&'static str>,
    /// Names of the cap on output tokens; the first that is there holds.
    pub(crate) caps: &'static [&'static str],
    /// Names of the number of alternative answers; the greatest holds.
    pub(crate) choices: &'static [&'static str],
    /// Whether `stream_options` asks for usage figures in a stream; where not, they come unasked.
    pub(crate) has_stream_options: bool,
    /// Which answers come as a stream.
    pub(crate) streaming: Streaming,
    /// Shows all texts of a request, in order.
    pub(crate) texts: TextWalk,
    /// The patches that put a text in.
    pub(crate) insert: Insertion,
    /// Counts what can be counted in a request.
    pub(crate) counts: fn(&Value<'_>) -> RequestCounts,
}

/// Which answers of an endpoint come as a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Streaming {
    /// None, whatever a request says.
    Never,
    /// None, and a request for one is refused, because its provider would heed it.
    Refused,
    /// Those that are asked for so.
    Asked,
    /// All but those that are asked to come in one piece.
    Usual,
    /// All of them.
    Always,
}

impl Streaming {
    /// Whether the answer is a stream to a request that asks for one, or does not.
    fn holds(self, asked: bool) -> Result<bool, Failure> {
        match self {
            Self::Refused if asked => {
                let message = "`stream` cannot be `true` here, leave it out to have the answer in one piece";
                Err(Failure::invalid("stream", message).with_code("unsupported_parameter"))
            }
            Self::Never | Self::Refused => Ok(false),
            Self::Asked | Self::Usual => Ok(asked),
            Self::Always => Ok(true),
        }
    }
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
        let address = Address {
            model: self.shape.is_addressed.then(|| self.model.clone()),
            streams: self.shape.is_addressed.then_some(self.streams),
            direct: None,
        };
        read(text, self.shape, &address).ok()
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
    /// Numbers of answers and caps, each with the place of its name among the names of the shape.
    choices: SmallVec<[(usize, Value<'a>); 2]>,
    caps: SmallVec<[(usize, Value<'a>); 2]>,
    /// A routing member that stands twice: which one a reader takes differs, so nobody is to choose.
    repeated: Option<&'static str>,
}

/// Checks a request's whole text and reads what routing needs.
///
/// # Errors
/// A failure of the client's side that names the field and says what to change.
pub(crate) fn read(text: &[u8], shape: &'static Shape, address: &Address) -> Result<RequestHead, Failure> {
    let (found, opaque) = scan(text, shape).map_err(|error| not_json(text, error))?;
    if let Some(key) = found.repeated {
        let message = format!("`{key}` stands in the request twice, send it once");
        return Err(Failure::invalid(key, message).with_code("duplicate_parameter"));
    }
    let (model, streams) = match (shape.is_addressed, &address.model) {
        (true, Some(model)) => (checked_model(model)?, address.streams.unwrap_or(false)),
        (true, None) => return Err(missing("model", "the name of a model in the path")),
        (false, _) => {
            let is_usual = matches!(shape.streaming, Streaming::Usual);
            (model(found.model.as_ref())?, boolean("stream", found.stream.as_ref(), is_usual)?)
        }
    };
    subject(&found, shape)?;
    Ok(RequestHead {
        shape,
        model_span: found.model.map_or(Span::new(0, 0), |model| model.span()),
        model,
        streams: shape.streaming.holds(streams)?,
        choices: choices(&found, shape)?,
        output_cap: cap(&found, shape)?,
        wants_usage: !shape.has_stream_options || wants_usage(found.stream_options.last())?,
        options: found.stream_options.iter().map(Value::span).collect(),
        members_end: found.members_end,
        estimated_tokens: estimate(text.len(), opaque),
    })
}

fn subject(found: &Found<'_>, shape: &Shape) -> Result<(), Failure> {
    match found.subject.filter(|subject| !subject.is_null()) {
        Some(subject) if (shape.accepts_subject)(&subject) => Ok(()),
        Some(subject) => Err(wrong_subject(shape, subject.kind())),
        None if shape.needs_subject => Err(missing(shape.subject, shape.subject_form)),
        None => Ok(()),
    }
}

fn choices(found: &Found<'_>, shape: &Shape) -> Result<u32, Failure> {
    let mut most = 1;
    for (name, value) in &found.choices {
        let param = shape.path(shape.choices.get(*name));
        most = most.max(count(&param, Some(value), 1, CHOICES_MAX)?.unwrap_or(1));
    }
    Ok(u32::try_from(most).unwrap_or(u32::MAX))
}

/// The cap that holds. All that are there are checked.
fn cap(found: &Found<'_>, shape: &Shape) -> Result<Option<u64>, Failure> {
    let mut first: Option<(usize, u64)> = None;
    for (name, value) in &found.caps {
        let cap = count(&shape.path(shape.caps.get(*name)), Some(value), 0, u64::MAX)?;
        if let Some(cap) = cap
            && first.is_none_or(|(best, _)| *name <= best)
        {
            first = Some((*name, cap));
        }
    }
    Ok(first.map(|(_, cap)| cap))
}

impl Shape {
    /// The path of a setting, as a message to the caller names it.
    fn path(&self, name: Option<&&'static str>) -> Cow<'static, str> {
        let name = name.copied().unwrap_or_default();
        self.settings.map_or(Cow::Borrowed(name), |settings| format!("{settings}.{name}").into())
    }
}

fn scan<'a>(text: &'a [u8], shape: &Shape) -> Result<(Found<'a>, Opaque), JsonError> {
    let mut found = Found::default();
    let mut reader = Reader::new(text);
    let is_object = reader.object(|reader, key| {
        let key = key.decode();
        if shape.settings.is_some_and(|name| name == camel(Cow::Borrowed(&*key))) {
            reader.object(|reader, key| {
                let key = key.decode();
                let value = reader.value()?;
                found.setting(shape, &key, value);
                Ok::<_, JsonError>(())
            })?;
            found.members_end = reader.place();
            return Ok(());
        }
        let value = reader.value()?;
        found.members_end = value.span().end;
        match key.as_ref() {
            key if key == shape.subject => found.subject = Some(value),
            _ if shape.is_addressed => {}
            "model" if found.model.replace(value).is_some() => found.repeated = Some("model"),
            "stream" if found.stream.replace(value).is_some() => found.repeated = Some("stream"),
            "stream_options" if shape.has_stream_options => found.stream_options.push(value),
            key if shape.settings.is_none() => found.setting(shape, key, value),
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

impl<'a> Found<'a> {
    fn setting(&mut self, shape: &Shape, key: &str, value: Value<'a>) {
        let place = |names: &[&str]| names.iter().position(|name| *name == key);
        if let Some(name) = place(shape.choices) {
            self.choices.push((name, value));
        } else if let Some(name) = place(shape.caps) {
            self.caps.push((name, value));
        }
    }
}

fn estimate(text_bytes: usize, opaque: Opaque) -> u64 {
    let text = text_bytes.saturating_sub(opaque.bytes) / BYTES_PER_TOKEN;
    u64::try_from(text.saturating_add(opaque.count.saturating_mul(OPAQUE_TOKENS))).unwrap_or(u64::MAX)
}

fn model(value: Option<&Value<'_>>) -> Result<Box<str>, Failure> {
    let form = "the name of a model as a string";
    let Some(value) = value.filter(|value| !value.is_null()) else { return Err(missing("model", form)) };
    let Some(name) = value.as_str() else { return Err(wrong_type("model", form, value.kind())) };
    checked_model(&name)
}

fn checked_model(name: &str) -> Result<Box<str>, Failure> {
    if name.is_empty() || name.len() > MODEL_BYTES_MAX {
        let message = format!("`model` must be from 1 to {MODEL_BYTES_MAX} bytes long, it is {}", name.len());
        return Err(Failure::invalid("model", message).with_code("invalid_value"));
    }
    Ok(name.into())
}

fn boolean(param: &'static str, value: Option<&Value<'_>>, otherwise: bool) -> Result<bool, Failure> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(otherwise) };
    value.as_bool().ok_or_else(|| wrong_type(param, "`true` or `false`", value.kind()))
}

fn count(param: &str, value: Option<&Value<'_>>, least: u64, most: u64) -> Result<Option<u64>, Failure> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    if value.kind() != Kind::Number {
        return Err(wrong_type(param, "a whole number", value.kind()));
    }
    if let Some(count) = value.as_u64().filter(|count| (least..=most).contains(count)) {
        return Ok(Some(count));
    }
    let range = if most == u64::MAX { format!("{least} or more") } else { format!("from {least} to {most}") };
    let message = format!("`{param}` must be a whole number, {range}");
    Err(Failure::invalid(param.to_owned(), message).with_code("invalid_value"))
}

fn wants_usage(options: Option<&Value<'_>>) -> Result<bool, Failure> {
    let Some(options) = options.filter(|options| !options.is_null()) else { return Ok(false) };
    if options.kind() != Kind::Object {
        return Err(wrong_type("stream_options", "an object", options.kind()));
    }
    boolean("stream_options.include_usage", options.get("include_usage").as_ref(), false)
}

pub(crate) fn missing(param: &'static str, form: &str) -> Failure {
    let message = format!("`{param}` is missing, send {form}");
    Failure::invalid(param, message).with_code("missing_required_parameter")
}

pub(crate) fn wrong_type(param: &str, form: &str, found: Kind) -> Failure {
    let message = format!("`{param}` must be {form}, not {}", found.noun());
    Failure::invalid(param.to_owned(), message).with_code("invalid_type")
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
