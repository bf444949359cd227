//! How many hits the flags of a frame show.
//!
//! # Formula
//! Groups of COSMIC_RAY pixels that touch along a side or a corner, one pass over the rows with merged labels. A hit whose middle was missed counts
//! twice, hits that touch count once.

use ndarray::Array2;
use sim_core::flags::COSMIC_RAY;

/// Groups of flagged pixels.
#[must_use]
pub fn groups(flags: &Array2<u32>) -> usize {
    let nx = flags.ncols();
    // What a label became part of; itself for a group of its own.
    let mut parent: Vec<usize> = Vec::new();
    let mut joined = 0;
    // Labels of the row before and of this one, with a column before and after.
    let (mut above, mut here) = (vec![None; nx + 2], vec![None; nx + 2]);
    for row in flags.rows() {
        here.fill(None);
        for (x, _) in row.iter().enumerate().filter(|(_, bits)| **bits & COSMIC_RAY != 0) {
            let x = x + 1;
            let mut label: Option<usize> = None;
            for near in [here[x - 1], above[x - 1], above[x], above[x + 1]].into_iter().flatten() {
                let root = find(&mut parent, near);
                match label {
                    None => label = Some(root),
                    Some(own) if own != root => {
                        parent[root.max(own)] = root.min(own);
                        label = Some(root.min(own));
                        joined += 1;
                    }
                    Some(_) => {}
                }
            }
            here[x] = Some(label.unwrap_or_else(|| {
                parent.push(parent.len());
                parent.len() - 1
            }));
        }
        std::mem::swap(&mut above, &mut here);
    }
    parent.len() - joined
}

fn find(parent: &mut [usize], mut label: usize) -> usize {
    while parent[label] != label {
        parent[label] = parent[parent[label]];
        label = parent[label];
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touching_pixels_are_one_hit_whatever_their_shape() {
        let of = |rows: &[&str]| {
            let bits = |(y, x): (usize, usize)| if rows[y].as_bytes()[x] == b'#' { COSMIC_RAY } else { 0 };
            groups(&Array2::from_shape_fn((rows.len(), rows[0].len()), bits))
        };
        assert_eq!(of(&["......", "......"]), 0);
        // A corner joins; the next two do not touch; the last touches neither.
        assert_eq!(of(&["#..#..", ".#.#.#", "......"]), 3);
        // Two arms that meet only at the bottom, and a ring.
        assert_eq!(of(&["#...#..", "#...#..", ".#.#..#", "..#...."]), 2);
        assert_eq!(of(&[".##.", "#..#", ".##."]), 1);
    }
}
