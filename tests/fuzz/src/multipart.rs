//! The reader finds the same in any chunking, in order and inside the body.

use gatewright_wire::multipart::{MultipartReader, Piece};

/// Checks one input: the first byte seeds the chunking, the rest is the body.
pub fn check(data: &[u8]) {
    let Some((&seed, body)) = data.split_first() else { return };
    let whole = run(body, |left| left);
    let single = run(body, |_| 1);
    let mut state = u32::from(seed);
    let mixed = run(body, |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 28) as usize + 1
    });
    assert_eq!(whole, single, "byte by byte");
    assert_eq!(whole, mixed, "in mixed chunks");
    let mut last = 0;
    for place in whole.0.iter().flat_map(places) {
        assert!(last <= place && place <= body.len() as u64, "places are in order and inside the body");
        last = place;
    }
}

fn places(piece: &Piece) -> Vec<u64> {
    match piece {
        Piece::Part { delimiter, content, .. } => vec![*delimiter, *content],
        Piece::End { content, delimiter } => vec![*content, *delimiter],
        Piece::Close => Vec::new(),
    }
}

/// What stands in the form, and whether it is one.
fn run(body: &[u8], mut chunk_len: impl FnMut(usize) -> usize) -> (Vec<Piece>, bool) {
    let mut reader = MultipartReader::new("b");
    let mut found = Vec::new();
    let mut left = body;
    while !left.is_empty() {
        let (chunk, rest) = left.split_at(chunk_len(left.len()).min(left.len()));
        reader.push(chunk);
        loop {
            match reader.next_piece() {
                Ok(Some(piece)) => found.push(piece),
                Ok(None) => break,
                Err(_) => return (found, false),
            }
        }
        left = rest;
    }
    (found, reader.finish().is_ok())
}
