//! Rates of the model and of the extraction on one core: a 2048 x 2048 frame of 1500 sources, four orders each.
//!
//! `cargo run --release -p spectroscopy --example extraction_rate`

#![allow(clippy::unwrap_used, reason = "an example may panic")]

use ndarray::Array2;
use sim_core::bandpass::Bandpass;
use sim_core::dispersion::{FieldPolynomial, Grating, Opening, Order};
use sim_core::noise::{normals, uniforms};
use sim_core::stream::StreamKey;
use spectroscopy::extraction::{Bulge, Instrument, Method, Morphology, Photometry, Psf, Settings, Source, extract_frame, model, response};
use spectroscopy::image::SlitlessImage;
use std::sync::Arc;
use std::time::Instant;

const SIDE: usize = 2048;
const SOURCES: usize = 1500;

fn grating() -> Grating {
    let p = |c: f64| FieldPolynomial::new(vec![c]).unwrap();
    let order = |number: i32, from: f64, length: f64, tilt: f64, scale: f64| Order {
        number,
        x: vec![p(from), p(length)],
        y: vec![p(0.0), p(tilt)],
        wavelength_nm: vec![p(610.0), p(400.0)],
        efficiency: Arc::new(Bandpass::new("GI", vec![610.0, 650.0, 950.0, 1010.0], vec![0.0, 0.4 * scale, 0.3 * scale, 0.0]).unwrap()),
    };
    let orders = vec![
        order(0, -160.0, 3.0, 0.0, 0.1),
        order(1, 60.0, 480.0, 8.0, 1.0),
        order(2, 560.0, 960.0, 16.0, 0.06),
        order(-1, -380.0, -480.0, -8.0, 0.04),
    ];
    Grating { opening: Opening::whole(), orders }
}

fn main() {
    rayon_on_one_core(|| {
        let mut draws = vec![0f32; 6 * SOURCES];
        uniforms(&StreamKey::new(1).stream(0), 0, &mut draws);
        let sources: Vec<Source> = draws
            .chunks(6)
            .enumerate()
            .map(|(id, u)| {
                let disc = Morphology::Ellipse {
                    half_light_px: 1.0 + 4.0 * f64::from(u[3]),
                    axis_ratio: 0.3 + 0.7 * f64::from(u[4]),
                    angle_deg: 180.0 * f64::from(u[5]),
                    bulge: Bulge::NONE,
                };
                let morphology = if id % 4 == 0 { Morphology::Point } else { disc };
                let photometry = Some(Photometry::flat_ab(19.0 + 5.0 * f64::from(u[2]).sqrt(), 800.0));
                Source { id: id as u64, x: f64::from(u[0]) * SIDE as f64, y: f64::from(u[1]) * SIDE as f64, morphology, photometry }
            })
            .collect();
        let gratings = [grating()];
        let psf = Psf::gaussian(&[(620.0, 2.4), (1000.0, 3.0)]).unwrap();
        let orders = response::ready(&gratings, 31416.0).unwrap();
        let spectra: Vec<Option<model::ModelSpectrum>> = sources
            .iter()
            .map(|s| s.photometry.as_ref().map(|p| model::ModelSpectrum { curve: p.curve((610.0, 1010.0)), smeared: false }))
            .collect();
        let start = Instant::now();
        let light = model::frame(&orders, &gratings, &sources, &spectra, &psf, (0, 0, SIDE as i64, SIDE as i64), 1e-4);
        let seconds = start.elapsed().as_secs_f64();
        println!("model: {} traces in {seconds:.2} s: {:.0} traces/s", 4 * SOURCES, 4.0 * SOURCES as f64 / seconds);
        let mut noise = vec![0f32; SIDE * SIDE];
        normals(&StreamKey::new(2).stream(0), 0, &mut noise);
        let error = light.mapv(|v| ((v + 0.35) / 600.0 + 100.0 / 360_000.0).sqrt());
        let noise = Array2::from_shape_vec((SIDE, SIDE), noise).unwrap();
        let rate = &light + &(noise * &error) + 0.33;
        let flags = Array2::zeros((SIDE, SIDE));
        let image = SlitlessImage { rate: rate.view(), error: error.view(), flags: flags.view(), origin: (0, 0), time_s: 600.0 };
        let instrument =
            Instrument { configured_detector: "10", frame_detector: "10", band: "GI", gratings: &gratings, area_cm2: 31416.0, psf };
        for (name, method) in [("optimal", Method::Optimal { reject: 5.0 }), ("box", Method::Box { share: 0.9 })] {
            // Rates of the extraction alone: the difference of one order and two.
            let run = |orders: Vec<i32>| {
                let settings = Settings { orders, method, iterations: 0, position: None, faintest_ab: 30.0, ..Settings::default() };
                let start = Instant::now();
                let out = extract_frame(&image, &instrument, &sources, &settings).unwrap();
                (out.spectra.len() as f64, start.elapsed().as_secs_f64())
            };
            let ((n1, t1), (n2, t2)) = (run(vec![1]), run(vec![1, -1]));
            println!(
                "{name}: {:.0} spectra/s ({:.0} spectra in {:.2} s more); a whole frame of {n1:.0} spectra {t1:.2} s",
                (n2 - n1) / (t2 - t1),
                n2 - n1,
                t2 - t1
            );
        }
        let start = Instant::now();
        let out = extract_frame(&image, &instrument, &sources, &Settings::default()).unwrap();
        println!("all steps with two iterations: {} spectra in {:.2} s", out.spectra.len(), start.elapsed().as_secs_f64());
    });
}

fn rayon_on_one_core(work: impl FnOnce() + Send) {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(work);
}
