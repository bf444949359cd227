//! The strong lenses of a synthetic field as a product: a table, and a picture of the brightest.

use super::make::{Colours, MakeError};
use crate::dates::J2000_MJD;
use crate::lenses::arc::Sersic;
use crate::synthetic::{FieldSpec, Lens, Population};
use crate::tables::{Cells, Field, Kind, ParquetSink, TableError};
use crate::{Footprint, Library};
use sim_core::source::{Component, Position, Profile, Source, SourceKind};
use sim_core::table::ColumnData;
use std::path::Path;

/// Side of a picture \[pixel\], of a pixel \[arcsec\], and the gap between pictures \[pixel\].
const SIDE: usize = 144;
const PIXEL_ARCSEC: f64 = 0.05;
const GAP: usize = 4;
const ACROSS: usize = 8;
/// Width of the blur \[pixel\]: 0.15 arcsec at half maximum.
const BLUR: f64 = 1.27;
/// Images of which the table has places.
const IMAGES: usize = 4;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LensReport {
    /// Lenses in the table.
    pub lenses: usize,
    /// Lenses in the gallery.
    pub pictures: usize,
}

/// Writes the strong lenses of a synthetic field into a Parquet file, and pictures of the `most` brightest into a PNG.
///
/// Columns: `id` of the deflector (its images have the next one), `ra`, `dec`; `z_lens`, `sigma` \[km/s\], `i_lens`, `radius_lens`, `axis_ratio`, `angle`
/// \[deg, from east to north\], `shear_1`, `shear_2`, `einstein`; `z_source`, `i_source` before lensing, `radius_source`, `source_x`, `source_y` without lensing;
/// `images`, and of up to four images of its middle `x_1`, `y_1`, `mu_1`, `delay_1` \[d, after the first\] ...; `quasar`: 1 where the source is one, whose host is not in `i_source` and `i_images`; `i_images`, `magnification` of the whole galaxy. Lengths in arcsec,
/// x east and y north of the deflector.
///
/// # Errors
/// When the field is wrong or a file cannot be written.
pub fn lenses(
    spec: &FieldSpec,
    footprint: &Footprint,
    library: &Library,
    out: &Path,
    gallery: Option<(&Path, usize)>,
) -> Result<LensReport, MakeError> {
    let found = Population::new(spec, library)?.lenses_within(footprint, library, J2000_MJD);
    table(&found, out)?;
    let mut pictures = 0;
    if let Some((path, most)) = gallery {
        let mut order: Vec<&Lens> = found.iter().collect();
        order.sort_by(|a, b| a.images_i.total_cmp(&b.images_i));
        order.truncate(most);
        pictures = order.len();
        paint(&order, library, path)?;
    }
    Ok(LensReport { lenses: found.len(), pictures })
}

fn table(found: &[Lens], out: &Path) -> Result<(), TableError> {
    type Column = (String, &'static str, Box<dyn Fn(&Lens) -> f64>);
    let mut numbers: Vec<Column> = Vec::new();
    let mut add = |name: &str, unit, of: Box<dyn Fn(&Lens) -> f64>| numbers.push((name.to_string(), unit, of));
    add("ra", "deg", Box::new(|l| l.at.0));
    add("dec", "deg", Box::new(|l| l.at.1));
    add("z_lens", "", Box::new(|l| l.deflector.redshift));
    add("sigma", "km/s", Box::new(|l| l.deflector.sigma_km_s));
    add("i_lens", "mag", Box::new(|l| l.deflector_i));
    add("radius_lens", "arcsec", Box::new(|l| l.deflector_radius_arcsec));
    add("axis_ratio", "", Box::new(|l| l.sie.axis_ratio));
    add("angle", "deg", Box::new(|l| l.sie.angle_rad.to_degrees()));
    add("shear_1", "", Box::new(|l| l.sie.shear.0));
    add("shear_2", "", Box::new(|l| l.sie.shear.1));
    add("einstein", "arcsec", Box::new(|l| l.sie.einstein_arcsec));
    add("z_source", "", Box::new(|l| l.source_redshift));
    add("i_source", "mag", Box::new(|l| l.source_i));
    add("radius_source", "arcsec", Box::new(|l| l.source_radius_arcsec));
    add("source_x", "arcsec", Box::new(|l| l.source_at[0]));
    add("source_y", "arcsec", Box::new(|l| l.source_at[1]));
    for k in 0..IMAGES {
        let n = k + 1;
        add(&format!("x_{n}"), "arcsec", Box::new(move |l| l.images.get(k).map_or(f64::NAN, |i| i.at[0])));
        add(&format!("y_{n}"), "arcsec", Box::new(move |l| l.images.get(k).map_or(f64::NAN, |i| i.at[1])));
        add(&format!("mu_{n}"), "", Box::new(move |l| l.images.get(k).map_or(f64::NAN, |i| i.magnification)));
        add(&format!("delay_{n}"), "d", Box::new(move |l| l.delays_d.get(k).copied().unwrap_or(f64::NAN)));
    }
    add("i_images", "mag", Box::new(|l| l.images_i));
    add("magnification", "", Box::new(|l| l.magnification));
    let mut fields = ["id", "quasar", "images"].map(|name| Field::new(name, "", Kind::Int64)).to_vec();
    fields.extend(numbers.iter().map(|(name, unit, _)| Field::new(name, unit, Kind::Float64)));
    let mut sink = ParquetSink::create(out, &fields)?;
    if !found.is_empty() {
        let mut columns = vec![
            Cells::whole(ColumnData::I64(found.iter().map(|l| l.sources[0].id as i64).collect())),
            Cells::whole(ColumnData::I64(found.iter().map(|l| i64::from(l.sources[1].kind == SourceKind::LensedQuasar)).collect())),
            Cells::whole(ColumnData::I64(found.iter().map(|l| l.images.len() as i64).collect())),
        ];
        columns.extend(numbers.iter().map(|(_, _, of)| Cells::whole(ColumnData::F64(found.iter().map(of).collect()))));
        sink.write(columns)?;
    }
    sink.finish()
}

/// Surface brightness of a component at a place from the source's \[arcsec\], of unit flux.
fn brightness(component: &Component) -> Box<dyn Fn(f64, f64) -> f64 + '_> {
    match &component.profile {
        Profile::Sersic { index, half_light_radius_arcsec, shear } => {
            let ready = Sersic { index: *index, half_light_radius_arcsec: *half_light_radius_arcsec, shape: *shear }.prepare();
            Box::new(move |u, v| ready.brightness([u, v]))
        }
        Profile::Image { pixels, axes_arcsec } => {
            let (side, pixel) = (pixels.nrows(), axes_arcsec[0][0]);
            let total: f64 = pixels.iter().map(|v| f64::from(*v)).sum::<f64>() * pixel * pixel;
            Box::new(move |u, v| {
                let place = |w: f64| w / pixel + 0.5 * side as f64;
                let (x, y) = (place(u), place(v));
                if x < 0.0 || y < 0.0 { 0.0 } else { pixels.get((y as usize, x as usize)).map_or(0.0, |p| f64::from(*p)) / total }
            })
        }
        // As wide as a pixel.
        Profile::Point => Box::new(|u, v| if u.abs().max(v.abs()) < 0.5 * PIXEL_ARCSEC { PIXEL_ARCSEC.powi(-2) } else { 0.0 }),
        Profile::Knots { .. } => Box::new(|_, _| 0.0),
    }
}

/// Where a source stands from its lens, east and north \[arcsec\].
fn offset(lens: &Lens, source: &Source) -> (f64, f64) {
    let Position::Sky { ra_deg, dec_deg } = source.position else { return (0.0, 0.0) };
    let turn = (ra_deg - lens.at.0 + 540.0).rem_euclid(360.0) - 180.0;
    (3600.0 * turn * lens.at.1.to_radians().cos(), 3600.0 * (dec_deg - lens.at.1))
}

/// Pictures in rows, north up and east to the left, in i, r and g, brightness by an arcsinh.
fn paint(lenses: &[&Lens], library: &Library, path: &Path) -> Result<(), TableError> {
    let bands = [library.bands.sdss_i(), library.bands.sdss_r(), library.bands.sdss_g()];
    let rows = lenses.len().div_ceil(ACROSS).max(1);
    let step = SIDE + GAP;
    let mut picture = image::RgbImage::new((ACROSS * step + GAP) as u32, (rows * step + GAP) as u32);
    let mut colours = Colours::default();
    for (number, lens) in lenses.iter().enumerate() {
        let mut planes = vec![vec![0.0_f64; SIDE * SIDE]; 3];
        let mut arcs = 0.0_f64;
        // The images first: their brightest place sets where the stretch bends, so that they show beside any deflector.
        for (component, (east, north)) in lens.sources.iter().rev().flat_map(|s| s.components.iter().map(|c| (c, offset(lens, s)))) {
            let flux: Vec<f64> = bands.iter().map(|band| colours.flux(component, band)).collect();
            let of = brightness(component);
            // The blur leaves a tenth of a point's peak.
            let peak = if matches!(component.profile, Profile::Point) { 0.1 } else { 1.0 };
            for y in 0..SIDE {
                for x in 0..SIDE {
                    let mut sum = 0.0;
                    for k in 0..9 {
                        let third = |k: usize| (k as f64 - 1.0) / 3.0;
                        let place = |p: usize, o: f64| (p as f64 + o - 0.5 * (SIDE as f64 - 1.0)) * PIXEL_ARCSEC;
                        // East to the left, north up.
                        sum += of(-place(x, third(k % 3)) - east, -place(y, third(k / 3)) - north) / 9.0;
                    }
                    for (plane, f) in planes.iter_mut().zip(&flux) {
                        plane[y * SIDE + x] += sum * f;
                    }
                    if component.sed.redshift > lens.deflector.redshift {
                        arcs = arcs.max(peak * mean(&planes, y * SIDE + x));
                    }
                }
            }
        }
        for plane in &mut planes {
            blur(plane);
        }
        let most = (0..SIDE * SIDE).map(|k| mean(&planes, k)).fold(0.0, f64::max);
        let stretch = |v: f64| (v / (0.3 * arcs)).asinh() / ((most / (0.3 * arcs)).asinh() * v);
        let (left, top) = (GAP + (number % ACROSS) * step, GAP + (number / ACROSS) * step);
        for k in 0..SIDE * SIDE {
            let colour = rgb(&planes, k, &stretch);
            picture.put_pixel((left + k % SIDE) as u32, (top + k / SIDE) as u32, image::Rgb(colour));
        }
    }
    picture.save_with_format(path, image::ImageFormat::Png).map_err(|e| TableError::new(path.display().to_string(), e))
}

/// Weights of i, r and g: old galaxies are four times fainter in g than in i, g is lifted so that they are yellow and not red.
const WEIGHTS: [f64; 3] = [0.8, 1.1, 2.0];

fn mean(planes: &[Vec<f64>], place: usize) -> f64 {
    planes.iter().zip(WEIGHTS).map(|(plane, w)| w * plane[place]).sum::<f64>() / 3.0
}

/// Colour of a place: its ratios kept, its mean stretched.
fn rgb(planes: &[Vec<f64>], place: usize, stretch: &impl Fn(f64) -> f64) -> [u8; 3] {
    let brightness = mean(planes, place);
    let factor = if brightness > 0.0 { stretch(brightness) } else { 0.0 };
    let scaled: [f64; 3] = std::array::from_fn(|c| WEIGHTS[c] * planes[c][place] * factor);
    let most = scaled.iter().copied().fold(1.0, f64::max);
    scaled.map(|v| (255.0 * v / most).round() as u8)
}

/// A Gaussian blur, one axis after the other.
fn blur(plane: &mut [f64]) {
    let reach = 5_i64;
    let weights: Vec<f64> = (-reach..=reach).map(|k| (-0.5 * (k as f64 / BLUR).powi(2)).exp()).collect();
    let norm: f64 = weights.iter().sum();
    for turn in 0..2 {
        let before = plane.to_vec();
        for (place, value) in plane.iter_mut().enumerate() {
            let (line, along) = if turn == 0 { (place / SIDE, place % SIDE) } else { (place % SIDE, place / SIDE) };
            let at = |k: i64| {
                let along = (along as i64 + k).clamp(0, SIDE as i64 - 1) as usize;
                before[if turn == 0 { line * SIDE + along } else { along * SIDE + line }]
            };
            *value = (-reach..=reach).zip(&weights).map(|(k, w)| w * at(k)).sum::<f64>() / norm;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::open;

    #[test]
    fn lenses_become_a_table_and_a_picture() {
        let folder = tempfile::tempdir().unwrap();
        let (path, png) = (folder.path().join("lenses.parquet"), folder.path().join("lenses.png"));
        let mut spec = FieldSpec { seed: Some(4), ..FieldSpec::default() };
        (spec.lenses.scale, spec.lenses.faint, spec.lenses.quasars) = (8.0, 24.0, 50.0);
        let cone = Footprint::new(12.0, -30.0, 0.25).unwrap();
        let report = lenses(&spec, &cone, &Library::load(), &path, Some((&png, 10))).unwrap();
        assert!(report.lenses > 3 && report.pictures == report.lenses.min(10), "{report:?}");
        let mut source = open(&path, None).unwrap();
        let mu = source.position("mu_1").unwrap();
        let chunk = source.next_chunk().unwrap().unwrap();
        assert_eq!(chunk.rows, report.lenses);
        let ColumnData::F64(column) = &chunk.columns[mu].data else { unreachable!("mu_1 is written as f64") };
        assert!(column.iter().all(|m| m.abs() > 1.0));
        let quasar = source.position("quasar").unwrap();
        let ColumnData::I64(kinds) = &chunk.columns[quasar].data else { unreachable!("quasar is written as i64") };
        assert!(kinds.contains(&0) && kinds.contains(&1), "{kinds:?}");
        let picture = image::open(&png).unwrap().to_rgb8();
        assert_eq!(picture.width() as usize, ACROSS * (SIDE + GAP) + GAP);
        // The lenses are there: the centre of one is bright, the gap is black.
        let centre = |k: usize| picture.get_pixel((GAP + SIDE / 2 + k * (SIDE + GAP)) as u32, (GAP + SIDE / 2) as u32).0;
        assert!((0..report.pictures.min(ACROSS)).any(|k| centre(k).iter().any(|v| *v > 60)));
        assert_eq!(picture.get_pixel(1, 1).0, [0, 0, 0]);
    }
}
