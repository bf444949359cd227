//! A group of lines of a frame through the traps: pixels in, pixels and account out.

use super::column::{Row, WIDTH};
use super::direction::{LineKey, Path, Transfer, Work};
use super::noise;
use ndarray::ArrayViewMut2;
use sim_core::ledger::Ledger;

/// Lines side by side, all views `[packet, line]` in reading order.
pub(super) struct Lines<'a, 'b> {
    /// Pixels of the window.
    pub pixels: &'b mut ArrayViewMut2<'a, f32>,
    /// Empty packets clocked out after them.
    pub trailing: &'b mut ArrayViewMut2<'a, f32>,
    /// Variance of the noise in the pixels, where a correction is to pass it on.
    pub variance: Option<ArrayViewMut2<'b, f32>>,
    /// Where they lie on the device.
    pub path: &'b Path,
    /// What they are called.
    pub keys: [LineKey; WIDTH],
}

impl Lines<'_, '_> {
    /// Transfers the lines; books the change of every pixel.
    pub fn transfer(self, transfer: &dyn Transfer, packets: &mut Vec<Row>, work: &mut Work) -> Ledger {
        let Self { pixels, trailing, variance, path, keys } = self;
        let count = pixels.ncols();
        packets.clear();
        packets.resize(path.packets + path.trailing, [0.0; WIDTH]);
        for (packet, row) in packets.iter_mut().zip(pixels.rows()) {
            for (to, from) in packet.iter_mut().zip(row) {
                *to = f64::from(*from);
            }
        }
        work.expect_noise(variance.as_ref().map(|variance| {
            variance.rows().into_iter().map(|row| {
                let mut noise = [0.0; WIDTH];
                noise.iter_mut().zip(row).for_each(|(to, from)| *to = f64::from(*from));
                noise
            })
        }));
        transfer.transfer(path, &keys, packets, work);
        if let (Some(mut variance), Some(gains)) = (variance, work.gains()) {
            let gains = &gains[gains.len().saturating_sub(path.packets)..];
            let own: Vec<[f32; WIDTH]> = gains
                .iter()
                .zip(pixels.rows())
                .zip(variance.rows())
                .map(|((response, pixels), row)| {
                    let mut own = [0.0; WIDTH];
                    for (l, (&pixel, &variance)) in pixels.iter().zip(row).enumerate() {
                        own[l] = noise::passed_on(response, l, pixel, variance);
                    }
                    own
                })
                .collect();
            for (at, ((response, pixels), mut row)) in gains.iter().zip(pixels.rows()).zip(variance.rows_mut()).enumerate() {
                for (l, (&pixel, variance)) in pixels.iter().zip(&mut row).enumerate() {
                    *variance = noise::evened(response, l, pixel, *variance, &own, at);
                }
            }
        }
        let (mut net, mut size) = ([0.0; WIDTH], [0.0; WIDTH]);
        for (packet, mut row) in packets.iter().zip(pixels.rows_mut().into_iter().chain(trailing.rows_mut())) {
            for (l, pixel) in row.iter_mut().enumerate() {
                let after = packet[l] as f32;
                let change = f64::from(after) - f64::from(*pixel);
                net[l] += change;
                size[l] += change.abs();
                *pixel = after;
            }
        }
        let (net, size) = (net[..count].iter().sum::<f64>(), size[..count].iter().sum::<f64>());
        Ledger { added: 0.5 * (size + net), lost: 0.5 * (size - net) }
    }
}

pub(super) fn sum(ledgers: Vec<Ledger>) -> Ledger {
    ledgers.into_iter().fold(Ledger::default(), Ledger::plus)
}
