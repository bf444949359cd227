//! Times the drawing of a whole slitless detector: five orders of every source.
//!
//! `cargo run --release -p instruments --example slitless_bench -- FIELD.csv [tolerance in electrons] [orders]` with RAYON_NUM_THREADS=1 for CPU seconds of
//! one core. FIELD.csv as for `render_bench`, its magnitudes taken as AB magnitudes in a band of 620 to 1000 nm; `orders` is a list such as 1,0,-1.

#[path = "field/mod.rs"]
mod field;

use instruments::optics::slitless::{Ruling, disperse};
use instruments::optics::{Imaging, RenderTolerance};
use psf::optical::{OpticalPsf, WavefrontTerm};
use sim_core::bandpass::Bandpass;
use sim_core::detector::{AmplifierGrid, DetectorGeometry};
use sim_core::dispersion::{Grating, Opening};
use sim_core::source::{Brightness, Lensing};
use sim_core::wcs::Wcs;
use std::sync::Arc;
use std::time::Instant;

const NX: usize = 9216;
const NY: usize = 9232;
const SCALE: f64 = 0.074;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().ok_or("usage: slitless_bench FIELD.csv [tolerance] [orders]")?;
    let tolerance: f64 = arguments.get(1).map_or(Ok(0.02), |t| t.parse())?;
    let numbers: Vec<i32> = arguments.get(2).map_or("1,0,-1,2,-2", String::as_str).split(',').map(str::parse).collect::<Result<_, _>>()?;
    let band = Arc::new(Bandpass::new("GI", vec![620.0, 640.0, 760.0, 1000.0], vec![0.2, 0.3, 0.4, 0.1])?);
    let ab = |magnitude: f64, _, share: f64| Brightness::Ab { magnitude: magnitude - 2.5 * share.log10(), band: band.clone() };
    let sources = field::read(path, &field::Spectra::power_laws(500.0, 300, 800.0)?, Lensing::default(), ab)?;
    let amplifiers = AmplifierGrid { columns: 8, rows: 2, prescan_x: 0, overscan_x: 0, overscan_y: 0 };
    let (crpix1, crpix2) = (NX as f64 / 2.0, NY as f64 / 2.0);
    let geometry =
        DetectorGeometry { number: 1, filter: "GI".into(), nx: NX, ny: NY, crpix1, crpix2, pixel_scale_arcsec: SCALE, amplifiers };
    let degrees = SCALE / 3600.0;
    let wcs = Wcs { crpix: [4608.5, 4616.5], crval: [180.0, 30.0], cd: [[-degrees, 0.0], [0.0, degrees]], pv: None };
    let terms = [(4, 15.0), (5, 20.0), (8, 15.0)].map(|(noll, nm)| WavefrontTerm {
        noll,
        opd_nm: vec![nm, 30.0, -30.0],
        chromatic_nm_per_um: vec![],
    });
    let psf = OpticalPsf::new(2.0, terms.to_vec(), 765.0)?;
    let ruling = Ruling {
        period_um: 8.2,
        distance_mm: 100.0,
        direction_deg: 0.5,
        pupil_distance_mm: 5000.0,
        pixel_pitch_mm: 0.01,
        axis: (-16_000.0, 5000.0),
    };
    let mut orders = Vec::new();
    for number in numbers {
        let scale = match number {
            1 => 1.0,
            0 => 0.1,
            _ => 0.03,
        };
        let efficiency = band.efficiency().iter().map(|e| e * scale).collect();
        let efficiency = Arc::new(Bandpass::new("GI", band.wavelength_nm().to_vec(), efficiency)?);
        orders.push(ruling.order(number, efficiency, &geometry).ok_or("the order does not exist")?.order);
    }
    let gratings = [Grating { opening: Opening::whole(), orders }];
    let imaging = Imaging {
        psf: &psf,
        band: &band,
        area_cm2: 31_416.0,
        geometry: &geometry,
        window: geometry.full_window(),
        wcs: &wcs,
        time_s: 150.0,
        tolerance: RenderTolerance::Electrons(tolerance),
    };
    let clock = Instant::now();
    let out = disperse(&imaging, &gratings, &sources, None, &|_, _| {})?;
    let t = out.rendered.timings;
    println!(
        "{:.2} s wall; psf {:.2}, sources {:.2}, paint {:.2}, add {:.2} s; {} sources, {} orders, {:.0} M modes, {} clipped",
        clock.elapsed().as_secs_f64(),
        t.psf_s,
        t.sources_s,
        t.paint_s,
        t.add_s,
        t.objects,
        out.orders.len(),
        t.modes / 1e6,
        out.rendered.clipped
    );
    let wanted: f64 = out.orders.iter().map(|o| o.electrons_in_frame).sum();
    println!("flux in frame {:.4} Me-, {:.4} of the orders' own", out.rendered.light.total() / 1e6, wanted / 1e6);
    Ok(())
}
