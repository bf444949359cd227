//! Slitless optics against sums of images in single wavelengths and against closed forms.
#![allow(clippy::unwrap_used, reason = "tests stop at the first thing that is not as it should be")]

use instruments::optics::slitless::{Dispersed, disperse};
use instruments::optics::{Imaging, RenderTolerance};
use ndarray::Array2;
use psf::optical::{OpticalPsf, WavefrontTerm};
use sim_core::bandpass::Bandpass;
use sim_core::detector::{AmplifierGrid, DetectorGeometry};
use sim_core::dispersion::{FieldPolynomial, Grating, Opening, Order};
use sim_core::frame::Window;
use sim_core::source::{Brightness, Component, Lensing, Position, Profile, Shear, Source, SourceKind};
use sim_core::spectrum::{Sed, Spectrum};
use sim_core::units::Nanometre;
use sim_core::wcs::Wcs;
use std::sync::Arc;

const SCALE: f64 = 0.074;
const AREA_CM2: f64 = 31_416.0;
const TIME_S: f64 = 150.0;

fn geometry(nx: usize, ny: usize) -> DetectorGeometry {
    let amplifiers = AmplifierGrid { columns: 1, rows: 1, prescan_x: 0, overscan_x: 0, overscan_y: 0 };
    let (crpix1, crpix2) = (0.5 * nx as f64, 0.5 * ny as f64);
    DetectorGeometry { number: 1, filter: "GI".into(), nx, ny, crpix1, crpix2, pixel_scale_arcsec: SCALE, amplifiers }
}

fn wcs(nx: usize, ny: usize) -> Wcs {
    let s = SCALE / 3600.0;
    Wcs { crpix: [0.5 * nx as f64, 0.5 * ny as f64], crval: [10.0, 20.0], cd: [[-s, 0.0], [0.0, s]], pv: None }
}

/// A pupil of 2 m with coma and defocus that change over the field, so little that the length of a piece makes no difference.
fn optics() -> OpticalPsf {
    let term = |noll, nm: f64, slope: f64| WavefrontTerm { noll, opd_nm: vec![nm, slope, -slope], chromatic_nm_per_um: vec![] };
    OpticalPsf::new(2.0, vec![term(4, 25.0, 1.0), term(8, -20.0, -1.0)], 800.0).unwrap()
}

fn field(coefficients: &[f64]) -> FieldPolynomial {
    FieldPolynomial::new(coefficients.to_vec()).unwrap()
}

/// 150 columns from 640 to 760 nm, tilted, bent, its dispersion changing along it and over the field.
fn first_order() -> Order {
    Order {
        number: 1,
        x: vec![field(&[20.0, 0.01, 0.0]), field(&[150.0, 0.0, 0.02]), field(&[3.0])],
        y: vec![field(&[1.3]), field(&[4.0]), field(&[2.0])],
        wavelength_nm: vec![field(&[640.0]), field(&[112.0]), field(&[8.0])],
        efficiency: Arc::new(Bandpass::new("GI", vec![640.0, 680.0, 720.0, 760.0], vec![0.1, 0.3, 0.35, 0.2]).unwrap()),
    }
}

fn reference() -> Arc<Bandpass> {
    Arc::new(Bandpass::new("i", vec![690.0, 700.0, 840.0, 850.0], vec![0.0, 1.0, 1.0, 0.0]).unwrap())
}

fn red() -> Sed {
    let waves: Vec<f64> = (0..100).map(|k| 500.0 + 5.0 * f64::from(k)).collect();
    let flux = waves.iter().map(|w| (w / 700.0).powf(1.5) * (1.0 + 0.2 * (w / 9.0).sin())).collect();
    Sed { template: Arc::new(Spectrum::new("red", waves, flux).unwrap()), redshift: 0.02, extinction: None }
}

fn component(profile: Profile, sed: Sed, magnitude: f64) -> Component {
    Component { profile, sed, brightness: Brightness::Ab { magnitude, band: reference() } }
}

fn source(id: u64, (x, y): (f64, f64), components: Vec<Component>) -> Source {
    Source {
        id,
        kind: SourceKind::Galaxy,
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
    psf: OpticalPsf,
    /// Not used by orders, which have their own.
    band: Bandpass,
}

impl Camera {
    fn new(nx: usize, ny: usize) -> Self {
        let band = Bandpass::new("all", vec![600.0, 1000.0], vec![1.0, 1.0]).unwrap();
        Self { geometry: geometry(nx, ny), wcs: wcs(nx, ny), psf: optics(), band }
    }
    fn imaging(&self, tolerance: f64) -> Imaging<'_> {
        let (window, tolerance) = (self.geometry.full_window(), RenderTolerance::Electrons(tolerance));
        let Self { geometry, wcs, psf, band } = self;
        Imaging { psf, band, area_cm2: AREA_CM2, geometry, window, wcs, time_s: TIME_S, tolerance }
    }
    fn disperse(&self, gratings: &[Grating], sources: &[Source], tolerance: f64) -> Dispersed {
        disperse(&self.imaging(tolerance), gratings, sources, None, &|_, _| {}).unwrap()
    }
}

fn grating(order: Order) -> Vec<Grating> {
    vec![Grating { opening: Opening::whole(), orders: vec![order] }]
}

/// The order as a sum of images in slices of wavelength a quarter of a pixel wide.
fn slice_by_slice(camera: &Camera, order: &Order, sources: &[Source], tolerance: f64) -> Array2<f64> {
    let (low, high) = order.efficiency.range_nm();
    let mut out = Array2::zeros((camera.geometry.ny, camera.geometry.nx));
    let count = 600;
    for k in 0..count {
        let edge = |k: usize| low + (high - low) * k as f64 / f64::from(count as u32);
        let (from, to) = (edge(k), edge(k + 1));
        let at = |nm: f64| order.efficiency.at(Nanometre(nm));
        let band = Bandpass::new("slice", vec![from, to], vec![at(from), at(to)]).unwrap();
        let moved: Vec<Source> = sources
            .iter()
            .map(|s| {
                let Position::Pixel { x, y } = s.position else { panic!("in pixels") };
                let trace = order.trace(x, y);
                let (dx, dy) = trace.offset(trace.parameter(0.5 * (from + to)));
                Source { position: Position::Pixel { x: x + dx, y: y + dy }, ..s.clone() }
            })
            .collect();
        let imaging = Imaging { band: &band, ..camera.imaging(tolerance / f64::from(count as u32).sqrt()) };
        out += &imaging.render(&moved).unwrap().light.pixels.mapv(f64::from);
    }
    out
}

fn worst(frame: &Array2<f32>, exact: &Array2<f64>) -> f64 {
    frame.iter().zip(exact).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
}

#[test]
fn a_spectrum_is_the_sum_of_its_images_in_single_wavelengths() {
    let camera = Camera::new(256, 96);
    let galaxy = Profile::Sersic { index: 1.0, half_light_radius_arcsec: 0.25, shear: Shear { g1: 0.2, g2: -0.3 } };
    let bulge = Profile::Sersic { index: 3.0, half_light_radius_arcsec: 0.1, shear: Shear { g1: 0.0, g2: 0.1 } };
    let flat = Sed::rest(Arc::new(Spectrum::flat_fnu()));
    let knots = Profile::Knots { count: 7, half_light_radius_arcsec: 0.3, shear: Shear::default() };
    let sources = [
        source(1, (31.3, 22.6), vec![component(Profile::Point, red(), 21.0)]),
        source(2, (40.8, 48.2), vec![component(bulge, red(), 22.0), component(galaxy, flat.clone(), 20.5)]),
        source(3, (25.5, 74.9), vec![component(knots, flat, 21.0)]),
    ];
    let order = first_order();
    let tolerance = 0.002;
    let drawn = camera.disperse(&grating(order.clone()), &sources, tolerance);
    let exact = slice_by_slice(&camera, &order, &sources, tolerance);
    let peak = exact.iter().copied().fold(0.0, f64::max);
    let off = worst(&drawn.rendered.light.pixels, &exact);
    assert!(peak > 20.0 && off < 1e-3 * peak, "{off} of {peak}");
    assert_eq!(drawn.orders.len(), 3);
}

#[test]
fn a_line_falls_where_the_trace_has_its_wavelength_and_keeps_all_its_light() {
    let camera = Camera::new(256, 64);
    let order = first_order();
    let trace = order.trace(30.0, 30.0);
    for line in [655.2, 700.0, 741.7] {
        let narrow = Spectrum::new("line", vec![line - 0.05, line, line + 0.05], vec![0.0, 1.0, 0.0]).unwrap();
        let band = Arc::new(Bandpass::new("there", vec![line - 1.0, line + 1.0], vec![1.0, 1.0]).unwrap());
        let brightness = Brightness::Ab { magnitude: 20.0, band: band.clone() };
        let star = Component { profile: Profile::Point, sed: Sed::rest(Arc::new(narrow)), brightness };
        let drawn = camera.disperse(&grating(order.clone()), &[source(1, (30.0, 30.0), vec![star])], 0.001);
        let pixels = drawn.rendered.light.pixels.mapv(f64::from);
        let (dx, dy) = trace.offset(trace.parameter(line));
        // Coma moves the centroid of the PSF; the same image without a grating tells by how much.
        let place = Position::Pixel { x: 30.0 + dx, y: 30.0 + dy };
        let still = Imaging { band: &band, ..camera.imaging(0.001) };
        let star = Component {
            profile: Profile::Point,
            sed: Sed::rest(Arc::new(Spectrum::flat_fnu())),
            brightness: Brightness::Ab { magnitude: 20.0, band: band.clone() },
        };
        let image = still.render(&[Source { position: place, ..source(1, (0.0, 0.0), vec![star]) }]).unwrap().light.pixels.mapv(f64::from);
        // Near the line alone: the frame of a streak is not centred on each of its lines, so it cuts their wings unevenly.
        let centroid = |pixels: &Array2<f64>| {
            let near =
                pixels.indexed_iter().filter(|((y, x), _)| (*x as f64 - 30.0 - dx).abs() < 8.0 && (*y as f64 - 30.0 - dy).abs() < 8.0);
            let (sum, x, y) = near.fold((0.0, 0.0, 0.0), |(s, u, v), ((y, x), l)| (s + l, u + l * x as f64, v + l * y as f64));
            (x / sum, y / sum)
        };
        let (drawn_at, image_at) = (centroid(&pixels), centroid(&image));
        let (x, y) = (drawn_at.0 - image_at.0, drawn_at.1 - image_at.1);
        assert!(x.abs() < 2e-3 && y.abs() < 2e-3, "{line} nm: {x}, {y} pixel");
        let sum = pixels.sum();
        let efficiency = order.efficiency.at(Nanometre(line));
        assert!((sum / (efficiency * image.sum()) - 1.0).abs() < 2e-3, "{line} nm: {sum} of {}", efficiency * image.sum());
    }
}

#[test]
fn light_outside_the_window_and_of_the_other_grating_is_left_out() {
    let camera = Camera::new(256, 64);
    let star = |id, x| source(id, (x, 30.0), vec![component(Profile::Point, red(), 20.0)]);
    let order = first_order();
    let both = |x: f64| {
        let opening = |from, to| Opening { from, to, beam: 40.0 };
        let mut other = first_order();
        other.x = vec![field(&[-20.0]), field(&[-150.0])];
        let gratings = [
            Grating { opening: opening(f64::NEG_INFINITY, 100.0), orders: vec![order.clone()] },
            Grating { opening: opening(100.0, f64::INFINITY), orders: vec![other] },
        ];
        camera.disperse(&gratings, &[star(1, x)], 0.01)
    };
    let (left, middle, right) = (both(60.0), both(100.0), both(190.0));
    assert_eq!((left.orders.len(), middle.orders.len(), right.orders.len()), (1, 2, 1));
    assert_eq!((left.orders[0].grating, right.orders[0].grating), (0, 1));
    let [a, b] = &middle.orders[..] else { panic!("two") };
    assert!((a.electrons / left.orders[0].electrons - 0.5).abs() < 1e-9 && (b.electrons / right.orders[0].electrons - 0.5).abs() < 1e-9);
    // A star off the detector whose order reaches it.
    let outside = camera.disperse(&grating(order.clone()), &[star(1, -60.0)], 0.01);
    assert!(outside.orders[0].electrons_in_frame > 0.5 * outside.orders[0].electrons);
    let pixels: f64 = outside.rendered.light.pixels.iter().map(|v| f64::from(*v)).sum();
    assert!((outside.orders[0].electrons_in_frame / pixels - 1.0).abs() < 1e-3);
    assert!(camera.disperse(&grating(order), &[star(1, -400.0)], 0.01).orders.is_empty());
}

#[test]
fn a_window_has_the_pixels_of_the_whole() {
    let camera = Camera::new(256, 64);
    let gratings = grating(first_order());
    // Laid side by side, and so faint that profiles draw it.
    for (magnitude, seen) in [(20.0, 1.0), (26.0, 0.02)] {
        let star = source(1, (30.4, 30.0), vec![component(Profile::Point, red(), magnitude)]);
        let whole = camera.disperse(&gratings, std::slice::from_ref(&star), 0.01).rendered.light.pixels;
        let window = Window { x0: 90, y0: 20, nx: 60, ny: 30 };
        let imaging = Imaging { window, ..camera.imaging(0.01) };
        let cut = disperse(&imaging, &gratings, &[star], None, &|_, _| {}).unwrap().rendered.light.pixels;
        assert_eq!(cut, whole.slice(ndarray::s![20..50, 90..150]), "to the bit");
        assert!(cut.iter().any(|v| *v > seen));
    }
}

#[test]
fn own_light_of_orders_and_that_of_others_are_told_apart() {
    let camera = Camera::new(256, 64);
    // The second spectrum lies over the first, the third is too faint to be kept, the fourth is drawn in pieces.
    let star = |id, x, y, magnitude| source(id, (x, y), vec![component(Profile::Point, red(), magnitude)]);
    let sources = [star(1, 40.0, 28.0, 20.0), star(2, 75.3, 30.4, 21.0), star(3, 60.0, 33.0, 25.0), star(4, 20.0, 45.0, 14.0)];
    let window = Window { x0: 10, y0: 5, nx: 220, ny: 50 };
    let imaging = Imaging { window, ..camera.imaging(0.01) };
    let zeroth = Order { number: 0, x: vec![field(&[-30.0]), field(&[2.0])], y: vec![field(&[1.0]), field(&[0.2])], ..first_order() };
    let gratings = [Grating { opening: Opening::whole(), orders: vec![zeroth, first_order()] }];
    let draw = |sources: &[Source], least| disperse(&imaging, &gratings, sources, Some(least), &|_, _| {}).unwrap();
    let all = draw(&sources, 1000.0);
    let kept: Vec<(u64, i32)> = all.cutouts.iter().map(|c| (c.id, c.order)).collect();
    let bright = all.orders.iter().filter(|o| o.electrons >= 1000.0 && o.electrons_in_frame > 0.0);
    assert_eq!(kept, bright.map(|o| (o.id, o.order)).collect::<Vec<_>>());
    assert!(kept.contains(&(1, 1)) && kept.contains(&(2, 1)) && kept.contains(&(4, 1)) && !kept.contains(&(3, 1)), "{kept:?}");
    let mut sum = Array2::<f64>::zeros(window.shape());
    for cutout in &all.cutouts {
        let light = all.orders.iter().find(|o| (o.id, o.order) == (cutout.id, cutout.order)).unwrap().electrons_in_frame;
        let own: f64 = cutout.own.iter().map(|v| f64::from(*v)).sum();
        assert!((own / light - 1.0).abs() < 1e-5, "order {} of {}: {own} for {light}", cutout.order, cutout.id);
        let w = cutout.window;
        let slice = ndarray::s![w.y0 - window.y0..w.y0 - window.y0 + w.ny, w.x0 - window.x0..w.x0 - window.x0 + w.nx];
        sum.slice_mut(slice).zip_mut_with(&cutout.own, |to, from| *to += f64::from(*from));
        if ![(1, 1), (4, 1)].contains(&(cutout.id, cutout.order)) {
            continue;
        }
        // The same box of a frame without the source, whose other orders are not others' light here.
        let rest: Vec<Source> = sources.iter().filter(|s| s.id != cutout.id).cloned().collect();
        let without = draw(&rest, 1000.0).rendered.light.pixels.slice(slice).to_owned();
        let mut others = cutout.others(&all.rendered.light);
        for same in all.cutouts.iter().filter(|c| c.id == cutout.id && c.order != cutout.order) {
            let mut whole = Array2::<f32>::zeros(window.shape());
            let v = same.window;
            whole
                .slice_mut(ndarray::s![v.y0 - window.y0..v.y0 - window.y0 + v.ny, v.x0 - window.x0..v.x0 - window.x0 + v.nx])
                .assign(&same.own);
            others -= &whole.slice(slice);
        }
        let brightest = all.rendered.light.pixels.iter().copied().fold(0.0, f32::max);
        let worst = others.iter().zip(&without).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-6 * brightest, "{worst} of {brightest}");
    }
    // What is left of the frame is the source that was not kept.
    let alone = draw(&sources[2..3], 1000.0);
    assert!(alone.cutouts.is_empty());
    let left = (&all.rendered.light.pixels.mapv(f64::from) - &sum).sum();
    let faint: f64 = alone.rendered.light.pixels.iter().map(|v| f64::from(*v)).sum();
    assert!((left / faint - 1.0).abs() < 0.01, "{left} for {faint}");
}

#[test]
fn an_order_without_dispersion_is_the_image_and_one_across_is_refused() {
    let camera = Camera::new(128, 64);
    let star = source(1, (60.3, 30.0), vec![component(Profile::Point, red(), 20.0)]);
    let mut order = Order { number: 0, x: vec![field(&[3.0]), field(&[1e-10])], y: vec![field(&[1.0]), field(&[2e-10])], ..first_order() };
    let drawn = camera.disperse(&grating(order.clone()), std::slice::from_ref(&star), 0.005).rendered.light.pixels;
    let moved = Source { position: Position::Pixel { x: 63.3, y: 31.0 }, ..star.clone() };
    let image = Imaging { band: &order.efficiency, ..camera.imaging(0.005) }.render(&[moved]).unwrap().light.pixels.mapv(f64::from);
    let peak = image.iter().copied().fold(0.0, f64::max);
    assert!(peak > 1000.0 && worst(&drawn, &image) < 1e-3 * peak, "{} of {peak}", worst(&drawn, &image));
    (order.number, order.x, order.y) = (1, vec![field(&[0.0]), field(&[1.0])], vec![field(&[0.0]), field(&[100.0])]);
    let error = disperse(&camera.imaging(0.01), &grating(order), &[star], None, &|_, _| {}).unwrap_err().to_string();
    assert!(error.contains("order") && error.contains("45 deg"), "{error}");
}

#[test]
fn brightness_in_electrons_is_refused() {
    let camera = Camera::new(128, 64);
    let star = Component { profile: Profile::Point, sed: red(), brightness: Brightness::Electrons(100.0) };
    let error = disperse(&camera.imaging(0.01), &grating(first_order()), &[source(7, (30.0, 30.0), vec![star])], None, &|_, _| {});
    let message = error.unwrap_err().to_string();
    assert!(message.contains('7') && message.contains("brightness") && message.contains("AB magnitudes"), "{message}");
}

/// A spectrum with one line of a width and equivalent width \[nm\].
fn with_line(width: f64, equivalent: f64) -> Sed {
    let waves: Vec<f64> = (0..4000).map(|k| 600.0 + 0.05 * f64::from(k)).collect();
    let line = |w: f64| equivalent / (width * (2.0 * std::f64::consts::PI).sqrt()) * (-0.5 * ((w - 701.3) / width).powi(2)).exp();
    let flux = waves.iter().map(|&w| 1.0 + line(w)).collect();
    Sed::rest(Arc::new(Spectrum::new("line", waves, flux).unwrap()))
}

#[test]
fn spectra_of_any_brightness_stay_within_the_tolerance() {
    let order = first_order();
    let disk = |radius: f64, g1: f64, g2: f64| Profile::Sersic { index: 1.0, half_light_radius_arcsec: radius, shear: Shear { g1, g2 } };
    let bulge = Profile::Sersic { index: 4.0, half_light_radius_arcsec: 0.15, shear: Shear { g1: -0.3, g2: 0.2 } };
    let knots = Profile::Knots { count: 9, half_light_radius_arcsec: 0.25, shear: Shear { g1: 0.1, g2: 0.2 } };
    let (flat, line) = (Sed::rest(Arc::new(Spectrum::flat_fnu())), |equivalent| with_line(0.3, equivalent));
    let cases = [
        ("star", vec![component(Profile::Point, red(), 20.0)]),
        ("star with a line", vec![component(Profile::Point, line(3.0), 20.0)]),
        ("inclined disk", vec![component(disk(0.3, 0.05, 0.5), red(), 20.0)]),
        ("inclined disk with a line", vec![component(disk(0.3, 0.0, -0.6), line(10.0), 20.0)]),
        ("disk along the trace with a line", vec![component(disk(0.4, 0.6, 0.0), line(10.0), 20.0)]),
        ("bulge and disk", vec![component(bulge.clone(), flat.clone(), 21.0), component(disk(0.5, 0.2, 0.3), red(), 20.5)]),
        (
            "bulge, and disk with a line",
            vec![component(bulge.clone(), red(), 20.5), component(disk(0.4, 0.2, 0.3), with_line(0.8, 4.0), 20.0)],
        ),
        ("knots", vec![component(knots, flat, 20.0)]),
    ];
    // One below the other, so that the slices are drawn once.
    const ROWS: usize = 96;
    let camera = Camera::new(256, ROWS * cases.len());
    let place = |k: usize| (41.3 - 0.13 * k as f64, 47.6 + (ROWS * k) as f64 + 0.19 * k as f64);
    let sources: Vec<Source> = cases.iter().enumerate().map(|(k, (_, parts))| source(k as u64, place(k), parts.clone())).collect();
    let all = slice_by_slice(&camera, &order, &sources, 0.002);
    let tolerance = 0.05;
    let mut wrong = Vec::new();
    for (k, (name, _)) in cases.iter().enumerate() {
        let rows = ndarray::s![ROWS * k..ROWS * (k + 1), ..];
        let exact = all.slice(rows).to_owned();
        let light: f64 = exact.sum();
        let mut laid = 0;
        for fainter in 0..9 {
            let mut faint = sources[k].clone();
            for part in &mut faint.components {
                if let Brightness::Ab { magnitude, .. } = &mut part.brightness {
                    *magnitude += f64::from(fainter);
                }
            }
            let drawn = camera.disperse(&grating(order.clone()), &[faint], tolerance);
            let pieces = drawn.rendered.timings.modes > 0.0;
            laid += usize::from(!pieces);
            let scale = 10.0_f64.powf(-0.4 * f64::from(fainter));
            let pixels = drawn.rendered.light.pixels.slice(rows).to_owned();
            let peak = scale * exact.iter().copied().fold(0.0, f64::max);
            let off = worst(&pixels, &(&exact * scale));
            println!("{name}, {fainter} mag fainter{}: {off:.4} of {peak:.3} electron", if pieces { ", in pieces" } else { "" });
            let sum: f64 = pixels.iter().map(|v| f64::from(*v)).sum();
            if (off >= tolerance && !pieces) || (sum / (scale * light) - 1.0).abs() > 5e-3 {
                wrong.push(format!("{name}, {fainter} mag fainter: {off} electron of {peak}, light {sum} of {}", scale * light));
            }
        }
        assert!(laid > 0, "{name}: always in pieces");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("; "));
}

#[test]
fn a_field_of_faint_sources_is_that_of_images_in_single_wavelengths() {
    // Noise of a pixel of the sky in 150 s through GI: sky 0.329 and dark 0.02 electron a second, read noise 5 electrons.
    let noise = (150.0 * (0.329 + 0.02) + 25.0_f64).sqrt();
    let camera = Camera::new(288, 288);
    let (flat, red) = (Sed::rest(Arc::new(Spectrum::flat_fnu())), red());
    let sources: Vec<Source> = (0..120)
        .map(|k| {
            let at = |step: f64| (f64::from(k) * step).fract();
            let (x, y) = (20.0 + 90.0 * at(0.618_034), 40.0 + 208.0 * at(0.754_878));
            let shear = Shear { g1: 1.2 * at(0.37) - 0.6, g2: 0.5 * at(0.71) - 0.25 };
            let disk = Profile::Sersic { index: 1.0, half_light_radius_arcsec: 0.1 + 0.4 * at(0.569), shear };
            let bulge = Profile::Sersic { index: 4.0, half_light_radius_arcsec: 0.05 + 0.1 * at(0.569), shear };
            let magnitude = 24.0 + 4.0 * at(0.236);
            let parts = match k % 4 {
                0 => vec![component(Profile::Point, red.clone(), magnitude)],
                1 => vec![component(disk, with_line(0.3, 6.0), magnitude)],
                _ => vec![component(bulge, red.clone(), magnitude + 1.0), component(disk, flat.clone(), magnitude)],
            };
            source(k as u64, (x, y), parts)
        })
        .collect();
    let order = first_order();
    let exact = slice_by_slice(&camera, &order, &sources, 0.002);
    let drawn = camera.disperse(&grating(order), &sources, 0.05);
    assert_eq!(drawn.rendered.timings.modes, 0.0, "none in pieces");
    let pixels = drawn.rendered.light.pixels.mapv(f64::from);
    let bias = pixels.sum() / exact.sum() - 1.0;
    let rms = ((&pixels - &exact).mapv(|d| d * d).sum() / exact.len() as f64).sqrt();
    let peak = exact.iter().copied().fold(0.0, f64::max);
    println!("peak {peak:.3}, rms {rms:.5} electron, {:.5} of the noise, sum {bias:.2e}", rms / noise);
    assert!(peak > 0.1 && bias.abs() < 1e-3 && rms < 0.02 * noise, "peak {peak}, bias {bias}, rms {rms}");
    assert!(worst(&drawn.rendered.light.pixels, &exact) < 0.1, "{}", worst(&drawn.rendered.light.pixels, &exact));
}
