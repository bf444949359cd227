//! A synthetic field as a table, for looking at it with the same tools as any catalogue.

use super::unfinished;
use crate::read::profile::BANDS;
use crate::sed::parameters;
use crate::synthetic::{FieldError, FieldSpec, Population};
use crate::tables::{Cells, Field, Kind, ParquetSink, TableError};
use crate::{Footprint, Library};
use sim_core::bandpass::Bandpass;
use sim_core::source::{Brightness, Component, Position, Profile, Source, SourceKind};
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

/// Magnitudes that are kept at most: beyond, all are forgotten.
const MOST_KEPT: usize = 16_384;

/// Spectrum, colour excess (there is one curve of extinction), redshift, reference band, band.
type ColourKey = (usize, u64, u64, usize, usize);

/// AB magnitudes over the reference one by spectrum, dust and band: integrated once. The spectra are held, so that no other takes their address.
#[derive(Default)]
pub(super) struct Colours(HashMap<ColourKey, (f64, Sed)>);

impl Colours {
    fn of(&mut self, sed: &Sed, reference: &Arc<Bandpass>, band: &Arc<Bandpass>) -> f64 {
        let dust = sed.extinction.as_ref().map_or(0, |e| e.e_bv.to_bits());
        let bands = (Arc::as_ptr(reference) as usize, Arc::as_ptr(band) as usize);
        let key = (Arc::as_ptr(&sed.template) as usize, dust, sed.redshift.to_bits(), bands.0, bands.1);
        if self.0.len() > MOST_KEPT {
            self.0.clear();
        }
        self.0.entry(key).or_insert_with(|| (band.ab_magnitude(sed, 0.0, reference), sed.clone())).0
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

/// Columns of a galaxy's shape, with their units.
const SHAPE: [(&str, &str); 10] = [
    ("half_light_radius", "arcsec"),
    ("e1", ""),
    ("e2", ""),
    ("bulge_radius", "arcsec"),
    ("bulge_e1", ""),
    ("bulge_e2", ""),
    ("bulge_fraction", ""),
    ("shear_1", ""),
    ("shear_2", ""),
    ("kappa", ""),
];
/// Least Sersic index of a bulge.
const BULGE_INDEX: f64 = 2.0;

/// The shape of a galaxy before lensing, in the order of the columns, first axis west as in GalSim; not a number where it has no disk or bulge.
fn shape(source: &Source) -> [f64; 10] {
    // Radius, ellipticity and light of its disk, with the knots in it, and of its bulge.
    let mut parts = [(f64::NAN, [f64::NAN; 2], 0.0); 2];
    for component in &source.components {
        let (place, radius, shear) = match &component.profile {
            Profile::Sersic { index, half_light_radius_arcsec, shear } => {
                (usize::from(*index > BULGE_INDEX), *half_light_radius_arcsec, shear)
            }
            Profile::Knots { half_light_radius_arcsec, shear, .. } => (0, *half_light_radius_arcsec, shear),
            Profile::Point | Profile::Image { .. } => continue,
        };
        let light = match &component.brightness {
            Brightness::Ab { magnitude, .. } => 10.0_f64.powf(-0.4 * magnitude),
            Brightness::Electrons(_) => 0.0,
        };
        let part = &mut parts[place];
        if part.0.is_nan() {
            (part.0, part.1) = (radius, [shear.g1, -shear.g2]);
        }
        part.2 += light;
    }
    let [disk, bulge] = parts;
    let share = bulge.2 / (disk.2 + bulge.2);
    // What catalogues call shear is not reduced.
    let (lens, clear) = (source.lensing, 1.0 - source.lensing.kappa);
    [disk.0, disk.1[0], disk.1[1], bulge.0, bulge.1[0], bulge.1[1], share, lens.shear.g1 * clear, -lens.shear.g2 * clear, lens.kappa]
}

/// Rows that are written together.
const TOGETHER: usize = 65_536;

/// Writes the objects of one kind of a synthetic field, as they are on a date (modified Julian), into a Parquet file, there whole or not at all; how many
/// there are. In order of their numbers, piece by piece of the sky: memory is that of a piece (0.2 deg2), however large the field.
///
/// Columns: `id`, `ra`, `dec` \[deg\], AB magnitudes `v` (Bessell), `nuv` (GALEX), `u`, `g`, `r`, `i`, `z` (SDSS), `y` (VISTA), `components`; of stars `pmra`, `pmdec`
/// \[mas/yr\], `parallax` \[mas\], `radial_velocity` \[km/s\], `teff` \[K\], `log_g`, `feh` of the brighter one's spectrum, `e_bv`; of others `redshift`; of galaxies
/// half-light radii \[arcsec\] and ellipticities of disk and bulge, the bulge's share, shear and convergence, first axis west (the profiles `skyloop_star` and `skyloop_galaxy` read them), and `kind`: galaxy, cluster_galaxy, intracluster_light (of a whole cluster), lens_galaxy,
/// lensed_galaxy (all images of one), lensed_quasar (an image); of quasars and supernovae `nucleus` (i of the point alone) and `spectrum`. Quasars and supernovae that the field has
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
    wanted.lenses.quasars = of(galaxies, wanted.lenses.quasars);
    wanted.quasars.scale = of(kind == SourceKind::Quasar, some(wanted.quasars.scale));
    wanted.supernovae.scale = of(kind == SourceKind::Supernova, some(wanted.supernovae.scale));
    let population = Population::new(&wanted, library)?;
    let bands = BANDS.map(|(_, band)| library.bands.by_name(band).expect("a compiled band"));
    let mut names = vec![("id", "", Kind::Int64), ("ra", "deg", Kind::Float64), ("dec", "deg", Kind::Float64)];
    names.extend(BANDS.map(|(n, _)| (n, "mag", Kind::Float32)));
    names.push(("components", "", Kind::Int64));
    match kind {
        SourceKind::Star => names.extend([
            ("pmra", "mas/yr", Kind::Float32),
            ("pmdec", "mas/yr", Kind::Float32),
            ("parallax", "mas", Kind::Float32),
            ("radial_velocity", "km/s", Kind::Float32),
            ("teff", "K", Kind::Float32),
            ("log_g", "dex", Kind::Float32),
            ("feh", "dex", Kind::Float32),
            ("e_bv", "mag", Kind::Float32),
        ]),
        SourceKind::Quasar | SourceKind::Supernova => {
            names.extend([("redshift", "", Kind::Float32), ("nucleus", "mag", Kind::Float32), ("spectrum", "", Kind::Text)]);
        }
        _ => {
            names.extend([("redshift", "", Kind::Float32), ("kind", "", Kind::Text)]);
            names.extend(SHAPE.map(|(n, unit)| (n, unit, Kind::Float32)));
        }
    }
    let fields: Vec<Field> = names.iter().map(|(n, u, k)| Field::new(n, u, *k)).collect();
    let partial = unfinished(out);
    let mut sink = ParquetSink::create(&partial, &fields)?;
    let mut colours = Colours::default();
    let mut write = |chunk: &[Source]| -> Result<(), TableError> {
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
                let spectrum = |s: &Source, k: usize| parameters(&s.components[0].sed.template.name).map_or(f64::NAN, |p| p[k]);
                columns.extend((0..3).map(|k| f32s(&move |s| spectrum(s, k))));
                columns.push(f32s(&|s| s.components[0].sed.extinction.as_ref().map_or(0.0, |e| e.e_bv)));
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
                let shapes: Vec<[f64; 10]> = chunk.iter().map(shape).collect();
                columns.extend((0..SHAPE.len()).map(|k| Cells::whole(ColumnData::F32(shapes.iter().map(|s| s[k] as f32).collect()))));
            }
        }
        sink.write(columns)
    };
    // Light between galaxies reaches in from outside.
    let outside = |s: &Source| matches!(s.position, Position::Sky { ra_deg, dec_deg } if !footprint.contains(ra_deg, dec_deg));
    let (mut waiting, mut count) = (Vec::new(), 0);
    let mut run = || -> Result<(), TableError> {
        for block in population.blocks(footprint) {
            let mut sources = population.of_block(block, footprint, library, mjd);
            sources.retain(|s| (galaxies || s.kind == kind) && !outside(s));
            count += sources.len() as u64;
            waiting.append(&mut sources);
            // Blocks of the same size whatever the pieces are: the same rows give the same bytes.
            let full = waiting.len() / TOGETHER * TOGETHER;
            waiting[..full].chunks(TOGETHER).try_for_each(&mut write)?;
            waiting.drain(..full);
        }
        waiting.chunks(TOGETHER).try_for_each(&mut write)
    };
    let done =
        run().and_then(|()| sink.finish()).and_then(|()| std::fs::rename(&partial, out).map_err(|e| TableError::new(out.display(), e)));
    if done.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    Ok(done.map(|()| count)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dates::J2000_MJD;
    use crate::tables::open;

    #[test]
    fn a_field_becomes_a_table_with_the_magnitudes_of_its_stars() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stars.parquet");
        let library = Library::load();
        let mut spec = FieldSpec { seed: Some(4), ..FieldSpec::default() };
        spec.stars.faint = 22.0;
        let cone = Footprint::new(12.0, -30.0, 0.3).unwrap();
        let count = make(&spec, &cone, SourceKind::Star, J2000_MJD, &library, &path).unwrap();
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

    #[test]
    fn made_tables_come_back_by_their_profiles() {
        use crate::read::{CatalogSpec, Profile, read};
        let (folder, library) = (tempfile::tempdir().unwrap(), Library::load());
        let mut spec = FieldSpec { seed: Some(4), ..FieldSpec::default() };
        (spec.stars.faint, spec.galaxies.faint) = (20.0, 21.0);
        spec.galaxies.knots_fraction = 0.0;
        spec.lensing = crate::synthetic::LensingSpec::Constant { g1: 0.03, g2: -0.02, kappa: 0.1 };
        let cone = Footprint::new(12.0, -30.0, 0.2).unwrap();
        for (kind, profile, band) in [
            (SourceKind::Star, Profile::SkyloopStar, library.bands.bessell_v()),
            (SourceKind::Galaxy, Profile::SkyloopGalaxy, library.bands.sdss_i()),
        ] {
            let path = folder.path().join(format!("{}.parquet", kind.name()));
            make(&spec, &cone, kind, J2000_MJD, &library, &path).unwrap();
            let file = CatalogSpec { path, profile, ..CatalogSpec::default() };
            let (back, report) = read(&file, None, crate::milky_way::EPOCH_YEAR, &library).unwrap();
            let mut wanted = Population::new(&spec, &library).unwrap().within(&cone, &library, J2000_MJD);
            wanted.retain(|s| s.kind == kind);
            assert!(back.len() == wanted.len() && back.len() > 50 && report.skipped_rows == 0, "{} {}", back.len(), wanted.len());
            let mut colours = Colours::default();
            for (got, made) in back.iter().zip(&wanted) {
                let sky = |s: &Source| match s.position {
                    Position::Sky { ra_deg, dec_deg } => (ra_deg, dec_deg),
                    Position::Pixel { .. } => unreachable!("a field is on the sky"),
                };
                assert!((sky(got).0 - sky(made).0).hypot(sky(got).1 - sky(made).1) < 1e-6 && got.id == made.id && got.kind == made.kind);
                assert!((colours.magnitude(got, band) - colours.magnitude(made, band)).abs() < 2e-5);
                if kind == SourceKind::Star {
                    // One spectrum stands for a pair; single stars have their own.
                    let name = |s: &Source| s.components[0].sed.template.name.clone();
                    assert_eq!(name(got), name(made));
                    assert!(got.motion.is_some());
                    continue;
                }
                for (a, b) in shape(got).into_iter().zip(shape(made)) {
                    assert!(b.is_nan() || (a - b).abs() < 1e-4, "{:?} {:?}", shape(got), shape(made));
                }
            }
        }
    }

    #[test]
    fn a_field_made_piece_by_piece_is_the_field() {
        let library = Library::load();
        let mut spec = FieldSpec { seed: Some(4), ..FieldSpec::default() };
        (spec.stars.faint, spec.galaxies.faint, spec.quasars.faint) = (20.0, 20.0, 21.0);
        (spec.clusters.scale, spec.lenses.scale, spec.quasars.scale) = (1.0, 0.2, 1.0);
        let population = Population::new(&spec, &library).unwrap();
        // Across base cells of HEALPix, and at a pole.
        for (ra, dec) in [(45.0, 0.05), (10.0, 89.95)] {
            let cone = Footprint::new(ra, dec, 0.2).unwrap();
            let blocks = population.blocks(&cone);
            let shown = |s: &Source| (s.id, format!("{:?}", s.position), s.components.len(), s.kind);
            let whole: Vec<_> = population.within(&cone, &library, 61_500.0).iter().map(shown).collect();
            let pieces: Vec<Vec<_>> =
                blocks.iter().map(|b| population.of_block(*b, &cone, &library, 61_500.0).iter().map(shown).collect()).collect();
            let filled = pieces.iter().filter(|p: &&Vec<_>| p.len() > 50).count();
            assert!(filled >= 2, "{filled} of {} pieces", blocks.len());
            let joined: Vec<_> = pieces.into_iter().flatten().collect();
            assert_eq!(joined.len(), whole.len());
            assert!(joined == whole, "other objects, or in another order");
            for kind in [SourceKind::Star, SourceKind::Galaxy, SourceKind::ClusterGalaxy, SourceKind::Quasar] {
                assert!(whole.iter().any(|s| s.3 == kind), "{kind:?}");
            }
        }
    }
}
