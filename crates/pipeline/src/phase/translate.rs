//! A request in the dialect in which its provider is asked.

use bytes::Bytes;
use gatewright::chat::{Loss, LossKind, Losses, Place};
use gatewright::dialect::{Abilities, Codec};
use gatewright::{Failure, FailureKind, LlmRequest, Side};

/// Writes the request, complete, and tells what that lost. In the caller's own dialect the bytes stay as they are, less
/// what the target is known to refuse.
///
/// # Errors
///
/// A [`Failure`] of the client's side for what cannot be translated.
pub(crate) fn request(
    from: &dyn Codec,
    to: &dyn Codec,
    mut request: LlmRequest,
    abilities: &Abilities,
) -> Result<(Bytes, Vec<Loss>), Failure> {
    if from.dialect() == to.dialect() {
        let losses = conform(from, &mut request, abilities);
        return Ok((request.to_body(), losses));
    }
    let (Some(from), Some(to)) = (from.chat(), to.chat()) else {
        return Err(untranslated(request.dialect().as_str()));
    };
    let body = request.to_body();
    let mut chat = from.read_request(&body)?;
    chat.model = request.model().to_owned().into();
    chat.streams = request.streams();
    let name = |place: &Place<'_>| from.pointer(place);
    let mut losses = Losses::new(false, &name);
    let written = to.write_request(&chat, abilities, &mut losses)?;
    Ok((written, losses.into_found()))
}

/// Takes out what the target refuses.
fn conform(codec: &dyn Codec, request: &mut LlmRequest, abilities: &Abilities) -> Vec<Loss> {
    let Some(chat) = codec.chat() else { return Vec::new() };
    let mut losses = Vec::new();
    for param in &abilities.refuses {
        let field = chat.pointer(&Place::Param(*param));
        if request.remove_field(&field).unwrap_or(false) {
            losses.push(Loss { field: field.into(), kind: LossKind::Dropped });
        }
    }
    losses
}

fn untranslated(dialect: &str) -> Failure {
    let text = format!("the model's provider takes no requests in {dialect}, and they cannot be translated");
    Failure { param: Some("model".into()), ..Failure::new(Side::Client, FailureKind::Unsupported, text) }
}
