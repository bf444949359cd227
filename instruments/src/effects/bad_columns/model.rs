//! The kernel: a column in the order of its transfer.

/// Takes what a pocket of `capacity` \[electron\] swallows out of the packets that pass it, in order. Returns what it took.
pub fn swallow<'a>(capacity: f64, packets: impl Iterator<Item = &'a mut f32>) -> f64 {
    let mut room = capacity;
    for packet in packets {
        if room <= 0.0 {
            break;
        }
        let taken = room.min(f64::from(*packet).max(0.0));
        let left = (f64::from(*packet) - taken) as f32;
        *packet = left;
        room -= taken;
    }
    capacity - room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pocket_takes_the_first_electrons_and_no_more() {
        let mut column = [30.0, 0.0, 30.0, -2.0, 30.0, 30.0];
        assert_eq!(swallow(70.0, column.iter_mut()), 70.0);
        assert_eq!(column, [0.0, 0.0, 0.0, -2.0, 20.0, 30.0]);
        let mut short = [10.0, 5.0];
        assert_eq!(swallow(70.0, short.iter_mut()), 15.0, "the readout ends before it is full");
        let mut all = [10.0, 5.0];
        assert_eq!(swallow(0.0, all.iter_mut()), 0.0);
        assert_eq!(all, [10.0, 5.0]);
    }
}
