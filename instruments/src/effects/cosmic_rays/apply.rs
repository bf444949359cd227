//! Forward: draws events, lets them pass, puts their electrons where the charge of the time belongs.

use super::PARAMETERS;
use super::deposit::{Deposit, Sensor};
use super::dice::Dice;
use super::direction::Directions;
use super::event::{LONGEST_UM, Maker, Passage};
use super::landau::Landau;
use super::spectrum::{Kind, Shares, Spectrum};
use super::wander::REACH_UM;
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use rayon::prelude::*;
use sim_core::effect::{Context, Effect, EffectError};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::noise;
use sim_core::plane::Charge;

/// Silicon around the pixels in which particles may enter \[um\].
const MARGIN_UM: f64 = 500.0;
/// Events that are made side by side before their charge is put down in order.
const BATCH: usize = 1 << 14;
/// More events than that are refused.
const MOST_EVENTS: f64 = 5e7;

/// The effect with its tables.
#[derive(Debug, Clone)]
pub struct CosmicRays {
    /// Events per area and time \[1 / (cm2 s)\].
    rate: f64,
    readout_time_s: f64,
    maker: Maker,
}

/// When and where an event falls.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    /// Since the start of the exposure \[s\].
    time_s: f64,
    /// Rows that charge has moved by then.
    shift: i32,
}

/// One particle that left charge inside the window.
#[derive(Debug, Clone)]
pub struct Hit {
    /// Event; particles of one shower share it.
    pub event: u64,
    /// Time since the start of the exposure \[s\].
    pub time_s: f64,
    /// Rows that the charge had moved towards its register.
    pub shift: i32,
    /// The passage, in physical places.
    pub passage: Passage,
    /// Electrons by pixel of the **frame** (0-based detector pixels), inside the window.
    pub deposits: Vec<Deposit>,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Charge>>, ParameterError> {
    Ok(Box::new(CosmicRays::new(spec)?))
}

impl CosmicRays {
    /// The effect of a detector.
    ///
    /// # Errors
    /// When parameters are missing or out of range, the shares exceed 1, or the field-free layer exceeds the thickness.
    pub fn new(spec: &DetectorSpec) -> Result<Self, ParameterError> {
        const EFFECT: &str = "cosmic_rays";
        let [
            rate,
            activity,
            readout_time_s,
            thickness,
            pitch,
            diffusion,
            field_free,
            angular_power,
            back_fraction,
            modulation,
            cutoff,
            helium,
            secondary,
            electron,
            stopping,
            shower,
        ] = parameters::read(&spec.parameters, EFFECT, &PARAMETERS)?;
        let sum = helium + secondary + electron + stopping + shower;
        if sum > 1.0 + 1e-12 {
            let key = "helium_fraction + secondary_fraction + electron_fraction + stopping_fraction + shower_fraction";
            return Err(ParameterError::Range { effect: EFFECT, key, value: sum, unit: "1", low: 0.0, high: 1.0 });
        }
        if field_free > thickness {
            return Err(ParameterError::Range {
                effect: EFFECT,
                key: "field_free",
                value: field_free,
                unit: "um",
                low: 0.0,
                high: thickness,
            });
        }
        let shares = Shares { helium, secondary, electron, stopping, shower };
        Ok(Self {
            rate: rate * activity,
            readout_time_s,
            maker: Maker {
                sensor: Sensor::new(thickness, pitch, diffusion, field_free),
                spectrum: Spectrum::new(shares, modulation, cutoff),
                directions: Directions::new(angular_power, back_fraction),
                landau: Landau::new(),
            },
        })
    }
    /// What makes the events, for tests and studies.
    #[must_use]
    pub fn maker(&self) -> &Maker {
        &self.maker
    }
    /// Expected events on the detector and its margin.
    #[must_use]
    pub fn expected_events(&self, cx: &Context<'_>) -> f64 {
        let side = |pixels: usize| (pixels as f64 * self.maker.sensor.pitch_um + 2.0 * MARGIN_UM) * 1e-4;
        self.rate * side(cx.geometry.nx) * side(cx.geometry.ny) * (cx.exposure.time_s + self.readout_time_s)
    }
    /// Makes all hits of an exposure that leave charge inside the window, and calls `each` in their order.
    /// A pure function of the key (seed, exposure, detector): the truth of an exposure is made by this very call.
    ///
    /// # Errors
    /// When more events are expected than can be made.
    pub fn hits(&self, cx: &Context<'_>, each: &mut dyn FnMut(&Hit)) -> Result<(), EffectError> {
        let cx = cx.named("cosmic_rays");
        let expected = self.expected_events(&cx);
        if !(0.0..=MOST_EVENTS).contains(&expected) {
            let (effect, key, unit) = ("cosmic_rays", "rate x activity x area x time", "events");
            return Err(EffectError::OutOfRange { effect, key, value: expected, unit, range: "0..5e7" });
        }
        let count = noise::poisson_of_word(expected as f32, cx.stream(0).word(0)) as u64;
        let mut from = 0;
        while from < count {
            let to = (from + BATCH as u64).min(count);
            let batch = 0..(to - from) as usize;
            let made: Vec<Vec<Hit>> = batch.into_par_iter().with_min_len(64).map(|k| self.event(from + k as u64, &cx)).collect();
            made.iter().flatten().for_each(&mut *each);
            from = to;
        }
        Ok(())
    }
    fn event(&self, event: u64, cx: &Context<'_>) -> Vec<Hit> {
        let mut dice = Dice::new(cx.stream(event + 1));
        let maker = &self.maker;
        let pitch = maker.sensor.pitch_um;
        let time_s = dice.uniform() * (cx.exposure.time_s + self.readout_time_s);
        let kind = maker.spectrum.kind(dice.uniform());
        let along = |dice: &mut Dice, pixels: usize| dice.uniform() * (pixels as f64 * pitch + 2.0 * MARGIN_UM) - MARGIN_UM;
        let place = [along(&mut dice, cx.geometry.nx), along(&mut dice, cx.geometry.ny)];
        let direction = maker.directions.draw(&mut dice);
        let arrival = self.arrival(time_s, cx);
        if kind != Kind::Shower && !self.may_touch(place, direction, arrival, cx) {
            return Vec::new();
        }
        let passages = maker.passages(kind, place, direction, &mut dice);
        let hits = passages.into_iter().map(|passage| {
            let deposits = passage.deposits.iter().filter_map(|d| in_frame(*d, arrival.shift, cx)).collect();
            Hit { event, time_s: arrival.time_s, shift: arrival.shift, passage, deposits }
        });
        hits.filter(|hit| !hit.deposits.is_empty()).collect()
    }
    fn arrival(&self, time_s: f64, cx: &Context<'_>) -> Arrival {
        let late = time_s - cx.exposure.time_s;
        let rows = cx.geometry.ny / cx.geometry.amplifiers.rows + cx.geometry.amplifiers.overscan_y;
        let shift = if late > 0.0 { (late / self.readout_time_s * rows as f64) as i32 } else { 0 };
        Arrival { time_s, shift }
    }
    /// Whether an event can leave charge inside the window: its straight path and the reach of electrons around it.
    fn may_touch(&self, place: [f64; 2], direction: [f64; 3], arrival: Arrival, cx: &Context<'_>) -> bool {
        let sensor = &self.maker.sensor;
        let pitch = sensor.pitch_um;
        let length = (sensor.thickness_um / direction[2].abs().max(1e-9)).min(LONGEST_UM);
        let reach = REACH_UM + 5.0 * pitch;
        let touches = |axis: usize, first: usize, count: usize, moved: f64| {
            let (a, b) = (place[axis], place[axis] + length * direction[axis]);
            let (low, high) = (a.min(b) - reach - moved, a.max(b) + reach + moved);
            low < (first + count) as f64 * pitch && high > first as f64 * pitch
        };
        let window = cx.window;
        touches(0, window.x0, window.nx, 0.0) && touches(1, window.y0, window.ny, f64::from(arrival.shift) * pitch)
    }
}

/// Where the charge of a physical pixel belongs after `shift` rows have left: `None` off the frame, or in rows that are read
/// after the image.
fn in_frame(deposit: Deposit, shift: i32, cx: &Context<'_>) -> Option<Deposit> {
    let geometry = cx.geometry;
    let (nx, ny) = (geometry.nx as i32, geometry.ny as i32);
    let Deposit { y, x, electrons } = deposit;
    if x < 0 || x >= nx || y < 0 || y >= ny {
        return None;
    }
    let section = ny / geometry.amplifiers.rows as i32;
    let to = if y < section { Some(y + shift).filter(|to| *to < section) } else { Some(y - shift).filter(|to| *to >= section) };
    let to = to?;
    let window = cx.window;
    let inside = |at: i32, first: usize, count: usize| (first..first + count).contains(&(at as usize));
    (inside(x, window.x0, window.nx) && inside(to, window.y0, window.ny)).then_some(Deposit { y: to, x, electrons })
}

impl Effect<Charge> for CosmicRays {
    fn apply(&self, frame: &mut Frame<Charge>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::need_shape("cosmic_rays", frame, cx.window.shape())?;
        let window = cx.window;
        let pixels = rows::as_slice_mut(&mut frame.pixels);
        let mut ledger = Ledger::default();
        self.hits(cx, &mut |hit| {
            if let Some(record) = &mut frame.hits {
                hit.write(record, window, self.maker.sensor.pitch_um);
            }
            for deposit in &hit.deposits {
                let pixel = &mut pixels[(deposit.y as usize - window.y0) * window.nx + deposit.x as usize - window.x0];
                let before = *pixel;
                *pixel += deposit.electrons as f32;
                ledger.book(f64::from(*pixel) - f64::from(before));
            }
        })?;
        Ok(ledger)
    }
}
