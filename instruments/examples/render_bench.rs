//! Times the renderer on a full survey-camera detector and measures its error.
//!
//! `cargo run --release -p instruments --example render_bench -- FIELD.csv [moffat|optical|field] [tolerance in electrons] [speed]`
//! with RAYON_NUM_THREADS=1 for CPU seconds of one core. FIELD.csv has the columns id, type (1 galaxy, 0 star), x, y, mag,
//! bulge_frac, hlr_disk, hlr_bulge \[arcsec\], g1, g2, g1_bulge, g2_bulge, n_disk, n_bulge, flux_e \[electron\].
//! `moffat` is achromatic, `optical` an aberrated 2 m pupil with two spectra per galaxy over 690-840 nm, `field` the
//! same with a wavefront that varies over the detector.

#[path = "field/mod.rs"]
mod field;

use instruments::optics::{Imaging, RenderTolerance, Rendered};
use sim_core::bandpass::Bandpass;
use sim_core::detector::{AmplifierGrid, DetectorGeometry};
use sim_core::frame::Window;
use sim_core::psf::Psf;
use sim_core::source::{Brightness, Lensing, Shear, Source};
use sim_core::wcs::Wcs;
use std::time::Instant;

const NX: usize = 9216;
const NY: usize = 9232;
const SCALE: f64 = 0.074;

fn read(path: &str) -> Result<Vec<Source>, Box<dyn std::error::Error>> {
    // The workload has shear without magnification: choose the convergence that gives mu = 1.
    let shear = Shear { g1: 0.02, g2: -0.01 };
    let norm2: f64 = shear.g1 * shear.g1 + shear.g2 * shear.g2;
    let lensing = Lensing { shear, kappa: 1.0 - 1.0 / (1.0 - norm2).sqrt() };
    field::read(path, &field::Spectra::power_laws(600.0, 200, 765.0)?, lensing, |_, flux, share| Brightness::Electrons(flux * share))
}

fn psf(name: &str) -> Result<Box<dyn Psf>, Box<dyn std::error::Error>> {
    use psf::optical::{OpticalPsf, WavefrontTerm};
    // Noll index and waves at 765 nm: defocus, astigmatisms, comas, trefoil, spherical.
    let waves = [(4, 0.02), (5, 0.03), (6, -0.02), (7, 0.03), (8, 0.02), (9, 0.01), (11, 0.03)];
    let terms = |slope: f64| {
        waves
            .iter()
            .map(|&(noll, w)| {
                let opd_nm = if slope == 0.0 { vec![w * 765.0] } else { vec![w * 765.0, slope * w * 765.0, -slope * w * 765.0] };
                WavefrontTerm { noll, opd_nm, chromatic_nm_per_um: vec![] }
            })
            .collect::<Vec<_>>()
    };
    Ok(match name {
        "moffat" => psf::spec::PsfSpec::Moffat { fwhm: 0.135, beta: 3.5, trunc: None }.build()?,
        "optical" => Box::new(OpticalPsf::new(2.0, terms(0.0), 765.0)?),
        "field" => Box::new(OpticalPsf::new(2.0, terms(5.0), 765.0)?),
        other => return Err(format!("PSF {other} is not one of moffat, optical, field").into()),
    })
}

fn cpu_s() -> f64 {
    // utime and stime in ticks of 10 ms, fields 14 and 15 of proc(5) stat; 0 where there is no /proc.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    after.split_whitespace().skip(11).take(2).filter_map(|v| v.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn report(label: &str, out: &Rendered, wall_s: f64, cpu_s: f64) {
    let t = &out.timings;
    println!(
        "{label}: {wall_s:.3} s wall, {cpu_s:.2} s CPU; psf {:.3}, sources {:.3}, paint {:.3}, add {:.3} s; {} objects, {:.0}/s CPU, {:.1} M modes, {} clipped",
        t.psf_s,
        t.sources_s,
        t.paint_s,
        t.add_s,
        t.objects,
        t.objects as f64 / cpu_s.max(1e-3),
        t.modes / 1e6,
        out.clipped
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().ok_or("usage: render_bench FIELD.csv [moffat|optical|field] [tolerance]")?;
    let names: Vec<&str> = arguments.get(1).map_or(vec!["moffat", "optical", "field"], |n| vec![n.as_str()]);
    let tolerance: f64 = arguments.get(2).map_or(Ok(0.02), |t| t.parse())?;
    let sources = read(path)?;
    let band = Bandpass::new("bench", vec![690.0, 695.0, 835.0, 840.0], vec![0.0, 0.6, 0.6, 0.0])?;
    let amplifiers = AmplifierGrid { columns: 8, rows: 2, prescan_x: 0, overscan_x: 0, overscan_y: 0 };
    let geometry = DetectorGeometry {
        number: 8,
        filter: "bench".into(),
        nx: NX,
        ny: NY,
        crpix1: NX as f64 / 2.0,
        crpix2: NY as f64 / 2.0,
        pixel_scale_arcsec: SCALE,
        amplifiers,
    };
    let degrees = SCALE / 3600.0;
    let wcs = Wcs { crpix: [4608.5, 4616.5], crval: [180.0, 30.0], cd: [[-degrees, 0.0], [0.0, degrees]], pv: None };
    for name in names {
        let psf = psf(name)?;
        let imaging = Imaging {
            psf: psf.as_ref(),
            band: &band,
            area_cm2: 31_416.0,
            geometry: &geometry,
            window: geometry.full_window(),
            wcs: &wcs,
            time_s: 150.0,
            tolerance: RenderTolerance::Electrons(tolerance),
        };
        let (wall, cpu) = (Instant::now(), cpu_s());
        let out = imaging.render(&sources)?;
        report(name, &out, wall.elapsed().as_secs_f64(), cpu_s() - cpu);
        let expected: f64 = out.truth.iter().map(|t| t.electrons).sum();
        println!(
            "  flux in frame {:.4} of {:.4} Me-; sum of the truth's {:.4}",
            out.light.total() / 1e6,
            expected / 1e6,
            out.ledger.net() / 1e6
        );

        if arguments.get(3).is_some_and(|a| a == "speed") {
            continue;
        }
        // The error, against a far tighter tolerance on a part of the detector.
        let window = Window { x0: 4096, y0: 4096, nx: 768, ny: 768 };
        let cut = Imaging { window, ..imaging }.render(&sources)?;
        let exact = Imaging { window, tolerance: RenderTolerance::Electrons(tolerance * 0.01), ..imaging }.render(&sources)?;
        let difference = &cut.light.pixels - &exact.light.pixels;
        let square: f64 = difference.iter().map(|&d| f64::from(d).powi(2)).sum();
        let worst = difference.iter().fold(0.0_f32, |m, &d| m.max(d.abs()));
        let rms = (square / (window.nx * window.ny) as f64).sqrt();
        println!("  error against tolerance / 100 on {} x {} px: rms {rms:.5}, largest {worst:.4} e-", window.nx, window.ny);
        let crop = out.light.pixels.slice(ndarray::s![window.y0..window.y0 + window.ny, window.x0..window.x0 + window.nx]);
        println!("  cut-out equals crop, bit for bit: {}", crop == cut.light.pixels);
    }
    Ok(())
}
