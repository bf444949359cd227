//! Frames against stamps, which are drawn by another path in double precision.

// Tests may panic: helpers outside `#[test]` functions are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used)]

use instruments::optics::{Imaging, RenderTolerance, Rendered, StampSpec, draw_stamp};
use ndarray::Array2;
use num_complex::Complex64;
use psf::optical::{OpticalPsf, WavefrontTerm};
use psf::spec::PsfSpec;
use sim_core::bandpass::Bandpass;
use sim_core::detector::{AmplifierGrid, DetectorGeometry};
use sim_core::frame::Window;
use sim_core::psf::{Psf, Transfer};
use sim_core::source::{Brightness, Component, Lensing, Position, Profile, Shear, Source, SourceKind};
use sim_core::spectrum::{Sed, Spectrum};
use sim_core::units::Nanometre;
use sim_core::wcs::Wcs;
use std::sync::Arc;

const SCALE: f64 = 0.074;

fn geometry(nx: usize, ny: usize) -> DetectorGeometry {
    let amplifiers = AmplifierGrid { columns: 1, rows: 1, prescan_x: 0, overscan_x: 0, overscan_y: 0 };
    DetectorGeometry {
        number: 1,
        filter: "i".into(),
        nx,
        ny,
        crpix1: 0.5 * nx as f64,
        crpix2: 0.5 * ny as f64,
        pixel_scale_arcsec: SCALE,
        amplifiers,
    }
}

fn wcs(nx: usize, ny: usize) -> Wcs {
    let d = SCALE / 3600.0;
    Wcs { crpix: [0.5 * (nx as f64 + 1.0), 0.5 * (ny as f64 + 1.0)], crval: [150.0, 2.0], cd: [[-d, 0.0], [0.0, d]], pv: None }
}

fn band() -> Bandpass {
    Bandpass::new("i", vec![690.0, 695.0, 835.0, 840.0], vec![0.0, 0.6, 0.6, 0.0]).unwrap()
}

fn power_law(slope: f64) -> Sed {
    let waves: Vec<f64> = (0..250).map(|i| 200.0 + 4.0 * f64::from(i)).collect();
    let flux = waves.iter().map(|w| (w / 765.0).powf(slope)).collect();
    Sed::rest(Arc::new(Spectrum::new("power", waves, flux).unwrap()))
}

fn aberrated(slope_waves_per_deg: f64) -> OpticalPsf {
    let terms = [(4, 0.02), (5, 0.03), (6, -0.02), (7, 0.03), (8, 0.02), (9, 0.01), (11, 0.03)];
    let terms = terms.map(|(noll, w)| WavefrontTerm {
        noll,
        opd_nm: if slope_waves_per_deg == 0.0 {
            vec![765.0 * w]
        } else {
            vec![765.0 * w, 765.0 * slope_waves_per_deg, -765.0 * slope_waves_per_deg]
        },
        chromatic_nm_per_um: vec![],
    });
    OpticalPsf::new(2.0, terms.to_vec(), 765.0).unwrap()
}

fn component(profile: Profile, sed: Sed, electrons: f64) -> Component {
    Component { profile, sed, brightness: Brightness::Electrons(electrons) }
}

fn sersic(index: f64, half_light_radius_arcsec: f64, g1: f64, g2: f64) -> Profile {
    Profile::Sersic { index, half_light_radius_arcsec, shear: Shear { g1, g2 } }
}

fn source(id: u64, x: f64, y: f64, components: Vec<Component>) -> Source {
    let kind = if matches!(components[0].profile, Profile::Point) { SourceKind::Star } else { SourceKind::Galaxy };
    Source {
        id,
        kind,
        position: Position::Pixel { x, y },
        components,
        lensing: Lensing::default(),
        redshift: 0.0,
        motion: None,
        seen: None,
    }
}

struct Camera {
    geometry: DetectorGeometry,
    wcs: Wcs,
    band: Bandpass,
    tolerance: RenderTolerance,
}

impl Camera {
    fn new(nx: usize, ny: usize, tolerance: RenderTolerance) -> Self {
        Self { geometry: geometry(nx, ny), wcs: wcs(nx, ny), band: band(), tolerance }
    }
    fn imaging<'a>(&'a self, psf: &'a dyn Psf, window: Window) -> Imaging<'a> {
        let Self { geometry, wcs, band, tolerance } = self;
        Imaging { psf, band, area_cm2: 31_416.0, geometry, window, wcs, time_s: 150.0, tolerance: *tolerance }
    }
    fn draw(&self, psf: &dyn Psf, sources: &[Source]) -> Rendered {
        self.imaging(psf, self.geometry.full_window()).render(sources).unwrap()
    }
}

fn stamp(transfer: &dyn Transfer, components: &[(Profile, f64)], n: usize, offset_px: (f64, f64)) -> Array2<f64> {
    stamp_to(2e-6, transfer, components, n, offset_px)
}

fn stamp_to(
    relative_tolerance: f64,
    transfer: &dyn Transfer,
    components: &[(Profile, f64)],
    n: usize,
    offset_px: (f64, f64),
) -> Array2<f64> {
    draw_stamp(&StampSpec {
        id: 5,
        components,
        lensing: Lensing::default(),
        transfer,
        psf_contains_pixel: false,
        nx: n,
        ny: n,
        pixel_scale_arcsec: SCALE,
        offset_px,
        relative_tolerance,
    })
    .unwrap()
}

fn difference(frame: &Array2<f32>, exact: &Array2<f64>) -> f64 {
    let peak = exact.iter().copied().fold(0.0, f64::max);
    frame.iter().zip(exact).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max) / peak
}

/// A spectrum's mean over many wavelengths: what the colour terms approximate.
struct Polychromatic(Vec<(f64, Box<dyn Transfer>)>);

impl Polychromatic {
    fn new(psf: &dyn Psf, geometry: &DetectorGeometry, band: &Bandpass, at: (f64, f64), sed: &Sed) -> Self {
        let mut parts = Vec::new();
        let mut total = 0.0;
        let (low, high) = band.range_nm();
        for i in 0..100 {
            let wavelength = low + (high - low) * (f64::from(i) + 0.5) / 100.0;
            let photons = sed.at(Nanometre(wavelength)) * band.at(Nanometre(wavelength)) * wavelength;
            total += photons;
            parts.push((photons, psf.transfer(geometry.focal_point(at.0, at.1), Nanometre(wavelength)).unwrap()));
        }
        parts.iter_mut().for_each(|p| p.0 /= total);
        Self(parts)
    }
}

impl Transfer for Polychromatic {
    fn at(&self, fx: f64, fy: f64) -> Complex64 {
        self.0.iter().map(|(w, t)| t.at(fx, fy) * *w).sum()
    }
    fn cutoff(&self, tolerance: f64) -> f64 {
        self.0.iter().map(|(_, t)| t.cutoff(tolerance)).fold(0.0, f64::max)
    }
    fn radius_of_brightness(&self, level: f64) -> f64 {
        self.0.iter().map(|(_, t)| t.radius_of_brightness(level)).fold(0.0, f64::max)
    }
    fn sample(&self, fx: &[f64], fy: &[f64], out: &mut [Complex64]) {
        let mut one = vec![Complex64::default(); out.len()];
        out.fill(Complex64::default());
        for (weight, transfer) in &self.0 {
            transfer.sample(fx, fy, &mut one);
            for (o, v) in out.iter_mut().zip(&one) {
                *o += v * *weight;
            }
        }
    }
}

#[test]
fn frames_agree_with_double_precision_stamps_for_all_profiles() {
    let camera = Camera::new(65, 65, RenderTolerance::Relative(1e-6));
    let moffat = PsfSpec::Moffat { fwhm: 0.135, beta: 3.5, trunc: None }.build().unwrap();
    let airy = PsfSpec::Airy { lam_over_diam: 0.0789, obscuration: 0.0 }.build().unwrap();
    let gaussian = PsfSpec::Gaussian { fwhm: Some(0.15), sigma: None }.build().unwrap();
    let pixels = Array2::from_shape_fn((9, 8), |(y, x)| ((x * y) % 5) as f32 + 0.5);
    let profiles = [
        Profile::Point,
        sersic(0.5, 0.3, 0.2, 0.1),
        sersic(1.0, 0.25, -0.3, 0.3),
        sersic(2.345, 0.2, 0.0, 0.0),
        sersic(4.0, 0.15, 0.1, -0.5),
        sersic(6.2, 0.1, 0.0, 0.2),
        Profile::Knots { count: 12, half_light_radius_arcsec: 0.2, shear: Shear { g1: 0.1, g2: 0.0 } },
        Profile::Image { pixels: Arc::new(pixels), axes_arcsec: [[-0.08, 0.03], [0.05, 0.09]] },
    ];
    for psf in [&moffat, &airy, &gaussian] {
        for (i, profile) in profiles.iter().enumerate() {
            let (dx, dy) = (0.3 - 0.17 * i as f64, -0.45 + 0.21 * i as f64);
            let drawn =
                camera.draw(psf.as_ref(), &[source(5, 32.0 + dx, 32.0 + dy, vec![component(profile.clone(), power_law(0.0), 1000.0)])]);
            let transfer = psf.transfer(camera.geometry.focal_point(32.0, 32.0), Nanometre(camera.band.pivot_nm())).unwrap();
            let exact = stamp(transfer.as_ref(), &[(profile.clone(), 1000.0)], 65, (dx, dy));
            let error = difference(&drawn.light.pixels, &exact);
            assert!(error < 4e-6, "profile {i}: {error}");
        }
    }
}

#[test]
fn a_few_wavelength_nodes_draw_any_colour_in_any_band_to_1e_4_of_the_peak() {
    // The wavefront is fixed in nanometres: a sixth of a wave rms in the ultraviolet.
    let psf = aberrated(0.0);
    for (low, high) in [(255.0, 317.0), (400.0, 550.0), (690.0, 840.0), (900.0, 1065.0)] {
        let mut camera = Camera::new(49, 49, RenderTolerance::Relative(1e-6));
        camera.band = Bandpass::new("band", vec![low, low + 5.0, high - 5.0, high], vec![0.0, 0.6, 0.5, 0.0]).unwrap();
        // Two smooth spectra, and one with an emission line over a faint continuum.
        let waves: Vec<f64> = (0..1001).map(|i| 200.0 + f64::from(i)).collect();
        let centre = low + 0.15 * (high - low);
        let line = waves.iter().map(|w| 0.2 + (-0.5 * ((w - centre) / 6.0).powi(2)).exp()).collect();
        let line = Sed::rest(Arc::new(Spectrum::new("line", waves, line).unwrap()));
        for (name, sed) in [("red", power_law(4.0)), ("blue", power_law(-4.0)), ("line", line)] {
            for profile in [Profile::Point, sersic(4.0, 0.1, 0.2, 0.0)] {
                let drawn = camera.draw(&psf, &[source(5, 24.2, 23.9, vec![component(profile.clone(), sed.clone(), 1e4)])]);
                let transfer = Polychromatic::new(&psf, &camera.geometry, &camera.band, (24.0, 24.0), &sed);
                let exact = stamp(&transfer, &[(profile.clone(), 1e4)], 49, (0.2, -0.1));
                let error = difference(&drawn.light.pixels, &exact);
                assert!(error < 1e-4, "{low} to {high} nm, {name}: {error}");
            }
        }
    }
}

#[test]
fn bulge_and_disk_keep_their_own_colours() {
    let camera = Camera::new(65, 65, RenderTolerance::Electrons(0.01));
    let psf = aberrated(0.0);
    let (bulge, disk) = (sersic(4.0, 0.15, 0.0, 0.1), sersic(1.0, 0.4, 0.2, 0.1));
    let parts = vec![component(bulge.clone(), power_law(3.0), 3e4), component(disk.clone(), power_law(-3.0), 1e5)];
    let drawn = camera.draw(&psf, &[source(5, 32.0, 32.0, parts)]);
    let red = Polychromatic::new(&psf, &camera.geometry, &camera.band, (32.0, 32.0), &power_law(3.0));
    let blue = Polychromatic::new(&psf, &camera.geometry, &camera.band, (32.0, 32.0), &power_law(-3.0));
    let exact = stamp(&red, &[(bulge, 3e4)], 65, (0.0, 0.0)) + stamp(&blue, &[(disk, 1e5)], 65, (0.0, 0.0));
    let error = difference(&drawn.light.pixels, &exact);
    assert!(error < 3e-5, "{error}");
    assert!((drawn.truth[0].bulge_fraction - 3.0 / 13.0).abs() < 1e-12);
}

#[test]
fn electrons_per_pixel_are_kept_within_the_tolerance() {
    let psf = aberrated(0.0);
    let mut sources = Vec::new();
    for i in 0..60_u64 {
        let (x, y) = (40.0 + 37.1 * (i % 8) as f64, 40.0 + 41.3 * (i / 8) as f64);
        let electrons = 100.0 * 10.0_f64.powf(0.05 * i as f64);
        let profile = if i % 3 == 0 { Profile::Point } else { sersic(1.0 + 0.05 * i as f64, 0.1 + 0.005 * i as f64, 0.2, -0.1) };
        sources.push(source(i, x, y, vec![component(profile, power_law(1.0), electrons)]));
    }
    let coarse = Camera::new(384, 384, RenderTolerance::Electrons(0.02)).draw(&psf, &sources);
    let fine = Camera::new(384, 384, RenderTolerance::Electrons(0.0002)).draw(&psf, &sources);
    let worst = coarse.light.pixels.iter().zip(&fine.light.pixels).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // Sixty objects overlap: their errors may add, but not to five times the tolerance of one.
    assert!(worst < 0.1, "{worst} e-");
    assert!(worst > 1e-4, "the tolerance does something");
}

#[test]
fn a_cut_out_has_the_bits_of_the_full_frame_and_threads_change_none() {
    let camera = Camera::new(300, 260, RenderTolerance::Electrons(0.02));
    let psf = aberrated(3.0);
    let mut sources = Vec::new();
    for i in 0..120_u64 {
        let (x, y) = ((i * 97 % 331) as f64 - 15.3, (i * 61 % 293) as f64 - 16.1);
        let electrons = if i % 40 == 0 { 3e6 } else { 200.0 * (1 + i % 9) as f64 };
        let profile = if i % 2 == 0 { Profile::Point } else { sersic(1.7, 0.3, 0.3, 0.1) };
        sources.push(source(i, x, y, vec![component(profile, power_law(-1.0), electrons)]));
    }
    let run = |threads: usize, window: Window| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| camera.imaging(&psf, window).render(&sources).unwrap())
    };
    let full = run(1, camera.geometry.full_window());
    let again = run(3, camera.geometry.full_window());
    assert_eq!(full.light.pixels, again.light.pixels);
    assert_eq!(full.truth, again.truth);
    let window = Window { x0: 90, y0: 51, nx: 120, ny: 77 };
    let cut = run(2, window);
    assert_eq!(full.light.pixels.slice(ndarray::s![51..128, 90..210]), cut.light.pixels);
    assert!(cut.truth.len() < full.truth.len(), "what does not reach the window is not drawn");
}

#[test]
fn the_psf_changes_without_seams_over_the_field() {
    // Nodes every 511.75 pixels. The tight tolerance takes the path of two stamps, the other that of one.
    let psf = aberrated(5.0);
    for tolerance in [1e-7, 1e-4] {
        let camera = Camera::new(2048, 2048, RenderTolerance::Relative(tolerance));
        let image = |x: f64| {
            let at = source(1, x, 900.0, vec![component(Profile::Point, power_law(0.0), 1e4)]);
            let window = Window { x0: x.floor() as usize - 20, y0: 880, nx: 41, ny: 41 };
            camera.imaging(&psf, window).render(&[at]).unwrap().light.pixels
        };
        // The star moves by 1e-6 pixel; the brightness changes by about its peak per pixel.
        let (low, high) = (image(511.749_999_5), image(511.750_000_5));
        let peak = low.iter().copied().fold(0.0, f32::max);
        let jump = low.iter().zip(&high).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / peak;
        assert!(jump < 5e-6, "{jump}");
        // and the PSF does vary: half a cell away it is another
        let far = image(767.75);
        let change = low.iter().zip(&far).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / peak;
        assert!(change > 1e-4, "{change}");
    }
}

#[test]
fn a_bright_star_has_the_local_core_and_the_right_wings() {
    // At a node of the lattice the local PSF is exact.
    let camera = Camera::new(1025, 1025, RenderTolerance::Electrons(0.02));
    let psf = aberrated(5.0);
    let (x, y) = (256.0, 768.0);
    let window = Window { x0: 156, y0: 668, nx: 201, ny: 201 };
    let at = source(1, x, y, vec![component(Profile::Point, power_law(0.0), 1e6)]);
    let drawn = camera.imaging(&psf, window).render(&[at]).unwrap();
    let transfer = Polychromatic::new(&psf, &camera.geometry, &camera.band, (x, y), &power_law(0.0));
    // At 1e-8 of the peak the stamp's own period is 1024 pixels: what folds back into it is below 1 %.
    let exact = stamp_to(1e-8, &transfer, &[(Profile::Point, 1e6)], 201, (0.0, 0.0));
    let error = difference(&drawn.light.pixels, &exact);
    assert!(error < 1e-4, "{error}");
    // Between 60 and 100 pixels. Of a flat wavefront 0.2026 lambda / (D theta) of the light lies beyond theta,
    // lambda / D = 1.066 pixel; a wavefront of some per cent of a wave adds some per cent.
    let ring = |i: usize, j: usize| (60.0..100.0).contains(&(i as f64 - 100.0).hypot(j as f64 - 100.0));
    let sum = |v: &dyn Fn(usize, usize) -> f64| {
        (0..201).flat_map(|j| (0..201).map(move |i| (i, j))).filter(|&(i, j)| ring(i, j)).map(|(i, j)| v(j, i)).sum::<f64>()
    };
    let (got, want) = (sum(&|j, i| f64::from(drawn.light.pixels[[j, i]])), sum(&|j, i| exact[[j, i]]));
    let envelope = 1e6 * 0.2026 * 1.066 * (1.0 / 60.0 - 1.0 / 100.0);
    assert!((want / envelope - 1.0).abs() < 0.05, "{want} {envelope}");
    // The frame's period is 384 pixels: its images 304 pixels away and farther add 4 (80 / 304)^3 = 7 %, 0.005 electron.
    assert!(got / want > 0.99 && got / want < 1.1, "{got} {want}");
}

#[test]
fn the_truth_counts_what_the_frame_holds() {
    let camera = Camera::new(256, 128, RenderTolerance::Electrons(0.001));
    let psf = PsfSpec::Gaussian { fwhm: Some(0.2), sigma: None }.build().unwrap();
    let on_the_edge = source(1, 255.5, 64.0, vec![component(Profile::Point, power_law(0.0), 1e4)]);
    let inside = source(2, 100.0, 64.0, vec![component(sersic(1.0, 0.3, 0.0, 0.0), power_law(0.0), 1e4)]);
    let far = source(3, 5000.0, 64.0, vec![component(Profile::Point, power_law(0.0), 1e4)]);
    let drawn = camera.draw(psf.as_ref(), &[on_the_edge, inside, far]);
    assert_eq!(drawn.truth.iter().map(|t| t.id).collect::<Vec<_>>(), [1, 2]);
    assert!((drawn.truth[0].electrons_in_frame - 5e3).abs() < 0.5, "half: {}", drawn.truth[0].electrons_in_frame);
    assert!((drawn.truth[1].electrons_in_frame - 1e4).abs() < 0.05, "all: {}", drawn.truth[1].electrons_in_frame);
    assert!((drawn.light.total() - drawn.ledger.net()).abs() < 0.05);
    assert_eq!((drawn.truth[1].sersic_index, drawn.truth[1].half_light_radius_arcsec), (1.0, 0.3));
}

#[test]
fn a_magnitude_becomes_the_electrons_of_the_zero_point() {
    let camera = Camera::new(128, 128, RenderTolerance::Electrons(0.001));
    let psf = PsfSpec::Gaussian { fwhm: Some(0.2), sigma: None }.build().unwrap();
    let reference = Arc::new(Bandpass::new("r", vec![550.0, 560.0, 680.0, 690.0], vec![0.0, 0.5, 0.5, 0.0]).unwrap());
    let sed = Sed::rest(Arc::new(Spectrum::flat_fnu()));
    let component = Component { profile: Profile::Point, sed, brightness: Brightness::Ab { magnitude: 22.0, band: reference } };
    let mut object = source(9, 64.0, 64.0, vec![component]);
    // kappa = 0.5: magnification 4, so 1.505 mag brighter.
    object.lensing.kappa = 0.5;
    let drawn = camera.draw(psf.as_ref(), &[object]);
    let expected = 4.0 * 150.0 * 10.0_f64.powf(-0.4 * (22.0 - camera.band.zero_point(31_416.0)));
    assert!((drawn.truth[0].electrons / expected - 1.0).abs() < 1e-4, "{} {expected}", drawn.truth[0].electrons);
    assert!((drawn.truth[0].magnitude - (22.0 - 2.5 * 4.0_f64.log10())).abs() < 1e-4);
    assert!((drawn.light.total() / expected - 1.0).abs() < 1e-4);
}

#[test]
fn an_object_long_towards_east_is_long_towards_east_on_the_detector() {
    let mut camera = Camera::new(129, 129, RenderTolerance::Relative(1e-5));
    // Rotated by 90 degrees: north along -x, east along +y; half the pixel scale.
    let d = 0.5 * SCALE / 3600.0;
    camera.wcs.cd = [[0.0, d], [-d, 0.0]];
    let psf = PsfSpec::Gaussian { fwhm: Some(0.1), sigma: None }.build().unwrap();
    let (ra_deg, dec_deg) = camera.wcs.sky_from_pixel(64.0, 64.0);
    let mut object = source(1, 0.0, 0.0, vec![component(sersic(0.5, 0.2, 0.5, 0.0), power_law(0.0), 1e4)]);
    object.position = Position::Sky { ra_deg, dec_deg };
    let image = camera.draw(psf.as_ref(), &[object]).light.pixels;
    let total: f64 = image.iter().map(|&v| f64::from(v)).sum();
    let moment = |f: &dyn Fn(f64, f64) -> f64| {
        image.indexed_iter().map(|((y, x), &v)| f64::from(v) * f(x as f64 - 64.0, y as f64 - 64.0)).sum::<f64>() / total
    };
    // Covariance of the profile: (r_e^2 / 2 ln 2) S S^T with axis ratio 3; 0.2 arcsec = 5.405 of these pixels.
    let s2 = (0.2_f64 / (0.5 * SCALE)).powi(2) / (2.0 * std::f64::consts::LN_2);
    let other = (0.1_f64 / SCALE / 2.354_820_045).powi(2) + 1.0 / 12.0;
    let (along, across) = (moment(&|_, y| y * y), moment(&|x, _| x * x));
    assert!((along / (3.0 * s2 + other) - 1.0).abs() < 1e-3, "{along}");
    assert!((across / (s2 / 3.0 + other) - 1.0).abs() < 1e-3, "{across}");
    assert!(moment(&|x, y| x * y).abs() < 1e-3);
}

#[test]
fn bad_sources_and_settings_are_refused_with_their_names() {
    let camera = Camera::new(64, 64, RenderTolerance::Electrons(0.02));
    let psf = PsfSpec::Gaussian { fwhm: Some(0.2), sigma: None }.build().unwrap();
    let refuse = |object: Source| camera.imaging(psf.as_ref(), camera.geometry.full_window()).render(&[object]).unwrap_err().to_string();
    let good = || source(77, 10.0, 10.0, vec![component(Profile::Point, power_law(0.0), 100.0)]);
    let mut object = good();
    object.position = Position::Pixel { x: f64::NAN, y: 3.0 };
    let text = refuse(object);
    assert!(text.contains("object 77") && text.contains("position.x"), "{text}");
    let mut object = good();
    object.position = Position::Sky { ra_deg: 10.0, dec_deg: 91.0 };
    let text = refuse(object);
    assert!(text.contains("object 77") && text.contains("position.dec"), "{text}");
    let mut object = good();
    object.components[0].brightness = Brightness::Ab { magnitude: f64::NAN, band: Arc::new(band()) };
    let text = refuse(object);
    assert!(text.contains("object 77") && text.contains("magnitude"), "{text}");
    let mut object = good();
    let far = Bandpass::new("uv", vec![150.0, 190.0], vec![0.5, 0.5]).unwrap();
    object.components[0].brightness = Brightness::Ab { magnitude: 20.0, band: Arc::new(far) };
    let text = refuse(object);
    assert!(text.contains("object 77") && text.contains("no light in band uv"), "{text}");
    let window = Window { x0: 0, y0: 0, nx: 65, ny: 64 };
    let text = camera.imaging(psf.as_ref(), window).render(&[good()]).unwrap_err().to_string();
    assert!(text.contains("window.nx"), "{text}");
}
