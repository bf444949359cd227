//! A direct-imaging catalogue of the sources in front of slitless frames.
//!
//! # Formula
//! Of a simulated folder, what direct images would give: places and shapes as they are; in each filter `f + s n`, f the flux density of the source through the filter, n a normal
//! draw keyed by source and filter, and `s^2 = (f5 / 5)^2 (1 + (r / r0)^2) + (0.01 f)^2`. A magnitude and its error where the flux is above one s.
//! # Symbols
//! f5  flux at the 5-sigma limit of the filter (instrument's band table);  r  half-light radius;  r0  0.15 arcsec, the radius of the aperture that the limits are of
//! # Source
//! Limits: the band table. Growth of the noise with the area, and 1 % of calibration: assumed.
//! # Limits
//! Blends, detection and errors of places and shapes are not simulated: closed loops with this catalogue tell of spectra alone. A galaxy is a disc (knots are counted to it) and one
//! bulge, with the shares that they have in the catalogue's band.

use super::frames::of_folders;
use crate::folder::Folder;
use crate::scenario::Scenario;
use crate::sky::{self, Front, Sky};
use crate::unit::Plan as Units;
use anyhow::{Context as _, bail};
use instruments::description::Instrument;
use sim_core::bandpass::Bandpass;
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::noise::normals;
use sim_core::source::{Brightness, Profile, Source};
use sim_core::stream::StreamKey;
use sim_core::table::{Column, ColumnData, Table};
use sim_core::units::AB_ZERO_ERG_S_CM2_HZ;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Radius of the aperture of the limits \[arcsec\].
const APERTURE_ARCSEC: f64 = 0.15;
/// Error of the calibration of direct images, share (assumed).
const CALIBRATION: f64 = 0.01;
/// Probability that a source that a direct image shows as a point is one, and that one it shows extended is none (assumed).
const POINT: f64 = 0.98;
/// Columns that are copied from the list of objects.
const COPIED: [&str; 8] = ["RA", "DEC", "HLR", "BULGE_FRAC", "E1", "E2", "G1", "G2"];
/// Columns of the bulge, behind them: its half-light radius \[arcsec\] and Sersic index.
const OF_BULGE: [(&str, &str); 2] = [("BULGE_HLR", "arcsec"), ("BULGE_N", "")];
/// Sersic index up to which a component is a disc.
const DISC: f64 = 1.5;

/// A flux density in a band.
#[derive(Debug, Clone, PartialEq)]
pub struct Magnitude {
    /// Band.
    pub band: String,
    /// \[erg / s / cm2 / Hz\].
    pub flux_nu: f64,
    /// Its standard error.
    pub error: f64,
}

/// A source of a catalogue in the making: copied columns, and magnitude and error in each filter.
type Row = (Vec<f64>, Vec<(f64, f64)>);

/// What a direct catalogue tells of a source.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Direct {
    /// Bands in which it was seen.
    pub points: Vec<Magnitude>,
    /// Probability that it is a point; `None` without a column of sizes.
    pub point_probability: Option<f64>,
}

/// Flux density of an AB magnitude.
fn flux_nu(magnitude: f64) -> f64 {
    AB_ZERO_ERG_S_CM2_HZ * 10f64.powf(-0.4 * magnitude)
}

/// Reads photometry by source: `MAG_band` with `MAGERR_band` for the bands of the instrument.
///
/// # Errors
/// When the file cannot be read, has no such columns, or an error that is not positive.
pub fn photometry(path: &Path, instrument: &Instrument) -> anyhow::Result<BTreeMap<u64, Direct>> {
    let tables = fits::read(path)?.into_iter().filter_map(|hdu| if let Data::Table(table) = hdu.data { Some(table) } else { None });
    let Some(table) = tables.into_iter().find(|t| t.column("OBJ_ID").is_some()) else {
        bail!("{}: no table with a column OBJ_ID", path.display())
    };
    let ids = super::catalogue::ids(&table).with_context(|| format!("{}: column OBJ_ID", path.display()))?;
    let mut out: BTreeMap<u64, Direct> = BTreeMap::new();
    let mut found = false;
    for band in instrument.bands.keys() {
        let Some(magnitudes) = table.f64s(&format!("MAG_{band}")) else { continue };
        let name = format!("MAGERR_{band}");
        let errors = table.f64s(&name).with_context(|| format!("{}: MAG_{band} without {name}", path.display()))?;
        found = true;
        for ((id, m), e) in ids.iter().zip(magnitudes).zip(errors).filter(|((_, m), _)| m.is_finite()) {
            if !(e > 0.0 && e.is_finite()) {
                bail!("{}: {name} of source {id} is {e}, must be finite and above 0", path.display());
            }
            let flux = flux_nu(m);
            let error = flux * e * std::f64::consts::LN_10 / 2.5;
            out.entry(*id).or_default().points.push(Magnitude { band: band.clone(), flux_nu: flux, error });
        }
    }
    if !found {
        let names: Vec<String> = instrument.bands.iter().filter(|b| b.1.grating.is_none()).map(|b| format!("MAG_{}", b.0)).collect();
        bail!("{}: no photometry: columns {} are looked for", path.display(), names.join(", "));
    }
    if let Some(sizes) = table.f64s("HLR") {
        for (id, size) in ids.iter().zip(sizes) {
            out.entry(*id).or_default().point_probability = Some(if size > 0.0 { 1.0 - POINT } else { POINT });
        }
    }
    Ok(out)
}

/// Puts what a fit of disc and bulge to a direct image gives into a row of copied columns, and radius and index of the bulge (0 without one).
fn two_components(source: &Source, copied: &mut [f64]) -> (f64, f64) {
    let (mut disc, mut bulge) = ((0.0, None), (0.0, None));
    for component in &source.components {
        let Brightness::Ab { magnitude, .. } = &component.brightness else { continue };
        let (index, radius, shear) = match component.profile {
            Profile::Sersic { index, half_light_radius_arcsec, shear } => (index, half_light_radius_arcsec, shear),
            Profile::Knots { half_light_radius_arcsec, shear, .. } => (1.0, half_light_radius_arcsec, shear),
            _ => continue,
        };
        let part: &mut (f64, Option<_>) = if index <= DISC { &mut disc } else { &mut bulge };
        part.0 += 10f64.powf(-0.4 * magnitude);
        part.1.get_or_insert((index, radius, shear));
    }
    let Some((_, radius, shear)) = disc.1.or(bulge.1) else { return (0.0, 0.0) };
    (copied[2], copied[3], copied[4], copied[5]) = (radius, bulge.0 / (disc.0 + bulge.0), shear.g1, shear.g2);
    bulge.1.map_or((0.0, 0.0), |(index, radius, _)| (radius, index))
}

/// Magnitude of a whole source through a band; not finite where its components have none.
fn magnitude(source: &Source, band: &Bandpass) -> f64 {
    let flux = source.components.iter().map(|component| match &component.brightness {
        Brightness::Ab { magnitude, band: reference } => 10f64.powf(-0.4 * band.ab_magnitude(&component.sed, *magnitude, reference)),
        Brightness::Electrons(_) => f64::NAN,
    });
    -2.5 * flux.sum::<f64>().log10()
}

/// Makes the catalogue of simulated folders; how many sources it has.
///
/// # Errors
/// When a folder has no slitless frames, scenario or list of objects, or the file cannot be written.
pub fn make(folders: &[PathBuf], out: &Path) -> anyhow::Result<usize> {
    let mut rows: BTreeMap<u64, Row> = BTreeMap::new();
    let mut bands: Vec<String> = Vec::new();
    for folder in folders {
        let path = Folder::at(folder).scenario();
        let plan = Units::new(Scenario::read(&path.to_string_lossy())?).with_context(|| path.display().to_string())?;
        let filters: Vec<(&String, f64, &Bandpass)> =
            plan.instrument.bands.iter().filter_map(|(name, b)| Some((name, b.table.as_ref()?.limit_mag, &*b.bandpass))).collect();
        bands = filters.iter().map(|f| f.0.clone()).collect();
        let Some(first) = plan.scenario.exposure.first().and_then(|e| e.start_mjd()) else { bail!("{}: no exposure", path.display()) };
        let sky = Sky::open(&plan.scenario, first)?.0;
        for frame in of_folders(std::slice::from_ref(folder))? {
            let observation = frame.observation();
            let unit = plan.units.iter().find(|u| u.detector == frame.detector && u.exposure.id.to_string() == observation);
            let Some(unit) = unit else { bail!("{}: no such exposure in {}", frame.path.display(), path.display()) };
            let spec = plan.spec(unit);
            let wcs = plan.instrument.wcs(spec, &unit.exposure.pointing);
            let view = sky::view(&plan.scenario, &unit.exposure)?;
            let front = Front { wcs: &wcs, view: view.as_ref(), mjd: sky::middle_mjd(&unit.exposure) };
            let sources: BTreeMap<u64, Source> =
                sky.sources(&plan.scenario, spec, unit.window, &front)?.0.into_iter().map(|s| (s.id, s)).collect();
            let list = super::extract::own_list(&frame.path)?;
            let table = super::closure::named(&list, "OBJECTS")?;
            let ids = super::catalogue::ids(&table).with_context(|| format!("{}: column OBJ_ID", list.display()))?;
            let copied: Vec<Vec<f64>> = COPIED
                .iter()
                .map(|name| table.f64s(name).with_context(|| format!("{}: column {name} is missing", list.display())))
                .collect::<anyhow::Result<_>>()?;
            for (i, id) in ids.iter().enumerate().filter(|(_, id)| !rows.contains_key(id)).collect::<Vec<_>>() {
                let Some(source) = sources.get(id) else { continue };
                let key = StreamKey::new(plan.scenario.seed).with_name("direct_catalogue");
                let mut draws = vec![0f32; filters.len()];
                normals(&key.stream(*id), 0, &mut draws);
                let size = copied[2][i];
                let seen = filters.iter().zip(&draws).map(|((_, limit, band), draw)| {
                    let flux = flux_nu(magnitude(source, band));
                    let sigma = (0.2 * flux_nu(*limit) * (1.0 + (size / APERTURE_ARCSEC).powi(2)).sqrt()).hypot(CALIBRATION * flux);
                    let seen = flux + sigma * f64::from(*draw);
                    if seen > sigma {
                        (-2.5 * (seen / AB_ZERO_ERG_S_CM2_HZ).log10(), 2.5 / std::f64::consts::LN_10 * sigma / seen)
                    } else {
                        (f64::NAN, f64::NAN)
                    }
                });
                let seen = seen.collect();
                let mut columns: Vec<f64> = copied.iter().map(|c| c[i]).collect();
                let (radius, index) = if size > 0.0 { two_components(source, &mut columns) } else { (0.0, 0.0) };
                columns.extend([radius, index]);
                rows.insert(*id, (columns, seen));
            }
        }
    }
    let f64s = |name: &str, unit: &str, text: &str, f: &dyn Fn(&Row) -> f64| {
        Column::new(name, unit, text, ColumnData::F64(rows.values().map(f).collect()))
    };
    let mut columns = vec![Column::new("OBJ_ID", "", "number of the source", ColumnData::I64(rows.keys().map(|id| *id as i64).collect()))];
    for (k, name) in COPIED.iter().enumerate() {
        let unit = if k < 2 {
            "deg"
        } else if k == 2 {
            "arcsec"
        } else {
            ""
        };
        columns.push(f64s(name, unit, "as in the list of objects", &|row| row.0[k]));
    }
    for (k, (name, unit)) in OF_BULGE.into_iter().enumerate() {
        columns.push(f64s(name, unit, "of the bulge, 0 without one", &|row| row.0[COPIED.len() + k]));
    }
    for (k, band) in bands.iter().enumerate() {
        columns.push(f64s(&format!("MAG_{band}"), "mag", "AB magnitude, NaN where not seen", &|row| row.1[k].0));
        columns.push(f64s(&format!("MAGERR_{band}"), "mag", "its standard error", &|row| row.1[k].1));
    }
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let table = Table { name: "DIRECT".into(), columns };
    fits::write(out, &[Hdu::primary(Header::default()), Hdu::new("DIRECT", Header::default(), Data::Table(table))])?;
    Ok(rows.len())
}
