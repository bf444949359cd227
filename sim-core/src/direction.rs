//! Directions as unit vectors, axes of the ICRS (or of any other frame).

/// A vector.
pub type Vector = [f64; 3];

/// Unit vector of a position \[deg\].
#[must_use]
pub fn vector(ra_deg: f64, dec_deg: f64) -> Vector {
    of_radians((ra_deg.to_radians(), dec_deg.to_radians()))
}

/// Unit vector of a longitude and latitude \[rad\].
#[must_use]
pub fn of_radians((lon, lat): (f64, f64)) -> Vector {
    let (sa, ca) = lon.sin_cos();
    let (sd, cd) = lat.sin_cos();
    [cd * ca, cd * sa, sd]
}

/// Scalar product.
#[inline]
#[must_use]
pub fn dot(a: &Vector, b: &Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Vector product.
#[must_use]
pub fn cross(a: &Vector, b: &Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// The same direction, of length one. Not a number for the zero vector.
#[must_use]
pub fn unit(a: Vector) -> Vector {
    let norm = dot(&a, &a).sqrt();
    a.map(|v| v / norm)
}

/// Right ascension (0 inclusive to 360) and declination \[deg\] of a direction of any length.
#[must_use]
pub fn degrees(q: &Vector) -> (f64, f64) {
    let ra = q[1].atan2(q[0]).to_degrees().rem_euclid(360.0);
    // A tiny negative angle rounds up to the full circle.
    (if ra < 360.0 { ra } else { 0.0 }, q[2].atan2(q[0].hypot(q[1])).to_degrees())
}

/// Angle between two directions of any length \[rad\], exact for small angles.
#[must_use]
pub fn angle(a: &Vector, b: &Vector) -> f64 {
    let w = cross(a, b);
    dot(&w, &w).sqrt().atan2(dot(a, b))
}

/// The position \[deg\] that lies so far east and north of another in its tangent plane \[rad\]; right ascension 0 (inclusive) to 360. Exact at the poles.
#[must_use]
pub fn shifted((ra_deg, dec_deg): (f64, f64), east: f64, north: f64) -> (f64, f64) {
    let (sa, ca) = ra_deg.to_radians().sin_cos();
    let (sd, cd) = dec_deg.to_radians().sin_cos();
    let p = vector(ra_deg, dec_deg);
    let q = [p[0] - sa * east - sd * ca * north, p[1] + ca * east - sd * sa * north, p[2] + cd * north];
    degrees(&q)
}
