//! An answer on its way to the caller that is kept for those who go on from it.
//!
//! It is kept before its last byte goes out, so that its id can be used at once. Where that fails, the caller is told
//! that it is not kept, and reads its answer all the same; one that is strict reads an error.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright::chat::{Loss, LossKind};
use gatewright::dialect::{Identity, StreamEncoder, StreamSettings};
use gatewright::service::keep::{KeepError, Kept, KeptKey, KeptKind};
use gatewright::{BoxFuture, Failure, FailureKind, Side, TenantId};

use crate::course::Course;
use crate::failure::{Refusal, with_causes};

/// How long an answer may wait until it is kept.
const KEPT_WITHIN: Duration = Duration::from_secs(5);

/// Answers, by their ids.
pub(crate) const ANSWER: Kind = Kind(KeptKind::new("answer"));
/// Items of answers by their ids: the id of the answer.
pub(crate) const ITEM: Kind = Kind(KeptKind::new("answer_item"));

/// A kind of what is kept of answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind(KeptKind);

impl Kind {
    /// The key of one object of a tenant.
    pub(crate) fn key(self, tenant: &TenantId, id: &str) -> KeptKey {
        KeptKey { tenant: tenant.clone(), kind: self.0, id: id.into() }
    }

    fn object(self, id: &str, value: Bytes) -> Kept {
        Kept { kind: self.0, id: id.into(), value }
    }
}

/// What is known of an answer before it is there.
#[derive(Debug)]
pub(crate) struct Keeping {
    pub(crate) identity: Identity,
    /// What its request adds to the conversation.
    pub(crate) own: Bytes,
    /// Whether an answer that cannot be kept is refused.
    pub(crate) is_strict: bool,
}

/// The writing of an answer; `Err` says for the log why it is not kept.
pub(crate) type Writing = BoxFuture<'static, Result<(), String>>;

/// The encoder of the caller's stream.
pub(crate) fn stream_encoder(course: &Course, settings: StreamSettings) -> Box<dyn StreamEncoder> {
    match (course.codec.state(), &course.keeping) {
        (Some(state), Some(keeping)) => state.stream_encoder(settings, &keeping.identity),
        _ => course.codec.stream_encoder(settings),
    }
}

/// Begins to keep an answer.
pub(crate) fn write(course: &Course, whole: &[u8]) -> Option<Writing> {
    let (state, keeping) = (course.codec.state()?, course.keeping.as_ref()?);
    let keep = Arc::clone(course.worker.keep.as_ref()?);
    let tenant = course.facts.principal.as_ref()?.tenant.clone();
    let id = &keeping.identity.id;
    let record = state.record(&keeping.identity, &keeping.own, whole);
    let owner = Bytes::copy_from_slice(id.as_bytes());
    let items = record.items.iter().map(|item| ITEM.object(item, owner.clone()));
    let objects: Vec<_> = std::iter::once(ANSWER.object(id, record.text)).chain(items).collect();
    let keep_for = course.worker.settings.keep_for;
    Some(Box::pin(async move {
        let put = tokio::time::timeout(KEPT_WITHIN, keep.put(&tenant, objects, keep_for)).await;
        match put {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(with_causes(&error)),
            Err(_) => Err("it took too long".to_owned()),
        }
    }))
}

/// Keeps a whole answer; gives what the caller reads. `kept` is there where it was told as a stream already.
pub(crate) async fn whole(course: &mut Course, told: Bytes, kept: Option<Bytes>) -> Result<Bytes, Refusal> {
    let (Some(state), Some(keeping)) = (course.codec.state(), &course.keeping) else { return Ok(told) };
    let (told, kept) = match kept {
        Some(kept) => (told, kept),
        None => state.identify(&told, &keeping.identity)?,
    };
    let Some(writing) = write(course, &kept) else { return Ok(told) };
    match writing.await {
        Ok(()) => Ok(told),
        Err(why) => not_kept(course, &told, &why),
    }
}

/// What is told where an answer is not kept.
///
/// # Errors
///
/// For a caller that is strict.
pub(crate) fn not_kept(course: &mut Course, told: &Bytes, why: &str) -> Result<Bytes, Refusal> {
    tracing::warn!(id = %course.id, why, "An answer is not kept");
    if course.keeping.as_ref().is_some_and(|keeping| keeping.is_strict) {
        let text = "the answer cannot be stored; ask with `store` set to false, or try again later";
        let failure = Failure::new(Side::Gateway, FailureKind::Overloaded, text).with_code("not_stored");
        return Err(Failure { param: Some("store".into()), ..failure }.into());
    }
    course.facts.losses.push(Loss { field: "/store".into(), kind: LossKind::Dropped });
    Ok(course.codec.state().map_or_else(|| told.clone(), |state| state.unkept(told)))
}

/// The failure of an exchange that needs something kept and cannot read it.
pub(crate) fn unreadable(error: &KeepError) -> Failure {
    let text = "what is stored cannot be read at the moment; try again later";
    Failure::new(Side::Gateway, FailureKind::Overloaded, text)
        .with_code("store_unavailable")
        .with_detail(with_causes(error))
}
