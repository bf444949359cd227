//! Philox words in bulk: many blocks side by side, so that the rounds run in vector registers.

/// Blocks generated side by side.
const BLOCKS: usize = 16;
/// Words in a buffer.
pub(crate) const CHUNK: usize = 1024;

/// Fills `out` with the words of blocks `block..` of an item: the same as [`crate::stream::philox4x32`] block by block.
#[inline(always)]
pub(crate) fn fill(key: [u32; 2], item: u64, block: u64, out: &mut [u32; CHUNK + 4 * BLOCKS], count: usize) {
    let mut at = block;
    for group in out[..count.next_multiple_of(4 * BLOCKS)].chunks_exact_mut(4 * BLOCKS) {
        let mut c0 = [0_u32; BLOCKS];
        let mut c1 = [0_u32; BLOCKS];
        for lane in 0..BLOCKS {
            let counter = at.wrapping_add(lane as u64);
            c0[lane] = counter as u32;
            c1[lane] = (counter >> 32) as u32;
        }
        let mut c2 = [item as u32; BLOCKS];
        let mut c3 = [(item >> 32) as u32; BLOCKS];
        let [mut k0, mut k1] = key;
        for _ in 0..10 {
            for lane in 0..BLOCKS {
                let a = u64::from(c0[lane]) * 0xD251_1F53;
                let b = u64::from(c2[lane]) * 0xCD9E_8D57;
                c0[lane] = (b >> 32) as u32 ^ c1[lane] ^ k0;
                c1[lane] = b as u32;
                c2[lane] = (a >> 32) as u32 ^ c3[lane] ^ k1;
                c3[lane] = a as u32;
            }
            k0 = k0.wrapping_add(0x9E37_79B9);
            k1 = k1.wrapping_add(0xBB67_AE85);
        }
        for lane in 0..BLOCKS {
            group[4 * lane] = c0[lane];
            group[4 * lane + 1] = c1[lane];
            group[4 * lane + 2] = c2[lane];
            group[4 * lane + 3] = c3[lane];
        }
        at = at.wrapping_add(BLOCKS as u64);
    }
}

/// Calls `each(start, words)` for consecutive pieces of the words `first..first + count`.
#[inline(always)]
pub(crate) fn for_each_piece(key: [u32; 2], item: u64, first: u64, count: usize, mut each: impl FnMut(usize, &[u32])) {
    let mut buffer = [0_u32; CHUNK + 4 * BLOCKS];
    let mut start = 0;
    while start < count {
        let index = first.wrapping_add(start as u64);
        let skip = (index % 4) as usize;
        let take = (count - start).min(CHUNK);
        fill(key, item, index / 4, &mut buffer, skip + take);
        each(start, &buffer[skip..skip + take]);
        start += take;
    }
}
