//! Truth of cosmic rays: a table of hits and an image of their electrons.
//!
//! Both come from [`CosmicRays::hits`], the call that changes the frame. Masks follow from the image and the noise by the
//! definition in `validate` (`measures/cosmic_rays`).

use super::apply::{CosmicRays, Hit};
use ndarray::Array2;
use sim_core::effect::{Context, EffectError};
use sim_core::table::{Column, ColumnData, Table};

/// Levels at which the pixels of a hit are counted \[electron\].
pub const LEVELS: [u32; 3] = [10, 25, 100];

/// One hit of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct HitRow {
    /// Number in the frame, from 1.
    pub id: i32,
    /// Event; particles of a shower share it.
    pub event: i64,
    /// Kind of particle.
    pub kind: &'static str,
    /// Column of entry, 0-based detector pixels, where the charge ends up.
    pub x: f64,
    /// Row of entry, 0-based detector pixels, where the charge ends up.
    pub y: f64,
    /// Cosine to the normal; > 0: from the light side.
    pub cosine: f64,
    /// Azimuth of the motion from +x to +y \[deg\].
    pub azimuth_deg: f64,
    /// Kinetic energy \[MeV\].
    pub kinetic_mev: f64,
    /// Time since the start of the exposure \[s\].
    pub time_s: f64,
    /// Rows moved during the readout before it.
    pub shift: i32,
    /// Path in silicon \[um\].
    pub path_um: f64,
    /// Energy in silicon \[keV\].
    pub energy_kev: f64,
    /// Electrons, all of the hit.
    pub electrons: f64,
    /// Electrons inside the window.
    pub electrons_in_frame: f64,
    /// Pixels of the frame above [`LEVELS`], of this hit alone.
    pub pixels: [i32; 3],
}

/// The truth of one exposure.
#[derive(Debug, Clone)]
pub struct CosmicRayTruth {
    /// Hits that left charge inside the window.
    pub hits: Vec<HitRow>,
    /// Electrons `[y, x]` of the window, when asked for.
    pub electrons: Option<Array2<f32>>,
    /// Number (from 1) of the hit that gave most electrons to a pixel, 0 for none, when asked for.
    pub owner: Option<Array2<u32>>,
}

/// Whether images go with the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Images {
    /// Table alone.
    Without,
    /// Table and images.
    With,
}

impl HitRow {
    fn of(id: i32, hit: &Hit, pitch_um: f64) -> Self {
        let p = &hit.passage;
        let [dx, dy, dz] = p.direction;
        let place = hit.deposits.iter().max_by_key(|d| d.electrons);
        // The sign of the shift depends on the register: read it off where the charge lies.
        let row = p.entry[1] / pitch_um - 0.5;
        let moved = f64::from(hit.shift);
        let y = match place {
            Some(d) if (f64::from(d.y) - (row - moved)).abs() < (f64::from(d.y) - (row + moved)).abs() => row - moved,
            _ => row + moved,
        };
        Self {
            id,
            event: hit.event as i64,
            kind: p.kind.name(),
            x: p.entry[0] / pitch_um - 0.5,
            y,
            cosine: dz,
            azimuth_deg: dy.atan2(dx).to_degrees(),
            kinetic_mev: p.kinetic_kev * 1e-3,
            time_s: hit.time_s,
            shift: hit.shift,
            path_um: p.path_um,
            energy_kev: p.energy_kev,
            electrons: p.deposits.iter().map(|d| f64::from(d.electrons)).sum(),
            electrons_in_frame: hit.deposits.iter().map(|d| f64::from(d.electrons)).sum(),
            pixels: LEVELS.map(|level| hit.deposits.iter().filter(|d| d.electrons > level).count() as i32),
        }
    }
}

impl CosmicRays {
    /// The truth of an exposure.
    ///
    /// # Errors
    /// As [`CosmicRays::hits`].
    pub fn truth(&self, cx: &Context<'_>, images: Images) -> Result<CosmicRayTruth, EffectError> {
        let window = cx.window;
        let pitch_um = self.maker().sensor.pitch_um;
        let mut hits = Vec::new();
        let make = images == Images::With;
        let mut electrons = make.then(|| Array2::<f32>::zeros(window.shape()));
        let mut owner = make.then(|| Array2::<u32>::zeros(window.shape()));
        // Charge of the present owner of a pixel; few pixels have two hits.
        let mut share = make.then(|| Array2::<f32>::zeros(window.shape()));
        self.hits(cx, &mut |hit| {
            let id = hits.len() as i32 + 1;
            hits.push(HitRow::of(id, hit, pitch_um));
            if let (Some(electrons), Some(owner), Some(share)) = (&mut electrons, &mut owner, &mut share) {
                for d in &hit.deposits {
                    let at = (d.y as usize - window.y0, d.x as usize - window.x0);
                    electrons[at] += d.electrons as f32;
                    if d.electrons as f32 > share[at] {
                        share[at] = d.electrons as f32;
                        owner[at] = id as u32;
                    }
                }
            }
        })?;
        Ok(CosmicRayTruth { hits, electrons, owner })
    }
}

/// The table of hits.
#[must_use]
pub fn hit_table(hits: &[HitRow]) -> Table {
    fn f64s(hits: &[HitRow], get: impl Fn(&HitRow) -> f64) -> ColumnData {
        ColumnData::F64(hits.iter().map(get).collect())
    }
    fn i32s(hits: &[HitRow], get: impl Fn(&HitRow) -> i32) -> ColumnData {
        ColumnData::I32(hits.iter().map(get).collect())
    }
    let column = Column::new;
    Table {
        name: "COSMIC_RAYS".into(),
        columns: vec![
            column("HIT_ID", "", "hit number, from 1", i32s(hits, |h| h.id)),
            column("EVENT", "", "event; particles of a shower share it", ColumnData::I64(hits.iter().map(|h| h.event).collect())),
            column("KIND", "", "kind of particle", ColumnData::Text(hits.iter().map(|h| h.kind.to_string()).collect())),
            column("X", "pixel", "column of entry, 0-based detector pixels", f64s(hits, |h| h.x)),
            column("Y", "pixel", "row of entry, 0-based, where the charge ends up", f64s(hits, |h| h.y)),
            column("COSINE", "", "cosine to the normal, > 0 from the light side", f64s(hits, |h| h.cosine)),
            column("AZIMUTH", "deg", "azimuth of the motion from +x to +y", f64s(hits, |h| h.azimuth_deg)),
            column("KINETIC", "MeV", "kinetic energy", f64s(hits, |h| h.kinetic_mev)),
            column("TIME", "s", "time since the start of the exposure", f64s(hits, |h| h.time_s)),
            column("SHIFT", "pixel", "rows moved during the readout before it", i32s(hits, |h| h.shift)),
            column("PATH", "um", "path in silicon", f64s(hits, |h| h.path_um)),
            column("ENERGY", "keV", "energy in silicon", f64s(hits, |h| h.energy_kev)),
            column("ELECTRONS", "electron", "electrons of the whole hit", f64s(hits, |h| h.electrons)),
            column("ELECTRONS_IN", "electron", "electrons inside the frame", f64s(hits, |h| h.electrons_in_frame)),
            column("NPIX_10", "pixel", "pixels above 10 electrons", i32s(hits, |h| h.pixels[0])),
            column("NPIX_25", "pixel", "pixels above 25 electrons", i32s(hits, |h| h.pixels[1])),
            column("NPIX_100", "pixel", "pixels above 100 electrons", i32s(hits, |h| h.pixels[2])),
        ],
    }
}
