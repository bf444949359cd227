//! Two overlapping galaxies in two orientations, solved together.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod painter;

use painter::*;
use sim_core::dispersion::Opening;
use spectroscopy::extraction::background::Background;
use spectroscopy::extraction::forward::{Damping, Exposure, Settings, solve};
use spectroscopy::extraction::{Bulge, Morphology, Photometry, Psf, Source};

#[test]
fn two_overlapping_galaxies_in_two_orientations_are_told_apart() {
    let gratings = [grating(Opening::whole(), 1.0, 8.0)];
    let bump = |nm: f64| flat(18.5)(nm) * (1.0 + 0.8 * (-0.5 * ((nm - 760.0) / 20.0).powi(2)).exp());
    let slope = |nm: f64| flat(18.0)(nm) * (1.0 - 0.4 * (nm - 800.0) / 200.0);
    let shape = [(2.5, 0.7, 20.0), (2.0, 0.9, -40.0)];
    // The second orientation is turned by a right angle: along the dispersion in one, 7 rows apart in the other.
    let places = [[(200.0, 60.0), (235.0, 61.0)], [(205.0, 60.0), (206.0, 67.0)]];
    let psf = Psf::gaussian(&FWHM).unwrap();
    let background = Background::constant(SKY);
    let mut frames = Vec::new();
    let mut groups = Vec::new();
    for (e, place) in places.iter().enumerate() {
        let turned = |k: usize| shape[k].2 + 90.0 * e as f64;
        let spectra: [&dyn Fn(f64) -> f64; 2] = [&bump, &slope];
        let painted: Vec<Painted> = (0..2)
            .map(|k| Painted { x: place[k].0, y: place[k].1, spectrum: spectra[k], points: disc(shape[k].0, shape[k].1, turned(k)) })
            .collect();
        frames.push(expose(&paint(&gratings, &painted, (130, 760), (0, 0), &[0, 1]), 30 + e as u64));
        let group: Vec<Source> = (0..2)
            .map(|k| Source {
                id: k as u64,
                x: place[k].0,
                y: place[k].1,
                morphology: Morphology::Ellipse {
                    half_light_px: shape[k].0,
                    axis_ratio: shape[k].1,
                    angle_deg: turned(k),
                    bulge: Bulge::NONE,
                },
                photometry: Some(Photometry::flat_ab(18.2, 800.0)),
            })
            .collect();
        groups.push(group);
    }
    let images: Vec<_> = frames.iter().map(Frame::image).collect();
    let exposures: Vec<Exposure> = (0..2)
        .map(|e| Exposure { image: &images[e], gratings: &gratings, background: &background, psf: &psf, others: None, sources: &groups[e] })
        .collect();
    let grid: Vec<f64> = (0..100).map(|i| 608.0 + 4.0 * f64::from(i)).collect();
    let settings = Settings { orders: vec![0, 1], damping: Damping::LCurve, monte_carlo: (30, 5), ..Settings::default() };
    let joint = solve(&exposures, &grid, AREA, &settings).unwrap();
    println!("damping {}, chi2 {:.4} per pixel of {}", joint.damping, joint.chi2, joint.pixels);
    assert!((joint.chi2 - 1.0).abs() < 0.1, "{}", joint.chi2);
    for (s, truth) in joint.spectra.iter().zip([&bump as &dyn Fn(f64) -> f64, &slope]) {
        let inner: Vec<usize> = (0..grid.len()).filter(|&k| grid[k] > 650.0 && grid[k] < 960.0).collect();
        let off: Vec<f64> = inner.iter().map(|&k| s.flux[k] / truth(grid[k]) - 1.0).collect();
        let pulls: Vec<f64> = inner.iter().map(|&k| (s.flux[k] - truth(grid[k])) / s.flux_error[k]).collect();
        let ((mean, scatter), (pull, sigma)) = (moments(&off), moments(&pulls));
        println!("source {}: off by {mean:.4} +- {scatter:.4}; pulls {pull:.3} {sigma:.3}", s.id);
        assert!(mean.abs() < 0.02 && scatter < 0.12 && pull.abs() < 0.6 && sigma < 1.5, "{mean} {scatter} {pull} {sigma}");
    }
    // Without Monte Carlo errors are smaller: they know of no neighbour.
    let plain =
        solve(&exposures, &grid, AREA, &Settings { monte_carlo: (0, 0), damping: Damping::Given(joint.damping), ..settings.clone() })
            .unwrap();
    let mean = |j: &spectroscopy::extraction::forward::Joint| moments(&j.spectra[0].flux_error[20..80]).0;
    println!("mean error {:.3e} by Monte Carlo, {:.3e} without", mean(&joint), mean(&plain));
    assert!(mean(&plain) < mean(&joint));
    assert!(solve(&[], &grid, AREA, &settings).is_err());
    assert!(solve(&exposures, &[600.0, 600.0], AREA, &settings).unwrap_err().to_string().contains("rising"));
}
