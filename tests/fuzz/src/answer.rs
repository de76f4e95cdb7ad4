//! An answer that is read keeps its bytes, and goes into every dialect as an answer that this dialect reads, with
//! no more calls.

use bytes::Bytes;
use gatewright::chat::{Answer, PartKind};
use gatewright::dialect::Codec;
use gatewright_wire::codec;

use crate::dialect::{CHATS, chats, chosen, envelope};

/// Checks all of it for one input: the first byte chooses the dialect, the rest is the body.
pub fn check(data: &[u8]) {
    let Some((codec_in, body)) = chosen(data) else { return };
    let bytes = Bytes::copy_from_slice(body);
    let Ok(document) = codec_in.decode_answer(bytes.clone()) else { return };
    document.for_each_text(&mut |_, _| ());
    document.estimate_output_tokens();
    assert!(!document.is_edited() && document.to_body() == bytes, "a look has changed it");
    let Ok(answer) = chats(codec_in).read_answer(body) else { return };
    for dialect in CHATS {
        write(codec(dialect), &answer);
    }
}

fn write(codec: &dyn Codec, answer: &Answer<'_>) {
    let once = chats(codec).write_answer(answer, &envelope());
    let accepted = codec.decode_answer(once.clone());
    assert!(accepted.is_ok(), "does not know what it has written: {accepted:?}\n{once:?}");
    let again = chats(codec).read_answer(&once).expect("it reads what it has written");
    let calls = |answer: &Answer<'_>| {
        let parts = answer.choices.iter().take(1).flat_map(|choice| &choice.parts);
        parts.filter(|part| matches!(part.kind, PartKind::ToolCall { .. })).count()
    };
    // Fewer, where a dialect tells a malformed call otherwise.
    assert!(calls(&again) <= calls(answer), "a call is made up: {:?}", String::from_utf8_lossy(&once));
}
