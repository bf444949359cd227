//! Large arrays in huge pages.
//!
//! A frame of 85 Mpixel is 83,000 pages of 4 kB. Touching each for the first time costs the kernel 0.1 to 0.2 s, and stamps
//! that land anywhere in it miss the translation cache on every row. Linux hands out pages of 2 MB where it is asked to
//! (`transparent_hugepage` set to `madvise` or `always`); elsewhere, and where it has none, nothing changes but the time.
//!
//! Memory that was never touched before is dear on virtual machines, whose hosts give pages out one by one (2 to 3 s a gigabyte were measured, where
//! a page used before takes 0.05): what a stage has read and nobody reads again is given back ([`release`]), and the next array lies there.

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

/// Gives the whole huge pages behind the values back to the system. The values are then what they were or 0, page by page; writing
/// takes new pages.
pub fn release(values: &mut [f32]) {
    give_back(values);
}

/// The whole huge pages within a slice of at least [`LARGE`] bytes: address and length.
#[cfg(target_os = "linux")]
fn pages<T>(values: &[T]) -> Option<(usize, usize)> {
    let bytes = std::mem::size_of_val(values);
    let start = values.as_ptr() as usize;
    let (first, last) = (start.next_multiple_of(HUGE_PAGE), (start + bytes) / HUGE_PAGE * HUGE_PAGE);
    (bytes >= LARGE && last > first).then(|| (first, last - first))
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "advice to the kernel about memory that is ours")]
fn advise<T>(array: &Array2<T>) {
    if let Some((first, bytes)) = pages(array.as_slice().unwrap_or(&[])) {
        // SAFETY: the range lies within the array's own allocation; the advice changes neither content nor access, only the size of
        // the pages behind it. Failure is harmless.
        unsafe { libc::madvise(first as *mut libc::c_void, bytes, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "advice to the kernel about memory that is ours")]
fn give_back(values: &mut [f32]) {
    if let Some((first, bytes)) = pages(values) {
        // SAFETY: the range lies within the slice, which is borrowed for writing; pages taken away read as zeros, and any bits are an
        // `f32`. Memory of the allocator is private and not from a file. Failure is harmless.
        unsafe { libc::madvise(first as *mut libc::c_void, bytes, libc::MADV_DONTNEED) };
    }
}

#[cfg(not(target_os = "linux"))]
fn advise<T>(_: &Array2<T>) {}

#[cfg(not(target_os = "linux"))]
fn give_back(_: &mut [f32]) {}

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

    #[test]
    fn what_is_released_is_itself_or_zero_and_can_be_written_again() {
        let mut array = zeros::<f32>((4096, 1024));
        array.fill(3.0);
        let values = array.as_slice_mut().unwrap();
        let (gone, kept) = values.split_at_mut(3 << 20);
        release(gone);
        assert!(gone.iter().all(|v| *v == 3.0 || *v == 0.0));
        assert!(kept.iter().all(|v| *v == 3.0), "only what was named");
        gone.fill(5.0);
        assert!(gone.iter().all(|v| *v == 5.0));
    }
}
