//! Medians of 3, 5 and 7 by comparison networks, and the image's row operations made of them.
//!
//! Whole rows at a time: the loops run in vector registers, and minimum and maximum give the same bits in all of them.
//! Two-dimensional medians are separable: the median along rows, then along columns. That is not the true median of the
//! square, but differs little from it and costs a tenth (the option `sepmed` of astroscrappy, McCully et al. 2018).

use multiversion::multiversion;

#[inline(always)]
fn least(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}
#[inline(always)]
fn most(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}
#[inline(always)]
fn of3(a: f32, b: f32, c: f32) -> f32 {
    most(least(a, b), least(most(a, b), c))
}
#[inline(always)]
fn of5(a: f32, b: f32, c: f32, d: f32, e: f32) -> f32 {
    let low = most(least(a, b), least(c, d));
    let high = least(most(a, b), most(c, d));
    of3(e, low, high)
}
#[inline(always)]
fn of7(mut v: [f32; 7]) -> f32 {
    macro_rules! order {
        ($($i:literal $j:literal),*) => { $( let (a, b) = (v[$i], v[$j]); v[$i] = least(a, b); v[$j] = most(a, b); )* };
    }
    order!(0 5, 0 3, 1 6, 2 4, 0 1, 3 5, 2 6, 2 3, 3 6, 4 5, 1 4, 1 3, 3 4);
    v[3]
}

/// Median of three rows, element by element.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn median3(a: &[f32], b: &[f32], c: &[f32], out: &mut [f32]) {
    let n = out.len();
    let (a, b, c) = (&a[..n], &b[..n], &c[..n]);
    for i in 0..n {
        out[i] = of3(a[i], b[i], c[i]);
    }
}

/// Median of five rows, element by element.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn median5(rows: [&[f32]; 5], out: &mut [f32]) {
    let n = out.len();
    let [a, b, c, d, e] = rows.map(|r| &r[..n]);
    for i in 0..n {
        out[i] = of5(a[i], b[i], c[i], d[i], e[i]);
    }
}

/// Median of seven rows, element by element.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn median7(rows: [&[f32]; 7], out: &mut [f32]) {
    let n = out.len();
    let r = rows.map(|r| &r[..n]);
    for i in 0..n {
        out[i] = of7([r[0][i], r[1][i], r[2][i], r[3][i], r[4][i], r[5][i], r[6][i]]);
    }
}

/// Running median of three along a row; the ends stay as they are.
pub fn along3(row: &[f32], out: &mut [f32]) {
    let n = row.len();
    out.copy_from_slice(row);
    median3(row, &row[1..], &row[2..], &mut out[1..n - 1]);
}

/// Running median of five along a row; the ends stay as they are.
pub fn along5(row: &[f32], out: &mut [f32]) {
    let n = row.len();
    out.copy_from_slice(row);
    median5([row, &row[1..], &row[2..], &row[3..], &row[4..]], &mut out[2..n - 2]);
}

/// Running median of seven along a row; the ends stay as they are.
pub fn along7(row: &[f32], out: &mut [f32]) {
    let n = row.len();
    out.copy_from_slice(row);
    median7([row, &row[1..], &row[2..], &row[3..], &row[4..], &row[5..], &row[6..]], &mut out[3..n - 3]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_give_the_middle_of_every_order() {
        // All 0-1 inputs decide a comparison network (Knuth, The Art of Computer Programming 3, 5.3.4).
        let bits = |word: u32, k: usize| f32::from(u8::from(word >> k & 1 == 1));
        for word in 0..128_u32 {
            let v: Vec<f32> = (0..7).map(|k| bits(word, k)).collect();
            let middle = |n: usize| {
                let mut s = v[..n].to_vec();
                s.sort_by(f32::total_cmp);
                s[n / 2]
            };
            assert_eq!(of3(v[0], v[1], v[2]), middle(3));
            assert_eq!(of5(v[0], v[1], v[2], v[3], v[4]), middle(5));
            assert_eq!(of7([v[0], v[1], v[2], v[3], v[4], v[5], v[6]]), middle(7));
        }
    }

    #[test]
    fn running_medians_centre_on_their_element() {
        let row: Vec<f32> = (0..40).map(|i| ((i * 17) % 23) as f32).collect();
        let (mut a, mut b, mut c) = (row.clone(), row.clone(), row.clone());
        along3(&row, &mut a);
        along5(&row, &mut b);
        along7(&row, &mut c);
        for (half, out) in [(1, a), (2, b), (3, c)] {
            for i in half..row.len() - half {
                let mut window = row[i - half..=i + half].to_vec();
                window.sort_by(f32::total_cmp);
                assert_eq!(out[i], window[half], "{half} {i}");
            }
        }
    }
}
