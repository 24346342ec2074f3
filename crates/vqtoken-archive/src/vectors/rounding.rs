//! What is stored of a vector, eight bits a feature and one, and what is made of a query.

use vqtoken_kernels::SKETCH_PLANES;

use super::rotation::Rotation;

/// The largest value of a rounded feature.
const LARGEST: f32 = 127.0;

/// The largest value of a query's feature in the planes.
const LEVELS: f32 = ((1 << SKETCH_PLANES) - 1) as f32;

/// 64-bit words of a sketch.
pub(crate) fn words(features: usize) -> usize {
    features.div_ceil(64)
}

/// A vector as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rounded {
    /// What a value is multiplied with.
    pub(crate) scale: f32,
    /// `[E]`
    pub(crate) values: Vec<i8>,
    /// The signs of the rotated vector, `[W]`.
    pub(crate) sketch: Vec<u64>,
    /// The inverse of the cosine between the rotated vector and its signs.
    pub(crate) correction: f32,
}

/// Rounds a vector of length 1 (or 0).
pub(crate) fn round(vector: &[f32], rotation: &Rotation) -> Rounded {
    let largest = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    let scale = largest / LARGEST;
    let value = |x: &f32| if scale > 0.0 { (x / scale).round() as i8 } else { 0 };
    let values = vector.iter().map(value).collect();
    let mut rotated = vector.to_vec();
    rotation.apply(&mut rotated);
    let mut sketch = vec![0_u64; words(vector.len())];
    for (index, _) in rotated.iter().enumerate().filter(|(_, x)| **x > 0.0) {
        sketch[index / 64] |= 1 << (index % 64);
    }
    let cosine = rotated.iter().map(|x| x.abs()).sum::<f32>() / (vector.len().max(1) as f32).sqrt();
    let correction = if cosine > 0.0 { 1.0 / cosine } else { 0.0 };
    Rounded { scale, values, sketch, correction }
}

/// A query against sketches: its rotated features in sixteen levels (RaBitQ: Gao and Long, 2024, section 3.3).
#[derive(Clone, Debug)]
pub(crate) struct SketchQuery {
    /// `[4, W]`
    pub(crate) planes: Vec<u64>,
    lowest: f32,
    step: f32,
    sum: f32,
    features: usize,
}

impl SketchQuery {
    /// Of a query `[E]`.
    pub(crate) fn new(query: &[f32], rotation: &Rotation) -> Self {
        let mut rotated = query.to_vec();
        rotation.apply(&mut rotated);
        let lowest = rotated.iter().copied().fold(f32::INFINITY, f32::min);
        let highest = rotated.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let step = ((highest - lowest) / LEVELS).max(f32::MIN_POSITIVE);
        let words = words(query.len());
        let mut planes = vec![0_u64; SKETCH_PLANES * words];
        for (index, x) in rotated.iter().enumerate() {
            let level = ((x - lowest) / step).round().clamp(0.0, LEVELS) as u64;
            for plane in 0..SKETCH_PLANES {
                planes[plane * words + index / 64] |= (level >> plane & 1) << (index % 64);
            }
        }
        let sum = rotated.iter().sum();
        Self { planes, lowest, step, sum, features: query.len() }
    }

    /// The estimated cosine with the row of a sketch, from the sum over its set bits, their number and the row's correction.
    pub(crate) fn estimate(&self, sum: u32, bits: u32, correction: f32) -> f32 {
        // The signs are +-1/sqrt(E): their product with the query is twice the sum over the set bits less the sum over all.
        let over_bits = self.step * sum as f32 + self.lowest * bits as f32;
        (2.0 * over_bits - self.sum) / (self.features.max(1) as f32).sqrt() * correction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(features: usize, seed: f32) -> Vec<f32> {
        let raw: Vec<f32> = (0..features).map(|index| ((index as f32 + 1.0) * seed).sin()).collect();
        let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
        raw.iter().map(|x| x / length).collect()
    }

    #[test]
    fn estimates_are_near_the_cosine() {
        for features in [64, 100, 256, 1152] {
            let rotation = Rotation::new(features);
            let (query, row) = (unit(features, 1.3), unit(features, 1.31));
            let cosine: f32 = query.iter().zip(&row).map(|(x, y)| x * y).sum();
            let (rounded, asked) = (round(&row, &rotation), SketchQuery::new(&query, &rotation));
            let exact: f32 = query.iter().zip(&rounded.values).map(|(x, y)| x * f32::from(*y)).sum();
            assert!((exact * rounded.scale - cosine).abs() < 0.01);
            let width = words(features);
            let mut sum = 0;
            for plane in 0..SKETCH_PLANES {
                for word in 0..width {
                    let both = asked.planes[plane * width + word] & rounded.sketch[word];
                    sum += both.count_ones() << plane;
                }
            }
            let bits = rounded.sketch.iter().map(|word| word.count_ones()).sum();
            let estimate = asked.estimate(sum, bits, rounded.correction);
            assert!((estimate - cosine).abs() < 2.5 / (features as f32).sqrt(), "{estimate} {cosine}");
        }
    }

    #[test]
    fn a_vector_of_zeros_is_like_nothing() {
        let rotation = Rotation::new(8);
        let rounded = round(&[0.0; 8], &rotation);
        assert_eq!((rounded.scale, rounded.correction), (0.0, 0.0));
        assert_eq!(rounded.values, [0; 8]);
    }
}
