//! Backward: finds hits in the one exposure and flags them.

use super::laplacian::{self, CLOUD_PX, Field, Options, ReadVariance};
use super::network::{self, Look, Weights};
use crate::effects::rows;
use ndarray::Array2;
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::flags;
use sim_core::frame::Frame;
use sim_core::knowledge::{Knowledge, Reference};
use sim_core::plane::Charge;
use std::sync::Arc;

/// Pixels that say nothing about hits.
const LEAVE_OUT: u32 =
    flags::BAD | flags::HOT | flags::WARM | flags::SATURATED | flags::NO_DATA | flags::DEAD | flags::BAD_COLUMN | flags::ADC_SATURATED;

/// How hits are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Finder {
    /// The Laplacian detector.
    Classical,
    /// The trained network.
    #[default]
    Network,
}

impl Finder {
    /// Its name, as options and headers have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Classical => "classical",
            Self::Network => "network",
        }
    }
    /// By its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Classical, Self::Network].into_iter().find(|finder| finder.name() == name)
    }
    /// Its threshold, what that is, and the hash of what it was trained to, for headers.
    ///
    /// # Errors
    /// When the program's own weights do not fit together.
    pub fn describe(self) -> Result<(f64, &'static str, Option<String>), CorrectionError> {
        Ok(match self {
            Self::Classical => (f64::from(Options::default().edge_sigma), "[sigma] least charge of a pixel of a hit", None),
            Self::Network => {
                let weights = built_in()?;
                (f64::from(weights.threshold_logit), "[logit] least odds of a pixel of a hit", Some(weights.sha256))
            }
        })
    }
}

fn built_in() -> Result<Weights, CorrectionError> {
    Weights::built_in().map_err(|e| CorrectionError::Damaged { step: "cosmic_rays", reason: e.to_string() })
}

/// A finder with what it needs.
#[derive(Debug, Clone)]
enum Ready {
    Classical(Options),
    Network(Box<Weights>),
}

/// The correction: flags COSMIC_RAY and nothing else.
#[derive(Debug, Clone)]
pub struct FlagCosmicRays {
    shape: (usize, usize),
    read_variance: ReadVariance<'static>,
    dark: Option<Arc<Reference>>,
    defects: Option<Arc<Array2<u32>>>,
    time_s: f64,
    finder: Ready,
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Charge>>, CorrectionError> {
    let finder = knowledge.hit_finder.and_then(Finder::named).unwrap_or_default();
    Ok(Box::new(FlagCosmicRays::new(knowledge, finder)?))
}

impl FlagCosmicRays {
    /// From what calibration knows: the read noise of every amplifier; dark and defects are used where they are known.
    ///
    /// # Errors
    /// When the read noise is not known.
    pub fn new(knowledge: &Knowledge, finder: Finder) -> Result<Self, CorrectionError> {
        let (step, layout) = ("cosmic_rays", &knowledge.layout);
        let noise = knowledge.read_noise.as_ref().filter(|n| n.len() == layout.amplifier_count);
        let noise = noise.ok_or(CorrectionError::Unknown { step, what: "a read noise for every amplifier" })?;
        let parts = layout.tiles.iter().map(|t| (t.science, noise[t.amplifier].value.powi(2) as f32)).collect();
        Ok(Self {
            shape: knowledge.window.shape(),
            read_variance: ReadVariance::new(parts),
            dark: knowledge.dark.clone(),
            defects: knowledge.defects.clone(),
            time_s: knowledge.exposure_time_s,
            finder: match finder {
                Finder::Classical => Ready::Classical(Options::default()),
                Finder::Network => Ready::Network(Box::new(built_in()?)),
            },
        })
    }
}

impl Correction<Charge> for FlagCosmicRays {
    fn correct(&self, frame: &mut Frame<Charge>) -> Result<StepStatus, CorrectionError> {
        let shape = frame.pixels.dim();
        rows::need_reference("cosmic_rays", self.shape, shape)?;
        if let Some(dark) = &self.dark {
            rows::need_reference("cosmic_rays", dark.image.dim(), shape)?;
        }
        if let Some(defects) = &self.defects {
            rows::need_reference("cosmic_rays", defects.dim(), shape)?;
        }
        let field = Field {
            electrons: &frame.pixels,
            dark: self.dark.as_ref().map(|d| (&d.image, self.time_s as f32)),
            flags: frame.flags.as_ref(),
            defects: self.defects.as_deref(),
            leave_out: LEAVE_OUT,
            read_variance: &self.read_variance,
            cloud_px: CLOUD_PX,
        };
        let mask = match &self.finder {
            Ready::Classical(options) => laplacian::detect(&field, options),
            Ready::Network(weights) => {
                // The network knows noise that was not sharpened; where it was, it would look nearly everywhere.
                let stated = self.read_variance.stated(frame.variance.as_ref());
                let noisier = Field { read_variance: &stated, ..field };
                network::detect(&field, weights, weights.threshold_logit, Look::TriggeredIn(&noisier))
            }
        };
        let width = shape.1;
        rows::reduce_flags(frame, |y, _, bits| {
            for (bits, hit) in bits.iter_mut().zip(&mask[y * width..(y + 1) * width]) {
                *bits |= if *hit { flags::COSMIC_RAY } else { 0 };
            }
        });
        Ok(StepStatus::Done)
    }
}
