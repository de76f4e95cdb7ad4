//! What the checks of dialects have in common.

use gatewright::RequestId;
use gatewright::dialect::{Address, ChatCodec, Codec, Dialect, Envelope};
use gatewright_wire::codec;

/// The dialects of chats.
pub const CHATS: [Dialect; 5] = [
    Dialect::OpenAiChat,
    Dialect::OpenAiResponses,
    Dialect::AnthropicMessages,
    Dialect::GoogleGenerate,
    Dialect::BedrockConverse,
];

/// The dialect that the first byte of an input chooses, the digits from 0 in the order of [`CHATS`], and the rest of it.
pub fn chosen(data: &[u8]) -> Option<(&'static dyn Codec, &[u8])> {
    let (&first, rest) = data.split_first()?;
    Some((codec(CHATS[usize::from(first.wrapping_sub(b'0')) % CHATS.len()]), rest))
}

/// How a dialect translates chats.
pub fn chats(codec: &dyn Codec) -> &dyn ChatCodec {
    codec.chat().expect("it is a dialect of chats")
}

/// What the path of a request says, in dialects that have the model there.
pub fn address(dialect: Dialect) -> Address {
    let in_path = matches!(dialect, Dialect::GoogleGenerate | Dialect::BedrockConverse);
    Address { model: in_path.then(|| "m".into()), streams: in_path.then_some(false), ..Address::default() }
}

/// What an answer says around its content.
pub fn envelope() -> Envelope {
    Envelope { id: RequestId::new(1, 2), created: 7, model: "m".to_owned() }
}
