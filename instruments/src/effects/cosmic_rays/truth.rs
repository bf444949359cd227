//! What a hit writes into the truth, by the call that changes the frame. Masks follow from the charge and the noise by the definition in
//! `validate` (`measures/cosmic_rays`).

use super::apply::{CosmicRays, Hit};
use sim_core::effect::{Context, EffectError};
use sim_core::frame::Window;
use sim_core::hits::{HitCharge, HitRecord, HitRow, Keep, LEVELS};

impl Hit {
    fn row(&self, pitch_um: f64) -> HitRow {
        let p = &self.passage;
        let [dx, dy, dz] = p.direction;
        let place = self.deposits.iter().max_by_key(|d| d.electrons);
        // The sign of the shift depends on the register: read it off where the charge lies.
        let row = p.entry[1] / pitch_um - 0.5;
        let moved = f64::from(self.shift);
        let y = match place {
            Some(d) if (f64::from(d.y) - (row - moved)).abs() < (f64::from(d.y) - (row + moved)).abs() => row - moved,
            _ => row + moved,
        };
        HitRow {
            id: 0,
            event: self.event as i64,
            kind: p.kind.name(),
            x: p.entry[0] / pitch_um - 0.5,
            y,
            cosine: dz,
            azimuth_deg: dy.atan2(dx).to_degrees(),
            kinetic_mev: p.kinetic_kev * 1e-3,
            time_s: self.time_s,
            shift: self.shift,
            path_um: p.path_um,
            energy_kev: p.energy_kev,
            electrons: p.deposits.iter().map(|d| f64::from(d.electrons)).sum(),
            electrons_in_frame: self.deposits.iter().map(|d| f64::from(d.electrons)).sum(),
            pixels: LEVELS.map(|level| self.deposits.iter().filter(|d| d.electrons > level).count() as i32),
        }
    }
    /// Writes the hit down.
    pub(super) fn write(&self, record: &mut HitRecord, window: Window, pitch_um: f64) {
        let charge = self.deposits.iter().map(|d| {
            let (y, x) = (d.y as usize - window.y0, d.x as usize - window.x0);
            HitCharge { place: (y * window.nx + x) as u32, electrons: d.electrons }
        });
        record.push(self.row(pitch_um), charge);
    }
}

impl CosmicRays {
    /// The truth of an exposure without a frame, for studies: the record that the effect makes in a frame which asks for one.
    ///
    /// # Errors
    /// As [`CosmicRays::hits`].
    pub fn truth(&self, cx: &Context<'_>, keep: Keep) -> Result<HitRecord, EffectError> {
        let mut record = HitRecord::new(keep);
        self.hits(cx, &mut |hit| hit.write(&mut record, cx.window, self.maker().sensor.pitch_um))?;
        Ok(record)
    }
}
