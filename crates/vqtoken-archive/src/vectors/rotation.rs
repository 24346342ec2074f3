//! A fixed rotation that spreads what a vector says over all its features, so that one bit a feature says as much as it can.

/// Rounds of signs and transforms; more change nothing that was measured.
const ROUNDS: usize = 3;

/// Draws the signs; part of the format of segments.
const SEED: u64 = 0x7671_746f_6b65_6e00;

/// An orthogonal map of `E` features: Hadamard transforms of the first and of the last `P` features, `P` the largest power of two that is at most `E`, with
/// random signs before each; three rounds of it.
#[derive(Clone, Debug)]
pub(crate) struct Rotation {
    /// `[ROUNDS, 2, E]`, 1 or -1.
    signs: Vec<f32>,
    features: usize,
    block: usize,
}

impl Rotation {
    /// The rotation for vectors of so many features, at least one.
    pub(crate) fn new(features: usize) -> Self {
        let mut state = SEED ^ features as u64;
        let signs = (0..2 * ROUNDS * features).map(|_| if mix(&mut state) >> 63 == 0 { 1.0 } else { -1.0 });
        let block = 1 << features.max(1).ilog2();
        Self { signs: signs.collect(), features, block }
    }

    /// Rotates a vector in place.
    pub(crate) fn apply(&self, vector: &mut [f32]) {
        for (turn, signs) in self.signs.chunks_exact(self.features.max(1)).enumerate() {
            vector.iter_mut().zip(signs).for_each(|(x, sign)| *x *= sign);
            // Without signs in between, the second transform would gather again what the first has spread.
            let start = if turn % 2 == 0 { 0 } else { self.features - self.block };
            hadamard(&mut vector[start..start + self.block]);
        }
    }
}

/// The fast Walsh-Hadamard transform, which keeps lengths.
fn hadamard(values: &mut [f32]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (a, b) = pair.split_at_mut(half);
            for (x, y) in a.iter_mut().zip(b) {
                (*x, *y) = (*x + *y, *x - *y);
            }
        }
        half *= 2;
    }
    let scale = 1.0 / (values.len() as f32).sqrt();
    values.iter_mut().for_each(|x| *x *= scale);
}

/// The next number of splitmix64 (Steele, Lea and Flood, 2014).
fn mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_angles_stay_and_one_feature_spreads_over_all() {
        for features in [1, 2, 3, 17, 256, 1152] {
            let rotation = Rotation::new(features);
            let mut a = vec![0.0; features];
            a[features / 2] = 1.0;
            let mut b: Vec<f32> = (0..features).map(|index| (index as f32 + 1.0).sin()).collect();
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
            let (length, product) = (dot(&b, &b), dot(&a, &b));
            rotation.apply(&mut a);
            rotation.apply(&mut b);
            assert!((dot(&a, &a) - 1.0).abs() < 1e-4 && (dot(&b, &b) / length - 1.0).abs() < 1e-4);
            assert!((dot(&a, &b) - product).abs() < 1e-3 * length.max(1.0));
            let largest = a.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            assert!(features < 16 || largest < 6.0 / (features as f32).sqrt(), "{features}: {largest}");
        }
    }
}
