//! A request that is accepted keeps its bytes, can be asked for everything, and goes into every dialect as a request that
//! this dialect accepts, and writes once more if it reads it.

use bytes::Bytes;
use gatewright::chat::{Chat, Losses};
use gatewright::dialect::{Abilities, Codec};
use gatewright_wire::codec;

use crate::dialect::{CHATS, address, chats, chosen};

/// Checks all of it for one input: the first byte chooses the dialect, the rest is the body.
pub fn check(data: &[u8]) {
    let Some((codec_in, body)) = chosen(data) else { return };
    let bytes = Bytes::copy_from_slice(body);
    let Ok(document) = codec_in.decode_request_at(bytes.clone(), &address(codec_in.dialect())) else {
        return;
    };
    let mut texts = 0;
    // An accepted request may still be malformed at a place that nobody has looked at.
    let visited = document.for_each_text(&mut |_| texts += 1).is_ok();
    assert!(!document.is_edited() && document.to_body() == bytes, "a look has changed it");
    let counts = document.counts();
    assert!(counts.messages + counts.tools <= body.len(), "there are more messages than bytes");
    document.estimate_input_tokens();
    let mut edited = document.clone_document();
    let result = edited.edit_texts(&mut |part| part.text.chars().next().map(|first| format!("{first}\"\n")));
    assert!(result.is_ok() == visited, "an edit goes where a look goes");
    if edited.is_edited() {
        assert!(
            serde_json::from_slice::<serde_json::Value>(&edited.to_body()).is_ok(),
            "an edit leaves JSON"
        );
    }
    let Ok(mut chat) = chats(codec_in).read_request(body) else { return };
    // The path of an exchange names the target's model.
    chat.model = "m".into();
    for dialect in CHATS {
        write(codec(dialect), &chat);
    }
}

fn write(codec: &dyn Codec, chat: &Chat<'_>) {
    let Some(once) = written(codec, chat) else { return };
    let address = address(codec.dialect());
    let accepted = codec.decode_request_at(once.clone(), &address);
    assert!(accepted.is_ok(), "refuses what it has written: {accepted:?}\n{once:?}");
    // A parameter of a wrong type travels, and is refused by whoever looks at it first.
    let Ok(mut again) = chats(codec).read_request(&once) else { return };
    // What has no place in the dialect is gone by now, so it may be written otherwise, but not refused.
    again.model = "m".into();
    let twice = written(codec, &again);
    assert!(twice.is_some(), "does not write what it has written: {:?}", String::from_utf8_lossy(&once));
}

fn written(codec: &dyn Codec, chat: &Chat<'_>) -> Option<Bytes> {
    let mut losses = Losses::new(false, &|_| String::new());
    chats(codec).write_request(chat, &Abilities::default(), &mut losses).ok()
}
