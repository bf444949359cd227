//! A synthetic data set, judged and reported: `cargo run --release -p validate --example demo_report [OUT]`.
//!
//! Stars behind a Moffat PSF and round exponential galaxies are put on two small frames with sky, dark and read noise,
//! written as level-1 products with their truth, and go through the whole judgement. A quick way to see the page, and
//! to see that a correct model passes: nothing here comes from the simulator.

#[path = "demo_report/scene.rs"]
mod scene;

use scene::{Band, write_band, write_closure};
use sim_core::level1::Level1Files;
use std::path::PathBuf;
use validate::{CalibrationInputs, Criteria, FrameInputs, NoiseKnowledge, NoiselessInput, Report};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out: PathBuf = std::env::args().nth(1).map_or_else(|| std::env::temp_dir().join("skyloop_demo_report"), PathBuf::from);
    std::fs::create_dir_all(&out)?;
    let size: usize = std::env::args().nth(2).map_or(Ok(1536), |s| s.parse())?;
    let bands = [
        Band { name: "r", detector: "09", zero_point: 25.81, sky_electron_s: 0.207, beta: 3.0, fwhm_px: 1.9, seed: 11 },
        Band { name: "NUV", detector: "12", zero_point: 24.45, sky_electron_s: 0.004, beta: 2.6, fwhm_px: 1.75, seed: 12 },
    ];
    let mut frames = Vec::new();
    for band in &bands {
        let stem = write_band(&out, band, size)?;
        let file = |kind: &str| out.join(format!("{stem}_{kind}.fits"));
        let (clock, cpu) = (std::time::Instant::now(), cpu_s());
        let inputs = FrameInputs {
            label: format!("{}, chip {}", band.name, band.detector),
            files: Level1Files::Imaging { image: file("img"), weight: file("wht"), flags: file("flg") },
            truth: file("truth"),
            noiseless: Some(NoiselessInput { path: file("noiseless"), includes_sky: true }),
            ledger: Some(out.join(format!("{stem}_ledger.json"))),
            noise: Some(NoiseKnowledge {
                read_noise_electron: scene::READ_NOISE,
                dark_electron_s: scene::DARK,
                gain_electron_per_adu: 1.1,
                bias_frames: 0,
                dark_frames: 0,
                dark_frame_s: 0.0,
            }),
            zero_point: Some(band.zero_point),
            depth_exposures: None,
            before: None,
        };
        frames.push(validate::measure(&inputs)?);
        println!("{}: measured in {:.2} s, {:.2} CPU-s", band.name, clock.elapsed().as_secs_f64(), cpu_s() - cpu);
    }
    write_closure(&out)?;
    let calibration = [validate::measure_calibration(&CalibrationInputs {
        label: "dark, chip 09".into(),
        kind: "dark".into(),
        residual: out.join("dark_residual.fits"),
        variance: out.join("dark_variance.fits"),
        flags: None,
    })?];
    let verdict =
        validate::judge(&validate::Subjects { frames: &frames, calibration: &calibration, ..Default::default() }, &Criteria::built_in());
    let provenance = [
        ("Skyloop".to_string(), env!("CARGO_PKG_VERSION").to_string()),
        ("Seed".to_string(), "11, 12".to_string()),
        ("Scene".to_string(), format!("{size} x {size} pixels, synthetic, {} bands", bands.len())),
    ];
    let page = validate::write_report(
        &out,
        &Report {
            title: "A synthetic field",
            subjects: validate::Subjects { frames: &frames, calibration: &calibration, ..Default::default() },
            verdict: &verdict,
            provenance: &provenance,
        },
    )?;
    for frame in &frames {
        println!("\n{}", frame.label);
        for (name, m) in &frame.values.0 {
            println!("  {name:28} {:>12.5} +- {:.5}  ({})", m.value, m.error.unwrap_or(f64::NAN), m.count.unwrap_or(0));
        }
        frame.notes.iter().for_each(|n| println!("  note: {n}"));
    }
    println!("\n{:?}: {} passed, {} failed, {} not measured", verdict.outcome, verdict.passed, verdict.failed, verdict.not_measured);
    for line in verdict.lines.iter().filter(|l| l.outcome == validate::Outcome::Fail) {
        println!("  FAIL {} {}: {:?}", line.subject, line.criterion.measure, line.measure);
    }
    println!("{}", page.display());
    Ok(())
}

/// CPU time of this process so far \[s\], all threads; 0 where the system does not tell. Clock ticks are 10 ms on Linux.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> =
        stat.rsplit(')').next().unwrap_or("").split_whitespace().skip(11).take(2).filter_map(|v| v.parse().ok()).collect();
    fields.iter().sum::<f64>() / 100.0
}
