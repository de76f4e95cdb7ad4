//! A request in the dialect in which its provider is asked.

use bytes::Bytes;
use gatewright::chat::{Loss, LossKind, Losses, Place};
use gatewright::dialect::{Abilities, Codec, EmbeddingCodec};
use gatewright::service::cache::Cache;
use gatewright::{Failure, FailureKind, LlmRequest, Side, TenantId};

use crate::vault::restore;

/// Writes the request, complete, and tells what that lost. In the caller's own dialect the bytes stay as they are, less
/// what the target is known to refuse.
///
/// # Errors
///
/// A [`Failure`] of the client's side for what cannot be translated.
pub(crate) fn request(
    (from, to): (&dyn Codec, &dyn Codec),
    (mut request, is_strict): (LlmRequest, bool),
    abilities: &Abilities,
    (vault, tenant): (&dyn Cache, &TenantId),
) -> Result<(Bytes, Vec<Loss>), Failure> {
    if from.dialect() == to.dialect() {
        let losses = conform(from, &mut request, abilities, is_strict)?;
        return Ok((request.to_body(), losses));
    }
    if let (Some(from), Some(to)) = (from.embedding(), to.embedding()) {
        return embedding((from, to), &request, abilities, is_strict);
    }
    let to_dialect = to.dialect();
    let (Some(from), Some(to)) = (from.chat(), to.chat()) else {
        return Err(untranslated(request.dialect().as_str()));
    };
    let body = request.to_body();
    let mut chat = from.read_request(&body)?;
    chat.model = request.model().to_owned().into();
    chat.streams = request.streams();
    restore(&mut chat, vault, tenant, to_dialect);
    let name = |place: &Place<'_>| from.pointer(place);
    let mut losses = Losses::new(is_strict, &name);
    if let Some(place) = from.emulated() {
        losses.report(&place, LossKind::Emulated)?;
    }
    let written = to.write_request(&chat, abilities, &mut losses)?;
    Ok((written, losses.into_found()))
}

/// Writes a request for vectors.
fn embedding(
    (from, to): (&dyn EmbeddingCodec, &dyn EmbeddingCodec),
    request: &LlmRequest,
    abilities: &Abilities,
    is_strict: bool,
) -> Result<(Bytes, Vec<Loss>), Failure> {
    let body = request.to_body();
    let mut embed = from.read_request(&body)?;
    embed.model = request.model().to_owned().into();
    let name = |place: &Place<'_>| from.pointer(place);
    let mut losses = Losses::new(is_strict, &name);
    let written = to.write_request(&embed, abilities, &mut losses)?;
    Ok((written, losses.into_found()))
}

/// Takes out what the target refuses, and renames what it calls otherwise.
fn conform(
    codec: &dyn Codec,
    request: &mut LlmRequest,
    abilities: &Abilities,
    is_strict: bool,
) -> Result<Vec<Loss>, Failure> {
    let Some(chat) = codec.chat() else { return Ok(Vec::new()) };
    let name = |place: &Place<'_>| chat.pointer(place);
    let mut losses = Losses::new(is_strict, &name);
    chat.conform(request.document_mut(), abilities, &mut losses)?;
    Ok(losses.into_found())
}

fn untranslated(dialect: &str) -> Failure {
    let text = format!("the model's provider takes no requests in {dialect}, and they cannot be translated");
    Failure { param: Some("model".into()), ..Failure::new(Side::Client, FailureKind::Unsupported, text) }
}
