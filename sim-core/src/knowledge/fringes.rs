//! What calibration knows of fringes.

use crate::frame::Window;
use ndarray::Array2;

/// The fringe pattern of a detector under the lines of the sky, on a coarse mesh over a window: fringes are hundreds of pixels
/// wide, so a mesh of some pixels holds them in a hundredth of the memory. Cell (j, i) is centred on the pixel
/// (`cell` (i + 1/2) - 1/2, the same in j) of the window; between centres the pattern is bilinear.
#[derive(Debug, Clone, PartialEq)]
pub struct FringeFrame {
    /// The window it is for.
    pub window: Window,
    /// Side of a cell \[pixel\].
    pub cell: usize,
    /// Pattern `[y, x]`, mean 0 and root mean square 1 over the window \[1\].
    pub pattern: Array2<f32>,
    /// Its variance.
    pub variance: Array2<f32>,
    /// Root mean square of the fringes in the exposures it was made from, median of them \[electron / s\].
    pub typical_electron_s: f64,
}

impl FringeFrame {
    /// Cells of `cell` pixels over `n` pixels; what is left at the end belongs to the last cell.
    #[must_use]
    pub fn cells(n: usize, cell: usize) -> usize {
        (n / cell.max(1)).max(1)
    }
    /// Bilinear value of a mesh of this frame along row `y` of the window.
    pub fn row(&self, mesh: &Array2<f32>, y: usize, out: &mut [f32]) {
        let (rows, columns) = mesh.dim();
        let place = |i: f32, n: usize| {
            let t = ((i + 0.5) / self.cell as f32 - 0.5).clamp(0.0, (n - 1) as f32);
            let k = (t as usize).min(n.saturating_sub(2));
            (k, (k + 1).min(n - 1), t - k as f32)
        };
        let (j0, j1, fy) = place(y as f32, rows);
        let (low, high) = (mesh.row(j0), mesh.row(j1));
        let blend: Vec<f32> = low.iter().zip(&high).map(|(a, b)| a + fy * (b - a)).collect();
        for (x, o) in out.iter_mut().enumerate() {
            let (i0, i1, fx) = place(x as f32, columns);
            *o = blend[i0] + fx * (blend[i1] - blend[i0]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_is_given_back_between_the_centres_of_the_cells() {
        let window = Window { x0: 0, y0: 0, nx: 40, ny: 24 };
        // Pixel (y, x) has x + 10 y; a cell of 8 has that at its centre, 3.5 + 8 i.
        let centre = |i: usize| 8.0 * i as f32 + 3.5;
        let pattern = Array2::from_shape_fn((3, 5), |(j, i)| centre(i) + 10.0 * centre(j));
        let frame = FringeFrame { window, cell: 8, variance: Array2::zeros((3, 5)), pattern, typical_electron_s: 0.0 };
        let mut row = vec![0.0; 40];
        frame.row(&frame.pattern, 9, &mut row);
        for (x, found) in row.iter().enumerate().take(36).skip(4) {
            assert!((found - (x as f32 + 90.0)).abs() < 1e-4, "{x}: {found}");
        }
        // Beyond the last centre it stays.
        assert_eq!(row[39], row[36]);
        assert_eq!(FringeFrame::cells(41, 8), 5);
        assert_eq!(FringeFrame::cells(3, 8), 1);
    }
}
