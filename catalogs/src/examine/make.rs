//! A synthetic field as a table, for looking at it with the same tools as any catalogue.

use crate::synthetic::{FieldError, FieldSpec, Population};
use crate::tables::{Cells, Field, Kind, ParquetSink, TableError};
use crate::{Footprint, Library};
use sim_core::bandpass::Bandpass;
use sim_core::source::{Brightness, Component, Position, Source, SourceKind};
use sim_core::spectrum::Sed;
use sim_core::table::ColumnData;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Why a table of a field cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError {
    /// The field.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The file.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// AB magnitudes over the reference one by spectrum, dust and band: integrated once.
#[derive(Default)]
pub(super) struct Colours(HashMap<(usize, u64, usize, usize, usize), f64>);

impl Colours {
    fn of(&mut self, sed: &Sed, reference: &Arc<Bandpass>, band: &Arc<Bandpass>) -> f64 {
        let dust = sed.extinction.as_ref().map_or(0, |e| Arc::as_ptr(e) as usize);
        let key = (
            Arc::as_ptr(&sed.template) as usize,
            sed.redshift.to_bits(),
            dust,
            Arc::as_ptr(reference) as usize,
            Arc::as_ptr(band) as usize,
        );
        *self.0.entry(key).or_insert_with(|| band.ab_magnitude(sed, 0.0, reference))
    }
    /// Flux of a component in a band, in those of magnitude 0.
    pub(super) fn flux(&mut self, component: &Component, band: &Arc<Bandpass>) -> f64 {
        match &component.brightness {
            Brightness::Ab { magnitude, band: reference } => 10.0_f64.powf(-0.4 * (magnitude + self.of(&component.sed, reference, band))),
            Brightness::Electrons(_) => f64::NAN,
        }
    }
    /// Magnitude of the whole source.
    fn magnitude(&mut self, source: &Source, band: &Arc<Bandpass>) -> f64 {
        let flux: f64 = source.components.iter().map(|c| self.flux(c, band)).sum();
        -2.5 * flux.log10()
    }
}

/// Writes the objects of one kind of a synthetic field, as they are on a date (modified Julian), into a Parquet file; how many there are.
///
/// Columns: `id`, `ra`, `dec` \[deg\], AB magnitudes `v` (Bessell), `g`, `r`, `i` (SDSS), `components`; of stars `pmra`, `pmdec` \[mas/yr\], `parallax` \[mas\],
/// `radial_velocity` \[km/s\]; of others `redshift`; of galaxies `kind`: galaxy, cluster_galaxy, intracluster_light (of a whole cluster), lens_galaxy,
/// lensed_galaxy (all images of one); of quasars and supernovae `nucleus` (i of the point alone) and `spectrum`. Quasars and supernovae that the field has
/// none of (scale 0) are made with their published numbers.
///
/// # Errors
/// When the field is wrong or the file cannot be written.
pub fn make(spec: &FieldSpec, footprint: &Footprint, kind: SourceKind, mjd: f64, library: &Library, out: &Path) -> Result<u64, MakeError> {
    let mut wanted = spec.clone();
    let of = |is: bool, scale: f64| if is { scale } else { 0.0 };
    let some = |scale: f64| if scale > 0.0 { scale } else { 1.0 };
    let galaxies = kind == SourceKind::Galaxy;
    wanted.stars.scale = of(kind == SourceKind::Star, wanted.stars.scale);
    // Supernovae need the galaxies in which they are.
    wanted.galaxies.scale = of(galaxies || kind == SourceKind::Supernova, wanted.galaxies.scale);
    wanted.clusters.scale = of(galaxies, wanted.clusters.scale);
    wanted.lenses.scale = of(galaxies, wanted.lenses.scale);
    wanted.quasars.scale = of(kind == SourceKind::Quasar, some(wanted.quasars.scale));
    wanted.supernovae.scale = of(kind == SourceKind::Supernova, some(wanted.supernovae.scale));
    let mut sources = Population::new(&wanted, library)?.within(footprint, library, mjd);
    // Light between galaxies reaches in from outside.
    let outside = |s: &Source| matches!(s.position, Position::Sky { ra_deg, dec_deg } if !footprint.contains(ra_deg, dec_deg));
    sources.retain(|s| (galaxies || s.kind == kind) && !outside(s));
    let bands = [library.bands.bessell_v(), library.bands.sdss_g(), library.bands.sdss_r(), library.bands.sdss_i()];
    let mut names = vec![("id", "", Kind::Int64), ("ra", "deg", Kind::Float64), ("dec", "deg", Kind::Float64)];
    names.extend(["v", "g", "r", "i"].map(|n| (n, "mag", Kind::Float32)));
    names.push(("components", "", Kind::Int64));
    match kind {
        SourceKind::Star => names.extend([
            ("pmra", "mas/yr", Kind::Float32),
            ("pmdec", "mas/yr", Kind::Float32),
            ("parallax", "mas", Kind::Float32),
            ("radial_velocity", "km/s", Kind::Float32),
        ]),
        SourceKind::Quasar | SourceKind::Supernova => {
            names.extend([("redshift", "", Kind::Float32), ("nucleus", "mag", Kind::Float32), ("spectrum", "", Kind::Text)]);
        }
        _ => names.extend([("redshift", "", Kind::Float32), ("kind", "", Kind::Text)]),
    }
    let fields: Vec<Field> = names.iter().map(|(n, u, k)| Field::new(n, u, *k)).collect();
    let mut sink = ParquetSink::create(out, &fields)?;
    let mut colours = Colours::default();
    for chunk in sources.chunks(65_536) {
        let f64s = |f: &dyn Fn(&Source) -> f64| Cells::whole(ColumnData::F64(chunk.iter().map(f).collect()));
        let f32s = |f: &dyn Fn(&Source) -> f64| Cells::whole(ColumnData::F32(chunk.iter().map(|s| f(s) as f32).collect()));
        let sky = |s: &Source| match s.position {
            Position::Sky { ra_deg, dec_deg } => (ra_deg, dec_deg),
            Position::Pixel { .. } => (f64::NAN, f64::NAN),
        };
        let mut columns =
            vec![Cells::whole(ColumnData::I64(chunk.iter().map(|s| s.id as i64).collect())), f64s(&|s| sky(s).0), f64s(&|s| sky(s).1)];
        for band in bands {
            columns.push(Cells::whole(ColumnData::F32(chunk.iter().map(|s| colours.magnitude(s, band) as f32).collect())));
        }
        columns.push(Cells::whole(ColumnData::I64(chunk.iter().map(|s| s.components.len() as i64).collect())));
        match kind {
            SourceKind::Star => {
                columns.push(f32s(&|s| s.motion.map_or(f64::NAN, |m| m.pm_ra_mas_yr)));
                columns.push(f32s(&|s| s.motion.map_or(f64::NAN, |m| m.pm_dec_mas_yr)));
                columns.push(f32s(&|s| s.motion.map_or(f64::NAN, |m| m.parallax_mas)));
                columns.push(f32s(&|s| s.motion.map_or(f64::NAN, |m| m.radial_velocity_km_s)));
            }
            SourceKind::Quasar | SourceKind::Supernova => {
                columns.push(f32s(&|s| s.redshift));
                columns.push(f32s(&|s| match s.components[0].brightness {
                    Brightness::Ab { magnitude, .. } => magnitude,
                    Brightness::Electrons(_) => f64::NAN,
                }));
                let names = chunk.iter().map(|s| s.components[0].sed.template.name.clone()).collect();
                columns.push(Cells::whole(ColumnData::Text(names)));
            }
            _ => {
                columns.push(f32s(&|s| s.redshift));
                columns.push(Cells::whole(ColumnData::Text(chunk.iter().map(|s| s.kind.name().to_string()).collect())));
            }
        }
        sink.write(columns)?;
    }
    sink.finish()?;
    Ok(sources.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::open;

    #[test]
    fn a_field_becomes_a_table_with_the_magnitudes_of_its_stars() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stars.parquet");
        let library = Library::load();
        let mut spec = FieldSpec { seed: Some(4), ..FieldSpec::default() };
        spec.stars.faint = 22.0;
        let cone = Footprint::new(12.0, -30.0, 0.3).unwrap();
        let count = make(&spec, &cone, SourceKind::Star, crate::dates::J2000_MJD, &library, &path).unwrap();
        let mut source = open(&path, None).unwrap();
        let v = source.position("v").unwrap();
        let (mut rows, mut bright) = (0, f64::INFINITY);
        while let Some(chunk) = source.next_chunk().unwrap() {
            rows += chunk.rows as u64;
            let ColumnData::F32(column) = &chunk.columns[v].data else { unreachable!("v is written as f32") };
            assert!(column.iter().all(|m| (13.98..22.0).contains(m)));
            bright = column.iter().copied().map(f64::from).fold(bright, f64::min);
        }
        assert!(rows == count && count > 300 && bright < 17.0, "{rows} {count} {bright}");
    }
}
