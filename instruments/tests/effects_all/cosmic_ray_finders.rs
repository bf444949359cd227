//! Both finders of cosmic rays on one fixed frame: recall, precision, hits and source damage beside the ceiling of noise.

use instruments::description::load;
use instruments::effects::cosmic_rays::CosmicRays;
use instruments::effects::cosmic_rays::laplacian::{self, CLOUD_PX, Field, ReadVariance};
use instruments::effects::cosmic_rays::network::{self, Look, Weights};
use instruments::effects::registry;
use instruments::optics::{StampSpec, draw_stamp};
use ndarray::{Array2, s};
use sim_core::detector::{ReadoutLayout, Scans};
use sim_core::effect::Context;
use sim_core::exposure::ExposureKind;
use sim_core::flags;
use sim_core::frame::Window;
use sim_core::hits::{HitImages, Keep};
use sim_core::noise;
use sim_core::source::{Lensing, Profile};
use sim_core::stream::StreamKey;
use sim_core::units::{FocalPoint, Nanometre};
use validate::measures::cosmic_rays::{Ceiling, PRIMARY, Score, Truth, ceiling, score};

/// Side of the frame \[pixel\], and electrons of sky and dark.
const SIDE: usize = 512;
const SKY: f32 = 34.0;
const READ_NOISE: f32 = 5.0;

struct Frame {
    data: Array2<f32>,
    expected: Array2<f32>,
    sources: Array2<f32>,
    noise: Array2<f32>,
    electrons: Array2<f32>,
    owner: Array2<u32>,
    flags: Array2<u32>,
}

/// Gaussian stars of 1.9 pixel on a lattice that meets all places in a pixel, peaks of 30 to 60,000 electrons; hits at ten times the
/// usual rate, so that half a thousand fall into the frame.
fn frame() -> Frame {
    let mut spec = load("msc").unwrap().detectors[&8].clone();
    registry::set_parameters(&mut spec, "cosmic_rays", &[("rate".into(), 10.0)], "test").unwrap();
    let window = Window { x0: 4000, y0: 3000, nx: SIDE, ny: SIDE };
    let exposure = crate::bench::exposure(77, ExposureKind::Science, 150.0);
    let layout = ReadoutLayout::new(&spec.geometry, window, Scans::Trimmed);
    let cx = Context {
        exposure: &exposure,
        geometry: &spec.geometry,
        layout: &layout,
        window,
        effect: "cosmic_rays",
        seed: 31,
        device_seed: spec.device_seed,
    };
    let truth = CosmicRays::new(&spec).unwrap().truth(&cx, Keep::Charge).unwrap();
    let HitImages { electrons, owner } = truth.images((SIDE, SIDE)).unwrap();
    let variance = (1.9_f32 / 2.3548).powi(2);
    let mut sources = Array2::<f32>::zeros((SIDE, SIDE));
    for k in 0..144_usize {
        let (y0, x0) = (20.0 + 42.0 * (k / 12) as f32 + 0.17 * k as f32 % 1.0, 20.0 + 42.0 * (k % 12) as f32 + 0.71 * k as f32 % 1.0);
        let peak = 30.0 * 2000.0_f32.powf((k * 55 % 144) as f32 / 144.0);
        for (y, x) in (0..31).flat_map(|v| (0..31).map(move |u| (v, u))) {
            let (y, x) = (y0 as usize + y - 15, x0 as usize + x - 15);
            let r2 = (y as f32 - y0).powi(2) + (x as f32 - x0).powi(2);
            sources[(y, x)] += peak * (-0.5 * r2 / variance).exp();
        }
    }
    seen(sources, electrons, owner)
}

/// Sky, noise and the ends of the converter.
fn seen(sources: Array2<f32>, electrons: Array2<f32>, owner: Array2<u32>) -> Frame {
    let expected = sources.mapv(|v| v + SKY);
    let mut data = expected.clone();
    let key = StreamKey::new(41).with_name("finders");
    for (y, mut row) in data.rows_mut().into_iter().enumerate() {
        let row = row.as_slice_mut().unwrap();
        noise::poisson(&key.stream(y as u64), 0, row);
        row.iter_mut().zip(electrons.row(y)).for_each(|(v, e)| *v = (*v + e).min(90_000.0));
        noise::add_normals(&key.stream(1 << 20 | y as u64), 0, READ_NOISE, row);
    }
    let flags = data.mapv(|v| if v > 89_970.0 { flags::SATURATED } else { 0 });
    let noise = expected.mapv(|v| (v + READ_NOISE * READ_NOISE).sqrt());
    Frame { data, expected, sources, noise, electrons, owner, flags }
}

fn field<'a>(frame: &'a Frame, read_variance: &'a ReadVariance<'a>) -> Field<'a> {
    Field {
        electrons: &frame.data,
        dark: None,
        flags: Some(&frame.flags),
        defects: None,
        leave_out: flags::SATURATED,
        read_variance,
        cloud_px: CLOUD_PX,
    }
}

fn judged(frame: &Frame, find: impl Fn(&Field<'_>) -> Vec<bool>) -> (Score, Ceiling) {
    let out = frame.flags.mapv(|f| f != 0);
    let Frame { electrons, owner, noise, sources, .. } = frame;
    let truth = Truth { electrons, owner, noise, sources, left_out: Some(&out) };
    let read_variance = ReadVariance::uniform(READ_NOISE * READ_NOISE, frame.data.dim());
    let mask = Array2::from_shape_vec(frame.data.dim(), find(&field(frame, &read_variance))).unwrap();
    (score(&truth, &mask, PRIMARY), ceiling(&truth, &frame.data, &frame.expected, PRIMARY).unwrap())
}

#[test]
fn the_network_is_close_to_what_noise_allows_and_closer_than_the_classical_finder() {
    let frame = frame();
    let weights = Weights::built_in().unwrap();
    let (learned, limit) = judged(&frame, |field| network::detect(field, &weights, weights.threshold_logit, Look::Triggered));
    let (classical, _) = judged(&frame, |field| laplacian::detect(field, &laplacian::Options::default()));
    for (name, s) in [("network", learned), ("classical", classical)] {
        println!(
            "{name}: recall {:.4} of {} (ceiling {:.4}), precision {:.4} ({:.4}), hits {:.4} of {}, damage {:?}; {}",
            s.recall.value(),
            s.recall.whole,
            limit.recall,
            s.precision.value(),
            limit.precision,
            s.events.value(),
            s.events.whole,
            s.source_damage,
            PRIMARY.describe()
        );
    }
    assert!(learned.recall.whole > 2000 && learned.events.whole > 300 && learned.source_damage.whole > 1000);
    // Recall and precision of 3,000 pixels have a binomial error of 0.25 % each. On larger frames the network is 0.0015 below the ceiling in
    // F1 (FIGURES.md), the classical finder 0.003: 0.006 is that and three errors of F1's difference.
    assert!(learned.recall.value() > limit.recall - 0.0125, "recall");
    assert!(learned.precision.value() > limit.precision - 0.0125, "precision");
    assert!(limit.f1() - learned.f1() < 0.006, "below the ceiling by {}", limit.f1() - learned.f1());
    assert!(learned.events.value() >= 0.990, "hits");
    assert!(learned.source_damage.value() <= 1e-3, "source damage");
    assert!(learned.f1() > classical.f1(), "{} and {}", learned.f1(), classical.f1());
}

const PERFECT_PUPIL: &str = r#"
kind = "airy"
diameter = { value = 2.0, unit = "m", source = "test", status = "assumed" }
obscuration = { value = 0.5, unit = "1", source = "test", status = "assumed" }
[blur]
diffusion = { value = 0.35, unit = "pixel", source = "test", status = "assumed" }
"#;

/// Stars far above saturation through a perfect pupil: 2 m, half of its width obscured, 540 to 700 nm, and 0.35 pixel of diffusion. Its first rings hold a
/// third of the light.
fn bright_rings() -> Frame {
    const STAMP: usize = 64;
    let psf = psf::config::build(&toml::from_str(PERFECT_PUPIL).unwrap(), 0.074).unwrap();
    // A band of 540 to 700 nm: rings of one wavelength are sharper than any filter leaves them.
    let place = FocalPoint { x_deg: 0.0, y_deg: 0.0 };
    let band = [556.0, 588.0, 620.0, 652.0, 684.0].map(|wave| psf.transfer(place, Nanometre(wave)).unwrap());
    let mut sources = Array2::<f32>::zeros((SIDE, SIDE));
    for k in 0..49_usize {
        // From 2e5 to 5e6 electrons: four tenths of that in the brightest pixel, once to 30 times what saturates.
        let electrons = 2e5 * 25.0_f64.powf(k as f64 / 48.0);
        let (y, x) = (4 + 72 * (k / 7), 4 + 72 * (k % 7));
        for transfer in &band {
            let stamp = draw_stamp(&StampSpec {
                id: k as u64,
                components: &[(Profile::Point, electrons / band.len() as f64)],
                lensing: Lensing::default(),
                transfer: transfer.as_ref(),
                psf_contains_pixel: false,
                nx: STAMP,
                ny: STAMP,
                pixel_scale_arcsec: 0.074,
                offset_px: (0.37 * k as f64 % 1.0, 0.61 * k as f64 % 1.0),
                relative_tolerance: 1e-6,
            });
            sources.slice_mut(s![y..y + STAMP, x..x + STAMP]).zip_mut_with(&stamp.unwrap(), |to, from| *to += from.max(0.0) as f32);
        }
    }
    seen(sources, Array2::zeros((SIDE, SIDE)), Array2::zeros((SIDE, SIDE)))
}

#[test]
fn the_rings_of_stars_far_above_saturation_are_no_tracks() {
    let frame = bright_rings();
    let weights = Weights::built_in().unwrap();
    let read_variance = ReadVariance::uniform(READ_NOISE * READ_NOISE, frame.data.dim());
    let mask = network::detect(&field(&frame, &read_variance), &weights, weights.threshold_logit, Look::Triggered);
    let saturated = frame.flags.iter().filter(|f| **f != 0).count();
    let rings = frame.sources.iter().zip(&frame.noise).zip(&frame.flags).filter(|((s, n), f)| **s > 3.0 * **n && **f == 0).count();
    let flagged = mask.iter().filter(|m| **m).count();
    println!("{flagged} of {rings} pixels of rings flagged beside {saturated} saturated ones");
    assert!(saturated > 100 && rings > 10_000);
    // The requirement on source damage. The weights of the fifth stage of training took 100 of 29,403 pixels for tracks.
    assert!(flagged * 1000 <= rings, "{flagged} of {rings}");
}
