//! Lengths and angles of vectors.

/// Below this length a vector is taken as zero and stays as it is.
const LEAST_LENGTH: f64 = 1e-12;

/// Divides each row of `features` values by its Euclidean length; rows of zeros stay as they are.
pub fn normalize_rows(vectors: &mut [f32], features: usize) {
    for row in vectors.chunks_mut(features.max(1)) {
        let length = dot(row, row).sqrt();
        if length > LEAST_LENGTH {
            row.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
        }
    }
}

/// The cosine of the angle between two vectors of any length; 0 if one of them is zero.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > LEAST_LENGTH * LEAST_LENGTH { (dot(a, b) / lengths) as f32 } else { 0.0 }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_get_length_one_and_zeros_stay() {
        let mut rows = [3.0, 4.0, 0.0, 0.0, 1e-30, 0.0];
        normalize_rows(&mut rows, 2);
        assert_eq!(rows, [0.6, 0.8, 0.0, 0.0, 1e-30, 0.0]);
    }

    #[test]
    fn a_cosine_does_not_depend_on_lengths() {
        assert_eq!(cosine(&[2.0, 0.0], &[0.5, 0.0]), 1.0);
        assert_eq!(cosine(&[1.0, 1.0], &[-3.0, -3.0]), -1.0);
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 2.0]), 0.0);
    }
}
