//! CHECKSUM and DATASUM: the ones'-complement sum of 32-bit words (FITS Standard 4.0, section 4.4.2.7 and appendix J).

/// Running sum over blocks whose lengths are multiples of four bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum(u64);

impl Sum {
    /// Adds bytes; a last partial word counts as padded with zeros.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let words = bytes.chunks_exact(4);
        let rest = words.remainder();
        let mut sum: u64 = words.map(|w| u64::from(u32::from_be_bytes([w[0], w[1], w[2], w[3]]))).sum();
        if !rest.is_empty() {
            let mut word = [0; 4];
            word[..rest.len()].copy_from_slice(rest);
            sum += u64::from(u32::from_be_bytes(word));
        }
        self.0 = fold(self.0 + u64::from(fold(sum) as u32));
    }
    /// Adds another sum.
    pub(super) fn join(&mut self, other: Self) {
        self.0 = fold(self.0 + other.0);
    }
    /// The sum as a number: the value of DATASUM.
    pub(super) fn value(self) -> u32 {
        self.0 as u32
    }
    /// The 16 characters that, in CHECKSUM, make the sum of the whole unit all ones.
    pub(super) fn complement_text(self) -> String {
        encode(!self.value())
    }
}

/// End-around carry down to 32 bits.
fn fold(mut sum: u64) -> u64 {
    while sum >> 32 != 0 {
        sum = (sum & 0xffff_ffff) + (sum >> 32);
    }
    sum
}

/// The encoding of appendix J: each byte as four characters of the alphabet from '0' that add up to it, none of them
/// punctuation, the whole rotated by one because values begin at column 12 of the card.
fn encode(value: u32) -> String {
    let mut text = [0u8; 16];
    for (i, byte) in value.to_be_bytes().into_iter().enumerate() {
        let (quotient, remainder) = (byte / 4 + b'0', byte % 4);
        let mut four = [quotient + remainder, quotient, quotient, quotient];
        while four.iter().any(|&c| is_punctuation(c)) {
            for pair in four.chunks_exact_mut(2) {
                if is_punctuation(pair[0]) || is_punctuation(pair[1]) {
                    pair[0] += 1;
                    pair[1] -= 1;
                }
            }
        }
        for (j, c) in four.into_iter().enumerate() {
            text[(4 * j + i + 1) % 16] = c;
        }
    }
    text.iter().map(|&c| char::from(c)).collect()
}

fn is_punctuation(c: u8) -> bool {
    (0x3a..=0x40).contains(&c) || (0x5b..=0x60).contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_example_is_encoded_to_its_printed_text() {
        // FITS Standard 4.0, appendix J: a unit whose sum is 868229149 has CHECKSUM hcHjjc9ghcEghc9g (its complement).
        assert_eq!(encode(!868_229_149), "hcHjjc9ghcEghc9g");
    }

    #[test]
    fn text_placed_at_column_twelve_makes_the_sum_all_ones() {
        let mut block = *b"CHECKSUM= '0000000000000000'   and the rest of a header, with 16 more bytes of anything ";
        let mut sum = Sum::default();
        sum.add(&block);
        block[11..27].copy_from_slice(sum.complement_text().as_bytes());
        let mut closed = Sum::default();
        closed.add(&block);
        assert_eq!(closed.value(), u32::MAX);
    }

    #[test]
    fn the_carry_wraps_around() {
        let mut sum = Sum::default();
        sum.add(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2]);
        assert_eq!(sum.value(), 2, "0xffffffff + 2 = 1 with carry 1");
    }
}
