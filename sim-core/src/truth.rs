//! Truth as a product: written by the very call that makes the light.

use crate::source::SourceKind;
use crate::table::{Column, ColumnData, Table};

/// One object of a frame, as it really was. Definitions are fixed here once:
/// `electrons` is the **expected** number on the whole focal plane, before vignetting, flat and shutter;
/// `electrons_in_frame` the expected number inside the window.
#[derive(Debug, Clone, PartialEq)]
pub struct TruthRow {
    /// Object number.
    pub id: u64,
    /// Star, galaxy, ...
    pub kind: SourceKind,
    /// Right ascension \[deg\], ICRS, as observed.
    pub ra_deg: f64,
    /// Declination \[deg\], ICRS, as observed.
    pub dec_deg: f64,
    /// Column of the centre, 0-based detector pixels (FITS minus 1).
    pub x: f64,
    /// Row of the centre, 0-based detector pixels.
    pub y: f64,
    /// AB magnitude in the band of the detector.
    pub magnitude: f64,
    /// Expected electrons in the exposure, all of the object.
    pub electrons: f64,
    /// Expected electrons inside the window.
    pub electrons_in_frame: f64,
    /// Half-light radius of the largest component before lensing \[arcsec\]; 0 for a point.
    pub half_light_radius_arcsec: f64,
    /// Sersic index of the brightest component; 0 for a point.
    pub sersic_index: f64,
    /// Fraction of the electrons in the first (bulge) component.
    pub bulge_fraction: f64,
    /// Intrinsic reduced shear of the brightest component (sky frame, east-north), component 1.
    pub shape_g1: f64,
    /// The same, component 2.
    pub shape_g2: f64,
    /// Lensing reduced shear, component 1.
    pub lens_g1: f64,
    /// Lensing reduced shear, component 2.
    pub lens_g2: f64,
    /// Lensing convergence.
    pub kappa: f64,
    /// Redshift; 0 for a star.
    pub redshift: f64,
    /// Name of the spectrum of the brightest component.
    pub spectrum: String,
}

/// The object table of a frame.
#[must_use]
pub fn object_table(rows: &[TruthRow]) -> Table {
    fn f64s(rows: &[TruthRow], get: impl Fn(&TruthRow) -> f64) -> ColumnData {
        ColumnData::F64(rows.iter().map(get).collect())
    }
    let column = Column::new;
    Table {
        name: "OBJECTS".into(),
        columns: vec![
            column("OBJ_ID", "", "object number", ColumnData::I64(rows.iter().map(|r| r.id as i64).collect())),
            column("OBJ_TYPE", "", "star, galaxy, ...", ColumnData::Text(rows.iter().map(|r| r.kind.name().to_string()).collect())),
            column("RA", "deg", "right ascension, ICRS", f64s(rows, |r| r.ra_deg)),
            column("DEC", "deg", "declination, ICRS", f64s(rows, |r| r.dec_deg)),
            column("X", "pixel", "column of the centre, 0-based detector pixels", f64s(rows, |r| r.x)),
            column("Y", "pixel", "row of the centre, 0-based detector pixels", f64s(rows, |r| r.y)),
            column("MAG", "mag", "AB magnitude in the band", f64s(rows, |r| r.magnitude)),
            column("ELECTRONS", "electron", "expected electrons of the whole object", f64s(rows, |r| r.electrons)),
            column("ELECTRONS_IN", "electron", "expected electrons inside the frame", f64s(rows, |r| r.electrons_in_frame)),
            column("HLR", "arcsec", "half-light radius of the largest component", f64s(rows, |r| r.half_light_radius_arcsec)),
            column("SERSIC_N", "", "Sersic index of the brightest component", f64s(rows, |r| r.sersic_index)),
            column("BULGE_FRAC", "", "fraction of electrons in the first component", f64s(rows, |r| r.bulge_fraction)),
            column("E1", "", "intrinsic reduced shear 1", f64s(rows, |r| r.shape_g1)),
            column("E2", "", "intrinsic reduced shear 2", f64s(rows, |r| r.shape_g2)),
            column("G1", "", "lensing reduced shear 1", f64s(rows, |r| r.lens_g1)),
            column("G2", "", "lensing reduced shear 2", f64s(rows, |r| r.lens_g2)),
            column("KAPPA", "", "lensing convergence", f64s(rows, |r| r.kappa)),
            column("REDSHIFT", "", "redshift", f64s(rows, |r| r.redshift)),
            column(
                "SPECTRUM",
                "",
                "spectrum of the brightest component",
                ColumnData::Text(rows.iter().map(|r| r.spectrum.clone()).collect()),
            ),
        ],
    }
}
