//! Truth of cosmic rays: what each hit of an exposure was and which pixels it left charge in.
//!
//! The effect that changes the frame writes it down, when [`crate::frame::Frame::hits`] asks for it; nothing is drawn a second time. Images of
//! the whole window are made from the list when they are wanted, so that a frame on its way through the chain carries a few megabytes.

use crate::table::{Column, ColumnData, Table};
use ndarray::Array2;

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

/// What is written down of hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The table alone.
    Rows,
    /// Table and charge by pixel, for images.
    Charge,
}

/// Electrons of a hit in one pixel of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HitCharge {
    /// Place in the window, `y * nx + x`.
    pub place: u32,
    /// Electrons.
    pub electrons: u32,
}

/// The hits of one exposure that left charge inside the window.
#[derive(Debug, Clone, PartialEq)]
pub struct HitRecord {
    keep: Keep,
    rows: Vec<HitRow>,
    /// Of all hits one after the other; those of hit `k` begin where `first[k]` says.
    charge: Vec<HitCharge>,
    first: Vec<usize>,
}

/// The charge of all hits in one pixel of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HitPixel {
    /// Place in the window, `y * nx + x`.
    pub place: u32,
    /// Electrons of all hits.
    pub electrons: u32,
    /// Number (from 1) of the hit that gave most of them; the earlier one where two gave as many.
    pub owner: u32,
}

/// Images of the hits of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct HitImages {
    /// Electrons `[y, x]`.
    pub electrons: Array2<f32>,
    /// Number (from 1) of the hit that gave most electrons to a pixel, 0 for none; the earlier one where two gave as many.
    pub owner: Array2<u32>,
}

impl HitRecord {
    /// An empty record that asks for `keep`.
    #[must_use]
    pub fn new(keep: Keep) -> Self {
        Self { keep, rows: Vec::new(), charge: Vec::new(), first: Vec::new() }
    }
    /// Writes down a hit; its number is its place in the record.
    pub fn push(&mut self, row: HitRow, charge: impl Iterator<Item = HitCharge>) {
        self.rows.push(HitRow { id: self.rows.len() as i32 + 1, ..row });
        if self.keep == Keep::Charge {
            self.first.push(self.charge.len());
            self.charge.extend(charge);
        }
    }
    /// The hits.
    #[must_use]
    pub fn rows(&self) -> &[HitRow] {
        &self.rows
    }
    /// The pixels with charge, by place; `None` when charge was not asked for.
    #[must_use]
    pub fn pixels(&self) -> Option<Vec<HitPixel>> {
        if self.keep == Keep::Rows {
            return None;
        }
        let hit = |k: usize| self.first[k]..self.first.get(k + 1).copied().unwrap_or(self.charge.len());
        let mut parts: Vec<(HitCharge, u32)> =
            (0..self.first.len()).flat_map(|k| self.charge[hit(k)].iter().map(move |part| (*part, k as u32 + 1))).collect();
        // Stable: hits of a pixel stay in their order.
        parts.sort_by_key(|(part, _)| part.place);
        let mut pixels: Vec<HitPixel> = Vec::with_capacity(parts.len());
        // Charge of the present owner of the last pixel; few pixels have two hits.
        let mut share = 0;
        for (HitCharge { place, electrons }, owner) in parts {
            match pixels.last_mut().filter(|pixel| pixel.place == place) {
                Some(pixel) => {
                    pixel.electrons += electrons;
                    if electrons > share {
                        (share, pixel.owner) = (electrons, owner);
                    }
                }
                None => {
                    share = electrons;
                    pixels.push(HitPixel { place, electrons, owner });
                }
            }
        }
        Some(pixels)
    }
    /// Images of a window of `shape` (rows, columns), the one the record was made in; `None` when charge was not asked for.
    #[must_use]
    pub fn images(&self, shape: (usize, usize)) -> Option<HitImages> {
        let pixels = self.pixels()?;
        let (mut electrons, mut owner) = (Array2::zeros(shape), Array2::zeros(shape));
        for pixel in pixels {
            let at = (pixel.place as usize / shape.1, pixel.place as usize % shape.1);
            (electrons[at], owner[at]) = (pixel.electrons as f32, pixel.owner);
        }
        Some(HitImages { electrons, owner })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(electrons: f64) -> HitRow {
        let (id, event, kind, shift, pixels) = (0, 7, "proton", 0, [1, 1, 0]);
        let [x, y, cosine, azimuth_deg, kinetic_mev, time_s, path_um, energy_kev] = [1.0; 8];
        let electrons_in_frame = electrons;
        HitRow {
            id,
            event,
            kind,
            x,
            y,
            cosine,
            azimuth_deg,
            kinetic_mev,
            time_s,
            shift,
            path_um,
            energy_kev,
            electrons,
            electrons_in_frame,
            pixels,
        }
    }

    #[test]
    fn a_pixel_belongs_to_the_hit_that_gave_most_and_holds_the_charge_of_all() {
        let mut record = HitRecord::new(Keep::Charge);
        let part = |place, electrons| HitCharge { place, electrons };
        record.push(row(50.0), [part(1, 20), part(2, 30)].into_iter());
        record.push(row(45.0), [part(2, 40), part(5, 5)].into_iter());
        record.push(row(5.0), [part(5, 5)].into_iter());
        let HitImages { electrons, owner } = record.images((2, 3)).unwrap();
        assert_eq!(electrons, ndarray::array![[0.0, 20.0, 70.0], [0.0, 0.0, 10.0]]);
        assert_eq!(owner, ndarray::array![[0, 1, 2], [0, 0, 2]]);
        assert_eq!(record.rows().iter().map(|r| r.id).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(hit_table(record.rows()).rows(), 3);
    }

    #[test]
    fn without_charge_there_are_rows_and_no_images() {
        let mut record = HitRecord::new(Keep::Rows);
        record.push(row(20.0), [HitCharge { place: 3, electrons: 20 }].into_iter());
        assert_eq!((record.rows().len(), record.images((2, 2))), (1, None));
        assert!(record.charge.is_empty());
    }
}
