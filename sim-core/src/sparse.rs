//! Images of whole numbers that are 0 but in few pixels: masks, and the charge of cosmic rays.

use ndarray::Array2;
use std::ops::Range;

/// An image that is 0 but in the pixels named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sparse {
    shape: (usize, usize),
    /// Place `y * columns + x` and value, by place.
    pixels: Vec<(u32, i32)>,
}

impl Sparse {
    /// An image of `shape` (rows, columns). Of a place named twice the last value counts.
    ///
    /// # Panics
    /// When a place is not in the image.
    #[must_use]
    pub fn new(shape: (usize, usize), mut pixels: Vec<(u32, i32)>) -> Self {
        pixels.sort_by_key(|pixel| pixel.0);
        pixels.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 = later.1;
            }
            same
        });
        assert!(pixels.last().is_none_or(|p| (p.0 as usize) < shape.0 * shape.1), "a pixel outside an image of {shape:?}");
        Self { shape, pixels }
    }
    /// Rows and columns.
    #[must_use]
    pub fn dim(&self) -> (usize, usize) {
        self.shape
    }
    /// The pixels named: place and value, by place.
    #[must_use]
    pub fn pixels(&self) -> &[(u32, i32)] {
        &self.pixels
    }
    /// The pixels named in row `y`: column and value.
    pub fn row(&self, y: usize) -> impl ExactSizeIterator<Item = (usize, i32)> {
        let first = y * self.shape.1;
        let from = |place: usize| self.pixels.partition_point(|p| (p.0 as usize) < place);
        let range: Range<usize> = from(first)..from(first + self.shape.1);
        self.pixels[range].iter().map(move |&(place, value)| (place as usize - first, value))
    }
    /// The whole image `[y, x]`.
    #[must_use]
    pub fn dense(&self) -> Array2<i32> {
        let mut image = crate::memory::zeros(self.shape);
        for &(place, value) in &self.pixels {
            image[(place as usize / self.shape.1, place as usize % self.shape.1)] = value;
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_the_whole_image() {
        let image = Sparse::new((3, 4), vec![(9, -2), (3, 5), (0, 1), (3, 7)]);
        assert_eq!(image.dense(), ndarray::array![[1, 0, 0, 7], [0, 0, 0, 0], [0, -2, 0, 0]]);
        assert_eq!(image.row(0).collect::<Vec<_>>(), [(0, 1), (3, 7)]);
        assert_eq!(image.row(1).len(), 0);
        assert_eq!(image.row(2).collect::<Vec<_>>(), [(1, -2)]);
    }

    #[test]
    #[should_panic(expected = "outside")]
    fn a_place_outside_is_refused() {
        let _ = Sparse::new((2, 2), vec![(4, 1)]);
    }
}
