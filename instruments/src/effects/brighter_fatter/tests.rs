use super::electrostatics::Slab;
use super::model::Kernel;
use super::shifts::{BoundaryShifts, REACH};
use super::tiles::{Flow, backward, forward};
use ndarray::Array2;
use sim_core::noise;
use sim_core::stream::StreamKey;

pub fn shifts() -> BoundaryShifts {
    Slab { thickness: 1.6, charge_height: 0.1, cloud_width: 0.6, column_barrier: 0.3, row_barrier: 0.1 }.shifts(3e-6).unwrap()
}

/// The same flow in f64, boundary by boundary, in many equal steps of the exposure.
fn stepped(n: &Array2<f64>, shifts: &BoundaryShifts, steps: usize) -> Array2<f64> {
    let (ny, nx) = n.dim();
    let at = |a: &Array2<f64>, y: isize, x: isize| {
        let mirror = |i: isize, n: usize| {
            if i < 0 {
                (-1 - i) as usize
            } else if i as usize >= n {
                2 * n - 1 - i as usize
            } else {
                i as usize
            }
        };
        a[[mirror(y, ny), mirror(x, nx)]]
    };
    let face = |a: [f64; 4]| ((7.0 * (a[1] + a[2]) - (a[0] + a[3])) / 12.0).max(0.0);
    let moved = |q: &Array2<f64>| -> Array2<f64> {
        let mut out = Array2::<f64>::zeros((ny, nx));
        for y in 0..ny as isize {
            for x in 0..nx as isize {
                let (mut right, mut up) = (0.0, 0.0);
                for k in 0..REACH as isize {
                    for l in -(REACH as isize)..=REACH as isize {
                        let (ku, lu) = (k as usize, l.unsigned_abs());
                        right += shifts.between_columns[ku][lu] * (at(q, y + l, x + 1 + k) - at(q, y + l, x - k));
                        up += shifts.between_rows[ku][lu] * (at(q, y + 1 + k, x + l) - at(q, y - k, x + l));
                    }
                }
                let right = right * face(std::array::from_fn(|i| at(n, y, x + i as isize - 1)));
                let up = up * face(std::array::from_fn(|i| at(n, y + i as isize - 1, x)));
                out[[y as usize, x as usize]] += right + up;
                if x + 1 < nx as isize {
                    out[[y as usize, x as usize + 1]] -= right;
                }
                if y + 1 < ny as isize {
                    out[[y as usize + 1, x as usize]] -= up;
                }
            }
        }
        out
    };
    let dt = 1.0 / steps as f64;
    let mut q = Array2::<f64>::zeros((ny, nx));
    for _ in 0..steps {
        // The mid-point rule.
        let middle = &q + &(n + &moved(&q)).mapv(|v| 0.5 * dt * v);
        q = &q + &(n + &moved(&middle)).mapv(|v| dt * v);
    }
    q
}

fn star(ny: usize, nx: usize, peak: f64) -> Array2<f32> {
    Array2::from_shape_fn((ny, nx), |(y, x)| {
        let r2 = (y as f64 - 0.45 * ny as f64).powi(2) + (x as f64 - 0.55 * nx as f64).powi(2);
        (30.0 + peak * (-r2 / (2.0 * 0.85 * 0.85)).exp()) as f32
    })
}

fn sum(a: &Array2<f32>) -> f64 {
    a.iter().map(|&v| f64::from(v)).sum()
}

#[test]
fn each_term_of_the_series_comes_nearer_to_small_steps() {
    let shifts = shifts();
    let kernel = Kernel::new(&shifts);
    let flow = Flow::new(&kernel, 9e4);
    let light = star(21, 24, 8e4);
    let exact = stepped(&light.mapv(f64::from), &shifts, 64);
    let error = |terms| {
        let mut pixels = light.clone();
        forward(&mut pixels, &flow, terms, None);
        pixels.iter().zip(&exact).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
    };
    let (one, two, three) = (error(1), error(2), error(3));
    // Shrinkage 0.24 times how much a star is narrower than a flat: terms fall by some 0.06 from one to the next.
    assert!(one > 100.0 && two < 0.1 * one && three < 0.1 * two && three < 2.0, "{one} {two} {three}");
    // Steps of 1/8 and 1/16 against the rest: second order, by four.
    let coarse = |steps| (&stepped(&light.mapv(f64::from), &shifts, steps) - &exact).iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let ratio = coarse(8) / coarse(16);
    assert!((3.5..4.7).contains(&ratio), "{ratio}");
}

#[test]
fn a_flat_stays_flat_bit_for_bit_and_borders_are_closed() {
    let kernel = Kernel::new(&shifts());
    let flow = Flow::new(&kernel, 9e4);
    let mut flat = Array2::from_elem((37, 530), 41_234.5_f32);
    let ledger = forward(&mut flat, &flow, 3, None);
    assert!(flat.iter().all(|&v| v == 41_234.5) && ledger.added == 0.0 && ledger.lost == 0.0, "{ledger:?}");
    // A star in the very corner keeps its charge in the frame.
    let before = Array2::from_shape_fn((40, 40), |(y, x)| if y < 2 && x < 2 { 6e4 } else { 100.0_f32 });
    let mut after = before.clone();
    forward(&mut after, &flow, 3, None);
    assert!(after[[0, 0]] < 5.99e4);
    // 1600 pixels rounded to 1 part in 1.7e7 of at most 6e4.
    assert!((sum(&after) - sum(&before)).abs() < 0.05, "{}", sum(&after) - sum(&before));
}

#[test]
fn no_charge_is_made_or_lost() {
    let kernel = Kernel::new(&shifts());
    let flow = Flow::new(&kernel, 9e4);
    let before = star(300, 700, 8e4).mapv(|v| v.floor());
    let mut after = before.clone();
    let ledger = forward(&mut after, &flow, 3, None);
    let moved = ledger.added;
    assert!(moved > 1000.0, "{moved}");
    assert!((sum(&after) - sum(&before)).abs() < 1e-5 * moved, "{} of {moved}", sum(&after) - sum(&before));
    assert!((sum(&after) - sum(&before) - ledger.net()).abs() < 1e-6);
}

#[test]
fn tiles_and_cut_outs_do_not_show() {
    let kernel = Kernel::new(&shifts());
    let flow = Flow::new(&kernel, 9e4);
    let key = StreamKey::new(3);
    let mut frame = Array2::from_elem((230, 1100), 2e4_f32);
    frame.rows_mut().into_iter().enumerate().for_each(|(y, mut row)| noise::poisson(&key.stream(y as u64), 0, row.as_slice_mut().unwrap()));
    let draws = |y0: usize, x0: usize| {
        move |y: usize, x: usize, out: &mut [f32]| noise::normals(&StreamKey::new(8).stream((y0 + y) as u64), (x0 + x) as u64, out)
    };
    let mut whole = frame.clone();
    forward(&mut whole, &flow, 3, Some(&draws(0, 0)));
    // A window that starts within a tile: its tiles lie elsewhere.
    let (y0, x0, ny, nx) = (100, 401, 120, 600);
    let mut part = frame.slice(ndarray::s![y0..y0 + ny, x0..x0 + nx]).to_owned();
    forward(&mut part, &flow, 3, Some(&draws(y0, x0)));
    let margin = 3 * REACH + 1;
    let inner =
        |a: &Array2<f32>, y: usize, x: usize| a.slice(ndarray::s![y + margin..y + ny - margin, x + margin..x + nx - margin]).to_owned();
    assert_eq!(inner(&whole, y0, x0), inner(&part, 0, 0));
    assert_ne!(
        whole.slice(ndarray::s![y0..y0 + 1, x0..x0 + nx]),
        part.slice(ndarray::s![0..1, ..]),
        "at its border the mirror is another neighbour"
    );
}

#[test]
fn what_faint_pixels_leave_out_is_far_below_their_noise() {
    let kernel = Kernel::new(&shifts());
    let flow = Flow::new(&kernel, 9e4);
    let exact = Flow { faint: 0.0, ..flow };
    // Sky and stars to full wells; a flat at the limit, where the rule leaves out most.
    let stars = Array2::from_shape_fn((96, 640), |(y, x)| {
        let r2 = (y as f64 % 48.0 - 20.6).powi(2) + (x as f64 % 64.0 - 30.3).powi(2);
        (60.0 + 10.0_f64.powf(3.0 + x as f64 / 320.0) * (-r2 / 1.4).exp()) as f32
    });
    let mut flat = Array2::from_elem((96, 640), 0.95 * flow.faint);
    flat.rows_mut()
        .into_iter()
        .enumerate()
        .for_each(|(y, mut row)| noise::poisson(&StreamKey::new(9).stream(y as u64), 0, row.as_slice_mut().unwrap()));
    let draws = |y: usize, x: usize, out: &mut [f32]| noise::normals(&StreamKey::new(4).stream(y as u64), x as u64, out);
    for (light, wanted) in [(stars, 2e-3), (flat, 3e-3)] {
        let moved = |flow: &Flow<'_>| {
            let (mut there, mut back) = (light.clone(), light.clone());
            let ledger = forward(&mut there, flow, 3, Some(&draws));
            backward(&mut back, flow, 2);
            (there, back, ledger.added)
        };
        let ((fast, fast_back, _), (slow, slow_back, added)) = (moved(&flow), moved(&exact));
        let worst = |a: &Array2<f32>, b: &Array2<f32>| {
            let apart = a.iter().zip(b).zip(&light).map(|((a, b), n)| (a - b).abs() / n.max(1.0).sqrt());
            apart.fold(0.0_f32, f32::max)
        };
        let found = (worst(&fast, &slow), worst(&fast_back, &slow_back));
        println!("worst, in errors of a pixel: {found:?}; {added} electron moved");
        assert!(found.0 < wanted && found.1 < wanted && added > 10.0, "{found:?} {added}");
        assert!((sum(&fast_back) - sum(&light)).abs() < 0.05, "charge stays");
    }
}

#[test]
fn the_inverse_series_gives_the_light_back() {
    let kernel = Kernel::new(&shifts());
    let flow = Flow::new(&kernel, 9e4);
    let light = star(64, 64, 8e4);
    let mut pixels = light.clone();
    forward(&mut pixels, &flow, 3, None);
    let worst = |a: &Array2<f32>| a.iter().zip(&light).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max);
    let moved = worst(&pixels);
    assert!(moved > 1000.0, "{moved}");
    let left: Vec<f32> = (0..3)
        .map(|rounds| {
            let mut back = pixels.clone();
            backward(&mut back, &flow, rounds);
            worst(&back)
        })
        .collect();
    assert!(left[0] < 0.2 * moved && left[1] < 0.05 * left[0] && left[2] < 1.5, "{left:?} of {moved}");
}

#[test]
fn a_full_pixel_shifts_boundaries_no_further() {
    let kernel = Kernel::new(&shifts());
    let flow = Flow::new(&kernel, 9e4);
    // A bleeding star: the wells are full early, and all pixels stay positive.
    let mut pixels = star(48, 48, 5e6);
    forward(&mut pixels, &flow, 3, None);
    assert!(pixels.iter().all(|&v| v > 0.0 && v.is_finite()), "{:?}", pixels.iter().copied().fold(f32::MAX, f32::min));
    let mut hurt = star(48, 48, 1e3);
    hurt[[10, 10]] = f32::NAN;
    forward(&mut hurt, &flow, 3, None);
    assert_eq!(hurt.iter().filter(|v| !v.is_finite()).count(), 1, "a fault stays where it is");
}

/// Mean of the products of pixels `(i, j)` apart, about the mean.
fn covariance(a: &Array2<f32>, i: usize, j: usize) -> f64 {
    let (ny, nx) = a.dim();
    let mean = sum(a) / a.len() as f64;
    let mut total = 0.0;
    for y in 0..ny - j {
        for x in 0..nx - i {
            total += (f64::from(a[[y, x]]) - mean) * (f64::from(a[[y + j, x + i]]) - mean);
        }
    }
    total / ((ny - j) * (nx - i)) as f64
}

/// Covariances of flats in closed form, by the series in powers of a: Astier et al. 2019.
fn closed_form(shifts: &BoundaryShifts, v: f64) -> Array2<f64> {
    const SIDE: usize = 33;
    let (mut term, mut out) = (Array2::<f64>::zeros((SIDE, SIDE)), Array2::<f64>::zeros((SIDE, SIDE)));
    let centre = SIDE / 2;
    term[[centre, centre]] = v;
    for order in 1..8 {
        out += &term;
        // The next power of 2 a v / (order + 1).
        let mut next = Array2::<f64>::zeros((SIDE, SIDE));
        for ((y, x), &t) in term.indexed_iter() {
            if t == 0.0 {
                continue;
            }
            for j in -(REACH as isize)..=REACH as isize {
                for i in -(REACH as isize)..=REACH as isize {
                    let (to_y, to_x) = (y as isize + j, x as isize + i);
                    if (0..SIDE as isize).contains(&to_y) && (0..SIDE as isize).contains(&to_x) {
                        next[[to_y as usize, to_x as usize]] +=
                            t * 2.0 * v * shifts.area(i.unsigned_abs(), j.unsigned_abs()) / (order + 1) as f64;
                    }
                }
            }
        }
        term = next;
    }
    out.slice(ndarray::s![centre..centre + 5, centre..centre + 5]).to_owned()
}

#[test]
fn covariances_of_flats_are_those_of_the_closed_form() {
    let shifts = shifts();
    let kernel = Kernel::new(&shifts);
    let flow = Flow::new(&kernel, 9e4);
    let (ny, nx, level) = (2000, 2000, 7e4);
    let measure = |draw: bool| {
        let mut sums = Array2::<f64>::zeros((3, 3));
        let frames = 3;
        for id in 0..frames {
            let mut flat = Array2::from_elem((ny, nx), level as f32);
            flat.rows_mut()
                .into_iter()
                .enumerate()
                .for_each(|(y, mut row)| noise::poisson(&StreamKey::new(5).with(id).stream(y as u64), 0, row.as_slice_mut().unwrap()));
            let draws = |y: usize, x: usize, out: &mut [f32]| noise::normals(&StreamKey::new(6).with(id).stream(y as u64), x as u64, out);
            forward(&mut flat, &flow, 3, if draw { Some(&draws) } else { None });
            sums += &Array2::from_shape_fn((3, 3), |(j, i)| covariance(&flat, i, j) / frames as f64);
        }
        sums
    };
    let expected = closed_form(&shifts, level);
    let measured = measure(true);
    let pixels = 3.0 * (ny * nx) as f64;
    for j in 0..3 {
        for i in 0..3 {
            // White noise to first order: C00 sqrt(1 / n), the variance sqrt(2 / n).
            let error = expected[[0, 0]] * (if i + j == 0 { 2.0 } else { 1.0 } / pixels).sqrt();
            let apart = (measured[[j, i]] - expected[[j, i]]) / error;
            assert!(apart.abs() < 4.0, "lag {i} {j}: {} instead of {}, {apart} errors", measured[[j, i]], expected[[j, i]]);
        }
    }
    assert!(expected[[0, 0]] < 0.84 * level && expected[[1, 0]] > 0.02 * level, "the effect is large here");
    // With all electrons at half time the variance misses the twelfth of the square of the shrinkage: (0.21)^2 / 12 = 0.4 %.
    let without = measure(false)[[0, 0]] / expected[[0, 0]] - 1.0;
    assert!((-0.006..-0.002).contains(&without), "{without}");
}
