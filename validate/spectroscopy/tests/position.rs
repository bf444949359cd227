//! Positions by zeroth orders on a painted frame with false images, hits and a distortion.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod painter;

use painter::*;
use sim_core::dispersion::Opening;
use sim_core::noise::uniforms;
use sim_core::stream::StreamKey;
use spectroscopy::extraction::background::Background;
use spectroscopy::extraction::response::ready;
use spectroscopy::extraction::{Morphology, Photometry, Psf, Source};
use spectroscopy::position::{Settings, Status, solve};

#[test]
fn an_injected_distortion_comes_back_among_false_images_and_hits() {
    let gratings = [grating(Opening::whole(), 1.0, 8.0)];
    let shape = (400, 1000);
    let distortion = |x: f64, y: f64| {
        let (u, v) = ((x - 500.0) / 500.0, (y - 200.0) / 500.0);
        (4.2 + 0.8 * u - 0.5 * v + 0.6 * u * u + 0.3 * u * v, -3.1 - 0.6 * u + 0.4 * v - 0.5 * u * u + 0.4 * v * v)
    };
    let mut draws = vec![0f32; 400];
    uniforms(&StreamKey::new(77).stream(0), 0, &mut draws);
    let place = |k: usize| (180.0 + 960.0 * f64::from(draws[2 * k]), 8.0 + 384.0 * f64::from(draws[2 * k + 1]));
    let magnitude = |k: usize| 17.5 + 2.0 * f64::from(draws[300 + k]);
    let catalogue: Vec<Source> = (0..50)
        .map(|k| {
            let (x, y) = place(k);
            Source { id: k as u64, x, y, morphology: Morphology::Point, photometry: Some(Photometry::flat_ab(magnitude(k), 800.0)) }
        })
        .collect();
    let spectra: Vec<Box<dyn Fn(f64) -> f64>> = (0..72).map(|k| Box::new(flat(magnitude(k))) as Box<dyn Fn(f64) -> f64>).collect();
    // 22 more sources that the catalogue does not have: three in ten of the images are false.
    let painted: Vec<Painted> = (0..72)
        .map(|k| {
            let (x, y) = place(k);
            let (dx, dy) = if k < 50 { distortion(x, y) } else { (0.0, 0.0) };
            star(x + dx, y + dy, &spectra[k])
        })
        .collect();
    let mut frame = expose(&paint(&gratings, &painted, shape, (0, 0), &[0, 1]), 21);
    // Hits without a flag: single bright pixels and short tracks.
    let mut hits = vec![0f32; 600];
    uniforms(&StreamKey::new(78).stream(0), 0, &mut hits);
    for h in hits.chunks(3) {
        let (x, y) = (((h[0] * 990.0) as usize) + 4, ((h[1] * 390.0) as usize) + 4);
        for i in 0..=(h[2] * 3.0) as usize {
            frame.rate[(y, x + i)] += 3.0 + 20.0 * h[2];
        }
    }
    let image = frame.image();
    let psf = Psf::gaussian(&FWHM).unwrap();
    let orders = ready(&gratings, AREA).unwrap();
    let background = Background::measure(&image, None, 100, 0.2, 1);
    let found = solve(&image, &background, &psf, &gratings, &orders, &catalogue, &Settings::default()).unwrap();
    let c = &found.correction;
    let on_hits = found
        .detections
        .iter()
        .filter(|d| {
            hits.chunks(3).any(|h| (d.x - f64::from(h[0]) * 990.0 - 4.5).abs() < 4.0 && (d.y - f64::from(h[1]) * 390.0 - 4.0).abs() < 1.5)
        })
        .count();
    println!(
        "{} predicted, {} found ({on_hits} near hits), {} matched, status {:?}, rms {:.3} {:.3}",
        found.predicted.len(),
        found.detections.len(),
        found.matched.len(),
        c.status,
        c.rms.0,
        c.rms.1
    );
    assert_eq!(c.status, Status::Fitted(2));
    let (mut worst, mut square) = (0.0_f64, 0.0);
    for s in &catalogue {
        let ((dx, dy), (tx, ty)) = (c.at(s.x, s.y), distortion(s.x, s.y));
        let off = (dx - tx).hypot(dy - ty);
        worst = worst.max(off);
        square += off * off / catalogue.len() as f64;
    }
    println!("distortion recovered within {worst:.4} px, rms {:.4}", square.sqrt());
    assert!(square.sqrt() < 0.1 && worst < 0.25, "{worst} {}", square.sqrt());
    // Completeness and purity, which a caller gets from the lists.
    let visible = found.predicted.iter().filter(|p| p.x > 5.0 && p.x < 990.0 && p.y > 5.0 && p.y < 390.0).count();
    let right = found.matched.iter().filter(|(i, k)| {
        let p = &found.predicted[*i];
        let (dx, dy) = distortion(p.undispersed.0, p.undispersed.1);
        (found.detections[*k].x - p.x - dx).hypot(found.detections[*k].y - p.y - dy) < 1.0
    });
    let right = right.count();
    println!("completeness {right} of {visible}, purity {right} of {}", found.matched.len());
    assert!(right as f64 > 0.8 * visible as f64 && right == found.matched.len());
    assert!(found.coverage.first > 20 && found.coverage.fraction() > 0.6, "{:?}", found.coverage);
    let (ex, ey) = c.error(500.0, 200.0);
    assert!(ex > 0.0 && ex < 0.1 && ey > 0.0 && ey < 0.1);
}

#[test]
fn an_empty_frame_or_no_zeroth_order_leaves_the_catalogue() {
    let mut gratings = [grating(Opening::whole(), 1.0, 8.0)];
    let frame = expose(&ndarray::Array2::zeros((100, 400)), 22);
    let image = frame.image();
    let psf = Psf::gaussian(&FWHM).unwrap();
    let catalogue: Vec<Source> = (0..20)
        .map(|k| Source { id: k, x: 200.0 + 9.0 * k as f64, y: 4.0 + 4.7 * k as f64, morphology: Morphology::Point, photometry: None })
        .collect();
    let background = Background::measure(&image, None, 50, 0.2, 1);
    for _ in 0..2 {
        let orders = ready(&gratings, AREA).unwrap();
        let found = solve(&image, &background, &psf, &gratings, &orders, &catalogue, &Settings::default()).unwrap();
        assert_eq!((found.correction.status, found.matched.len(), found.correction.at(9.0, 9.0)), (Status::Untouched, 0, (0.0, 0.0)));
        gratings[0].orders.remove(0);
    }
    let orders = ready(&gratings, AREA).unwrap();
    let wrong = Settings { degree: 3, ..Settings::default() };
    assert!(
        solve(&image, &background, &psf, &gratings, &orders, &catalogue, &wrong).unwrap_err().to_string().contains("position.degree: 3")
    );
}
