//! Keyed, counter-based random streams.
//!
//! # Formula
//! Philox4x32-10: 128-bit counter (block, item), 64-bit key; word `i` of item `k` is a pure function of
//! (key, k, i). The key is a hash of (seed, exposure, detector, effect name).
//! # Source
//! Salmon, Moraes, Dror & Shaw 2011 (SC11, "Parallel random numbers: as easy as 1, 2, 3"); known answers
//! from the Random123 distribution.
//! # Limits
//! 2^66 words per item, 2^64 items per key.
//!
//! Any pixel's draw can be asked for alone, so pixels do not depend on threads, order, windows or other effects.

use rand::rand_core::{Infallible, TryRng};

/// A key under construction: fold in what identifies the draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamKey(u64);

/// splitmix64 finaliser (Stafford mix 13).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl StreamKey {
    /// A key from the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(mix(seed.wrapping_add(0x9E37_79B9_7F4A_7C15)))
    }
    /// Folds in a number.
    #[must_use]
    pub fn with(self, number: u64) -> Self {
        Self(mix(self.0.rotate_left(23).wrapping_add(mix(number.wrapping_add(0x9E37_79B9_7F4A_7C15)))))
    }
    /// Folds in a name (FNV-1a of its bytes).
    #[must_use]
    pub fn with_name(self, name: &str) -> Self {
        let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3));
        self.with(hash)
    }
    /// The stream of one item (row, object).
    #[must_use]
    pub fn stream(self, item: u64) -> Stream {
        Stream { key: [self.0 as u32, (self.0 >> 32) as u32], item, next: 0, block: u64::MAX, words: [0; 4] }
    }
}

/// The words of one item. Bulk draws by index are in [`crate::noise`]; as a [`rand::Rng`] it is read in order.
#[derive(Debug, Clone)]
pub struct Stream {
    pub(crate) key: [u32; 2],
    pub(crate) item: u64,
    next: u64,
    block: u64,
    words: [u32; 4],
}

/// One Philox4x32-10 block.
#[must_use]
#[inline]
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
        }
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
    }
    counter
}

impl Stream {
    /// Word `index` of this item.
    #[must_use]
    pub fn word(&self, index: u64) -> u32 {
        let block = index / 4;
        philox4x32([block as u32, (block >> 32) as u32, self.item as u32, (self.item >> 32) as u32], self.key)[(index % 4) as usize]
    }
    fn next_word(&mut self) -> u32 {
        let block = self.next / 4;
        if block != self.block {
            self.block = block;
            self.words = philox4x32([block as u32, (block >> 32) as u32, self.item as u32, (self.item >> 32) as u32], self.key);
        }
        let word = self.words[(self.next % 4) as usize];
        self.next += 1;
        word
    }
}

impl TryRng for Stream {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.next_word())
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from(self.next_word()) | (u64::from(self.next_word()) << 32))
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(4) {
            let bytes = self.next_word().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_gives_the_published_known_answers() {
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox4x32([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox4x32([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn reading_in_order_and_by_index_agree() {
        use rand::Rng;
        let mut stream = StreamKey::new(7).with(1).with_name("sky").stream(42);
        let words: Vec<u32> = (0..9).map(|_| stream.next_u32()).collect();
        let by_index: Vec<u32> = (0..9).map(|i| stream.word(i)).collect();
        assert_eq!(words, by_index);
    }

    #[test]
    fn neighbouring_keys_share_no_words() {
        let base = StreamKey::new(1);
        let keys = [base.with(1).with(2), base.with(2).with(1), base.with_name("a"), base.with_name("b"), StreamKey::new(2)];
        let firsts: std::collections::BTreeSet<u32> = keys.iter().map(|k| k.stream(0).word(0)).collect();
        assert_eq!(firsts.len(), keys.len());
    }
}
