//! A request for vectors in any dialect is refused or read, and what is written from it in any other dialect is a
//! request of that; answers are refused or read, and written again are answers.

use bytes::Bytes;
use gatewright::chat::{Losses, Place};
use gatewright::dialect::{Abilities, Address, Dialect, EmbeddingCodec, Envelope, Operation};
use gatewright::embedding::Embed;
use gatewright_wire::codec_of;

const DIALECTS: [Dialect; 6] = [
    Dialect::OpenAiEmbeddings,
    Dialect::GoogleGenerate,
    Dialect::GooglePredict,
    Dialect::TitanEmbed,
    Dialect::CohereEmbed,
    Dialect::OllamaEmbed,
];

/// Checks all of it for one input: the body of a request, and of an answer.
pub fn check(data: &[u8]) {
    for dialect in DIALECTS {
        let codec = codec_of(dialect, Operation::Embedding);
        let Some(from) = codec.embedding() else { continue };
        let body = Bytes::copy_from_slice(data);
        if codec.decode_request_at(body.clone(), &address()).is_ok()
            && let Ok(embed) = from.read_request(data)
        {
            DIALECTS.iter().for_each(|to| check_written(&embed, from, *to));
        }
        if codec.decode_answer(body).is_ok()
            && let Ok(vectors) = from.read_answer(data)
        {
            let envelope =
                Envelope { id: gatewright::RequestId::new(1, 2), created: 1, model: "m".to_owned() };
            let written = from.write_answer(&Embed::default(), &vectors, &envelope);
            assert!(codec.decode_answer(written).is_ok(), "an answer of {dialect:?} is one");
        }
    }
}

fn check_written(embed: &Embed<'_>, from: &dyn EmbeddingCodec, to: Dialect) {
    let codec = codec_of(to, Operation::Embedding);
    let Some(translation) = codec.embedding() else { return };
    let name = |place: &Place<'_>| from.pointer(place);
    let mut losses = Losses::new(false, &name);
    let mut embed = embed.clone();
    embed.model = "m".into();
    if let Ok(written) = translation.write_request(&embed, &Abilities::default(), &mut losses) {
        assert!(codec.decode_request_at(written, &address()).is_ok(), "a request in {to:?} is one");
    }
}

fn address() -> Address {
    Address { model: Some("m".into()), ..Address::default() }
}
