//! What is stored of a vector, nine bits a feature and one, and what is made of a query.

use vqtoken_kernels::{SKETCH_LEVELS, SketchTables};

use super::rotation::Rotation;
use super::segment_layout::{SKETCH_ROW, sketch_row};

/// The largest level of a rounded feature: levels take nine bits.
const LARGEST: f32 = 255.0;

/// The largest level of a query's feature.
const HIGHEST: f32 = (SKETCH_LEVELS - 1) as f32;

/// Bytes of a sketch.
pub(crate) const fn sketch_bytes(features: usize) -> usize {
    SketchTables::sketch_bytes(features)
}

/// Bytes of the lowest bits of a row.
pub(crate) const fn lowest_bytes(features: usize) -> usize {
    features.div_ceil(8)
}

/// A vector as it is stored. A feature is about `(value + bit / 2) * scale`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rounded {
    /// What a value is multiplied with.
    pub(crate) scale: f32,
    /// The upper eight bits of the levels, `[E]`.
    pub(crate) values: Vec<i8>,
    /// The lowest bits of the levels, `[E / 8 rounded up]`.
    pub(crate) lowest: Vec<u8>,
    /// The signs of the rotated vector, a bit each, `[B]`.
    pub(crate) sketch: Vec<u8>,
    /// Bits set in the sketch.
    pub(crate) bits: u32,
    /// The inverse of the cosine between the rotated vector and its signs.
    pub(crate) correction: f32,
}

/// Rounds a vector of length 1 (or 0).
pub(crate) fn round(vector: &[f32], rotation: &Rotation) -> Rounded {
    let largest = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    let step = largest / LARGEST;
    let level = |x: &f32| if step > 0.0 { (x / step).round().clamp(-LARGEST, LARGEST) } else { 0.0 };
    let (mut values, mut lowest) = (Vec::with_capacity(vector.len()), vec![0; lowest_bytes(vector.len())]);
    let (mut along, mut length) = (0.0, 0.0);
    for (index, x) in vector.iter().enumerate() {
        let level = level(x);
        (along, length) = (along + x * level, length + x * x);
        let level = level as i16;
        values.push((level >> 1) as i8);
        lowest[index / 8] |= ((level & 1) as u8) << (index % 8);
    }
    // Not the step: with this scale the rounded vector's product with the vector itself is exact, so that errors do not all lie on one side.
    let scale = if along > 0.0 { 2.0 * length / along } else { 0.0 };
    let mut rotated = vector.to_vec();
    rotation.apply(&mut rotated);
    let mut sketch = vec![0_u8; sketch_bytes(vector.len())];
    for (index, _) in rotated.iter().enumerate().filter(|(_, x)| **x > 0.0) {
        sketch[index / 8] |= 1 << (index % 8);
    }
    let bits = sketch.iter().map(|byte| byte.count_ones()).sum();
    let cosine = rotated.iter().map(|x| x.abs()).sum::<f32>() / (vector.len().max(1) as f32).sqrt();
    let correction = if cosine > 0.0 { 1.0 / cosine } else { 0.0 };
    Rounded { scale, values, lowest, sketch, bits, correction }
}

/// Bit `index` of the lowest bits of a row.
pub(crate) fn lowest_bit(lowest: &[u8], index: usize) -> bool {
    lowest[index / 8] >> (index % 8) & 1 == 1
}

/// A query against rounded vectors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a> {
    /// `[E]`
    pub(crate) features: &'a [f32],
    sum: f32,
}

impl<'a> Query<'a> {
    /// Of a query `[E]`.
    pub(crate) fn new(features: &'a [f32]) -> Self {
        Self { features, sum: features.iter().sum() }
    }

    /// The cosine with a row, from the query's product with its values: the lowest bits are taken to be a half.
    pub(crate) fn without_lowest(&self, product: f32, scale: f32) -> f32 {
        (product + 0.25 * self.sum) * scale
    }

    /// The cosine with a row whose cosine without the lowest bits is given.
    pub(crate) fn with_lowest(&self, cosine: f32, lowest: &[u8], scale: f32) -> f32 {
        let features = self.features.iter().enumerate();
        let set: f32 = features.map(|(index, x)| if lowest_bit(lowest, index) { *x } else { 0.0 }).sum();
        cosine + (0.5 * set - 0.25 * self.sum) * scale
    }
}

/// A query against sketches: its rotated features in sixteen levels (RaBitQ: Gao and Long, 2024, section 3.3).
#[derive(Clone, Debug)]
pub(crate) struct SketchQuery {
    pub(crate) tables: SketchTables,
    /// The estimated cosine is `(sum over the set bits * of_sum + set bits * of_bits - offset) * correction`.
    of_sum: f32,
    of_bits: f32,
    offset: f32,
}

impl SketchQuery {
    /// Of a query `[E]`.
    pub(crate) fn new(query: &[f32], rotation: &Rotation) -> Self {
        let mut rotated = query.to_vec();
        rotation.apply(&mut rotated);
        let lowest = rotated.iter().copied().fold(f32::INFINITY, f32::min);
        let highest = rotated.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let step = ((highest - lowest) / HIGHEST).max(f32::MIN_POSITIVE);
        let level = |x: &f32| ((x - lowest) / step).round().clamp(0.0, HIGHEST) as u8;
        let levels: Vec<u8> = rotated.iter().map(level).collect();
        // The signs are +-1/sqrt(E): their product with the query is twice the sum over the set bits less the sum over all.
        let sign = 1.0 / (query.len().max(1) as f32).sqrt();
        let (of_sum, of_bits) = (2.0 * step * sign, 2.0 * lowest * sign);
        let offset = rotated.iter().sum::<f32>() * sign;
        Self { tables: SketchTables::new(&levels), of_sum, of_bits, offset }
    }

    /// Estimated cosines with rows, to `out [n]`, from the sums over the set bits of their sketches and what segments store of sketches.
    pub(crate) fn estimate(&self, sums: &[u32], sketch_rows: &[[u8; SKETCH_ROW]], out: &mut [f32]) {
        for ((sum, row), out) in sums.iter().zip(sketch_rows).zip(out) {
            let (correction, bits) = sketch_row(row);
            // Signed numbers have an instruction for many at once; both are far below the largest.
            let (sum, bits) = (sum.cast_signed() as f32, bits.cast_signed() as f32);
            *out = (sum * self.of_sum + bits * self.of_bits - self.offset) * correction;
        }
    }
}

#[cfg(test)]
mod tests {
    use vqtoken_kernels::{Kernels, SKETCH_BLOCK};

    use super::*;

    fn unit(features: usize, seed: f32) -> Vec<f32> {
        let raw: Vec<f32> = (0..features).map(|index| ((index as f32 + 1.0) * seed).sin()).collect();
        let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
        raw.iter().map(|x| x / length).collect()
    }

    fn dot(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn estimates_are_near_the_cosine() {
        for features in [64, 100, 256, 1152] {
            let rotation = Rotation::new(features);
            let (query, row) = (unit(features, 1.3), unit(features, 1.31));
            let rounded = round(&row, &rotation);
            let asked = SketchQuery::new(&query, &rotation);
            let mut block = vec![0; sketch_bytes(features) * SKETCH_BLOCK];
            rounded.sketch.iter().enumerate().for_each(|(index, byte)| block[index * SKETCH_BLOCK] = *byte);
            let mut sum = [0];
            Kernels::best().sketch_sums(&asked.tables, &block, &mut sum).unwrap();
            let mut sketch_row = [0; SKETCH_ROW];
            sketch_row[..4].copy_from_slice(&rounded.correction.to_le_bytes());
            sketch_row[4..].copy_from_slice(&rounded.bits.to_le_bytes());
            let mut estimate = [0.0];
            asked.estimate(&sum, &[sketch_row], &mut estimate);
            let estimate = estimate[0];
            let cosine = dot(&query, &row);
            assert!((estimate - cosine).abs() < 2.5 / (features as f32).sqrt(), "{estimate} {cosine}");
        }
    }

    #[test]
    fn the_ninth_bit_halves_the_error_of_products() {
        let (features, rotation) = (384, Rotation::new(384));
        let query = unit(features, 0.7);
        let asked = Query::new(&query);
        let (mut eight, mut nine) = (0.0, 0.0);
        for seed in 0..50 {
            let row = unit(features, 0.71 + 0.013 * seed as f32);
            let Rounded { scale, values, lowest, .. } = round(&row, &rotation);
            let levels: Vec<f32> = values.iter().map(|value| f32::from(*value)).collect();
            let without = asked.without_lowest(dot(&query, &levels), scale);
            let with = asked.with_lowest(without, &lowest, scale);
            let exact = dot(&query, &row);
            eight += (without - exact).powi(2);
            nine += (with - exact).powi(2);
            let restored: Vec<f32> = (0..features)
                .map(|index| (levels[index] + 0.5 * f32::from(u8::from(lowest_bit(&lowest, index)))) * scale)
                .collect();
            assert!((dot(&restored, &row) - 1.0).abs() < 1e-5);
            assert!((dot(&query, &restored) - with).abs() < 1e-5);
        }
        // A quarter of the square is expected; the sample is small.
        assert!(nine < 0.4 * eight, "{nine} {eight}");
    }

    #[test]
    fn a_vector_of_zeros_is_like_nothing() {
        let rotation = Rotation::new(8);
        let rounded = round(&[0.0; 8], &rotation);
        assert_eq!((rounded.scale, rounded.correction), (0.0, 0.0));
        assert_eq!((rounded.values, rounded.lowest), (vec![0; 8], vec![0]));
    }
}
