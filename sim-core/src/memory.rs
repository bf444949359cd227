//! Large arrays in huge pages.
//!
//! A frame of 85 Mpixel is 83,000 pages of 4 kB. Touching each for the first time costs the kernel 0.1 to 0.2 s, and stamps
//! that land anywhere in it miss the translation cache on every row. Linux hands out pages of 2 MB where it is asked to
//! (`transparent_hugepage` set to `madvise` or `always`); elsewhere, and where it has none, nothing changes but the time.

use ndarray::Array2;

/// Arrays below this many bytes are left as they are.
#[cfg(target_os = "linux")]
const LARGE: usize = 8 << 20;
/// Size of a huge page.
#[cfg(target_os = "linux")]
const HUGE_PAGE: usize = 2 << 20;

/// An array of zeros (of `T`'s default), not yet touched, `[y, x]`.
#[must_use]
pub fn zeros<T: Copy + Default>(shape: (usize, usize)) -> Array2<T> {
    let array = Array2::from_elem(shape, T::default());
    advise(&array);
    array
}

/// A copy of an array in standard layout.
#[must_use]
pub fn copy<T: Copy + Default>(array: &Array2<T>) -> Array2<T> {
    let mut out = zeros(array.dim());
    out.assign(array);
    out
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "advice to the kernel about memory that is ours")]
fn advise<T>(array: &Array2<T>) {
    let bytes = std::mem::size_of_val(array.as_slice().unwrap_or(&[]));
    if bytes < LARGE {
        return;
    }
    let start = array.as_ptr() as usize;
    let (first, last) = (start.next_multiple_of(HUGE_PAGE), (start + bytes) / HUGE_PAGE * HUGE_PAGE);
    // SAFETY: the range lies within the array's own allocation; the advice changes neither content nor access, only the size of
    // the pages behind it. Failure is harmless.
    unsafe { libc::madvise(first as *mut libc::c_void, last - first, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn advise<T>(_: &Array2<T>) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_arrays_are_zero_and_copies_are_equal() {
        // Odd sizes, so that neither end of the array is the end of a huge page.
        let mut array = zeros::<f32>((2049, 1537));
        assert!(array.iter().all(|&v| v == 0.0));
        array.iter_mut().enumerate().for_each(|(i, v)| *v = i as f32);
        assert_eq!(copy(&array), array);
        assert_eq!(copy(&array.t().to_owned()), array.t());
        assert_eq!(zeros::<u16>((0, 5)).dim(), (0, 5));
    }
}
