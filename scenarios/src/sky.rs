//! What lies in front of a detector in an exposure: its sources and its sky background.

use crate::scenario::{Calibrator, CatalogChoice, OrbitSpec, Scenario, SkySpec};
use anyhow::{Context, bail};
use catalogs::moving::{Cone, Moving, Passage};
use catalogs::observer::{Observer, Sight, View};
use catalogs::read::{CatalogSpec, FillReport};
use catalogs::sky_background::SkyModel;
use catalogs::synthetic::{FieldSpec, Population};
use catalogs::{Footprint, Library};
use instruments::description::{DetectorSpec, Instrument};
use instruments::optics::slitless;
use sim_core::exposure::Exposure;
use sim_core::frame::Window;
use sim_core::source::{Brightness, Component, Lensing, Position, Profile, Source, SourceKind};
use sim_core::spectrum::{Sed, Spectrum};
use sim_core::stream::StreamKey;
use sim_core::units::Nanometre;
use sim_core::wcs::Wcs;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Margin around a window from which light still reaches it \[arcsec\].
const HALO_ARCSEC: f64 = 20.0;

/// Rows of a catalogue that cannot be used, by cause.
pub type Skipped = BTreeMap<String, u64>;

/// What a scenario has in front of the telescope, read once.
pub struct Sky {
    library: Library,
    diffuse: SkyModel,
    objects: Objects,
    /// What a user has put into the sky: the pieces of images and cubes.
    inserts: Vec<Source>,
    /// What moves by its orbit.
    moving: Option<Moving>,
    /// The bodies of the solar system in front of all detectors of the exposure that was asked for last.
    bodies: Mutex<Option<(u64, Arc<[Passage]>)>>,
    skipped: Skipped,
}

/// How the sky lies in front of a detector: its nominal world coordinates, and what a moving observer sees.
pub struct Front<'a> {
    /// World coordinates of the detector.
    pub wcs: &'a Wcs,
    /// The observer's view; `None`: all is where the catalogue has it.
    pub view: Option<&'a View>,
    /// Middle of the exposure, modified Julian date: what varies is as bright as it is then.
    pub mjd: f64,
}

/// Middle of an exposure, modified Julian date.
#[must_use]
pub fn middle_mjd(exposure: &Exposure) -> f64 {
    exposure.start_mjd + 0.5 * exposure.time_s / 86_400.0
}

/// What the observer of a scenario sees at the middle of an exposure; `None` when the scenario has none.
///
/// # Errors
/// For dates that the ephemeris does not have.
pub fn view(scenario: &Scenario, exposure: &Exposure) -> anyhow::Result<Option<View>> {
    let Some(observer) = &scenario.observer else { return Ok(None) };
    let orbit = observer.orbit.as_ref().map(OrbitSpec::orbit);
    let observer = Observer::new(middle_mjd(exposure), orbit.as_ref())?;
    Ok(Some(View::new(observer, exposure.pointing.ra_deg, exposure.pointing.dec_deg)))
}

/// The objects.
enum Objects {
    /// Made on demand, the same object whichever window asks.
    Synthetic(Box<Population>),
    /// All sources of a file, or sources given as they are.
    Given(Vec<Source>),
    /// A partition by HEALPix cell, of which each window reads its own rows, at an epoch \[Julian year\].
    Partition(Box<CatalogSpec>, f64),
    /// A grid of stars.
    StarGrid { spacing: f64, limits: (f64, f64) },
    /// Calibrators of this spectrum, columns and rows of them, and their magnitude.
    Calibrators(Sed, (u32, u32), f64),
    /// Nothing.
    None,
}

/// Temperature of the white dwarf WDFS1814+78 \[K\], `catalogs/data/white_dwarf_standards.csv`.
const WHITE_DWARF_K: f64 = 34_910.0;

/// The spectrum of a calibrator.
///
/// # Errors
/// Never with the tables that are built in.
pub fn calibrator_sed(calibrator: Calibrator, library: &Library) -> anyhow::Result<Sed> {
    Ok(Sed::rest(match calibrator {
        Calibrator::Nebula => catalogs::sed::nebula()?,
        Calibrator::WhiteDwarf => library.seds.star(WHITE_DWARF_K, 8.0, 0.0),
    }))
}

impl Sky {
    /// Opens the catalogue of a scenario; the report says what was filled and skipped in a file.
    ///
    /// # Errors
    /// When the catalogue cannot be read or its table in the scenario is wrong.
    pub fn open(scenario: &Scenario, epoch_mjd: f64) -> anyhow::Result<(Self, Option<FillReport>)> {
        let library = Library::load();
        let mut report = None;
        let mut skipped = Skipped::new();
        let objects = match &scenario.catalog {
            CatalogChoice::Synthetic { field } => {
                let field = FieldSpec { seed: field.seed.or(Some(scenario.seed)), ..(**field).clone() };
                Objects::Synthetic(Box::new(Population::new(&field, &library)?))
            }
            CatalogChoice::File { file } if file.path.is_dir() => Objects::Partition(file.clone(), catalogs::read::julian_year(epoch_mjd)),
            CatalogChoice::File { file } => {
                let (sources, filled) = catalogs::read::read(file, None, catalogs::read::julian_year(epoch_mjd), &library)?;
                skipped = skipped_in(&filled);
                report = Some(filled);
                Objects::Given(sources)
            }
            CatalogChoice::StarGrid { spacing_pixel, bright, faint } => {
                Objects::StarGrid { spacing: *spacing_pixel, limits: (*bright, *faint) }
            }
            CatalogChoice::Calibrators { calibrator, columns, rows, magnitude } => {
                Objects::Calibrators(calibrator_sed(*calibrator, &library)?, (*columns, *rows), *magnitude)
            }
            CatalogChoice::None => Objects::None,
        };
        let mut inserts = Vec::new();
        for (index, spec) in scenario.insert.iter().enumerate() {
            let (pieces, found) = catalogs::inserts::open(spec, index, &library).with_context(|| format!("insert[{index}]"))?;
            if found.left_out.0 > 0 {
                skipped.insert(format!("pieces of insert[{index}] without light"), found.left_out.0 as u64);
            }
            inserts.extend(pieces);
        }
        let moving = scenario.moving.as_ref().map(|spec| Moving::new(spec, scenario.seed, &library)).transpose()?;
        Ok((Self { skipped, inserts, moving, ..Self::with(library, objects) }, report))
    }

    /// A sky of the sources that `make` gives.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn given<E>(make: impl FnOnce(&Library) -> Result<Vec<Source>, E>) -> Result<Self, E> {
        let library = Library::load();
        let sources = make(&library)?;
        Ok(Self::with(library, Objects::Given(sources)))
    }

    fn with(library: Library, objects: Objects) -> Self {
        let diffuse = SkyModel::new(&library.seds);
        Self { library, diffuse, objects, inserts: Vec::new(), moving: None, bodies: Mutex::new(None), skipped: Skipped::new() }
    }

    /// What moves by its orbit, with the spectra and bands it is described in.
    #[must_use]
    pub fn moving(&self) -> Option<(&Moving, &Library)> {
        self.moving.as_ref().map(|moving| (moving, &self.library))
    }

    /// Bodies of the solar system in a cone that holds all detectors of an exposure: searched once for all of them.
    #[must_use]
    pub fn bodies(&self, exposure: &Exposure, sight: &Sight, cone: &Cone) -> Option<Arc<[Passage]>> {
        let moving = self.moving.as_ref()?;
        let mut held = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((id, bodies)) = held.as_ref()
            && *id == exposure.id
        {
            return Some(Arc::clone(bodies));
        }
        let bodies: Arc<[Passage]> = moving.solar_system(sight, cone)?.into();
        *held = Some((exposure.id, Arc::clone(&bodies)));
        Some(bodies)
    }

    /// The sources that can reach a window, and how many rows of the catalogue cannot be used.
    ///
    /// # Errors
    /// When the population cannot be made.
    pub fn sources(
        &self,
        scenario: &Scenario,
        spec: &DetectorSpec,
        window: Window,
        front: &Front<'_>,
    ) -> anyhow::Result<(Vec<Source>, Skipped)> {
        self.within(scenario, spec, window, front, HALO_ARCSEC + dispersion_arcsec(spec)?, true)
    }

    /// The stars around a window, `reach_arcsec` from its edge, and the objects of a given catalogue: those whose ghosts or
    /// scattered light may reach it.
    ///
    /// # Errors
    /// As [`Sky::sources`].
    pub fn stars_around(
        &self,
        scenario: &Scenario,
        spec: &DetectorSpec,
        window: Window,
        front: &Front<'_>,
        reach_arcsec: f64,
    ) -> anyhow::Result<Vec<Source>> {
        self.within(scenario, spec, window, front, reach_arcsec.max(HALO_ARCSEC), false).map(|found| found.0)
    }

    fn within(
        &self,
        scenario: &Scenario,
        spec: &DetectorSpec,
        window: Window,
        front: &Front<'_>,
        halo_arcsec: f64,
        galaxies: bool,
    ) -> anyhow::Result<(Vec<Source>, Skipped)> {
        let (centre, half_diagonal_arcsec) = circle(window, spec, front.wcs);
        let footprint = Footprint::new(centre.0, centre.1, (half_diagonal_arcsec + halo_arcsec) / 3600.0)?;
        let mut skipped = self.skipped.clone();
        let mut sources = match &self.objects {
            Objects::Synthetic(population) if galaxies => population.within(&footprint, &self.library, front.mjd),
            Objects::Synthetic(population) => population.stars_within(&footprint, &self.library, front.mjd),
            Objects::Given(sources) => sources
                .iter()
                .filter(|s| match s.position {
                    Position::Sky { ra_deg, dec_deg } => footprint.contains(ra_deg, dec_deg),
                    Position::Pixel { .. } => true,
                })
                .cloned()
                .collect(),
            Objects::Partition(file, epoch_year) => {
                let (sources, report) = catalogs::read::read(file, Some(&footprint), *epoch_year, &self.library)?;
                skipped = skipped_in(&report);
                sources
            }
            Objects::StarGrid { spacing, limits } => star_grid(scenario.seed, *spacing, *limits, spec, window),
            Objects::Calibrators(sed, counts, magnitude) => calibrators(sed, *counts, *magnitude, spec, window),
            Objects::None => Vec::new(),
        };
        if galaxies {
            for piece in &self.inserts {
                let Position::Sky { ra_deg, dec_deg } = piece.position else { continue };
                let reach_arcsec = half_diagonal_arcsec + halo_arcsec + catalogs::inserts::reach_arcsec(piece);
                if Footprint::new(centre.0, centre.1, reach_arcsec / 3600.0)?.contains(ra_deg, dec_deg) {
                    sources.push(piece.clone());
                }
            }
        }
        if let Some(view) = front.view {
            for source in &mut sources {
                if let Position::Sky { ra_deg, dec_deg } = source.position {
                    source.seen = Some(view.place(ra_deg, dec_deg, source.motion.as_ref()));
                }
            }
        }
        Ok((sources, skipped))
    }

    /// Sky background of a detector in an exposure \[electron / s / pixel\].
    ///
    /// # Errors
    /// When the scenario asks for the table's value and the band has none, or the field is too close to the Sun.
    pub fn background(
        &self,
        scenario: &Scenario,
        instrument: &Instrument,
        spec: &DetectorSpec,
        exposure: &Exposure,
    ) -> anyhow::Result<f64> {
        Ok(match &scenario.sky {
            SkySpec::None => 0.0,
            SkySpec::Fixed { electron_s } => *electron_s,
            SkySpec::Table => match spec.table_sky_electron_s {
                Some(value) => value,
                None => bail!(
                    "sky.model = \"table\": detector {} ({}) has no sky value in the band table",
                    spec.geometry.number,
                    spec.geometry.filter
                ),
            },
            SkySpec::Spectrum { conditions } => self
                .diffuse
                .at(exposure.pointing.ra_deg, exposure.pointing.dec_deg, exposure.start_mjd, conditions)?
                .electron_s_pixel(&*slitless::all_orders(spec)?, instrument.area_cm2, spec.geometry.pixel_scale_arcsec),
        })
    }

    /// Sky of each column of a slitless window over that of a whole grating: the orders of two gratings side by side overlap. The colour is that of the
    /// sky's spectrum; a sky that is one number has constant f_lambda.
    ///
    /// # Errors
    /// As [`Sky::background`].
    pub fn columns(&self, scenario: &Scenario, spec: &DetectorSpec, window: Window, exposure: &Exposure) -> anyhow::Result<Vec<f32>> {
        Ok(match &scenario.sky {
            SkySpec::Spectrum { conditions } => {
                let sky = self.diffuse.at(exposure.pointing.ra_deg, exposure.pointing.dec_deg, exposure.start_mjd, conditions)?;
                slitless::sky_columns(spec, window, &|nm| nm * sky.spectrum.at(Nanometre(nm)))?
            }
            _ => slitless::sky_columns(spec, window, &|nm| nm)?,
        })
    }
}

/// Middle of a window (ra, dec) \[deg\] and radius of a circle about it that holds it \[arcsec\].
pub fn circle(window: Window, spec: &DetectorSpec, wcs: &Wcs) -> ((f64, f64), f64) {
    let middle = wcs.sky_from_pixel(window.x0 as f64 + 0.5 * window.nx as f64, window.y0 as f64 + 0.5 * window.ny as f64);
    // 2 % for the distortion of the field.
    (middle, 0.51 * (window.nx as f64).hypot(window.ny as f64) * spec.geometry.pixel_scale_arcsec)
}

/// How far gratings carry light \[arcsec\]; 0 for imaging detectors.
fn dispersion_arcsec(spec: &DetectorSpec) -> anyhow::Result<f64> {
    let (nx, ny) = (spec.geometry.nx as f64, spec.geometry.ny as f64);
    let mut most = 0.0_f64;
    for order in slitless::gratings(spec)?.iter().flat_map(|g| &g.orders) {
        let (low, high) = order.efficiency.range_nm();
        for (x, y) in [(0.0, 0.0), (nx, 0.0), (0.0, ny), (nx, ny)] {
            let trace = order.trace(x, y);
            for nm in [low, high] {
                let (dx, dy) = trace.offset(trace.parameter(nm));
                most = most.max(dx.hypot(dy));
            }
        }
    }
    Ok(most * spec.geometry.pixel_scale_arcsec)
}

/// What a catalogue's report counts as left out.
fn skipped_in(report: &FillReport) -> Skipped {
    let mut skipped: Skipped = report.skipped_by.iter().map(|(cause, count)| (cause.clone(), *count as u64)).collect();
    if !report.missing_cells.is_empty() {
        skipped.insert("cells of the partition without a file that can be read".into(), report.missing_cells.len() as u64);
    }
    skipped
}

/// Calibrators on an even grid over a window, columns of it shifted in steps so that no spectrum lies on another; each off a pixel's middle by its own amount.
fn calibrators(sed: &Sed, (columns, rows): (u32, u32), magnitude: f64, spec: &DetectorSpec, window: Window) -> Vec<Source> {
    let place = |k: u32, count: u32, from: usize, size: usize| from as f64 + size as f64 * (f64::from(k) + 0.5) / f64::from(count);
    let grid = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    grid.map(|(row, column)| {
        let id = u64::from(row * columns + column);
        // Parts of the golden section: every phase of a pixel.
        let phase = (0.618_033_988_75 * id as f64).fract();
        let x = place(column, columns, window.x0, window.nx).floor() + phase;
        let step = window.ny as f64 / f64::from(rows) * ((f64::from(column) + 0.5) / f64::from(columns) - 0.5);
        let y = (place(row, rows, window.y0, window.ny) + step).floor() + (phase + 0.5).fract();
        let brightness = Brightness::Ab { magnitude, band: spec.band.clone() };
        Source {
            id: id + 1,
            kind: SourceKind::Star,
            position: Position::Pixel { x, y },
            components: vec![Component { profile: Profile::Point, sed: sed.clone(), brightness }],
            lensing: Lensing::default(),
            redshift: 0.0,
            motion: None,
            seen: None,
        }
    })
    .collect()
}

/// A jittered grid of stars of constant f_nu over a window, anchored to the detector so that a cut-out shows the
/// stars of the whole frame; magnitudes uniform between the limits.
fn star_grid(seed: u64, spacing: f64, limits: (f64, f64), spec: &DetectorSpec, window: Window) -> Vec<Source> {
    let sed = Sed::rest(Arc::new(Spectrum::flat_fnu()));
    let key = StreamKey::new(seed).with(u64::from(spec.geometry.number)).with_name("star_grid");
    let unit = |word: u32| (f64::from(word) + 0.5) / 4_294_967_296.0;
    let per_row = (spec.geometry.nx as f64 / spacing).ceil() as u64;
    let (first_row, last_row) = (window.y0 as f64 / spacing, (window.y0 + window.ny) as f64 / spacing);
    let (first_col, last_col) = (window.x0 as f64 / spacing, (window.x0 + window.nx) as f64 / spacing);
    let mut stars = Vec::new();
    for row in first_row.floor() as u64..=last_row.ceil() as u64 {
        for column in first_col.floor() as u64..=last_col.ceil() as u64 {
            let id = row * per_row + column;
            let stream = key.stream(id);
            // Half a spacing plus a random offset of one pixel: all sub-pixel phases occur.
            let x = (column as f64 + 0.5) * spacing + unit(stream.word(0));
            let y = (row as f64 + 0.5) * spacing + unit(stream.word(1));
            let magnitude = limits.0 + (limits.1 - limits.0) * unit(stream.word(2));
            stars.push(Source {
                id,
                kind: SourceKind::Star,
                position: Position::Pixel { x, y },
                components: vec![Component {
                    profile: Profile::Point,
                    sed: sed.clone(),
                    brightness: Brightness::Ab { magnitude, band: spec.band.clone() },
                }],
                lensing: Lensing::default(),
                redshift: 0.0,
                motion: None,
                seen: None,
            });
        }
    }
    stars
}
