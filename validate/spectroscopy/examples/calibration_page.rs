//! Opens the calibration page on a painted grid of nebulae, to be looked at: `cargo run --release -p spectroscopy --example calibration_page [port]`.

#[path = "../tests/calibrators/mod.rs"]
mod calibrators;

use spectroscopy::calibration::line_list::vacuum_list;
use spectroscopy::calibration::page::{Session, SessionFrame, serve};
use spectroscopy::calibration::{Calibrator, Edits, Nominal, Settings};
use std::sync::atomic::AtomicBool;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).map_or(Ok(0), |p| p.parse())?;
    let truth = calibrators::true_grating(1.0);
    let frames = calibrators::grid(4)
        .into_iter()
        .enumerate()
        .map(|(k, (x0, y0))| SessionFrame {
            name: format!("PN-{k:02}"),
            detector: "26".into(),
            calibrator: Calibrator::Nebula,
            x0,
            y0,
            frame: calibrators::nebula_frame(&truth, x0, y0, k as u64),
        })
        .collect();
    let nominal = Nominal { detector: "26".into(), band: "GV".into(), grating: calibrators::nominal_grating(1.0) };
    let path = std::env::temp_dir().join("calibration_edits.json");
    let session = Session::new(frames, nominal, vacuum_list(0.0), Settings::default(), Edits::default(), Some(path))?;
    let session = serve(session, ([127, 0, 0, 1], port).into(), &AtomicBool::new(false), |at| println!("http://{at}/"))?;
    println!("{} frames with choices", session.edits.frames.len());
    Ok(())
}
