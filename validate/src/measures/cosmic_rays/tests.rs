use super::*;

struct Frame {
    electrons: Array2<f32>,
    owner: Array2<u32>,
    noise: Array2<f32>,
    sources: Array2<f32>,
}

impl Frame {
    fn new() -> Self {
        let shape = (8, 10);
        Self {
            electrons: Array2::zeros(shape),
            owner: Array2::zeros(shape),
            noise: Array2::from_elem(shape, 2.0),
            sources: Array2::zeros(shape),
        }
    }
    fn hit(&mut self, owner: u32, at: (usize, usize), electrons: f32) {
        self.electrons[at] = electrons;
        self.owner[at] = owner;
    }
    fn truth(&self) -> Truth<'_> {
        Truth { electrons: &self.electrons, owner: &self.owner, noise: &self.noise, sources: &self.sources, left_out: None }
    }
}

fn mask(places: &[(usize, usize)]) -> Array2<bool> {
    Array2::from_shape_fn((8, 10), |at| places.contains(&at))
}

#[test]
fn the_definition_needs_both_sigma_and_electrons() {
    // Noise 2: 5 sigma is 10; noise 1: 5 sigma is 5, but 10 electrons are needed.
    assert!(!PRIMARY.holds(10.0, 2.0) && PRIMARY.holds(10.1, 2.0));
    assert!(!PRIMARY.holds(9.9, 1.0) && PRIMARY.holds(10.0, 1.0));
    assert_eq!(PRIMARY.describe(), "charge > 5 sigma of the local noise and >= 10 electrons");
}

#[test]
fn counts_of_a_frame_made_by_hand() {
    let mut frame = Frame::new();
    // Hit 1: two true pixels and a faint one; hit 2: one true pixel. A source pixel alone and one beside hit 1.
    frame.hit(1, (2, 2), 100.0);
    frame.hit(1, (2, 3), 50.0);
    frame.hit(1, (2, 4), 4.0);
    frame.hit(2, (6, 6), 30.0);
    frame.sources[(0, 9)] = 7.0;
    frame.sources[(7, 0)] = 7.0;
    frame.sources[(1, 2)] = 50.0;
    let flagged = mask(&[(2, 2), (2, 4), (0, 9), (5, 5)]);
    let s = score(&frame.truth(), &flagged, PRIMARY);
    assert_eq!(s.recall, Ratio { part: 1, whole: 3 });
    assert_eq!(s.precision, Ratio { part: 1, whole: 4 });
    // (2,3) has flags beside it, (6,6) has (5,5).
    assert_eq!(s.recall_near, Ratio { part: 3, whole: 3 });
    // (0,9) has no charge near; 4 electrons are above half a sigma.
    assert_eq!(s.precision_near, Ratio { part: 3, whole: 4 });
    assert_eq!(s.events, Ratio { part: 1, whole: 2 });
    assert_eq!(s.source_damage, Ratio { part: 1, whole: 2 }, "the source beside the hit does not count");
    // Left out: the wrong flag and the missed hit.
    let left_out = mask(&[(0, 9), (6, 6)]);
    let s = score(&Truth { left_out: Some(&left_out), ..frame.truth() }, &flagged, PRIMARY);
    assert_eq!((s.recall, s.events), (Ratio { part: 1, whole: 2 }, Ratio { part: 1, whole: 1 }));
    assert_eq!(s.precision, Ratio { part: 1, whole: 3 });
}

#[test]
fn the_oracle_is_perfect_without_noise_and_finds_the_threshold() {
    let mut frame = Frame::new();
    for x in 0..10 {
        frame.hit(x as u32 + 1, (4, x), 2.0 * (1.0 + x as f32));
    }
    // 1 to 10 sigma; more than 5 sigma: 6..10.
    let expected = Array2::from_elem((8, 10), 30.0);
    let data = &expected + &frame.electrons;
    let best = ceiling(&frame.truth(), &data, &expected, PRIMARY).unwrap();
    assert_eq!((best.recall, best.precision, best.threshold), (1.0, 1.0, 6.0));
    // One true pixel falls below a false one: of six or four flagged, five right at best.
    let mut noisy = data.clone();
    noisy[(4, 5)] = 30.0 + 2.0 * 4.5;
    let best = ceiling(&frame.truth(), &noisy, &expected, PRIMARY).unwrap();
    assert_eq!((best.recall, best.precision), (1.0, 5.0 / 6.0));
    assert!(ceiling(&Frame::new().truth(), &data, &expected, PRIMARY).is_none());
}
