//! The TPV polynomial: 40 terms per axis, three of them in r (registered convention "TPV World Coordinate System").
//!
//! First axis: `PV1_0 + PV1_1 u + PV1_2 v + PV1_3 r + PV1_4 u2 + PV1_5 u v + PV1_6 v2 + PV1_7 u3 ... + PV1_39 r7` with
//! `r = sqrt(u2 + v2)`; second axis: the same with u and v exchanged. All in degrees.

/// Terms of an axis.
pub(super) const TERMS: usize = 40;
/// Highest total degree.
pub(super) const DEGREE: usize = 7;
/// Index of the first term of each degree, u^d.
const FIRST: [usize; DEGREE + 1] = [0, 1, 4, 7, 12, 17, 24, 31];

/// A term: powers of u and v, or of r.
#[derive(Clone, Copy)]
enum Term {
    Powers(usize, usize),
    Radius(usize),
}

const TABLE: [Term; TERMS] = {
    let mut table = [Term::Powers(0, 0); TERMS];
    let mut degree = 1;
    while degree <= DEGREE {
        let mut j = 0;
        while j <= degree {
            table[FIRST[degree] + j] = Term::Powers(degree - j, j);
            j += 1;
        }
        if degree % 2 == 1 {
            table[FIRST[degree] + degree + 1] = Term::Radius(degree);
        }
        degree += 1;
    }
    table
};

/// Index of the term `u^i v^j` for the first axis; for the second axis exchange i and j.
pub(super) const fn index(i: usize, j: usize) -> usize {
    FIRST[i + j] + j
}

/// Total degree of a term.
pub(super) const fn degree(index: usize) -> usize {
    match TABLE[index] {
        Term::Powers(i, j) => i + j,
        Term::Radius(n) => n,
    }
}

/// Value and derivatives by u and v of one axis. For the second axis exchange u and v in the call and the derivatives.
pub(super) fn evaluate(coefficients: &[f64], u: f64, v: f64) -> [f64; 3] {
    let degree = (1..=DEGREE).rev().find(|d| coefficients.len() > FIRST[*d]).unwrap_or(0);
    let (mut us, mut vs) = ([1.0; DEGREE + 1], [1.0; DEGREE + 1]);
    for i in 1..=degree {
        us[i] = us[i - 1] * u;
        vs[i] = vs[i - 1] * v;
    }
    let [mut value, mut du, mut dv] = [0.0; 3];
    for (c, term) in coefficients.iter().zip(TABLE) {
        if *c == 0.0 {
            continue;
        }
        match term {
            Term::Powers(i, j) => {
                value += c * us[i] * vs[j];
                if i > 0 {
                    du += c * i as f64 * us[i - 1] * vs[j];
                }
                if j > 0 {
                    dv += c * j as f64 * us[i] * vs[j - 1];
                }
            }
            Term::Radius(n) => {
                let r = u.hypot(v);
                value += c * r.powi(n as i32);
                // At r = 0 the slope of r itself has no direction: the mean of all of them, 0.
                if r > 0.0 {
                    let slope = c * n as f64 * r.powi(n as i32 - 2);
                    du += slope * u;
                    dv += slope * v;
                }
            }
        }
    }
    [value, du, dv]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_stand_where_the_convention_puts_them() {
        let at = |k: usize| {
            let mut c = [0.0; TERMS];
            c[k] = 1.0;
            // u = 3, v = 4, r = 5.
            evaluate(&c, 3.0, 4.0)[0]
        };
        let expected = [
            (0, 1.0),
            (1, 3.0),
            (2, 4.0),
            (3, 5.0),
            (4, 9.0),
            (5, 12.0),
            (6, 16.0),
            (7, 27.0),
            (8, 36.0),
            (9, 48.0),
            (10, 64.0),
            (11, 125.0),
            (12, 81.0),
            (16, 256.0),
            (17, 243.0),
            (22, 1024.0),
            (23, 3125.0),
            (24, 729.0),
            (30, 4096.0),
            (31, 2187.0),
            (38, 16384.0),
            (39, 78125.0),
        ];
        for (k, value) in expected {
            assert_eq!(at(k), value, "term {k}");
        }
        assert_eq!(index(3, 2), 19, "u3 v2 is PV1_19");
    }

    #[test]
    fn derivatives_agree_with_differences() {
        let c: Vec<f64> = (0..TERMS).map(|k| 1.0 / (k + 1) as f64).collect();
        let (u, v, h) = (0.4, -0.7, 1e-5);
        let [_, du, dv] = evaluate(&c, u, v);
        let by_u = (evaluate(&c, u + h, v)[0] - evaluate(&c, u - h, v)[0]) / (2.0 * h);
        let by_v = (evaluate(&c, u, v + h)[0] - evaluate(&c, u, v - h)[0]) / (2.0 * h);
        // Central differences: h^2 f'''/6 ~ 1e-10, rounding 1e-16 / h ~ 1e-11.
        assert!((du - by_u).abs() < 1e-9 && (dv - by_v).abs() < 1e-9, "{du} {by_u} {dv} {by_v}");
        assert_eq!(evaluate(&[0.0, 0.0, 0.0, 1.0], 0.0, 0.0), [0.0; 3]);
    }
}
