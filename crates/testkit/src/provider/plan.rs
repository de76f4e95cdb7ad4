//! Turns a rendered answer into steps: pacing, grouping into writes, and the faults that were asked for.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use super::behaviour::{Behaviour, Fault, FaultKind, Pace};
use super::event::{self, Event};
use super::refusal;
use super::script::{Script, Step};

const JSON: &str = "application/json";

/// What faults look like in the events of one face.
#[derive(Debug)]
pub(super) struct Forms {
    /// The data of an error event with this code.
    pub(super) error_event: fn(Option<&str>) -> serde_json::Value,
    /// What stands before and behind a text in an event.
    pub(super) text: (&'static str, &'static str),
    /// Data that break off.
    pub(super) malformed: &'static str,
    /// How events become bytes.
    pub(super) framing: &'static Framing,
}

/// How the events of a stream become bytes.
#[derive(Debug)]
pub(super) struct Framing {
    /// An event with data that may be no text.
    pub(super) event: fn(&[u8]) -> Bytes,
    /// An error event with this data.
    pub(super) error: fn(&serde_json::Value) -> Bytes,
    /// The media type of the stream.
    pub(super) content_type: &'static str,
}

/// Server-sent events.
pub(super) static LINES: Framing = Framing {
    event: event::frame,
    error: event::error_frame,
    content_type: "text/event-stream; charset=utf-8",
};

static FORMS: Forms = Forms {
    error_event: refusal::event_object,
    text: (r#"{"choices":[{"index":0,"delta":{"content":""#, r#""}}]}"#),
    malformed: r#"{"choices":[{"index":0,"delta":"#,
    framing: &LINES,
};

/// A streamed answer.
pub(super) fn stream(events: Vec<Event>, behaviour: &Behaviour, rate: f64) -> Script {
    stream_as(&FORMS, events, behaviour, rate)
}

/// A streamed answer of a face.
pub(super) fn stream_as(
    forms: &'static Forms,
    mut events: Vec<Event>,
    behaviour: &Behaviour,
    rate: f64,
) -> Script {
    if behaviour.done {
        events.push(Event::done());
    }
    let content_events = events.iter().filter(|event| event.is_content).count();
    let plan = StreamPlan {
        forms,
        writer: Writer::new(behaviour.pace.coalesce),
        faults: &behaviour.faults,
        struck: vec![false; behaviour.faults.len()],
        content_events: u32::try_from(content_events).unwrap_or(u32::MAX),
        sent: 0,
    };
    let steps = plan.steps(&events, behaviour.pace.first_event, interval(rate));
    let mut script = Script::new(StatusCode::OK, steps)
        .with_header(CONTENT_TYPE, HeaderValue::from_static(forms.framing.content_type))
        .with_header(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    script.before = delay(behaviour.pace.delay);
    script
}

/// An answer in one piece, which comes when its last token is made.
pub(super) fn whole(body: &Bytes, tokens: u64, behaviour: &Behaviour, rate: f64) -> Script {
    let mut script = Script::whole(StatusCode::OK, JSON, body.clone());
    let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
    script.body = whole_steps(body, tokens, &behaviour.faults).into();
    script.before = delay(time_to_make(tokens, &behaviour.pace, rate));
    script
}

/// The time between two content events; zero is as fast as possible.
pub(super) fn interval(rate: f64) -> Duration {
    if rate > 0.0 { Duration::from_secs_f64((1.0 / rate).min(3600.0)) } else { Duration::ZERO }
}

fn time_to_make(tokens: u32, pace: &Pace, rate: f64) -> Duration {
    pace.delay + pace.first_event + interval(rate).saturating_mul(tokens)
}

pub(super) fn delay(time: Duration) -> Vec<Step> {
    if time.is_zero() { Vec::new() } else { vec![Step::Wait(time)] }
}

fn whole_steps(body: &Bytes, tokens: u32, faults: &[Fault]) -> Vec<Step> {
    let sent = |bytes| Step::Send { bytes, tokens };
    let half = body.slice(..body.len() / 2);
    match faults.first().map(|fault| &fault.kind) {
        None | Some(FaultKind::HugeLine(_)) => vec![sent(body.clone())],
        Some(FaultKind::Stall) => vec![sent(half), Step::Flush, Step::Stall],
        Some(FaultKind::Reset) => vec![sent(half), Step::Reset],
        Some(FaultKind::Close | FaultKind::HalfFrame) => vec![sent(half), Step::Close],
        Some(FaultKind::BadUtf8) => vec![sent(overwrite_middle(body, 0xff))],
        Some(FaultKind::Malformed | FaultKind::ErrorEvent(_)) => vec![sent(overwrite_middle(body, b'{'))],
    }
}

/// Keeps the length, which the head has announced.
fn overwrite_middle(body: &Bytes, with: u8) -> Bytes {
    let mut bytes = body.to_vec();
    let middle = bytes.len() / 2;
    bytes.iter_mut().skip(middle).take(2).for_each(|byte| *byte = with);
    bytes.into()
}

struct StreamPlan<'a> {
    forms: &'static Forms,
    writer: Writer,
    faults: &'a [Fault],
    /// Which of the faults have struck.
    struck: Vec<bool>,
    content_events: u32,
    sent: u32,
}

impl StreamPlan<'_> {
    fn steps(mut self, events: &[Event], first: Duration, interval: Duration) -> Vec<Step> {
        for event in events {
            // Past the last content event all remaining faults are due, so that none is lost on a short answer.
            if event.is_content || self.sent == self.content_events {
                for kind in self.due_faults() {
                    if let Some(end) = self.strike(&kind, event) {
                        return self.writer.end_with(end);
                    }
                }
            }
            if event.is_content {
                self.writer.wait(if self.sent == 0 { first } else { interval });
                self.sent += 1;
            }
            self.writer.push(&event.bytes, event.tokens);
        }
        self.writer.end_with(Vec::new())
    }

    fn due_faults(&mut self) -> Vec<FaultKind> {
        let mut due = Vec::new();
        for (fault, struck) in self.faults.iter().zip(&mut self.struck) {
            if !*struck && fault.after.min(self.content_events) <= self.sent {
                *struck = true;
                due.push(fault.kind.clone());
            }
        }
        due
    }

    /// Does the fault before `event`; the steps with which the stream ends, if it does.
    fn strike(&mut self, kind: &FaultKind, event: &Event) -> Option<Vec<Step>> {
        match kind {
            FaultKind::Stall => Some(vec![Step::Flush, Step::Stall]),
            FaultKind::Reset => Some(vec![Step::Reset]),
            FaultKind::Close => Some(vec![Step::Close]),
            FaultKind::HalfFrame => {
                let half = event.bytes.slice(..event.bytes.len() / 2);
                Some(vec![Step::send(half), Step::Close])
            }
            FaultKind::ErrorEvent(code) => {
                let object = (self.forms.error_event)(code.as_deref());
                Some(vec![Step::send((self.forms.framing.error)(&object))])
            }
            FaultKind::BadUtf8 => {
                let (before, behind) = self.forms.text;
                let data = [before.as_bytes(), b"\xc3\x28\xff", behind.as_bytes()].concat();
                self.writer.push(&(self.forms.framing.event)(&data), 0);
                None
            }
            FaultKind::Malformed => {
                self.writer.push(&(self.forms.framing.event)(self.forms.malformed.as_bytes()), 0);
                None
            }
            FaultKind::HugeLine(bytes) => {
                let filling = "x".repeat(*bytes);
                let (before, behind) = self.forms.text;
                let data = format!("{before}{filling}{behind}");
                self.writer.push(&(self.forms.framing.event)(data.as_bytes()), 0);
                None
            }
        }
    }
}

/// Groups events into writes; a group leaves when its last event is due, so the waits within it add up.
struct Writer {
    group_max: u32,
    steps: Vec<Step>,
    bytes: BytesMut,
    tokens: u32,
    grouped: u32,
    wait: Duration,
}

impl Writer {
    fn new(group_max: u32) -> Self {
        Self {
            group_max,
            steps: Vec::new(),
            bytes: BytesMut::new(),
            tokens: 0,
            grouped: 0,
            wait: Duration::ZERO,
        }
    }

    /// Puts off the next write.
    fn wait(&mut self, time: Duration) {
        self.wait += time;
    }

    fn push(&mut self, bytes: &[u8], tokens: u32) {
        self.bytes.extend_from_slice(bytes);
        self.tokens += tokens;
        self.grouped += 1;
        if self.grouped >= self.group_max {
            self.write();
        }
    }

    fn write(&mut self) {
        if !self.wait.is_zero() {
            self.steps.push(Step::Wait(std::mem::take(&mut self.wait)));
        }
        if !self.bytes.is_empty() {
            let bytes = self.bytes.split().freeze();
            self.steps.push(Step::Send { bytes, tokens: std::mem::take(&mut self.tokens) });
            if self.group_max > 1 {
                self.steps.push(Step::Flush);
            }
        }
        self.grouped = 0;
    }

    fn end_with(mut self, end: Vec<Step>) -> Vec<Step> {
        self.write();
        self.steps.extend(end);
        self.steps
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::json;
    use tokio::time::Instant;

    use super::*;
    use crate::provider::body::ScriptBody;
    use crate::provider::record::Exchange;

    fn events(count: usize) -> Vec<Event> {
        vec![Event::content(&json!({}), 1); count]
    }

    /// Milliseconds from the start at which each write of a stream leaves.
    async fn write_times(model: &str, event_count: usize) -> Vec<u128> {
        let behaviour = Behaviour::from_model(model).unwrap();
        let rate = behaviour.pace.events_per_second.unwrap_or_default();
        let mut body = {
            let script = stream(events(event_count), &behaviour, rate);
            let steps: Vec<Step> =
                script.body.iter().filter(|step| !matches!(step, Step::Flush)).cloned().collect();
            ScriptBody::new(steps.into(), None, Exchange::unrecorded(), Default::default())
        };
        let start = Instant::now();
        let mut times = Vec::new();
        while let Some(frame) = body.frame().await {
            frame.unwrap();
            times.push(start.elapsed().as_millis());
        }
        times
    }

    #[tokio::test(start_paused = true)]
    async fn keeps_the_pace_from_the_first_event_on() {
        assert_eq!(write_times("sim?rate=10&ttft=500", 3).await, [500, 600, 700, 700]);
        assert_eq!(write_times("sim?rate=0", 3).await, [0, 0, 0, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_leaves_when_its_last_event_is_due() {
        assert_eq!(write_times("sim?rate=10&coalesce=2", 5).await, [100, 300, 400]);
    }

    #[test]
    fn an_answer_in_one_piece_takes_as_long_as_its_tokens() {
        let behaviour = Behaviour::from_model("sim?delay=5").unwrap();
        let script = whole(&Bytes::from_static(b"{}"), 20, &behaviour, 100.0);
        assert!(matches!(script.before.as_slice(), [Step::Wait(time)] if time.as_millis() == 205));
    }
}
