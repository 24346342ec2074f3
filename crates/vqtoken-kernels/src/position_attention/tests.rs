use super::*;

const HEADS: usize = 2;
const FEATURES: usize = 3;

/// Numbers in [-1, 1] that look random.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(next).collect()
}

struct Case {
    labels: Vec<Vec<u32>>,
    shape: [usize; 3],
    codes: usize,
    tables: [Vec<f32>; 3],
}

impl Case {
    /// `clips` clips in which codes come and go; the last code never occurs.
    fn new(clips: usize, shape: [usize; 3], codes: usize) -> Self {
        let positions = shape.iter().product::<usize>();
        let label = |clip: usize| {
            let drawn = numbers(positions, 90 + clip as u64);
            let frame = move |position: usize| position / (shape[1] * shape[2]);
            let drift =
                move |(position, x): (usize, f32)| (frame(position) + (2.0 * x + 2.0) as usize) % (codes - 1);
            drawn.into_iter().enumerate().map(drift).map(|label| label as u32).collect()
        };
        let tables = [0, 1, 2].map(|axis| numbers(shape[axis] * FEATURES, axis as u64));
        Self { labels: (0..clips).map(label).collect(), shape, codes, tables }
    }

    fn run<T>(&self, use_it: impl FnOnce(&PositionAttention<'_>) -> T) -> T {
        let labels: Vec<&[u32]> = self.labels.iter().map(Vec::as_slice).collect();
        use_it(&PositionAttention {
            labels: &labels,
            shape: self.shape,
            codes: self.codes,
            heads: HEADS,
            features: FEATURES,
            tables: [0, 1, 2].map(|axis| self.tables[axis].as_slice()),
        })
    }

    fn query(&self, scale: f32) -> Vec<f32> {
        let count = self.labels.len() * self.codes * HEADS * AXES * FEATURES;
        numbers(count, 5).into_iter().map(|x| x * scale).collect()
    }

    fn forward(&self, q: &[f32]) -> Vec<f32> {
        let mut out = vec![f32::NAN; q.len()];
        self.run(|attention| Kernels::best().position_attention(attention, q, &mut out)).unwrap();
        out
    }

    fn backward(&self, q: &[f32], dout: &[f32]) -> Vec<f32> {
        let mut dq = vec![f32::NAN; q.len()];
        self.run(|attention| Kernels::best().position_attention_backward(attention, q, dout, &mut dq))
            .unwrap();
        dq
    }

    /// Position by position, in f64: the means, and the gradient for `dout` from the weights' covariance.
    fn by_definition(&self, q: &[f32], dout: &[f32]) -> (Vec<f64>, Vec<f64>) {
        let [_, height, width] = self.shape;
        let describe = |position: usize| -> Vec<f64> {
            let coordinates = [position / (height * width), position / width % height, position % width];
            let of_axis = |axis: usize| &self.tables[axis][coordinates[axis] * FEATURES..][..FEATURES];
            (0..AXES).flat_map(of_axis).map(|&x| f64::from(x)).collect()
        };
        let (mut means, mut gradients) = (Vec::new(), Vec::new());
        let heads = q.chunks(AXES * FEATURES).zip(dout.chunks(AXES * FEATURES));
        for (index, (query, dout)) in heads.enumerate() {
            let (clip, code) = (index / HEADS / self.codes, index / HEADS % self.codes);
            let own = self.labels[clip].iter().enumerate().filter(|(_, label)| **label as usize == code);
            let keys: Vec<Vec<f64>> = own.map(|(position, _)| describe(position)).collect();
            let dot = |x: &[f64], y: &[f32]| -> f64 { x.iter().zip(y).map(|(x, &y)| x * f64::from(y)).sum() };
            let scores: Vec<f64> = keys.iter().map(|key| dot(key, query)).collect();
            let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
            let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp() / total).collect();
            let weighted = |value: &dyn Fn(usize) -> f64| -> f64 {
                weights.iter().enumerate().map(|(key, weight)| weight * value(key)).sum()
            };
            let mean: Vec<f64> = (0..AXES * FEATURES).map(|j| weighted(&|key| keys[key][j])).collect();
            let along_mean = dot(&mean, dout);
            gradients.extend(
                (0..mean.len()).map(|j| weighted(&|key| keys[key][j] * (dot(&keys[key], dout) - along_mean))),
            );
            means.extend(mean);
        }
        (means, gradients)
    }

    /// Sums in f64 leave only the rounding of the result.
    fn check(&self, scale: f32) {
        let q = self.query(scale);
        let dout = numbers(q.len(), 6);
        let (means, gradients) = self.by_definition(&q, &dout);
        let close = |found: Vec<f32>, expected: Vec<f64>, what: &str| {
            for (index, (found, expected)) in found.into_iter().zip(expected).enumerate() {
                let difference = (f64::from(found) - expected).abs();
                assert!(difference <= 1e-7, "{what} {index} at scale {scale}: {found} is not {expected}");
            }
        };
        close(self.forward(&q), means, "mean");
        close(self.backward(&q, &dout), gradients, "gradient");
    }
}

#[test]
fn means_and_gradients_are_their_definition() {
    for (clips, shape, codes) in [(1, [1, 1, 1], 2), (2, [3, 4, 5], 4), (3, [9, 1, 7], 5), (1, [2, 6, 1], 9)]
    {
        for scale in [0.0, 1.0, 10.0] {
            Case::new(clips, shape, codes).check(scale);
        }
    }
}

/// A frame is a block here, so codes come and go between blocks, and larger scores come later and earlier.
#[test]
fn blocks_are_joined() {
    let case = Case::new(1, [5, 210, 200], 7);
    const { assert!(210 * 200 * 2 > BLOCK) };
    case.check(4.0);
}

/// Far beyond what `exp` can hold in f32, and with differences that it cannot hold in f64 either.
#[test]
fn large_scores_give_numbers() {
    Case::new(2, [4, 3, 3], 5).check(100.0);
    let case = Case::new(1, [4, 5, 6], 3);
    let q = case.query(1e4);
    assert!(case.forward(&q).iter().chain(&case.backward(&q, &q)).all(|x| x.is_finite()));
}

#[test]
fn a_code_without_positions_gets_zeros() {
    let case = Case::new(2, [3, 2, 2], 4);
    let q = case.query(1.0);
    for numbers in [case.forward(&q), case.backward(&q, &q)] {
        for clip in numbers.chunks(numbers.len() / 2) {
            let last = &clip[3 * HEADS * AXES * FEATURES..];
            assert!(last.iter().all(|&x| x == 0.0) && clip.iter().any(|&x| x != 0.0));
        }
    }
}

#[test]
fn the_number_of_threads_does_not_show() {
    let case = Case::new(2, [5, 210, 200], 7);
    let q = case.query(2.0);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (case.forward(&q), case.backward(&q, &q)))
    };
    assert!(on(1) == on(3));
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut case = Case::new(1, [2, 2, 2], 3);
    let q = case.query(1.0);
    let refused = |case: &Case, q: &[f32]| {
        let mut out = vec![0.0; 3 * HEADS * AXES * FEATURES];
        case.run(|attention| Kernels::best().position_attention(attention, q, &mut out)).is_err()
    };
    assert!(!refused(&case, &q) && refused(&case, &q[1..]));
    case.labels[0][5] = 3;
    assert!(refused(&case, &q));
    case.labels[0].truncate(5);
    assert!(refused(&case, &q));
}
