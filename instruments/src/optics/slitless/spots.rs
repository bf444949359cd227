//! Light that changes within a column: lines, and where a spectrum begins or ends.
//!
//! # Formula
//! Of the light of a column (n, m, q: its moments) the smooth part is s, the median of the means of three pairs of columns around it, with the slope b of its neighbours: (s, b / 12, s / 12). The
//! rest, L = n - s at d = (m - b / 12) / L with the variance v = (q - s / 12) / L - d^2, is two images at d - root(v) and d + root(v), or one.
//! Where d or v is none of a column's, three places have its moments, or, where a spectrum begins, all of the column's light is such images. Left out, it would cost `|S'''| |m - b / 12| / 6 + |S''''| |q - s / 12| / 24`, S the image's brightness.
//! # Source
//! Taylor's series of S about the column's middle.
//! # Limits
//! Third moments of the rest are taken as those of its two images.
//! # Twin
//! None: light is not undone.

use super::columns::Moments;

/// Variance \[pixel^2\] that is none.
const NARROW: f64 = 4e-4;
/// How far from its column's middle light can be said to lie \[pixel\].
const FARTHEST: f64 = 0.6;

/// Places of Gauss's rule of three points in a column \[pixel\], and the largest difference of a place's square from theirs within the column.
const GAUSS: f64 = 0.387_298_334_620_741_7;
const FARTHER: f64 = 0.15;
/// Fourth moment of three shares less that of even light.
const EVEN: f64 = 1.0 / 12.0 - 1.0 / 80.0;

/// Light at a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spot {
    /// Columns from the first of the trace.
    pub(super) at: f64,
    pub(super) electrons: f64,
    /// Number of the part.
    pub(super) part: usize,
}

/// Takes from the columns what is not smooth and would cost more than `allowed` \[electron\]; `per_electron` bounds the third and fourth derivative of the brightness
/// of one electron. Whether all could be told.
pub(super) fn take(columns: &mut [Moments], part: usize, per_electron: (f64, f64), allowed: f64, spots: &mut Vec<Spot>) -> bool {
    let light = |c: usize| columns.get(c).map_or(0.0, |m| m.light);
    // Means of columns at equal distances: a slope does not move them, and a line is in one of them at most.
    let smooth = |c: usize| {
        let pair = |k: usize| 0.5 * (c.checked_sub(k).map_or(0.0, light) + light(c + k));
        let mut pairs = [pair(1), pair(2), pair(3)];
        pairs.sort_by(f64::total_cmp);
        pairs[1]
    };
    let mut taken: Vec<(usize, Moments)> = Vec::new();
    let mut put = |(c, d, v): (usize, f64, f64), electrons: f64| {
        let at = c as f64 + d;
        if v < NARROW {
            spots.push(Spot { at, electrons, part });
        } else {
            spots.extend([-v.sqrt(), v.sqrt()].map(|off| Spot { at: at + off, electrons: 0.5 * electrons, part }));
        }
    };
    for (c, &column) in columns.iter().enumerate().take(columns.len().saturating_sub(1)).skip(1) {
        if column == Moments::default() {
            continue;
        }
        // Sums over whole columns are short of the fourth moment where even light ends.
        let step = column.light - light(c - 1).min(light(c + 1));
        if (light(c - 1) == 0.0 || light(c + 1) == 0.0) && per_electron.0 * step * EVEN / 24.0 > 2.0 * allowed {
            return false;
        }
        let cost = |rest: Moments| per_electron.0 * rest.first.abs() / 6.0 + per_electron.1 * rest.second.abs() / 24.0;
        let even = |s: f64, b: f64| Moments { light: s, first: b / 12.0, second: s / 12.0 };
        let least = |a: f64, b: f64| if a * b <= 0.0 { 0.0 } else { a.signum() * a.abs().min(b.abs()) };
        // What the next columns say is enough for most.
        let (before, after) = (light(c - 1), light(c + 1));
        if cost(column.less(even(column.light, least(after - column.light, column.light - before)))) <= allowed {
            continue;
        }
        let (s, before, after) = (smooth(c), smooth(c - 1), smooth(c + 1));
        let base = even(s, least(after - s, s - before));
        let rest = column.less(base);
        let (d, v) = (rest.first / rest.light, rest.second / rest.light - (rest.first / rest.light).powi(2));
        if d.abs() <= FARTHEST && v > -0.5 * NARROW && v < 0.25 {
            put((c, d, v), rest.light);
            taken.push((c, rest));
        } else if light(c - 1) == 0.0 || light(c + 1) == 0.0 {
            // Where the spectrum begins or ends: all of the column.
            let d = column.first / column.light;
            put((c, d, column.second / column.light - d * d), column.light);
            taken.push((c, column));
        } else {
            // Light that is moved, not added: three places have its moments, but not the third.
            if per_electron.0 * rest.first.abs() * FARTHER / 6.0 > allowed {
                return false;
            }
            let (pair, tilt) = (rest.second / (GAUSS * GAUSS), rest.first / GAUSS);
            for (off, electrons) in [(-GAUSS, 0.5 * (pair - tilt)), (0.0, rest.light - pair), (GAUSS, 0.5 * (pair + tilt))] {
                put((c, off, 0.0), electrons);
            }
            taken.push((c, rest));
        }
    }
    for (c, rest) in taken {
        columns[c] = columns[c].less(rest);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even(s: f64) -> Moments {
        Moments { light: s, first: 0.0, second: s / 12.0 }
    }

    #[test]
    fn a_line_on_a_slope_is_told_from_it() {
        let mut columns: Vec<Moments> = (0..20).map(|c| Moments { first: 0.3 / 12.0, ..even(10.0 + 0.3 * f64::from(c)) }).collect();
        let smooth = columns.clone();
        let (line, place) = (5.0, 0.31);
        columns[9] = Moments {
            light: smooth[9].light + line,
            first: smooth[9].first + line * place,
            second: smooth[9].second + line * place * place,
        };
        let mut spots = Vec::new();
        assert!(take(&mut columns, 1, (2.0, 8.0), 0.01, &mut spots));
        assert_eq!(spots.len(), 1);
        assert!((spots[0].at - 9.31).abs() < 1e-12 && (spots[0].electrons - line).abs() < 1e-12 && spots[0].part == 1, "{spots:?}");
        for (c, (left, was)) in columns.iter().zip(&smooth).enumerate() {
            let off = left.less(*was);
            assert!(off.light.abs() < 1e-12 && off.first.abs() < 1e-12 && off.second.abs() < 1e-12, "column {c}: {off:?}");
        }
    }

    #[test]
    fn nothing_is_lost_where_a_spectrum_begins_within_a_column() {
        let mut columns = vec![Moments::default(); 5];
        columns.extend([Moments { light: 3.0, first: 3.0 * 0.35, second: 3.0 * (0.35 * 0.35 + 0.09 / 12.0) }]);
        columns.extend(vec![even(10.0); 9]);
        let total = |columns: &[Moments], spots: &[Spot]| {
            let of = |m: Moments, c: f64| [m.light, m.first + c * m.light, m.second + 2.0 * c * m.first + c * c * m.light];
            let kept = columns.iter().enumerate().map(|(c, m)| of(*m, c as f64));
            let moved = spots.iter().map(|s| [s.electrons, s.electrons * s.at, s.electrons * s.at * s.at]);
            kept.chain(moved).fold([0.0; 3], |sum, v| std::array::from_fn(|i| sum[i] + v[i]))
        };
        let before = total(&columns, &[]);
        let mut spots = Vec::new();
        assert!(take(&mut columns, 0, (2.0, 0.2), 0.01, &mut spots));
        assert!(!spots.is_empty());
        for (a, b) in before.into_iter().zip(total(&columns, &spots)) {
            assert!((a - b).abs() < 1e-9 * a.abs(), "{a} {b}");
        }
    }

    #[test]
    fn the_smooth_is_left_alone() {
        let at = |x: f64| 100.0 + 20.0 * (x / 9.0).sin();
        let mut columns: Vec<Moments> = (0..60)
            .map(|c| {
                (0..200).fold(Moments::default(), |m, k| {
                    let x = -0.5 + (f64::from(k) + 0.5) / 200.0;
                    let light = at(f64::from(c) + x) / 200.0;
                    Moments { light: m.light + light, first: m.first + light * x, second: m.second + light * x * x }
                })
            })
            .collect();
        let mut spots = Vec::new();
        let inner = columns[5..55].to_vec();
        assert!(take(&mut columns, 0, (2.0, 8.0), 0.05, &mut spots));
        let edges = spots.iter().filter(|s| s.at > 5.0 && s.at < 55.0).count();
        assert_eq!((edges, &columns[5..55]), (0, &inner[..]));
    }
}
