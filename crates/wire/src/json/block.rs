//! The inner loop of string scanning: where is the next byte that matters?
//!
//! Long runs are surveyed in blocks with no branch per byte, in a form that compilers turn into vector
//! instructions; the ends of runs, and short runs, go word by word with bit tricks that give the exact place.
//! Knows only the three classes of bytes that end a plain run (quote, backslash, control) and high bits.

/// Bytes in a word.
const WORD: usize = size_of::<u64>();

/// Bytes in a vector register on the smallest machines we build for.
const HALF: usize = 2 * WORD;

/// Bytes per step of a long run.
const BLOCK: usize = 2 * HALF;

/// A run of plain string bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// How many bytes stand before the first quote, backslash or control byte, or before the end.
    pub(super) len: usize,
    /// Whether a byte of the run is not ASCII. May be true without need, because of a byte that follows the run
    /// closely, but is never false without.
    pub(super) non_ascii: bool,
}

/// Measures the plain run at the beginning of `text`.
#[inline]
pub(super) fn plain_run(text: &[u8]) -> Run {
    let mut bits = 0;
    // Most keys and many values end within a word.
    let mut len = match first_word(text) {
        Some(Ok(word)) => {
            bits |= word;
            WORD
        }
        Some(Err(run)) => return run,
        None => 0,
    };
    let (passed, block_bits) = plain_blocks(text.get(len..).unwrap_or_default());
    len += passed;
    bits |= block_bits;
    let mut rest = text.get(len..).unwrap_or_default();
    while let Some(outcome) = first_word(rest) {
        match outcome {
            Ok(word) => bits |= word,
            Err(run) => return Run { len: len + run.len, non_ascii: run.non_ascii || bits & HIGH != 0 },
        }
        len += WORD;
        rest = rest.get(WORD..).unwrap_or_default();
    }
    let tail = rest.iter().take_while(|&&byte| !is_special(byte));
    let (passed, tail_bits) = tail.fold((0, 0), |(count, bits), byte| (count + 1, bits | byte));
    Run { len: len + passed, non_ascii: (bits | u64::from(tail_bits)) & HIGH != 0 }
}

/// True for bytes that may not stand for themselves in a string.
#[inline]
fn is_special(byte: u8) -> bool {
    distance(byte) == 0
}

/// Zero for a special byte, more for any other. One expression for all three classes, because compilers
/// reduce its minimum over a block in a few instructions.
#[inline]
fn distance(byte: u8) -> u8 {
    let quote = byte ^ b'"';
    let backslash = byte ^ b'\\';
    let control = byte.saturating_sub(0x1f);
    quote.min(backslash).min(control)
}

/// Passes all whole blocks before the one that holds a special byte: how many bytes, and the union of their bits.
#[inline]
#[expect(clippy::indexing_slicing, reason = "the indices are below the lengths of the arrays")]
fn plain_blocks(text: &[u8]) -> (usize, u64) {
    let mut rest = text;
    let mut bits = [0u8; HALF];
    while let Some((block, tail)) = rest.split_first_chunk::<BLOCK>() {
        // Written with indices because compilers turn this form, and not the one with iterators, into vectors.
        let mut nearest = [0u8; HALF];
        for i in 0..HALF {
            let (low, high) = (block[i], block[i + HALF]);
            nearest[i] = distance(low).min(distance(high));
            bits[i] |= low | high;
        }
        let mut special = false;
        for near in nearest {
            special |= near == 0;
        }
        if special {
            break;
        }
        rest = tail;
    }
    let bits = u128::from_le_bytes(bits);
    #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
    let bits = (bits >> 64) as u64 | bits as u64;
    (text.len() - rest.len(), bits)
}

/// The first word of `text` if there is a whole one: itself if it is plain, else the run that ends in it.
#[inline]
fn first_word(text: &[u8]) -> Option<Result<u64, Run>> {
    let word = u64::from_le_bytes(*text.first_chunk::<WORD>()?);
    let marks = special_marks(word);
    if marks == 0 {
        return Some(Ok(word));
    }
    // The lowest mark is exact, and what stands below it belongs to the run.
    let below = (marks & marks.wrapping_neg()).wrapping_sub(1);
    let len = (marks.trailing_zeros() / 8) as usize;
    Some(Err(Run { len, non_ascii: word & below & HIGH != 0 }))
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = LOW << 7;

/// A mark in the top bit of each special byte. Marks above the lowest one may be false.
#[inline]
const fn special_marks(word: u64) -> u64 {
    let control = word.wrapping_sub(LOW * 0x20) & !word;
    let quote = word ^ (LOW * b'"' as u64);
    let quote = quote.wrapping_sub(LOW) & !quote;
    let backslash = word ^ (LOW * b'\\' as u64);
    let backslash = backslash.wrapping_sub(LOW) & !backslash;
    (control | quote | backslash) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_special_byte_at_each_place() {
        for special in [b'"', b'\\', 0, 0x1f, b'\n'] {
            for len in 0..100 {
                for place in 0..len {
                    let mut text = vec![b'x'; len];
                    text[place] = special;
                    assert_eq!(plain_run(&text), Run { len: place, non_ascii: false }, "length {len}");
                }
            }
        }
    }

    #[test]
    fn plain_bytes_are_one_run() {
        for byte in (0x20..=0xff).filter(|&byte| !is_special(byte)) {
            let run = plain_run(&[byte; 77]);
            assert_eq!(run, Run { len: 77, non_ascii: byte >= 0x80 });
        }
    }

    #[test]
    fn high_bytes_before_the_hit_are_always_noticed() {
        for hit in 0..90 {
            for place in 0..hit {
                let mut text = vec![b'x'; 100];
                text[place] = 0xc3;
                text[hit] = b'"';
                assert_eq!(plain_run(&text), Run { len: hit, non_ascii: true }, "high byte at {place}");
            }
        }
    }
}
