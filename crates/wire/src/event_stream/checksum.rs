//! The checksum of preludes and messages: CRC-32 as in gzip (ISO 3309, reflected, polynomial 0x04c11db7).

/// The polynomial, its bits in reverse order.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// What each byte does to the checksum.
const TABLE: [u32; 256] = table();

#[expect(clippy::indexing_slicing, reason = "the index is below the length of the array")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "it is below 256")]
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum >> 1) ^ (POLYNOMIAL * (sum & 1));
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
}

/// The checksum of `bytes`.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, &byte| {
        let [low, ..] = sum.to_le_bytes();
        (sum >> 8) ^ TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default()
    })
}
