//! A chat as a request of the dialect, and the blocks that requests and answers share.

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{CacheMark, Chat, Losses, Media, MediaKind, MediaSource, Signature};
use gatewright::dialect::Abilities;

use super::out::{self, Object};
use super::write_turn::Message;
use super::{format, reasoning, tool, write_config, write_turn};

/// How addresses begin that the provider reads itself.
pub(super) const STORE: &str = "s3://";

/// How long a request is beside its messages, roughly.
const REST_BYTES: usize = 1_024;

/// Writes a request. The model and whether the answer is a stream are said by its path.
///
/// # Errors
/// What the provider would refuse, and in strict mode a loss.
pub(super) fn request(
    chat: &Chat<'_>,
    abilities: &Abilities,
    losses: &mut Losses<'_>,
) -> Result<Bytes, Failure> {
    let tools = tool::plan(chat, abilities, losses)?;
    let cap = write_config::cap(chat, abilities, losses)?;
    let reasoning = reasoning::plan(chat, abilities, (cap, tools.is_forced), losses)?;
    let system = write_turn::system(chat, losses)?;
    let messages = write_turn::messages(chat, abilities, losses)?;
    let config = write_config::Config::plan(chat, abilities, reasoning, losses)?;
    let bytes = messages.iter().map(Message::bytes).sum::<usize>() + REST_BYTES;
    Ok(Bytes::from(out::sized(bytes, |request| {
        if !system.is_empty() {
            request.array("system", &system);
        }
        request.objects("messages", &messages, Message::write);
        config.write_inference(request);
        if let Some(tools) = tools.json {
            request.raw("toolConfig", tools);
        }
        config.write_rest(request);
    })))
}

/// A mark up to which the provider is to remember everything.
pub(super) fn cache_point(mark: CacheMark) -> Vec<u8> {
    out::made(|block| {
        block.object("cachePoint", |point| {
            point.text("type", "default");
            if mark == CacheMark::Hour {
                point.text("ttl", "1h");
            }
        });
    })
}

pub(super) fn reasoning_block(text: &str, signature: Option<&Signature<'_>>) -> Vec<u8> {
    out::made(|block| {
        block.object("reasoningContent", |reasoning| {
            reasoning.object("reasoningText", |shown| {
                shown.text("text", text);
                if let Some(signature) = signature {
                    shown.text("signature", &signature.data);
                }
            });
        });
    })
}

pub(super) fn sealed_block(data: &str) -> Vec<u8> {
    out::made(|block| block.object("reasoningContent", |reasoning| reasoning.text("redactedContent", data)))
}

pub(super) fn call_block(id: &str, name: &str, input: &[u8]) -> Vec<u8> {
    out::made(|block| {
        block.object("toolUse", |call| {
            call.text("toolUseId", id);
            call.text("name", name);
            call.raw("input", input);
        });
    })
}

/// A medium under a format's word and, for a document, a name; none if its bytes are where nobody finds them.
pub(super) fn media_block(media: &Media<'_>, word: &str, name: Option<&str>) -> Option<Vec<u8>> {
    let source = source(&media.source)?;
    Some(out::made(|block| {
        block.object(format::member(media.kind), |object| {
            object.text("format", word);
            if let Some(name) = name {
                object.text("name", name);
            }
            object.raw("source", source);
        });
    }))
}

fn source(source: &MediaSource<'_>) -> Option<Vec<u8>> {
    let member = |key: &str, text: &str| out::made(|source: &mut Object<'_>| source.text(key, text));
    match source {
        MediaSource::Base64(data) => Some(member("bytes", data)),
        MediaSource::Text(text) => Some(member("text", text)),
        MediaSource::Url(url) if url.starts_with(STORE) => {
            Some(out::made(|source| source.object("s3Location", |place| place.text("uri", url))))
        }
        MediaSource::Url(_) | MediaSource::File(_) => None,
    }
}

/// A medium that a model made.
pub(super) fn plain_media_block(media: &Media<'_>) -> Option<Vec<u8>> {
    let name = (media.kind == MediaKind::Document).then_some("document");
    media_block(media, format::word(media)?, name)
}
