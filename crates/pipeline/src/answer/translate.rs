//! An answer in the caller's dialect, where the provider speaks another one.

use bytes::Bytes;
use gatewright::Failure;
use gatewright::dialect::{Codec, Envelope};
use gatewright_policy::AnswerModel;

use crate::course::Course;
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

/// Writes a whole answer of the dialect `from` in the caller's.
pub(crate) fn answer(
    course: &Course,
    from: &dyn Codec,
    body: &[u8],
    envelope: &Envelope,
) -> Result<Bytes, Failure> {
    let (Some(from), Some(to)) = (from.chat(), course.codec.chat()) else {
        return Err(Failure::internal("an answer came in a dialect that nobody translates"));
    };
    let answer = from.read_answer(body)?;
    if let Some(principal) = &course.facts.principal {
        Keepsake::of(&answer).keep(&*course.worker.vault, &principal.tenant);
    }
    Ok(to.write_answer(&answer, envelope))
}
