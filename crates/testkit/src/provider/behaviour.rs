//! What the simulated provider is told to do, written in the model name.
//!
//! A model name survives every gateway, so a test or a person at a terminal steers the far end of the path
//! from its near end: `sim?tokens=200&rate=50&reset_after=20`. Values are percent-encoded where needed.
//! Counts named `…_after` are content events of a stream; an answer that is not streamed is hit in the middle of its
//! body instead. The manual of all keys is `behaviour/keys.md`.

use std::time::Duration;

use super::query;

const MANUAL: &str = include_str!("behaviour/keys.md");

/// The most tokens that one answer may be asked to have.
pub const ANSWER_TOKENS_MAX: u32 = 200_000;
/// The longest line that `huge_line` makes.
pub const HUGE_LINE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Everything that a model name can ask for: `sim?key=value&key=value`.
///
/// Values are percent-encoded; times are milliseconds.
///
#[doc = include_str!("behaviour/keys.md")]
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    /// What the answer says.
    pub words: Words,
    /// How many tools are called where the request offers some.
    pub tools: u32,
    /// The one tool that is called, as long as none has been.
    pub call: Option<String>,
    /// The arguments of each call, instead of such that satisfy the schema.
    pub arguments: Option<String>,
    /// Whether a `reasoning_content` comes before the answer.
    pub reasoning: bool,
    /// When the bytes go out.
    pub pace: Pace,
    /// Refuse instead of answering.
    pub refusal: Option<Refusal>,
    /// What goes wrong on the way, in the order of the model name.
    pub faults: Vec<Fault>,
    /// How the answer reports usage.
    pub usage: UsageReport,
    /// Whether a stream ends with its `[DONE]` event.
    pub done: bool,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    /// So many tokens of filler.
    Filler(u32),
    /// This text.
    Text(String),
    /// The last text of the user.
    Echo,
}

/// When the bytes of an answer go out.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    /// Content events per second and stream; 0 is as fast as possible; absent is the provider's own setting.
    pub events_per_second: Option<f64>,
    /// The wait before the status line.
    pub delay: Duration,
    /// The wait between the head and the first content event.
    pub first_event: Duration,
    /// Events in one write.
    pub coalesce: u32,
    /// Whether each stream starts at another point of its first interval.
    pub stagger: bool,
}

/// An error status instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// The `code` of the error object; absent is the usual one of the status.
    pub code: Option<String>,
    /// The value of the Retry-After header.
    pub retry_after: Option<String>,
    /// Whether the body is a page of HTML.
    pub html: bool,
    /// Refuse only so many requests for one model name, then answer.
    pub first: Option<u32>,
}

/// Something that goes wrong in the middle of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Content events before it.
    pub after: u32,
    /// What happens.
    pub kind: FaultKind,
}

/// The ways in which an answer goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// Silence on an open connection.
    Stall,
    /// RST.
    Reset,
    /// FIN without a terminator.
    Close,
    /// Half an event, then FIN.
    HalfFrame,
    /// An event that is not UTF-8.
    BadUtf8,
    /// An event that is not JSON.
    Malformed,
    /// An error event with this code, then the end of the stream.
    ErrorEvent(Option<String>),
    /// One line of so many bytes.
    HugeLine(usize),
}

/// How an answer reports its usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageReport {
    /// Where it stands.
    pub place: UsagePlace,
    /// Added to the completion tokens that are reported, not to those that are billed.
    pub lie: i64,
    /// So many of the prompt's tokens, if it has as many, are reported as read from a cache.
    pub cached: u64,
}

/// Where usage stands in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsagePlace {
    /// In an event of its own when the request asks for it, as the public API does.
    Asked,
    /// Nowhere.
    Nowhere,
    /// Beside the finish reason.
    LastChoice,
    /// In every event, counting up.
    EveryEvent,
}

/// A model name that asks for something the simulator does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BehaviourError {
    /// The key is not one of [`keys`].
    #[error("the simulator knows no key `{key}`; it knows {}", known_keys())]
    UnknownKey {
        /// The key as written.
        key: String,
    },
    /// The value does not fit the key.
    #[error("`{value}` is no value for the key `{key}`")]
    BadValue {
        /// The key as written.
        key: String,
        /// The value as decoded.
        value: String,
    },
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            words: Words::Filler(24),
            tools: 0,
            call: None,
            arguments: None,
            reasoning: false,
            pace: Pace {
                events_per_second: None,
                delay: Duration::ZERO,
                first_event: Duration::ZERO,
                coalesce: 1,
                stagger: false,
            },
            refusal: None,
            faults: Vec::new(),
            usage: UsageReport { place: UsagePlace::Asked, lie: 0, cached: 0 },
            done: true,
        }
    }
}

impl Behaviour {
    /// Reads the wishes in a model name; a name that does not start with `sim?` has none.
    ///
    /// # Errors
    /// An unknown key or a value that does not fit, so that a typing mistake in a test does not pass silently.
    pub fn from_model(model: &str) -> Result<Self, BehaviourError> {
        let mut behaviour = Self::default();
        let Some(wishes) = model.strip_prefix("sim?") else { return Ok(behaviour) };
        let pairs = query::pairs(wishes);
        for (key, value) in &pairs {
            behaviour.apply(key, value)?;
        }
        behaviour.pass_code_to_error_event();
        Ok(behaviour)
    }

    /// Whether two requests for the same model name get the same answer.
    pub fn is_static(&self) -> bool {
        let refuses_some = self.refusal.as_ref().is_some_and(|refusal| refusal.first.is_some());
        self.words != Words::Echo && self.tools == 0 && self.call.is_none() && !refuses_some
    }

    fn apply(&mut self, key: &str, value: &str) -> Result<(), BehaviourError> {
        let Some(fault) = key.strip_suffix("_after").and_then(fault_named) else {
            return self.apply_plain(key, value);
        };
        self.faults.push(Fault { after: number(key, value)?, kind: fault });
        Ok(())
    }

    fn apply_plain(&mut self, key: &str, value: &str) -> Result<(), BehaviourError> {
        match key {
            "text" | "answer" => self.words = Words::Text(value.to_owned()),
            "tokens" => self.words = Words::Filler(number::<u32>(key, value)?.min(ANSWER_TOKENS_MAX)),
            "echo" if flag(key, value)? => self.words = Words::Echo,
            "tools" => self.tools = number(key, value)?,
            "call" => self.call = Some(value.to_owned()),
            "arguments" => self.arguments = Some(value.to_owned()),
            "reasoning" => self.reasoning = flag(key, value)?,
            "rate" => self.pace.events_per_second = Some(rate(key, value)?),
            "delay" => self.pace.delay = Duration::from_millis(number(key, value)?),
            "ttft" => self.pace.first_event = Duration::from_millis(number(key, value)?),
            "coalesce" => self.pace.coalesce = number::<u32>(key, value)?.max(1),
            "stagger" => self.pace.stagger = flag(key, value)?,
            "status" => self.refusal_mut().status = status(key, value)?,
            "code" => self.refusal_mut().code = Some(value.to_owned()),
            "retry_after" => self.refusal_mut().retry_after = Some(value.to_owned()),
            "html_error" => self.refusal_mut().html = flag(key, value)?,
            "fail_first" => self.refusal_mut().first = Some(number(key, value)?),
            "huge_line" => {
                let bytes = number::<usize>(key, value)?.min(HUGE_LINE_BYTES_MAX);
                self.faults.push(Fault { after: 0, kind: FaultKind::HugeLine(bytes) });
            }
            "no_usage" if flag(key, value)? => self.usage.place = UsagePlace::Nowhere,
            "usage_in_last_choice" if flag(key, value)? => self.usage.place = UsagePlace::LastChoice,
            "usage_every_chunk" if flag(key, value)? => self.usage.place = UsagePlace::EveryEvent,
            "cached" => self.usage.cached = number(key, value)?,
            "usage_add" => self.usage.lie = number(key, value)?,
            "no_done" => self.done = !flag(key, value)?,
            "echo" | "no_usage" | "usage_in_last_choice" | "usage_every_chunk" => {}
            _ => return Err(BehaviourError::UnknownKey { key: key.to_owned() }),
        }
        Ok(())
    }

    fn refusal_mut(&mut self) -> &mut Refusal {
        self.refusal.get_or_insert(Refusal {
            status: 500,
            code: None,
            retry_after: None,
            html: false,
            first: None,
        })
    }

    /// A `code` beside `error_event_after` and without a status belongs to the event, not to a refusal.
    fn pass_code_to_error_event(&mut self) {
        let event = self.faults.iter_mut().find_map(|fault| match &mut fault.kind {
            FaultKind::ErrorEvent(code) => Some(code),
            FaultKind::Stall
            | FaultKind::Reset
            | FaultKind::Close
            | FaultKind::HalfFrame
            | FaultKind::BadUtf8
            | FaultKind::Malformed
            | FaultKind::HugeLine(_) => None,
        });
        if let Some(code) = event
            && let Some(refusal) = self.refusal.take()
        {
            *code = refusal.code;
        }
    }
}

fn fault_named(name: &str) -> Option<FaultKind> {
    match name {
        "stall" => Some(FaultKind::Stall),
        "reset" => Some(FaultKind::Reset),
        "close" => Some(FaultKind::Close),
        "half_frame" => Some(FaultKind::HalfFrame),
        "bad_utf8" => Some(FaultKind::BadUtf8),
        "malformed" => Some(FaultKind::Malformed),
        "error_event" => Some(FaultKind::ErrorEvent(None)),
        _ => None,
    }
}

fn number<N: std::str::FromStr>(key: &str, value: &str) -> Result<N, BehaviourError> {
    value.parse().map_err(|_| bad_value(key, value))
}

fn rate(key: &str, value: &str) -> Result<f64, BehaviourError> {
    number::<f64>(key, value)
        .and_then(|rate| if rate.is_finite() && rate >= 0.0 { Ok(rate) } else { Err(bad_value(key, value)) })
}

fn status(key: &str, value: &str) -> Result<u16, BehaviourError> {
    number::<u16>(key, value).and_then(|status| {
        if (200..1000).contains(&status) { Ok(status) } else { Err(bad_value(key, value)) }
    })
}

fn flag(key: &str, value: &str) -> Result<bool, BehaviourError> {
    match value {
        "1" | "true" | "" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(bad_value(key, value)),
    }
}

fn bad_value(key: &str, value: &str) -> BehaviourError {
    BehaviourError::BadValue { key: key.to_owned(), value: value.to_owned() }
}

fn known_keys() -> String {
    let names: Vec<&str> = keys().filter_map(|(example, _)| example.split('=').next()).collect();
    names.join(", ")
}

/// Every key of a simulated model name, with an example value, and what it does.
pub fn keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    let rows = MANUAL.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    rows.filter_map(|row| row.split_once("` | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_ask_for_nothing() {
        for model in ["sim", "gpt-4o-mini", "simple", "some/model?x=1"] {
            assert_eq!(Behaviour::from_model(model), Ok(Behaviour::default()));
        }
    }

    #[test]
    fn every_key_of_the_manual_is_understood() {
        assert!(keys().count() > 20);
        for (example, _) in keys() {
            let (key, value) = example.split_once('=').unwrap();
            let value = if value == "TEXT" { "x" } else { "400" };
            let value = if example.ends_with("=1") { "1" } else { value };
            let parsed = Behaviour::from_model(&format!("sim?{key}={value}"));
            assert!(parsed.is_ok_and(|parsed| parsed != Behaviour::default()), "{key} changes nothing");
        }
    }

    #[test]
    fn refuses_unknown_keys_and_misfit_values_by_name() {
        let unknown = Behaviour::from_model("sim?tokns=3").unwrap_err();
        assert!(unknown.to_string().contains("`tokns`"));
        let misfit = Behaviour::from_model("sim?tokens=few").unwrap_err();
        assert_eq!(misfit.to_string(), "`few` is no value for the key `tokens`");
        assert!(Behaviour::from_model("sim?rate=-1").is_err());
        assert!(Behaviour::from_model("sim?status=99").is_err());
    }

    #[test]
    fn decodes_percent_and_plus() {
        let behaviour = Behaviour::from_model("sim?text=a+b%26c%3Dd").unwrap();
        assert_eq!(behaviour.words, Words::Text("a b&c=d".to_owned()));
    }

    #[test]
    fn a_code_beside_an_error_event_is_the_code_of_the_event() {
        let behaviour = Behaviour::from_model("sim?error_event_after=2&code=overloaded").unwrap();
        assert_eq!(behaviour.refusal, None);
        let kind = FaultKind::ErrorEvent(Some("overloaded".to_owned()));
        assert_eq!(behaviour.faults, [Fault { after: 2, kind }]);
    }
}
