//! Chunks: runs of whole exposures with nearly equal cost.
//!
//! # Formula
//! Exposures keep their order, because neighbours in time share the sky. Of all ways to cut a list of costs c_i into at most N runs, the one
//! whose dearest run is cheapest is found by bisection on that cost C: filling runs greedily up to C needs the fewest runs.
//! # Symbols
//! c_i: cost of exposure i \[core-s\]; N: chunks wanted.
//! # Source
//! The linear partition problem (Skiena, The Algorithm Design Manual, 2nd ed., section 8.5).
//! # Limits
//! An exposure is never divided: a chunk costs at least as much as the dearest exposure.

use crate::failure::SurveyError;

/// How many chunks are wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wanted {
    /// One for each exposure.
    PerExposure,
    /// At most this many.
    Count(usize),
    /// Of about this cost each \[core-s\], at most unless an exposure alone costs more.
    Cost(f64),
}

/// The chunk of each exposure, from 0 and without gaps, from the exposures' costs in their order \[core-s\].
///
/// # Errors
/// When no chunks, or chunks of no cost, are wanted.
pub fn divide(costs: &[f64], wanted: Wanted) -> Result<Vec<u32>, SurveyError> {
    let count = match wanted {
        Wanted::PerExposure => return Ok((0..costs.len() as u32).collect()),
        Wanted::Count(0) => return Err(SurveyError::Range { key: "chunks", value: "0".into(), range: "1 and more".into() }),
        Wanted::Count(count) => count,
        Wanted::Cost(cost) if cost > 0.0 => greedy(costs, cost).last().map_or(1, |last| *last as usize + 1),
        Wanted::Cost(cost) => {
            return Err(SurveyError::Range { key: "chunk cost", value: cost.to_string(), range: "above 0 core-s".into() });
        }
    };
    let total: f64 = costs.iter().sum();
    let mut low = costs.iter().copied().fold(total / count as f64, f64::max);
    let mut high = total.max(low);
    // 60 halvings: as near as doubles tell.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if greedy(costs, middle).last().is_none_or(|last| (*last as usize) < count) { high = middle } else { low = middle }
    }
    Ok(greedy(costs, high))
}

/// Fills chunks one after the other up to a cost.
fn greedy(costs: &[f64], limit: f64) -> Vec<u32> {
    let (mut chunk, mut sum) = (0, 0.0);
    costs
        .iter()
        .enumerate()
        .map(|(i, cost)| {
            if i > 0 && sum + cost > limit {
                chunk += 1;
                sum = 0.0;
            }
            sum += cost;
            chunk
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dearest(costs: &[f64], chunks: &[u32]) -> f64 {
        let mut sums = vec![0.0; costs.len()];
        costs.iter().zip(chunks).for_each(|(c, k)| sums[*k as usize] += c);
        sums.into_iter().fold(0.0, f64::max)
    }

    /// The best cut by trying all of them.
    fn by_trial(costs: &[f64], count: usize) -> f64 {
        (0..1_u32 << (costs.len() - 1))
            .filter(|cuts| (cuts.count_ones() as usize) < count)
            .map(|cuts| {
                let mut chunk = 0;
                let chunks: Vec<u32> = (0..costs.len())
                    .map(|i| {
                        chunk += u32::from(i > 0 && cuts >> (i - 1) & 1 == 1);
                        chunk
                    })
                    .collect();
                dearest(costs, &chunks)
            })
            .fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn the_dearest_chunk_is_as_cheap_as_it_can_be() {
        let costs = [3.0, 9.0, 1.0, 1.0, 7.0, 2.0, 2.0, 8.0, 4.0, 5.0, 1.5];
        for count in 1..=11 {
            let chunks = divide(&costs, Wanted::Count(count)).unwrap();
            assert!((dearest(&costs, &chunks) - by_trial(&costs, count)).abs() < 1e-9, "{count}");
            assert!(chunks.windows(2).all(|w| w[1] == w[0] || w[1] == w[0] + 1) && chunks[0] == 0);
            assert!((*chunks.last().unwrap() as usize) < count);
        }
    }

    #[test]
    fn chunks_of_a_cost_keep_to_it_unless_one_exposure_is_dearer() {
        let chunks = divide(&[10.0; 12], Wanted::Cost(35.0)).unwrap();
        assert_eq!(chunks, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
        assert_eq!(divide(&[50.0, 1.0], Wanted::Cost(35.0)).unwrap(), [0, 1]);
        assert_eq!(divide(&[1.0, 1.0, 1.0], Wanted::PerExposure).unwrap(), [0, 1, 2]);
    }

    #[test]
    fn no_chunks_are_refused_and_no_exposures_are_no_chunks() {
        assert!(divide(&[1.0], Wanted::Count(0)).is_err() && divide(&[1.0], Wanted::Cost(0.0)).is_err());
        assert!(divide(&[], Wanted::Count(4)).unwrap().is_empty());
    }
}
