//! Images of integers as tables of rows packed by Rice's code: tile compression, without loss.
//!
//! # Formula
//! Of a row: its first value in 16 (32) bits, then blocks of n = 32 values. With v = 2 d for d >= 0, else -2 d - 1, of each difference d to the value before
//! (modulo 2^16, 2^32), a block is 4 (5) bits of k + 1 and of each v the quotient v / 2^k in as many zeros and a one, then its k lower bits; k has as many bits as
//! `((sum v - n / 2 - 1) / n) / 2`, at least 0. A block of equal values is 4 (5) bits of 0; one with k above 13 (24) is 4 (5) bits of 15 (26) and each v in 16 (32) bits.
//! # Symbols
//! d: difference of neighbours \[stored unit\]; v: the same without sign; k: bits that are written as they are.
//! # Source
//! FITS Standard 4.0, section 10 (tables of tiles, `RICE_1` with BLOCKSIZE 32 and BYTEPIX 2 or 4); Rice, Yeh & Miller (1993), JPL Publication 93-4.
//! # Limits
//! Two axes; images of 16 bits, and sparse ones of 32; others are written as they are. Noise of s units costs about log2(s sqrt(12)) + 1.2 bits a pixel.

use super::card::encode;
use super::{Data, FitsError, Hdu, Value};
use crate::sparse::Sparse;
use ndarray::parallel::prelude::*;
use ndarray::{Array2, Axis};

/// Values of a block.
const BLOCK: usize = 32;
/// Bytes of a row of the table: length and place of a tile, 32 bits each.
const DESCRIPTOR: usize = 8;

/// A packed image: one tile a row.
pub(super) struct Packed {
    shape: (usize, usize),
    unsigned: bool,
    /// Bits of a value.
    bits: u32,
    tiles: Vec<Vec<u8>>,
}

/// A value as it is stored.
trait Word: Copy + Default + PartialEq + Send + Sync {
    const BITS: u32;
    /// Bits that a block's k takes.
    const CODE_BITS: u32;
    /// From here on differences are written in [`Word::BITS`] each.
    const LARGEST_K: u32;
    fn bits(self) -> u32;
    /// The difference to the value before, without sign.
    fn difference(self, last: Self) -> u32;
    fn sum(differences: &[u32]) -> u64;
}

impl Word for i16 {
    const BITS: u32 = 16;
    const CODE_BITS: u32 = 4;
    const LARGEST_K: u32 = 14;
    fn bits(self) -> u32 {
        u32::from(self.cast_unsigned())
    }
    fn difference(self, last: Self) -> u32 {
        let difference = self.wrapping_sub(last);
        u32::from(((difference << 1) ^ (difference >> 15)).cast_unsigned())
    }
    fn sum(differences: &[u32]) -> u64 {
        u64::from(differences.iter().sum::<u32>())
    }
}

impl Word for i32 {
    const BITS: u32 = 32;
    const CODE_BITS: u32 = 5;
    const LARGEST_K: u32 = 25;
    fn bits(self) -> u32 {
        self.cast_unsigned()
    }
    fn difference(self, last: Self) -> u32 {
        let difference = self.wrapping_sub(last);
        ((difference << 1) ^ (difference >> 31)).cast_unsigned()
    }
    fn sum(differences: &[u32]) -> u64 {
        differences.iter().map(|&v| u64::from(v)).sum()
    }
}

/// Packs an image that can be; `None` of other data, and of images without pixels.
pub(super) fn pack(data: &Data) -> Option<Packed> {
    fn rows<T: Copy + Sync + Send>(image: &Array2<T>, stored: impl Fn(T) -> i16 + Sync) -> Vec<Vec<u8>> {
        let tile = |row: ndarray::ArrayView1<'_, T>| {
            let values: Vec<i16> = row.iter().map(|v| stored(*v)).collect();
            tile(&values)
        };
        image.axis_iter(Axis(0)).into_par_iter().map(tile).collect()
    }
    let (shape, unsigned, bits, tiles) = match data {
        Data::U16(image) if !image.is_empty() => (image.dim(), true, 16, rows(image, |v| (v ^ 0x8000).cast_signed())),
        Data::Counts(image) if !image.is_empty() => (image.dim(), true, 16, rows(image, |v| (v as u16 ^ 0x8000).cast_signed())),
        Data::I16(image) if !image.is_empty() => (image.dim(), false, 16, rows(image, |v| v)),
        Data::Sparse(image) if image.dim().0 * image.dim().1 > 0 => (image.dim(), false, 32, sparse_rows(image)),
        _ => return None,
    };
    Some(Packed { shape, unsigned, bits, tiles })
}

/// The rows of a sparse image, packed; those without a pixel are all one.
fn sparse_rows(image: &Sparse) -> Vec<Vec<u8>> {
    let (rows, columns) = image.dim();
    let empty = tile(&vec![0_i32; columns]);
    let pack = |values: &mut Vec<i32>, y: usize| {
        let row = image.row(y);
        if row.len() == 0 {
            return empty.clone();
        }
        values.fill(0);
        row.for_each(|(x, value)| values[x] = value);
        tile(values)
    };
    (0..rows).into_par_iter().map_init(|| vec![0; columns], pack).collect()
}

impl Packed {
    /// Adds the layout keywords, from XTENSION on, EXTNAME included.
    pub(super) fn describe(&self, hdu: &Hdu, path: &str) -> Result<Vec<String>, FitsError> {
        let heap: usize = self.tiles.iter().map(Vec::len).sum();
        let longest = self.tiles.iter().map(Vec::len).max().unwrap_or(0);
        if i32::try_from(heap).is_err() {
            return Err(FitsError::Content {
                path: path.into(),
                reason: format!("{} packed has {heap} bytes; at most 2^31 can be placed", hdu.name),
            });
        }
        let (rows, columns) = self.shape;
        let int = |n: usize| Value::Int(n as i64);
        let mut cards = Vec::new();
        let mut put = |key: &str, value: Value, comment: &str| encode(key, &value, comment).map(|c| cards.extend(c));
        put("XTENSION", "BINTABLE".into(), "binary table")?;
        put("BITPIX", int(8), "bits per value")?;
        put("NAXIS", int(2), "axes")?;
        put("NAXIS1", int(DESCRIPTOR), "bytes per row")?;
        put("NAXIS2", int(rows), "rows")?;
        put("PCOUNT", int(heap), "bytes of tiles")?;
        put("GCOUNT", int(1), "")?;
        put("TFIELDS", int(1), "columns")?;
        put("TTYPE1", "COMPRESSED_DATA".into(), "tiles")?;
        put("TFORM1", format!("1PB({longest})").into(), "")?;
        put("ZIMAGE", true.into(), "this table is an image in tiles")?;
        put("ZTENSION", "IMAGE".into(), "the unit as it is unpacked")?;
        put("ZBITPIX", int(self.bits as usize), "")?;
        put("ZNAXIS", int(2), "")?;
        put("ZNAXIS1", int(columns), "")?;
        put("ZNAXIS2", int(rows), "")?;
        put("ZPCOUNT", int(0), "")?;
        put("ZGCOUNT", int(1), "")?;
        put("ZTILE1", int(columns), "a tile is a row")?;
        put("ZTILE2", int(1), "")?;
        put("ZCMPTYPE", "RICE_1".into(), "without loss")?;
        put("ZNAME1", "BLOCKSIZE".into(), "")?;
        put("ZVAL1", int(BLOCK), "pixels of a block")?;
        put("ZNAME2", "BYTEPIX".into(), "")?;
        put("ZVAL2", int(self.bits as usize / 8), "bytes of a pixel")?;
        if self.unsigned {
            put("BSCALE", int(1), "")?;
            put("BZERO", Value::Int(32_768), "unsigned 16-bit integers")?;
        }
        if !hdu.name.is_empty() {
            put("EXTNAME", hdu.name.as_str().into(), "name of this unit")?;
        }
        Ok(cards)
    }

    /// Hands the data over: places of tiles, then tiles, in pieces whose lengths are multiples of four but for the last.
    pub(super) fn stream(&self, sink: &mut dyn FnMut(&[u8]) -> std::io::Result<()>) -> std::io::Result<()> {
        const PIECE: usize = 1 << 20;
        let mut bytes = Vec::with_capacity(PIECE + (1 << 16));
        let mut place = 0;
        for tile in &self.tiles {
            bytes.extend_from_slice(&(tile.len() as u32).to_be_bytes());
            bytes.extend_from_slice(&(place as u32).to_be_bytes());
            place += tile.len();
        }
        for tile in &self.tiles {
            bytes.extend_from_slice(tile);
            if bytes.len() >= PIECE {
                let whole = bytes.len() / 4 * 4;
                sink(&bytes[..whole])?;
                bytes.drain(..whole);
            }
        }
        sink(&bytes)
    }
}

/// Bits, the first in the highest place of the first byte.
struct Bits {
    bytes: Vec<u8>,
    /// Bits that are not yet bytes, the last in the lowest place.
    waiting: u64,
    count: u32,
}

impl Bits {
    /// Adds the lowest `count` bits of a value that has no others, at most 32.
    fn put(&mut self, value: u32, count: u32) {
        self.waiting = (self.waiting << count) | u64::from(value);
        self.count += count;
        if self.count >= 32 {
            self.count -= 32;
            self.bytes.extend_from_slice(&((self.waiting >> self.count) as u32).to_be_bytes());
        }
    }
    /// Adds zeros and a one.
    fn unary(&mut self, mut zeros: u32) {
        while zeros >= 31 {
            self.put(0, 31);
            zeros -= 31;
        }
        self.put(1, zeros + 1);
    }
    /// The bytes, the last filled with zeros.
    fn end(mut self) -> Vec<u8> {
        let rest = self.count.div_ceil(8);
        let aligned = (self.waiting << (8 * rest - self.count)) as u32;
        self.bytes.extend_from_slice(&aligned.to_be_bytes()[4 - rest as usize..]);
        self.bytes
    }
}

/// A row, packed.
fn tile<W: Word>(row: &[W]) -> Vec<u8> {
    let mut bits = Bits { bytes: Vec::with_capacity(row.len()), waiting: 0, count: 0 };
    let mut last = row.first().copied().unwrap_or_default();
    bits.put(last.bits(), W::BITS);
    let mut differences = [0_u32; BLOCK];
    for block in row.chunks(BLOCK) {
        for (out, value) in differences.iter_mut().zip(block) {
            *out = value.difference(last);
            last = *value;
        }
        let (differences, n) = (&differences[..block.len()], block.len() as u64);
        let sum = W::sum(differences);
        let half_mean = sum.saturating_sub(n / 2 + 1) / n / 2;
        let k = u64::BITS - half_mean.leading_zeros();
        if sum == 0 {
            bits.put(0, W::CODE_BITS);
        } else if k >= W::LARGEST_K {
            bits.put(W::LARGEST_K + 1, W::CODE_BITS);
            differences.iter().for_each(|v| bits.put(*v, W::BITS));
        } else {
            bits.put(k + 1, W::CODE_BITS);
            for v in differences {
                let (zeros, low) = (v >> k, v & ((1 << k) - 1));
                if zeros + 1 + k <= 32 {
                    bits.put((1 << k) | low, zeros + 1 + k);
                } else {
                    bits.unary(zeros);
                    bits.put(low, k);
                }
            }
        }
    }
    bits.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_by_hand() {
        // 5 in 16 bits; differences 0, 1, -1, 0 are v = 0, 2, 1, 0 with sum 3: k = 0, written as 1; then 1, 001, 01, 1.
        assert_eq!(tile(&[5_i16, 6, 5, 5]), [0, 5, 0b0001_1001, 0b0110_0000]);
        // Equal values cost four bits a block.
        assert_eq!(tile(&[-1_i16; 64]), [0xff, 0xff, 0]);
        assert_eq!(tile(&[-1_i16; 65]), [0xff, 0xff, 0, 0]);
        // Jumps over the whole range: 15, then 16 bits each.
        assert_eq!(tile(&[0, i16::MIN]), [0, 0, 0xf0, 0x00, 0x0f, 0xff, 0xf0]);
        // The same first row in 32 bits: five bits of k.
        assert_eq!(tile(&[5, 6, 5, 5]), [0, 0, 0, 5, 0b0000_1100, 0b1011_0000]);
        // 26, then 32 bits each.
        assert_eq!(tile(&[0, i32::MIN]), [0, 0, 0, 0, 0b1101_0000, 0, 0, 0, 0b0000_0111, 0xff, 0xff, 0xff, 0b1111_1000]);
    }
}
