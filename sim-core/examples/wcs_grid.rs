//! Writes world-coordinate systems and grids of positions for outside checkers (`peers/wcs_astropy.py`):
//! `cargo run --release -p sim-core --example wcs_grid -- grid.fits`. Unit WCS_n holds the keywords, GRID_n a table of
//! 0-based pixels and their positions. Also prints the time of 22,000 inversions.

use sim_core::detector::{AmplifierGrid, DetectorGeometry};
use sim_core::exposure::Pointing;
use sim_core::fits::{Data, Hdu, Header, write};
use sim_core::table::{Column, ColumnData, Table};
use sim_core::wcs::{Distortion, Parity, Wcs, detector_wcs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: wcs_grid FILE")?;
    let third_order = Distortion {
        x: vec![((1, 0), 1.0002), ((0, 1), -3e-5), ((2, 0), 2e-4), ((1, 1), -1e-4), ((3, 0), 1.5e-3), ((1, 2), 1.4e-3), ((0, 3), 2e-5)],
        y: vec![((0, 1), 0.9997), ((1, 0), 4e-5), ((1, 1), 3e-4), ((0, 2), -2e-4), ((2, 1), 1.5e-3), ((0, 3), 1.6e-3)],
    };
    // All degrees, each unlike its neighbours.
    let all = |sign: f64| -> Vec<((u8, u8), f64)> {
        let terms = (0..=7u8).flat_map(|d| (0..=d).map(move |j| (d - j, j)));
        terms.map(|(i, j)| ((i, j), sign * 1e-4 * f64::from(1 + i) / f64::from(2 + j))).collect()
    };
    let mut seventh = Distortion { x: all(1.0), y: all(-1.0) };
    for (terms, linear) in [(&mut seventh.x, (1, 0)), (&mut seventh.y, (0, 1))] {
        terms.iter_mut().filter(|t| t.0 == linear).for_each(|t| t.1 += 1.0);
    }

    let mut systems = Vec::new();
    for (number, crpix1, crpix2) in [(12, -267.0, 14746.0), (30, 29758.0, -15644.0)] {
        for (ra_deg, dec_deg) in [(60.0, -40.0), (359.9, 0.2), (120.0, 89.7)] {
            for parity in [Parity::C7, Parity::C9] {
                for distortion in [None, Some(&third_order), Some(&seventh)] {
                    let amplifiers = AmplifierGrid { columns: 8, rows: 2, prescan_x: 27, overscan_x: 71, overscan_y: 84 };
                    let filter = String::new();
                    let geometry =
                        DetectorGeometry { number, filter, nx: 9216, ny: 9232, crpix1, crpix2, pixel_scale_arcsec: 0.074, amplifiers };
                    let pointing = Pointing { ra_deg, dec_deg, rotation_deg: -113.4333 };
                    systems.push(detector_wcs(&geometry, &pointing, parity, distortion));
                }
            }
        }
    }
    // The three terms in r, which no detector of ours uses.
    let mut radial = systems[0].clone();
    let mut pv = vec![0.0; 40];
    (pv[1], pv[3], pv[11], pv[23], pv[39]) = (1.0, 1e-3, 2e-3, -1e-3, 5e-4);
    radial.pv = Some([pv.clone(), pv]);
    systems.push(radial);

    let mut hdus = vec![Hdu::primary(Header::default())];
    for (n, wcs) in systems.iter().enumerate() {
        let mut header = Header::default();
        wcs.write(&mut header);
        // Keywords of axes belong to a unit that has axes.
        hdus.push(Hdu::new(&format!("WCS_{n}"), header, Data::F32(ndarray::Array2::zeros((1, 1)))));
        hdus.push(Hdu::new(&format!("GRID_{n}"), Header::default(), Data::Table(grid(wcs))));
    }
    write(path.as_ref(), &hdus)?;
    time(&systems[1]);
    Ok(())
}

/// 25 x 25 pixels over the chip.
fn grid(wcs: &Wcs) -> Table {
    let (mut xs, mut ys, mut ras, mut decs) = (vec![], vec![], vec![], vec![]);
    for j in 0..25 {
        for i in 0..25 {
            let (x, y) = (f64::from(i) * 9215.0 / 24.0, f64::from(j) * 9231.0 / 24.0);
            let (ra, dec) = wcs.sky_from_pixel(x, y);
            xs.push(x);
            ys.push(y);
            ras.push(ra);
            decs.push(dec);
        }
    }
    let column = |name: &str, unit: &str, note: &str, values| Column::new(name, unit, note, ColumnData::F64(values));
    let columns = vec![
        column("X", "pixel", "column from 0", xs),
        column("Y", "pixel", "row from 0", ys),
        column("RA", "deg", "right ascension", ras),
        column("DEC", "deg", "declination", decs),
    ];
    Table { name: "GRID".into(), columns }
}

fn time(wcs: &Wcs) {
    let places: Vec<_> = (0..22_000).map(|i| wcs.sky_from_pixel(f64::from(i % 9216), f64::from(i * 7 % 9232))).collect();
    let start = std::time::Instant::now();
    let found = places.iter().filter_map(|(ra, dec)| wcs.pixel_from_sky(*ra, *dec)).map(|(x, y)| x + y).sum::<f64>();
    println!("22000 inversions of a third-order TPV: {:.1} ms (checksum {found:.3})", 1e3 * start.elapsed().as_secs_f64());
}
