use super::counts::PublishedGalaxies;
use super::*;
use rayon::prelude::*;
use sim_core::source::Brightness;

/// Least and largest ratio to the published counts that the field may have, by band.
const LIMITS: [(f64, f64); 7] = [(0.85, 1.15), (0.75, 1.2), (0.85, 1.15), (0.9, 1.2), (0.9, 1.1), (0.9, 1.45), (0.9, 1.5)];

/// Galaxies per mag and deg2 in magnitudes of width 1 from 17, and their Poisson errors, by band.
fn counts(tiers: &[(f64, f64, f64)], library: &Library) -> Vec<[(f64, f64); 12]> {
    let bands: Vec<_> = PublishedGalaxies::bands().iter().map(|b| library.bands.by_name(b).unwrap().clone()).collect();
    let mut counts = vec![[(0.0_f64, 0.0_f64); 12]; bands.len()];
    for &(bright, faint, radius) in tiers {
        let mut spec = FieldSpec { seed: Some(5), lensing: LensingSpec::None, ..FieldSpec::default() };
        (spec.stars.scale, spec.galaxies.clustering) = (0.0, false);
        (spec.galaxies.bright, spec.galaxies.faint) = (bright, faint);
        let footprint = Footprint::new(150.0, 30.0, radius).unwrap();
        let weight = 1.0 / footprint.area_deg2();
        let seen = |s: &sim_core::source::Source, band: &std::sync::Arc<sim_core::bandpass::Bandpass>| {
            let light = |c: &sim_core::source::Component| match &c.brightness {
                Brightness::Ab { magnitude, band: stated } => 10.0_f64.powf(-0.4 * band.ab_magnitude(&c.sed, *magnitude, stated)),
                Brightness::Electrons(_) => 0.0,
            };
            -2.5 * s.components.iter().map(light).sum::<f64>().log10()
        };
        let magnitudes: Vec<Vec<f64>> =
            field(&spec, &footprint, library).unwrap().par_iter().map(|s| bands.iter().map(|b| seen(s, b)).collect()).collect();
        for of_one in magnitudes {
            for (bin, m) in counts.iter_mut().zip(of_one).filter(|(_, m)| (17.0..29.0).contains(m)) {
                let bin = &mut bin[m as usize - 17];
                *bin = (bin.0 + weight, bin.1.hypot(weight));
            }
        }
    }
    counts
}

#[test]
fn galaxies_have_the_published_counts_in_all_bands_from_nuv_to_y() {
    let library = Library::load();
    let made = counts(&[(16.0, 20.5, 0.9), (20.5, 24.0, 0.2), (24.0, 28.7, 0.055)], &library);
    let published = PublishedGalaxies::load();
    println!("made / published  17.5 to 27.5");
    let mut outside = Vec::new();
    for ((band, limits), bins) in PublishedGalaxies::bands().iter().zip(LIMITS).zip(&made) {
        let (mut line, mut judged) = (format!("{band:<10}"), 0);
        for (k, (count, error)) in bins.iter().enumerate() {
            let bright = 17.0 + k as f64;
            // Blue bands: galaxies of i below 16 are not in the field, those of i above 28.7 would be seen from 28 on.
            let Some(want) = published.between_deg2(band, bright, bright + 1.0).filter(|_| bright < 28.0) else {
                line.push_str("     .");
                continue;
            };
            let (ratio, error) = (count / want, error / want);
            line.push_str(&format!(" {ratio:5.2}"));
            judged += 1;
            if ratio < limits.0 - 3.0 * error || ratio > limits.1 + 3.0 * error {
                outside.push(format!("{band} {bright}: {ratio:.2} +- {error:.2}"));
            }
        }
        println!("{line}");
        assert!(judged >= 6, "{band}: {judged}");
    }
    assert!(outside.is_empty(), "{outside:?}");
}
