//! A group of lines of a frame through the traps: pixels in, pixels and account out.

use super::column::{Row, WIDTH};
use super::direction::{LineKey, Path, Transfer, Work};
use super::noise;
use ndarray::{ArrayViewMut2, Axis};
use sim_core::ledger::Ledger;

/// Packets turned together.
const NEAR: usize = 16;

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
        read(packets, pixels);
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
        let (before, after) = packets.split_at(path.packets);
        let (mut net, mut size) = ([0.0; WIDTH], [0.0; WIDTH]);
        for (packets, pixels) in [(before, pixels), (after, trailing)] {
            write(packets, pixels, &mut net, &mut size);
        }
        let (net, size) = (net[..count].iter().sum::<f64>(), size[..count].iter().sum::<f64>());
        Ledger { added: 0.5 * (size + net), lost: 0.5 * (size - net) }
    }
}

/// Packets of pixels.
fn read(packets: &mut [Row], pixels: &ArrayViewMut2<'_, f32>) {
    if pixels.strides()[1] == 1 {
        for (packet, row) in packets.iter_mut().zip(pixels.rows()) {
            packet.iter_mut().zip(row).for_each(|(to, from)| *to = f64::from(*from));
        }
        return;
    }
    // Lines that lie along the memory: a few packets of every line, so that those packets stay near.
    for (packets, rows) in packets.chunks_mut(NEAR).zip(pixels.axis_chunks_iter(Axis(0), NEAR)) {
        for (l, line) in rows.columns().into_iter().enumerate() {
            packets.iter_mut().zip(line).for_each(|(to, from)| to[l] = f64::from(*from));
        }
    }
}

/// Pixels of packets; adds their change, and its size, of every line.
fn write(packets: &[Row], pixels: &mut ArrayViewMut2<'_, f32>, net: &mut Row, size: &mut Row) {
    let mut put = |l: usize, packet: &Row, pixel: &mut f32| {
        let after = packet[l] as f32;
        let change = f64::from(after) - f64::from(*pixel);
        net[l] += change;
        size[l] += change.abs();
        *pixel = after;
    };
    if pixels.strides()[1] == 1 {
        for (packet, row) in packets.iter().zip(pixels.rows_mut()) {
            row.into_iter().enumerate().for_each(|(l, pixel)| put(l, packet, pixel));
        }
        return;
    }
    for (packets, mut rows) in packets.chunks(NEAR).zip(pixels.axis_chunks_iter_mut(Axis(0), NEAR)) {
        for (l, line) in rows.columns_mut().into_iter().enumerate() {
            packets.iter().zip(line).for_each(|(packet, pixel)| put(l, packet, pixel));
        }
    }
}

pub(super) fn sum(ledgers: Vec<Ledger>) -> Ledger {
    ledgers.into_iter().fold(Ledger::default(), Ledger::plus)
}
