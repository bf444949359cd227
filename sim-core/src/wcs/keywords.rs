//! The keywords of a world-coordinate system, to a header and back.

use super::{Pv, Wcs, tpv};
use crate::fits::{FitsError, Header, Value};

impl Wcs {
    /// Writes CTYPE, CUNIT, CRPIX, CRVAL, CD, PV, LONPOLE, RADESYS; PV keywords that were there before are removed.
    pub fn write(&self, header: &mut Header) {
        header.cards.retain(|c| pv_key(&c.0).is_none());
        let kind = if self.pv.is_some() { "TPV" } else { "TAN" };
        header.set("CTYPE1", format!("RA---{kind}"), "right ascension");
        header.set("CTYPE2", format!("DEC--{kind}"), "declination");
        for i in 0..2 {
            header.set(&format!("CUNIT{}", i + 1), "deg", "");
        }
        for i in 0..2 {
            header.set(&format!("CRPIX{}", i + 1), self.crpix[i], "[pixel] reference pixel");
        }
        for i in 0..2 {
            header.set(&format!("CRVAL{}", i + 1), self.crval[i], "[deg] coordinate of the reference pixel");
        }
        for i in 0..2 {
            for j in 0..2 {
                header.set(&format!("CD{}_{}", i + 1, j + 1), self.cd[i][j], "[deg / pixel]");
            }
        }
        for (i, coefficients) in self.pv.iter().flatten().enumerate() {
            for (k, c) in coefficients.iter().enumerate() {
                // The term of first order is not 0 when absent: it is always written.
                if *c != 0.0 || k == 1 {
                    header.set(&format!("PV{}_{k}", i + 1), *c, "distortion");
                }
            }
        }
        // Without it the default at the north pole, and there alone, is 0.
        header.set("LONPOLE", 180.0, "[deg] native longitude of the celestial pole");
        header.set("RADESYS", "ICRS", "reference system");
    }

    /// Reads TAN and TPV, with a CD matrix as [`Wcs::write`] writes it, or with PC and CDELT.
    ///
    /// # Errors
    /// When a keyword is missing, malformed, the CD matrix is singular or the projection is another.
    pub fn read(header: &Header) -> Result<Self, FitsError> {
        let refuse = |key: &str, reason: String| FitsError::Keyword { key: key.into(), reason };
        let number = |key: &str| match header.get(key) {
            Some(Value::Real(v)) => Ok(*v),
            Some(Value::Int(v)) => Ok(*v as f64),
            Some(other) => Err(refuse(key, format!("{other:?} is not a number"))),
            None => Err(refuse(key, "missing; a world-coordinate system needs it".into())),
        };
        let kind = |key: &str, axis: &str| match header.text(key) {
            Some(text) if text == format!("{axis}TAN") => Ok("TAN"),
            Some(text) if text == format!("{axis}TPV") => Ok("TPV"),
            Some(text) => Err(refuse(key, format!("'{text}' cannot be read; allowed are '{axis}TAN' and '{axis}TPV'"))),
            None => Err(refuse(key, "missing; a world-coordinate system needs it".into())),
        };
        let (first, second) = (kind("CTYPE1", "RA---")?, kind("CTYPE2", "DEC--")?);
        if first != second {
            return Err(refuse("CTYPE2", format!("{second} on the second axis, {first} on the first")));
        }
        for key in ["CUNIT1", "CUNIT2"] {
            if let Some(unit) = header.get(key)
                && !matches!(unit, Value::Text(u) if u.trim_end() == "deg")
            {
                return Err(refuse(key, format!("{unit:?} cannot be read; allowed is 'deg'")));
            }
        }
        let cd = if header.get("CD1_1").is_some() {
            [[number("CD1_1")?, number("CD1_2")?], [number("CD2_1")?, number("CD2_2")?]]
        } else if header.get("CDELT1").is_some() {
            // PC is the identity where it is not given.
            let turn = |i: usize, j: usize| {
                let key = format!("PC{i}_{j}");
                if header.get(&key).is_some() { number(&key) } else { Ok(if i == j { 1.0 } else { 0.0 }) }
            };
            let (a, b) = (number("CDELT1")?, number("CDELT2")?);
            [[a * turn(1, 1)?, a * turn(1, 2)?], [b * turn(2, 1)?, b * turn(2, 2)?]]
        } else {
            return Err(refuse("CD1_1", "missing, and CDELT1 too; a world-coordinate system needs one of them".into()));
        };
        let wcs = Self {
            crpix: [number("CRPIX1")?, number("CRPIX2")?],
            crval: [number("CRVAL1")?, number("CRVAL2")?],
            cd,
            pv: coefficients(header, first == "TPV")?,
        };
        if wcs.crval[1].abs() > 90.0 {
            return Err(refuse("CRVAL2", format!("{} deg is outside -90..90", wcs.crval[1])));
        }
        if wcs.inverse_cd().is_none() {
            return Err(refuse("CD1_1", format!("the matrix {:?} is singular", wcs.cd)));
        }
        let pole = if header.get("LONPOLE").is_some() { number("LONPOLE")? } else { 180.0 };
        if pole != 180.0 {
            return Err(refuse("LONPOLE", format!("{pole} deg cannot be read; allowed is 180")));
        }
        Ok(wcs)
    }
}

fn coefficients(header: &Header, is_tpv: bool) -> Result<Option<[Pv; 2]>, FitsError> {
    // A term of first order that is absent is 1 (identity), all others 0.
    let mut pv = [vec![0.0, 1.0], vec![0.0, 1.0]];
    for (key, value, _) in &header.cards {
        let Some((axis, k)) = pv_key(key) else { continue };
        let refuse = |reason: &str| Err(FitsError::Keyword { key: key.clone(), reason: reason.into() });
        if !is_tpv {
            // PVi_0 to PVi_4 of a TAN axis say nothing about distortion.
            if k <= 4 {
                continue;
            }
            return refuse("distortion terms need CTYPE 'RA---TPV' and 'DEC--TPV'");
        }
        if k >= tpv::TERMS {
            return refuse("TPV has terms 0 to 39");
        }
        let c = match value {
            Value::Real(v) => *v,
            Value::Int(v) => *v as f64,
            _ => return refuse("not a number"),
        };
        if pv[axis].len() <= k {
            pv[axis].resize(k + 1, 0.0);
        }
        pv[axis][k] = c;
    }
    Ok(is_tpv.then_some(pv))
}

/// Axis (from 0) and term of a keyword PVi_k of the first two axes.
fn pv_key(key: &str) -> Option<(usize, usize)> {
    let (axis, term) = key.strip_prefix("PV")?.split_once('_')?;
    let axis: usize = axis.parse().ok()?;
    Some((axis.checked_sub(1).filter(|a| *a < 2)?, term.parse().ok()?))
}
