//! A request in the dialect in which its provider is asked.

use bytes::Bytes;
use gatewright::chat::{Chat, Loss, LossKind, Losses, Media, MediaSource, Origin, Part, PartKind, Place};
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
    let shares_files = from.dialect().shares_files_with(to_dialect);
    let (Some(from), Some(to)) = (from.chat(), to.chat()) else {
        return Err(untranslated(request.dialect().as_str()));
    };
    let body = request.to_body();
    let mut chat = from.read_request(&body)?;
    chat.model = request.model().to_owned().into();
    chat.streams = request.streams();
    restore(&mut chat, vault, tenant, to_dialect);
    let files = if shares_files { Vec::new() } else { take_files(&mut chat) };
    let name = |place: &Place<'_>| match place {
        Place::Param(param) => chat.spelling(*param).map_or_else(|| from.pointer(place), str::to_owned),
        _ => from.pointer(place),
    };
    let mut losses = Losses::new(is_strict, &name);
    for origin in files {
        losses.report(&Place::Part(origin), LossKind::Dropped)?;
    }
    if let Some(place) = from.emulated() {
        losses.report(&place, LossKind::Emulated)?;
    }
    let written = to.write_request(&chat, abilities, &mut losses)?;
    Ok((written, losses.into_found()))
}

/// Takes out what is in the store of a provider of another family, which this one cannot read; tells where it stood.
fn take_files(chat: &mut Chat<'_>) -> Vec<Origin> {
    let mut found = Vec::new();
    for turn in &mut chat.turns {
        take_files_of(&mut turn.parts, &mut found);
    }
    found
}

fn take_files_of(parts: &mut Vec<Part<'_>>, found: &mut Vec<Origin>) {
    parts.retain_mut(|part| {
        if let PartKind::ToolResult { content, .. } = &mut part.kind {
            take_files_of(content, found);
        }
        let is_file = matches!(&part.kind, PartKind::Media(Media { source: MediaSource::File(_), .. }));
        if is_file {
            found.push(part.origin);
        }
        !is_file
    });
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

#[cfg(test)]
mod tests {
    use gatewright::chat::{Chat, Media, MediaKind, MediaSource, Origin, Part, PartKind, Speaker, Turn};
    use gatewright::dialect::Dialect;

    use super::take_files;

    fn medium(message: u32, source: MediaSource<'static>) -> Part<'static> {
        let media = Media { kind: MediaKind::Document, mime: None, source, name: None, detail: None };
        Part::new(PartKind::Media(media)).at(Origin { message, part: Some(0) })
    }

    #[test]
    fn files_in_the_store_of_another_provider_are_taken_out_wherever_they_stand() {
        let file = |message| medium(message, MediaSource::File("file-1".into()));
        let address = medium(0, MediaSource::Url("https://x.test/a.pdf".into()));
        let (call, name, content) = ("c".into(), None, vec![Part::text("said"), file(1)]);
        let result = Part::new(PartKind::ToolResult { call, name, content, is_error: false });
        let turn = |parts| Turn { speaker: Speaker::User, parts };
        let mut chat =
            Chat { turns: vec![turn(vec![address.clone(), file(0)]), turn(vec![result])], ..Chat::default() };
        let places: Vec<_> = take_files(&mut chat).into_iter().map(|origin| origin.message).collect();
        assert_eq!(places, [0, 1]);
        assert_eq!(chat.turns[0].parts, [address]);
        let PartKind::ToolResult { content, .. } = &chat.turns[1].parts[0].kind else { panic!("{chat:?}") };
        assert_eq!(content, &[Part::text("said")]);
    }

    #[test]
    fn files_are_known_in_their_family_only() {
        let shares = |one: Dialect, other| one.shares_files_with(other);
        assert!(shares(Dialect::OpenAiChat, Dialect::OpenAiResponses));
        assert!(!shares(Dialect::OpenAiResponses, Dialect::AnthropicMessages));
        assert!(!shares(Dialect::AnthropicMessages, Dialect::BedrockConverse));
    }
}
