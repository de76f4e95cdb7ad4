//! An answer in the caller's dialect, where the provider speaks another one.

use std::ops::RangeFrom;

use bytes::Bytes;
use gatewright::chat::{Answer, PartKind, Signature};
use gatewright::dialect::{Codec, EmbeddingCodec, Envelope, StreamSettings};
use gatewright::text::Lane;
use gatewright::{EventKind, Failure, FailureKind, Side, StreamEvent};
use gatewright_policy::AnswerModel;

use crate::course::Course;
use crate::keeping;
use crate::state::{Load, Picked};
use crate::vault::Keepsake;

/// What the answer says around its content.
pub(crate) fn envelope(course: &Course, load: &Load, picked: &Picked) -> Envelope {
    let model = match load.model.answer_model {
        AnswerModel::Asked => load.model.name.as_str(),
        AnswerModel::Served => &picked.target.model,
    };
    Envelope { id: course.id, created: course.started_unix_ms / 1_000, model: model.to_owned() }
}

/// An answer in the caller's dialect.
pub(crate) struct Retold {
    pub(crate) body: Bytes,
    pub(crate) media_type: &'static str,
    /// What is to be kept of it, where it was told as a stream.
    pub(crate) whole: Option<Bytes>,
}

/// A whole answer of the dialect `from` in the caller's. Who waits for a stream gets one, all at once:
/// its client would read nothing else.
pub(crate) fn answer(
    course: &Course,
    from: &dyn Codec,
    body: &[u8],
    (envelope, load): (Envelope, &Load),
) -> Result<Retold, Failure> {
    if let (Some(from), Some(to)) = (from.embedding(), course.codec.embedding()) {
        let body = vectors(course, (from, to), body, (&envelope, load))?;
        return Ok(Retold { body, media_type: "application/json", whole: None });
    }
    let (Some(from), Some(to)) = (from.chat(), course.codec.chat()) else {
        return Err(Failure::internal("an answer came in a dialect that nobody translates"));
    };
    let answer = from.read_answer(body)?;
    if let Some(principal) = &course.facts.principal {
        Keepsake::of(&answer).keep(&*course.worker.vault, &principal.tenant);
    }
    if !load.request.streams() {
        let body = to.write_answer(&answer, &envelope);
        return Ok(Retold { body, media_type: "application/json", whole: None });
    }
    let settings = StreamSettings {
        hide_usage: !load.request.document().wants_stream_usage(),
        envelope: Some(envelope),
        ..StreamSettings::default()
    };
    let mut encoder = keeping::stream_encoder(course, settings);
    let mut out = Vec::new();
    encoder.write(None, &events_of(answer), &mut out);
    encoder.write_end(&mut out);
    let whole = encoder.take_whole();
    Ok(Retold { body: out.into(), media_type: course.codec.stream_content_type(), whole })
}

/// Vectors of the dialect `from` in the caller's, which decides by the request what they look like.
fn vectors(
    course: &Course,
    (from, to): (&dyn EmbeddingCodec, &dyn EmbeddingCodec),
    body: &[u8],
    (envelope, load): (&Envelope, &Load),
) -> Result<Bytes, Failure> {
    let request = load.request.to_body();
    let asked = to.read_request(&request)?;
    let mut vectors = from.read_answer(body)?;
    if vectors.vectors.len() != asked.inputs.len() {
        let (came, asked) = (vectors.vectors.len(), asked.inputs.len());
        let text = "the provider answered with another number of vectors than it was asked for";
        return Err(Failure::new(Side::Upstream, FailureKind::Malformed, text)
            .with_detail(format!("{came} vectors came for {asked} inputs")));
    }
    // Where the provider does not count, the gateway has.
    vectors.usage = Some(course.usage().0);
    Ok(to.write_answer(&asked, &vectors, envelope))
}

/// What a stream would have said.
fn events_of(answer: Answer<'_>) -> Vec<StreamEvent> {
    let mut events = vec![EventKind::Start];
    for (choice, said) in (0..).zip(answer.choices) {
        let mut calls = 0..;
        for part in said.parts {
            tell(choice, part.kind, &mut calls, &mut events);
        }
        events.extend(said.finish.map(|reason| EventKind::Finish { choice, reason }));
    }
    events.extend(answer.usage.map(EventKind::Usage));
    events.into_iter().map(StreamEvent::inserted).collect()
}

fn tell(choice: u32, part: PartKind<'_>, calls: &mut RangeFrom<u32>, events: &mut Vec<EventKind>) {
    let text = |lane, text: &str| EventKind::TextDelta { lane, text: text.into() };
    let sign = |lane, signature: Option<Signature<'_>>| {
        signature.map(|signature| EventKind::Signature { lane, signature: signature.into_owned() })
    };
    match part {
        PartKind::Text(said) => events.push(text(Lane::content(choice), &said)),
        PartKind::Refusal(said) => events.push(text(Lane::refusal(choice), &said)),
        PartKind::Reasoning { text: said, signature } => {
            let lane = Lane::reasoning(choice);
            events.push(text(lane, &said));
            events.extend(sign(lane, signature));
            events.push(EventKind::LaneEnd { lane });
        }
        PartKind::SealedReasoning(signature) => {
            events.push(EventKind::SealedReasoning { choice, signature: signature.into_owned() });
        }
        PartKind::ToolCall { id, name, arguments, signature } => {
            let lane = Lane::tool_arguments(choice, calls.next().unwrap_or(u32::MAX));
            events.push(EventKind::ToolCallStart { lane, id: id.into_owned(), name: name.into_owned() });
            events.push(text(lane, &arguments));
            events.extend(sign(lane, signature));
            events.push(EventKind::LaneEnd { lane });
        }
        PartKind::Media(media) => {
            events.push(EventKind::Media { choice, media: Box::new(media.into_owned()) });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use gatewright::chat::{Answer, AnswerChoice, Part, PartKind, Signature};
    use gatewright::dialect::Dialect;
    use gatewright::text::Lane;
    use gatewright::{EventKind, FinishReason, Usage};

    use super::events_of;

    #[test]
    fn an_answer_that_came_whole_is_told_as_a_stream_would_tell_it() {
        let signature = Signature { data: "proof".into(), from: Dialect::AnthropicMessages };
        let call = |id: &'static str| {
            let (name, arguments) = ("look".into(), "{}".into());
            Part::new(PartKind::ToolCall { id: id.into(), name, arguments, signature: None })
        };
        let thought = PartKind::Reasoning { text: "hm".into(), signature: Some(signature) };
        let parts = vec![Part::new(thought), Part::text("Looking."), call("one"), call("two")];
        let choice = AnswerChoice { parts, finish: Some(FinishReason::ToolCalls) };
        let usage = Usage { input: 3, output: 4, ..Usage::default() };
        let answer = Answer { model: None, choices: vec![choice], usage: Some(usage) };
        let told: Vec<_> = events_of(answer)
            .iter()
            .map(|event| match event.kind() {
                EventKind::TextDelta { lane, text } => format!("{lane:?} {}", text.as_str()),
                EventKind::ToolCallStart { lane, id, name } => format!("{lane:?} {id} {name}"),
                EventKind::LaneEnd { lane } => format!("{lane:?} ends"),
                EventKind::Signature { lane, signature } => format!("{lane:?} signed {}", signature.data),
                other => format!("{other:?}"),
            })
            .collect();
        let lanes = [Lane::tool_arguments(0, 0), Lane::tool_arguments(0, 1)];
        let calls = lanes.iter().zip(["one", "two"]).flat_map(|(lane, id)| {
            [format!("{lane:?} {id} look"), format!("{lane:?} {{}}"), format!("{lane:?} ends")]
        });
        let thought = Lane::reasoning(0);
        let mut expected = vec!["Start".to_owned()];
        expected.extend(["hm", "signed proof", "ends"].map(|what| format!("{thought:?} {what}")));
        expected.push(format!("{:?} Looking.", Lane::content(0)));
        expected.extend(calls);
        expected.push("Finish { choice: 0, reason: ToolCalls }".to_owned());
        expected.push(format!("{:?}", EventKind::Usage(usage)));
        assert_eq!(told, expected);
    }
}
