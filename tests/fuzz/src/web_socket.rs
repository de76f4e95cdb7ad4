//! Messages of WebSocket: the same units and the same violation for any chunking, never more held than the bound, and
//! what is read can be written and read again. Whatever an event says, looking at it does not panic, and no event gets
//! past that names another model.

use bytes::Bytes;
use gatewright_wire::openai_realtime::{SessionNames, codec};
use gatewright_wire::web_socket::{Decoder, Kind, Masking, Unit, Violation, write, write_close};

/// Small, so that inputs reach it.
const MESSAGE_BYTES_MAX: usize = 64;

/// Checks all of it for one input: the first byte says who sends and seeds the chunking, the rest is the stream.
pub fn check(data: &[u8]) {
    let Some((&seed, stream)) = data.split_first() else { return };
    let reads_client = seed.is_multiple_of(2);
    let whole = run(stream, reads_client, |left| left);
    let single = run(stream, reads_client, |_| 1);
    let mut state = u32::from(seed);
    let mixed = run(stream, reads_client, |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 28) as usize + 1
    });
    assert_eq!(whole, single, "byte by byte");
    assert_eq!(whole, mixed, "in mixed chunks");
    let written = rewrite(&whole.0, seed);
    assert_eq!(run(&written, seed.is_multiple_of(2), |left| left), (whole.0, None), "written and read again");
    look_at(&Bytes::copy_from_slice(stream));
}

fn decoder(reads_client: bool) -> Decoder {
    if reads_client { Decoder::of_client(MESSAGE_BYTES_MAX) } else { Decoder::of_server(MESSAGE_BYTES_MAX) }
}

fn run(
    stream: &[u8],
    reads_client: bool,
    mut chunk_len: impl FnMut(usize) -> usize,
) -> (Vec<Unit>, Option<Violation>) {
    let mut decoder = decoder(reads_client);
    let mut units = Vec::new();
    let mut left = stream;
    while !left.is_empty() {
        let (mut chunk, rest) = left.split_at(chunk_len(left.len()).min(left.len()));
        loop {
            match decoder.take(&mut chunk) {
                Ok(Some(unit)) => {
                    assert!(length(&unit) <= MESSAGE_BYTES_MAX.max(125), "over the bound");
                    units.push(unit);
                }
                Ok(None) => break,
                Err(violation) => return (units, Some(violation)),
            }
        }
        assert!(chunk.is_empty(), "bytes are left that nothing is missing for");
        left = rest;
    }
    (units, None)
}

fn length(unit: &Unit) -> usize {
    match unit {
        Unit::Text(bytes) | Unit::Binary(bytes) | Unit::Ping(bytes) | Unit::Pong(bytes) => bytes.len(),
        Unit::Close(close) => close.reason.len(),
    }
}

fn rewrite(units: &[Unit], seed: u8) -> Vec<u8> {
    let masking = if seed.is_multiple_of(2) { Masking::Client([seed, 1, 2, 3]) } else { Masking::Server };
    let mut out = Vec::new();
    for unit in units {
        match unit {
            Unit::Text(bytes) => write(Kind::Text, bytes, masking, &mut out),
            Unit::Binary(bytes) => write(Kind::Binary, bytes, masking, &mut out),
            Unit::Ping(bytes) => write(Kind::Ping, bytes, masking, &mut out),
            Unit::Pong(bytes) => write(Kind::Pong, bytes, masking, &mut out),
            Unit::Close(close) => write_close(close, masking, &mut out),
        }
    }
    out
}

/// Takes the bytes for an event of either side.
fn look_at(event: &Bytes) {
    let names = SessionNames { asked: "a", served: "b", answers_asked: true };
    let Some(session) = codec().session() else { return };
    let _seen = session.glance(event, &names);
    if let Ok(Some(other)) = session.admit(event, &names) {
        // Said in the provider's word, it is an event of a caller whose model is called so.
        let provider = SessionNames { asked: "b", ..names };
        assert!(matches!(session.admit(&other, &provider), Ok(None)), "another model is named");
    }
}
