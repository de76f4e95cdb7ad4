//! What a request names that is stored at its provider.
//!
//! Callers of all tenants share a provider's credential, and the provider tells what it stores apart by that alone. A file
//! that one caller names could so be another tenant's, and is refused before the provider is called.

use gatewright::chat::{Chat, MediaSource, Part, PartKind, Place};
use gatewright::dialect::{Codec, Operation};
use gatewright::{Failure, LlmRequest};
use gatewright_wire::stored;
use memchr::memmem;

/// Without one of these in its text, and without those that [`stored`] has, no part of a request is a file.
const SIGNS: [&[u8]; 3] = [b"file_uri", b"fileUri", b"cached"];

/// Refuses a request that names a file.
pub(crate) fn refuse(codec: &dyn Codec, request: &LlmRequest) -> Result<(), Failure> {
    let Some(chats) = codec.chat().filter(|_| request.operation() == Operation::Chat) else { return Ok(()) };
    let body = request.to_body();
    // A look at all of it is not for free, and most requests name nothing.
    let says = |sign: &[u8]| memmem::find(&body, sign).is_some();
    let may_name = says(stored::FILE_ID) || says(stored::ESCAPE);
    if (may_name || stored::SIGNS.into_iter().any(says))
        && let Some(place) = stored::name_of_stored(&body)
    {
        return Err(refusal(place));
    }
    if !(may_name || SIGNS.into_iter().any(says)) {
        return Ok(());
    }
    let chat = chats.read_request(&body)?;
    let Some(part) = parts(&chat).find(|part| names_file(part)) else { return Ok(()) };
    Err(refusal(chats.pointer(&Place::Part(part.origin))))
}

fn refusal(place: String) -> Failure {
    let text = "what is stored at the provider cannot be named here: it would belong to whoever shares the gateway's \
                credential; send the file or the text itself";
    Failure::invalid(place, text).with_code("unsupported_parameter")
}

fn parts<'c, 'a>(chat: &'c Chat<'a>) -> impl Iterator<Item = &'c Part<'a>> {
    chat.system.iter().chain(chat.turns.iter().flat_map(|turn| &turn.parts))
}

fn names_file(part: &Part<'_>) -> bool {
    match &part.kind {
        PartKind::Media(media) => matches!(media.source, MediaSource::File(_)),
        PartKind::ToolResult { content, .. } => content.iter().any(names_file),
        _ => false,
    }
}
