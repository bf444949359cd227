//! `stamp`: one source through one PSF onto a pixel grid.

use anyhow::{Context as _, ensure};
use instruments::optics::{StampSpec, draw_stamp};
use psf::spec::PsfSpec;
use scenarios::scenario::with_suggestion;
use serde::Deserialize;
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::source::{Lensing, Profile, Shear};
use sim_core::units::{FocalPoint, Nanometre};
use std::path::Path;
use std::process::ExitCode;

/// The stamp file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StampFile {
    /// Columns.
    nx: usize,
    /// Rows.
    ny: usize,
    /// Pixel scale \[arcsec\].
    pixel_scale_arcsec: f64,
    /// Largest error relative to the peak.
    #[serde(default = "tolerance")]
    tolerance: f64,
    /// Offset of the centre \[pixel\], columns and rows.
    #[serde(default)]
    offset_pixel: (f64, f64),
    /// Lensing of all components.
    #[serde(default)]
    lensing: Lensing,
    /// Components of the source.
    component: Vec<StampComponent>,
    /// The PSF.
    psf: PsfSpec,
}

/// One component.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, tag = "profile", rename_all = "snake_case")]
enum StampComponent {
    /// A point.
    Point {
        /// Electrons.
        electrons: f64,
    },
    /// Sersic profile.
    Sersic {
        /// Electrons.
        electrons: f64,
        /// Index, 0.3 to 6.2.
        index: f64,
        /// Half-light radius before shear \[arcsec\].
        half_light_radius_arcsec: f64,
        /// Intrinsic reduced shear in pixel axes.
        #[serde(default)]
        shear: Shear,
    },
    /// Equal knots scattered as a Gaussian.
    Knots {
        /// Electrons.
        electrons: f64,
        /// How many.
        count: u32,
        /// Half-light radius of the scatter \[arcsec\].
        half_light_radius_arcsec: f64,
    },
}

impl StampComponent {
    fn profile(&self) -> (Profile, f64) {
        match *self {
            Self::Point { electrons } => (Profile::Point, electrons),
            Self::Sersic { electrons, index, half_light_radius_arcsec, shear } => {
                (Profile::Sersic { index, half_light_radius_arcsec, shear }, electrons)
            }
            Self::Knots { electrons, count, half_light_radius_arcsec } => {
                (Profile::Knots { count, half_light_radius_arcsec, shear: Shear::default() }, electrons)
            }
        }
    }
}

fn tolerance() -> f64 {
    1e-6
}

const EXAMPLE: &str = r#"# One source through one PSF, centred on the true centre ((nx-1)/2, (ny-1)/2) plus the offset.
nx = 64
ny = 64
pixel_scale_arcsec = 0.074
tolerance = 1e-6                  # of the peak
offset_pixel = [0.3, -0.2]        # columns, rows

[lensing]                         # after the intrinsic shape; mu = 1 / ((1 - kappa)^2 (1 - g^2))
kappa = 0.0
shear = { g1 = 0.02, g2 = -0.01 }

[[component]]
profile = "sersic"                # point, sersic, knots
electrons = 10000.0
index = 2.5                       # 0.3 to 6.2
half_light_radius_arcsec = 0.4    # circularised, before shear
shear = { g1 = 0.1, g2 = -0.05 }  # intrinsic reduced shear, pixel axes

[psf]
kind = "moffat"                   # gaussian, moffat, airy, optical, delta
fwhm = 0.135                      # arcsec
beta = 3.5
"#;

pub fn stamp(spec: Option<&Path>, out: Option<&Path>, example: bool) -> anyhow::Result<ExitCode> {
    let (Some(spec), Some(out), false) = (spec, out, example) else {
        print!("{EXAMPLE}");
        return Ok(ExitCode::SUCCESS);
    };
    let text = std::fs::read_to_string(spec).with_context(|| spec.display().to_string())?;
    let file: StampFile = toml::from_str(&text).map_err(|e| anyhow::anyhow!("{}: {}", spec.display(), with_suggestion(&e.to_string())))?;
    ensure!(!file.component.is_empty(), "{}: give at least one [[component]]", spec.display());
    let components: Vec<(Profile, f64)> = file.component.iter().map(StampComponent::profile).collect();
    let psf = file.psf.build().with_context(|| spec.display().to_string())?;
    let transfer = psf.transfer(FocalPoint { x_deg: 0.0, y_deg: 0.0 }, Nanometre(500.0)).with_context(|| spec.display().to_string())?;
    let pixels = draw_stamp(&StampSpec {
        id: 0,
        components: &components,
        lensing: file.lensing,
        transfer: transfer.as_ref(),
        psf_contains_pixel: psf.contains_pixel_response(),
        nx: file.nx,
        ny: file.ny,
        pixel_scale_arcsec: file.pixel_scale_arcsec,
        offset_px: file.offset_pixel,
        relative_tolerance: file.tolerance,
    })
    .with_context(|| spec.display().to_string())?;
    let mut header = Header::default();
    header.set("BUNIT", "electron", "unit of the pixels");
    header.set("PIXSCALE", file.pixel_scale_arcsec, "[arcsec] pixel scale");
    fits::write(out, &[Hdu::new("", header, Data::F64(pixels))])?;
    println!("{}", out.display());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_a_valid_specification() {
        let file: StampFile = toml::from_str(EXAMPLE).unwrap();
        assert_eq!((file.nx, file.ny, file.component.len()), (64, 64, 1));
    }
}
