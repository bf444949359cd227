//! What the specification of a catalogue says once for all its rows.

use super::columns::Bound;
use super::galaxy::is_vega;
use super::{CatalogSpec, ObjectKind, ReadError, ShapeAxes};
use crate::band::GAIA_G_AB_MINUS_VEGA;
use crate::tables::Chunk;
use crate::{Footprint, Library};
use sim_core::bandpass::Bandpass;
use sim_core::stream::StreamKey;
use std::sync::Arc;

/// What the specification says once for all rows.
pub(super) struct Setting {
    pub(super) band: Arc<Bandpass>,
    pub(super) kind: ObjectKind,
    pub(super) epoch_year: f64,
    /// AB minus Vega magnitude, where it is known.
    pub(super) vega: Option<f64>,
    pub(super) shape_sign: f64,
    pub(super) scatter: Option<(Footprint, StreamKey)>,
}

impl Setting {
    pub(super) fn new(spec: &CatalogSpec, epoch_year: f64, library: &Library) -> Result<Self, ReadError> {
        let wrong = |key, value: String, allowed: &str| ReadError::Spec { key, value, allowed: allowed.into() };
        if !(1900.0..=2200.0).contains(&epoch_year) {
            return Err(wrong("epoch of the exposure", epoch_year.to_string(), "in 1900..2200 yr"));
        }
        if !(0.0..=10.0).contains(&spec.e_bv) {
            return Err(wrong("e_bv", spec.e_bv.to_string(), "in 0..10 mag"));
        }
        if let Some(epoch) = spec.epoch.filter(|e| !(1800.0..=2200.0).contains(e)) {
            return Err(wrong("epoch", epoch.to_string(), "in 1800..2200 yr"));
        }
        if let Some(offset) = spec.vega_offset.filter(|o| !(-5.0..=5.0).contains(o)) {
            return Err(wrong("vega_offset", offset.to_string(), "in -5..5 mag"));
        }
        let band_name = spec.band.clone().or_else(|| spec.profile.band().map(Into::into));
        let names = crate::ReferenceBands::names().join(", ");
        let Some(band_name) = band_name else {
            return Err(wrong("band", "missing".into(), &format!("one of {names}")));
        };
        let Some(band) = library.bands.by_name(&band_name) else {
            return Err(wrong("band", band_name, &format!("one of {names}")));
        };
        let scatter = match &spec.scatter {
            None => None,
            Some(s) => {
                let cone = Footprint::new(s.ra_deg, s.dec_deg, s.radius_deg)
                    .map_err(|e| wrong("scatter", e.to_string(), "a cone: ra_deg 0..360, dec_deg -90..90, radius_deg 0..20"))?;
                Some((cone, StreamKey::new(s.seed).with_name("catalogue_scatter")))
            }
        };
        let vega = spec.vega_offset.or((band.name == "gaia_g").then_some(GAIA_G_AB_MINUS_VEGA));
        let shape_sign = if spec.shape_axes == ShapeAxes::West { -1.0 } else { 1.0 };
        Ok(Self { band: band.clone(), kind: super::kind_of(spec), epoch_year, vega, shape_sign, scatter })
    }

    /// Whether the columns make an object.
    pub(super) fn require(&self, bound: &Bound, spec: &CatalogSpec, path: &str) -> Result<(), ReadError> {
        let missing = |quantity| Err(ReadError::NotMapped { path: path.into(), quantity });
        if self.scatter.is_none() {
            if bound.ra.is_none() && bound.dec.is_none() && bound.l.is_none() && bound.b.is_none() {
                let allowed = "possible here: no column is mapped to ra and dec (catalog.columns.ra, catalog.columns.dec), or to l and b; map them, or \
                               give a cone over which the rows are spread (--scatter RA,DEC,R,SEED)";
                return Err(ReadError::Spec { key: "scatter", value: "missing".into(), allowed: allowed.into() });
            }
            let galactic = bound.l.is_some() || bound.b.is_some();
            match (&bound.ra, &bound.dec, &bound.l, &bound.b) {
                (Some(_), Some(_), ..) | (None, None, Some(_), Some(_)) => {}
                (_, _, None, _) if galactic => return missing("l"),
                (_, _, _, None) if galactic => return missing("b"),
                (None, ..) => return missing("ra"),
                _ => return missing("dec"),
            }
        }
        if bound.magnitude.is_none() {
            if bound.absolute_magnitude.is_none() {
                return missing("magnitude");
            }
            if bound.distance.is_none() && bound.distance_modulus.is_none() {
                return missing("distance");
            }
        }
        let empty = Chunk {
            first_row: 0,
            rows: 0,
            columns: vec![crate::tables::Cells::whole(crate::tables::Kind::Float64.empty(0)); bound.chosen.len()],
        };
        if is_vega(&bound.on(&empty)) && self.vega.is_none() {
            return Err(ReadError::Spec {
                key: "vega_offset",
                value: "missing".into(),
                allowed: format!(
                    "AB minus Vega magnitude in {}, which is not known here, and the magnitudes of {} are in mag(Vega)",
                    self.band.name,
                    spec.path.display()
                ),
            });
        }
        Ok(())
    }
}
